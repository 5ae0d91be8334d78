//! `failed-objects`: objects that failed stay so; S3 does not try them again.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html>
//!
//! What S3 gives as the reason is quoted and never believed: it only says which of the causes that were found explain
//! the failure. This check runs last, because it looks at what the others found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::failure_reason::{Left, Meaning, meaning};
use super::{CheckId, Draft, Evidence, Examination, Facts, Finding, RootCause, Severity};
use crate::snapshot::{EncryptionType, ObjectHead};

/// How many objects stand in the evidence.
const SHOWN: usize = 5;

const NOT_SAID: &str = "no reason given";

/// <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>
const LOST: &str = "what a deleted key encrypts nobody can read again, so no job replicates it: write the objects anew from \
                    another copy, if there is one";

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let trigger = &facts.subject.trigger;
    if trigger.objects.is_empty() {
        return seen_failed(facts, examination);
    }
    if facts.snapshot.objects.is_empty() {
        examination.not_evaluated(
            "the failed objects themselves, such as the keys that encrypt them: INSPECT_OBJECTS is not set",
        );
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for object in &trigger.objects {
        *reasons
            .entry(object.failure_reason.as_deref().unwrap_or(NOT_SAID))
            .or_default() += 1;
    }
    let explained: Vec<Explained> = reasons
        .keys()
        .map(|reason| explanation(facts, reason, examination))
        .collect();
    let causes: BTreeSet<(Severity, CheckId)> = explained
        .iter()
        .flat_map(|one| one.causes.iter().copied())
        .collect();
    let counted: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{} ({count})", reason.escape_debug()))
        .collect();
    let cause = causes.first().map(|(_, check)| *check);
    let bucket = &facts.subject.bucket;
    let mut finding = Draft {
        check: CheckId::FailedObjects,
        severity: Severity::Warning,
        rule_ids: trigger
            .objects
            .iter()
            .filter_map(|object| object.rule_id.clone())
            .collect(),
        subject: facts.source_arn(),
        summary: format!(
            "S3 gave up on {} of `{bucket}`",
            objects(facts.subject.failed_objects)
        ),
        expected: "every object version replicated".to_owned(),
        found: format!("in S3's words: {}", counted.join(", ")),
        evidence: shown(facts),
    }
    .propose(facts.own_account(), what_to_do(facts, &explained));
    // Of more objects than are listed nobody knows the reasons.
    finding.is_for_a_job = facts.subject.failed_objects > trigger.objects.len()
        || explained.iter().any(|one| one.left.is_for_a_job());
    if let Some(cause) = cause {
        finding.root_cause = RootCause::ConsequenceOf(cause);
    }
    examination.finding(finding);
}

/// Versions that HEAD shows as failed, where S3 announced none: not every failure has an event.
fn seen_failed(facts: &Facts<'_>, examination: &mut Examination) {
    let failed = facts
        .snapshot
        .objects
        .iter()
        .filter(|object| object.head.found().is_some_and(ObjectHead::has_failed))
        .count();
    if failed == 0 {
        return;
    }
    let bucket = &facts.subject.bucket;
    examination.finding(
        Draft {
            check: CheckId::FailedObjects,
            severity: Severity::Warning,
            rule_ids: BTreeSet::new(),
            subject: facts.source_arn(),
            summary: format!("S3 gave up on {} of `{bucket}` among those that were looked at", objects(failed)),
            expected: "every object version replicated".to_owned(),
            found: "replication status FAILED".to_owned(),
            evidence: shown(facts),
        }
        .propose(
            facts.own_account(),
            "fix what else is found, then replicate what failed with S3 Batch Replication (the command stands under \
             backlog): S3 does not try failed versions again by itself"
                .to_owned(),
        ),
    );
}

/// What is known of a reason.
struct Explained {
    /// The findings that explain it.
    causes: Vec<(Severity, CheckId)>,
    text: String,
    left: Left,
}

/// What each reason means, and what to do about all of it.
fn what_to_do(facts: &Facts<'_>, explained: &[Explained]) -> String {
    let mut sentences: Vec<String> = explained.iter().map(|one| one.text.clone()).collect();
    sentences.extend(under_removed_rules(facts));
    let for_a_job = || explained.iter().filter(|one| one.left.is_for_a_job());
    let is_to_fix = for_a_job().any(|one| !one.causes.is_empty() || one.left == Left::JobOfAnotherRole);
    let which = match for_a_job().count() {
        0 => None,
        count if count == explained.len() => Some("what failed"),
        _ => Some("the other objects"),
    };
    sentences.extend(which.map(|which| {
        let what_now = match is_to_fix {
            true => format!("Fix that first, then replicate {which}"),
            false => format!("Replicate {which}, if it still matters,"),
        };
        format!(
            "{what_now} with S3 Batch Replication (the command stands under backlog): S3 does not try failed versions \
             again by itself"
        )
    }));
    let mut text = sentences.join(". ");
    if explained.iter().any(|one| one.left == Left::JobOfAnotherRole) {
        let needed = json!({
            "Effect": "Allow", "Action": "s3:InitiateReplication", "Resource": format!("{}/*", facts.source_arn()),
        });
        text.push_str(
            "\nthe role of the job needs this, beside the rest of the policy under backlog in the report:\n",
        );
        text.push_str(&needed.to_string());
    }
    text
}

