//! `metrics-disabled`: S3 reports failed objects only of rules that have replication metrics on.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics.html>

use super::rule_edit::rule_edit;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::snapshot::Rule;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
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
    let remedy = rule_edit(
        name,
        silent.iter().copied(),
        &[("Destination.Metrics.Status", "Enabled")],
    );
    examination.finding(
        Draft {
            check: CheckId::MetricsDisabled,
            severity: Severity::Warning,
            rule_ids: ids(silent),
            subject: bucket.clone(),
            summary: format!(
                "S3 tells nobody when replication from `{name}` fails: it counts and announces failures only of rules \
                 with replication metrics"
            ),
            expected: "Destination.Metrics.Status `Enabled`".to_owned(),
            found: "no replication metrics".to_owned(),
            evidence: evidence(
                "s3:GetBucketReplication",
                &bucket,
                "Destination.Metrics is absent or not Enabled",
            ),
        }
        .propose(facts.own_account(), remedy),
    );
}
