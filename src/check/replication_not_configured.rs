//! `replication-not-configured`: is there a replication configuration at all?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::event::{Change, TriggerKind};
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::ReplicationNotConfigured],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let bucket = facts.source_arn();
    let name = &facts.snapshot.source.name;
    let (rule_ids, found) = match &facts.snapshot.replication {
        Observed::Unreadable(failure) => return outcome.unread(failure),
        Observed::Absent if facts.snapshot.source.owner.is_absent() => {
            (Default::default(), "the bucket does not exist")
        }
        Observed::Absent => (Default::default(), "no replication configuration"),
        Observed::Found(replication) if replication.rules.iter().any(|rule| rule.enabled) => return,
        Observed::Found(replication) => (ids(&replication.rules), "every rule is disabled"),
    };
    // Somebody who just put a configuration, or whose objects failed under one, believes that there is one.
    let trigger = &facts.subject.trigger;
    let contradicted = match trigger.kind {
        TriggerKind::ReplicationConfigured => trigger.change != Some(Change::Removed),
        TriggerKind::ReplicationFailed | TriggerKind::Alarm => true,
        TriggerKind::Drift | TriggerKind::Sweep | TriggerKind::Command => false,
    };
    let severity = if contradicted && facts.snapshot.replication.is_absent() {
        Severity::Error
    } else {
        Severity::Advice
    };
    outcome.finding(
        Found {
            check: CheckId::ReplicationNotConfigured,
            severity,
            rule_ids,
            subject: bucket.clone(),
            summary: format!("bucket `{name}` replicates nothing: {found}"),
            expected: "an enabled replication rule".to_owned(),
            found: found.to_owned(),
            evidence: evidence("s3:GetBucketReplication", &bucket, found),
        }
        .propose(
            facts.own_account(),
            if contradicted {
                "if replication is wanted, put the replication configuration again; if it was removed on purpose, \
                 nothing needs to be done"
            } else {
                "if replication is wanted, put a replication configuration with an enabled rule"
            },
        ),
    );
}