/// Rules of failed objects that are not in the configuration any more, in a sentence: a job goes by those that are
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html>).
fn under_removed_rules(facts: &Facts<'_>) -> Option<String> {
    let rules = &facts.snapshot.replication.found()?.rules;
    let objects = facts.subject.trigger.objects.iter();
    let removed: BTreeSet<String> = objects
        .filter_map(|object| object.rule_id.as_deref())
        .filter(|id| !rules.iter().any(|rule| rule.id == *id))
        .map(|id| format!("`{}`", id.escape_debug()))
        .collect();
    let (rules, are) = match removed.len() {
        0 => return None,
        1 => ("Rule", "is"),
        _ => ("Rules", "are"),
    };
    let removed: Vec<String> = removed.into_iter().take(SHOWN).collect();
    Some(format!(
        "{rules} {}, under which objects failed, {are} not in the configuration any more: what no other rule takes is \
         not replicated, by S3 Batch Replication neither",
        removed.join(", ")
    ))
}

/// What the findings say to a reason.
fn explanation(facts: &Facts<'_>, reason: &str, examination: &mut Examination) -> Explained {
    let shown = reason.escape_debug();
    let may_cause: &dyn Fn(&Finding) -> bool = match meaning(reason) {
        Meaning::Passing(why, left) => {
            let text = match left {
                Left::Job => format!("{shown}: {why}; no setting of the account is the cause"),
                Left::NoJob(instead) => {
                    format!(
                        "{shown}: {why}; no setting of the account is the cause. {}",
                        sentence(instead)
                    )
                }
                Left::JobOfAnotherRole => format!("{shown}: {why}"),
            };
            return Explained {
                causes: Vec::new(),
                text,
                left,
            };
        }
        Meaning::Caused(checks) => &|finding| checks.contains(&finding.check) && !is_unproven(facts, finding),
        // Any error may be behind a word that is not known.
        Meaning::Unknown => &|finding| finding.severity == Severity::Error,
    };
    let fitting: Vec<&Finding> = examination
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Advice && may_cause(finding))
        .collect();
    if !fitting.is_empty() {
        let summaries: Vec<&str> = fitting.iter().map(|finding| finding.summary.as_str()).collect();
        let text = format!("{shown}: {}", summaries.join(", and "));
        let causes = fitting
            .iter()
            .map(|finding| (finding.severity, finding.check))
            .collect();
        let is_lost = fitting.iter().all(|finding| is_deleted_key(finding));
        return match is_lost {
            true => Explained {
                causes,
                text: format!("{text}. {}", sentence(LOST)),
                left: Left::NoJob(LOST),
            },
            false => Explained {
                causes,
                text,
                left: Left::Job,
            },
        };
    }
    let elsewhere = if examination.unread.is_empty() {
        "nothing visible now explains it: it was fixed since, or the cause is a control policy of the organisation, the \
         object itself (its key, owner or tags), or a service that was not available"
    } else {
        "nothing that could be read explains it; what could not be read may"
    };
    examination.not_evaluated(format!("the cause of {shown}"));
    Explained {
        causes: Vec::new(),
        text: format!("{shown}: {elsewhere}"),
        left: Left::Job,
    }
}

/// That nobody could prove who owns a destination keeps S3 from nothing.
fn is_unproven(facts: &Facts<'_>, finding: &Finding) -> bool {
    let of_owners = || {
        facts
            .snapshot
            .destinations
            .iter()
            .filter(|(name, _)| facts.arn(name) == finding.subject)
            .filter_map(|(_, bucket)| bucket.found()?.owner.failure())
    };
    finding.check == CheckId::DestinationForeign && of_owners().next().is_some()
}

/// Is it about a key that is gone, and not about an alias that points nowhere?
pub(super) fn is_deleted_key(finding: &Finding) -> bool {
    finding.check == CheckId::SourceKeyNotFound && !finding.subject.contains(":alias/")
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn shown(facts: &Facts<'_>) -> Vec<Evidence> {
    let objects = &facts.subject.trigger.objects;
    let mut evidence: Vec<Evidence> = objects
        .iter()
        .take(SHOWN)
        .map(|object| Evidence {
            source: format!(
                "s3:Replication:OperationFailedReplication {}/{}",
                facts.source_arn(),
                object.key.escape_debug()
            ),
            detail: format!(
                "version {}, rule {}, failure reason {}",
                said(object.version_id.as_deref()),
                said(object.rule_id.as_deref()),
                said(object.failure_reason.as_deref())
            ),
        })
        .collect();
    for object in facts.snapshot.objects.iter().take(SHOWN) {
        if let Some(head) = object.head.found() {
            let key = match (&head.kms_key, head.encryption) {
                (Some(key), _) => format!("KMS key {key}"),
                (None, EncryptionType::Plaintext) => "not encrypted".to_owned(),
                (None, _) => "no KMS key".to_owned(),
            };
            evidence.push(Evidence {
                source: format!(
                    "s3:HeadObject {}/{}",
                    facts.source_arn(),
                    object.key.escape_debug()
                ),
                detail: format!(
                    "{key}, {}, replication status {}",
                    if head.bucket_key {
                        "with a Bucket Key"
                    } else {
                        "without a Bucket Key"
                    },
                    said(head.replication_status.as_deref())
                ),
            });
        }
    }
    evidence
}

fn said(text: Option<&str>) -> String {
    text.map_or_else(|| "not given".to_owned(), |text| text.escape_debug().to_string())
}

fn objects(count: usize) -> String {
    if count == 1 {
        "1 object version".to_owned()
    } else {
        format!("{count} object versions")
    }
}
