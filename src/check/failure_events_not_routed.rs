//! `failure-events-not-routed`: S3 sends replication failures only where the bucket's notification configuration says.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics-events.html>

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};

pub(super) const CHECK: Check = Check {
    id: CheckId::FailureEventsNotRouted,
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    if rule_ids.is_empty() {
        return;
    }
    // Advice changes no verdict, so that it cannot be given is no reason to call the bucket undetermined.
    let Some(targets) = facts.snapshot.source.failure_notifications.found() else {
        outcome.not_evaluated(
            "where replication failure events go: the notification configuration was not read",
        );
        return;
    };
    let routed = targets.iter().flat_map(|target| &target.events).any(|event| {
        matches!(
            event.as_str(),
            "s3:Replication:*" | "s3:Replication:OperationFailedReplication"
        )
    });
    if routed {
        return;
    }
    let bucket = facts.source_arn();
    let name = &facts.snapshot.source.name;
    outcome.finding(
        Found {
            check: CheckId::FailureEventsNotRouted,
            severity: Severity::Advice,
            rule_ids,
            subject: bucket.clone(),
            summary: format!("nobody receives the replication failure events of `{name}`"),
            expected: "a notification for s3:Replication:OperationFailedReplication".to_owned(),
            found: "no notification for replication failures".to_owned(),
            evidence: evidence(
                "s3:GetBucketNotificationConfiguration",
                &bucket,
                "no target has an event of the s3:Replication family",
            ),
        }
        .propose(
            facts.own_account(),
            format!(
                "set QUEUE_ARN to this stack's queue (output FailureQueueArn), then: \
                 aws s3api get-bucket-notification-configuration --bucket {name} --output json | \
                 jq --arg queue \"$QUEUE_ARN\" 'del(.ResponseMetadata) | .QueueConfigurations += [{{\"QueueArn\": $queue, \
                 \"Events\": [\"s3:Replication:OperationFailedReplication\"]}}]' > notification.json && \
                 aws s3api put-bucket-notification-configuration --bucket {name} --notification-configuration \
                 file://notification.json"
            ),
        ),
    );
}
