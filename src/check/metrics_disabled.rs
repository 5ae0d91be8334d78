//! `metrics-disabled`: S3 reports failed objects only of rules that have replication metrics on.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics.html>

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::snapshot::Rule;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::MetricsDisabled],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let silent: Vec<&Rule> = facts
        .snapshot
        .enabled_rules()
        .filter(|rule| !rule.metrics)
        .collect();
    if silent.is_empty() {
        return;
    }
    let bucket = facts.source_arn();
    let name = &facts.snapshot.source.name;
    outcome.finding(
        Found {
            check: CheckId::MetricsDisabled,
            severity: Severity::Warning,
            rule_ids: ids(silent),
            subject: bucket.clone(),
            summary: format!(
                "S3 will tell nobody when replication from `{name}` fails: the rule has no metrics"
            ),
            expected: "Destination.Metrics.Status `Enabled`".to_owned(),
            found: "no replication metrics".to_owned(),
            evidence: evidence(
                "s3:GetBucketReplication",
                &bucket,
                "Destination.Metrics is absent or not Enabled",
            ),
        }
        .propose(facts.own_account(), enable_metrics(name.as_str())),
    );
}

/// Rewrites the configuration as it is at that moment, with metrics on in every enabled rule.
fn enable_metrics(bucket: &str) -> String {
    format!(
        "aws s3api get-bucket-replication --bucket {bucket} --query ReplicationConfiguration --output json | \
         jq '(.Rules[] | select(.Status == \"Enabled\")).Destination.Metrics.Status = \"Enabled\"' > replication.json && \
         aws s3api put-bucket-replication --bucket {bucket} --replication-configuration file://replication.json"
    )
}
