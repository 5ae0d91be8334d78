//! `replication-not-configured`: is there a replication configuration at all?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>

use super::rule_edit::rule_edit;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::event::{Change, TriggerKind};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let bucket = facts.source_arn();
    let source = &facts.snapshot.source;
    let name = &source.name;
    let trigger = &facts.subject.trigger;
    let is_gone = source.owner.is_absent();
    let (rule_ids, found, call, remedy) = match &facts.snapshot.replication {
        Observed::Unreadable(failure) => return examination.unread(failure),
        Observed::Absent if is_gone => (
            Default::default(),
            "no such bucket",
            "s3:HeadBucket",
            "look at the name of the bucket; a bucket that was deleted replicates nothing and needs nothing"
                .to_owned(),
        ),
        Observed::Absent => (
            Default::default(),
            "no replication configuration",
            "s3:GetBucketReplication",
            format!(
                "if replication is wanted, put the configuration again:\naws s3api put-bucket-replication --bucket {name} \
                 --replication-configuration file://replication.json\nif it was removed on purpose, nothing needs to be \
                 done"
            ),
        ),
        Observed::Found(replication) if replication.rules.iter().any(|rule| rule.enabled) => return,
        Observed::Found(replication) => (
            ids(&replication.rules),
            "every rule is disabled",
            "s3:GetBucketReplication",
            format!(
                "if replication is wanted:\n{}",
                rule_edit(name, &replication.rules, &[("Status", "Enabled")])
            ),
        ),
    };
    // Somebody who just put a configuration, or whose object failed under one, believes that there is one.
    let contradicted = facts.snapshot.replication.is_absent()
        && match trigger.kind {
            TriggerKind::ReplicationConfigured => trigger.change == Some(Change::Configured),
            TriggerKind::ReplicationFailed => true,
            // Who names a bucket by hand believes that it is there.
            TriggerKind::Command => is_gone,
            // An alarm can outlive the rule that it watches.
            TriggerKind::Alarm | TriggerKind::Drift | TriggerKind::Sweep => false,
        };
    examination.finding(
        Draft {
            check: CheckId::ReplicationNotConfigured,
            severity: if contradicted {
                Severity::Error
            } else {
                Severity::Advice
            },
            rule_ids,
            subject: bucket.clone(),
            summary: format!("bucket `{name}` replicates nothing: {found}"),
            expected: "an enabled replication rule".to_owned(),
            found: found.to_owned(),
            evidence: evidence(call, &bucket, found),
        }
        .propose(facts.own_account(), remedy),
    );
}
