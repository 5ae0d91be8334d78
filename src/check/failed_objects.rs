//! `failed-objects`: objects that failed stay so; S3 does not try them again.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html>
//!
//! What S3 gives as the reason is quoted and never believed: many causes share one word, and whoever can send us a
//! message can invent it.

use std::collections::BTreeMap;

use super::{Check, Facts, Found, Outcome};
use crate::finding::{CheckId, Evidence, RootCause, Severity};

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::FailedObjects],
    run,
};

/// How many object keys stand in the evidence.
const SHOWN: usize = 5;

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let trigger = &facts.subject.trigger;
    if trigger.objects.is_empty() {
        return;
    }
    if facts.snapshot.objects.is_empty() {
        outcome.not_evaluated("the failed objects themselves: INSPECT_OBJECTS is not set");
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for object in &trigger.objects {
        *reasons
            .entry(object.failure_reason.as_deref().unwrap_or("no reason given"))
            .or_default() += 1;
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .map(|(reason, count)| format!("{reason} ({count})"))
        .collect();
    let evidence = trigger
        .objects
        .iter()
        .take(SHOWN)
        .map(|object| Evidence {
            source: format!(
                "s3:Replication:OperationFailedReplication {}/{}",
                facts.source_arn(),
                object.key
            ),
            detail: format!(
                "version {}, rule {}, failure reason {}",
                object.version_id.as_deref().unwrap_or("not given"),
                object.rule_id.as_deref().unwrap_or("not given"),
                object.failure_reason.as_deref().unwrap_or("not given")
            ),
        })
        .collect();
    let cause = outcome
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Error && finding.root_cause == RootCause::Itself)
        .map(|finding| finding.check);
    let what_now = match cause {
        Some(_) => "repair what is reported here first",
        None => {
            outcome.not_evaluated(
                "the cause of the failed objects: nothing that could be read explains it. It may have been mended \
                 since, or lie in a control policy of the organisation, in single objects, or in a service that was \
                 not available",
            );
            "no cause is visible now; if new objects replicate, the cause has been mended since"
        }
    };
    let mut finding = Found {
        check: CheckId::FailedObjects,
        severity: Severity::Warning,
        rule_ids: trigger.objects.iter().filter_map(|object| object.rule_id.clone()).collect(),
        subject: facts.source_arn(),
        summary: format!("S3 gave up on {} in `{}`", objects(facts.subject.failed_objects), facts.subject.bucket),
        expected: "every object version replicated".to_owned(),
        found: format!("S3's reasons, in its own words: {}", reasons.join(", ")),
        evidence,
    }
    .propose(
        facts.own_account(),
        format!("{what_now}. Then replicate the failed versions with S3 Batch Replication: S3 does not retry them by itself"),
    );
    if let Some(cause) = cause {
        finding.root_cause = RootCause::ConsequenceOf(cause);
    }
    outcome.finding(finding);
}

fn objects(count: usize) -> String {
    if count == 1 {
        "1 object version".to_owned()
    } else {
        format!("{count} object versions")
    }
}
