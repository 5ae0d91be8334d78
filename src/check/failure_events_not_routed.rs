//! `failure-events-not-routed`: S3 sends replication failures only where the bucket's notification configuration says.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics-events.html>

use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::arn::BucketName;
use crate::shell::shell_quote;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    if rule_ids.is_empty() {
        return;
    }
    // Advice changes no verdict, so that it cannot be given is no reason to call the bucket undetermined.
    let Some(targets) = facts.snapshot.source.failure_notifications.found() else {
        examination.not_evaluated(
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
    examination.finding(
        Draft {
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
        .propose(facts.own_account(), route(name)),
    );
}

/// Adds a target to the notification configuration as it is at that moment: putting one replaces all that was there.
fn route(bucket: &BucketName) -> String {
    // Of an empty configuration the command line prints nothing at all. It prints as little when it fails, so the next step
    // must not be taken then: it would put a configuration of our target alone.
    let program = "import json, os; c = json.loads(open(\"notification.json\").read() or \"{}\"); \
                   c[\"QueueConfigurations\"] = [q for q in c.get(\"QueueConfigurations\", []) if q.get(\"Id\") != \
                   \"s3-replication-remediator\"] + [{\"Id\": \"s3-replication-remediator\", \"QueueArn\": \
                   os.environ[\"QUEUE_ARN\"], \"Events\": [\"s3:Replication:OperationFailedReplication\"]}]; \
                   json.dump(c, open(\"notification.json\", \"w\"))";
    format!(
        "with QUEUE_ARN exported as the ARN of this stack's queue (its output QueueArn):\naws s3api \
         get-bucket-notification-configuration --bucket {bucket} --output json > notification.json && python3 -c {} && \
         aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration \
         file://notification.json",
        shell_quote(program)
    )
}
