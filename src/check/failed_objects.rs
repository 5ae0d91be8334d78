//! `failed-objects`: objects that failed stay so; S3 does not try them again.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html>
//!
//! What S3 gives as the reason is quoted and never believed: it only says which of the causes that were found explain
//! the failure. This check runs last, because it looks at what the others found.

use std::collections::{BTreeMap, BTreeSet};

use super::failure_reason::{Meaning, meaning};
use super::{CheckId, Draft, Evidence, Examination, Facts, Finding, RootCause, Severity};
use crate::snapshot::{EncryptionType, ObjectHead};

/// How many objects stand in the evidence.
const SHOWN: usize = 5;

const NOT_SAID: &str = "no reason given";

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
    let mut causes: BTreeSet<(Severity, CheckId)> = BTreeSet::new();
    let mut explained: Vec<String> = Vec::new();
    for reason in reasons.keys() {
        let (fitting, text) = explanation(reason, examination);
        causes.extend(fitting);
        explained.push(format!("{}: {text}", reason.escape_debug()));
    }
    let counted: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{} ({count})", reason.escape_debug()))
        .collect();
    let cause = causes.first().map(|(_, check)| *check);
    let what_now = match cause {
        Some(_) => "Fix that first, then replicate what failed",
        None => "Replicate what failed, if it still matters,",
    };
    let bucket = &facts.subject.bucket;
    let mut finding = Draft {
        check: CheckId::FailedObjects,
        severity: Severity::Warning,
        rule_ids: trigger.objects.iter().filter_map(|object| object.rule_id.clone()).collect(),
        subject: facts.source_arn(),
        summary: format!("S3 gave up on {} of `{bucket}`", objects(facts.subject.failed_objects)),
        expected: "every object version replicated".to_owned(),
        found: format!("in S3's words: {}", counted.join(", ")),
        evidence: shown(facts),
    }
    .propose(
        facts.own_account(),
        format!(
            "{}. {what_now} with S3 Batch Replication (the command stands under backlog): S3 does not try failed versions \
             again by itself",
            explained.join("; ")
        ),
    );
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

/// The findings that explain a reason, and a text about it.
fn explanation(reason: &str, examination: &mut Examination) -> (Vec<(Severity, CheckId)>, String) {
    let may_cause: &dyn Fn(&Finding) -> bool = match meaning(reason) {
        Meaning::Passing(why) => {
            return (
                Vec::new(),
                format!("{why}; no setting of the account is the cause"),
            );
        }
        Meaning::Caused(checks) => &|finding| checks.contains(&finding.check),
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
        let causes = fitting
            .iter()
            .map(|finding| (finding.severity, finding.check))
            .collect();
        return (causes, summaries.join(", and "));
    }
    let elsewhere = if examination.unread.is_empty() {
        "nothing visible now explains it: it was fixed since, or the cause is a control policy of the organisation, the \
         object itself (its key, owner or tags), or a service that was not available"
    } else {
        "nothing that could be read explains it; what could not be read may"
    };
    examination.not_evaluated(format!("the cause of {}", reason.escape_debug()));
    (Vec::new(), elsewhere.to_owned())
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
