//! `destination-not-versioned`: S3 fails objects with `DstBucketUnversioned` where the destination keeps no versions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html>

use super::source_not_versioned::{enable_versioning, not_enabled};
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for (name, bucket, rules) in facts.destinations() {
        let Some(bucket) = bucket.found().filter(|bucket| !bucket.is_gone()) else {
            continue;
        };
        let Some(found) = examination
            .needs(&bucket.versioning)
            .copied()
            .and_then(not_enabled)
        else {
            continue;
        };
        let arn = facts.arn(name);
        let owner = facts.owner_of(name);
        examination.finding(
            Draft {
                check: CheckId::DestinationNotVersioned,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!(
                    "versioning is not enabled on destination bucket `{name}`, so S3 cannot write replicas"
                ),
                expected: "versioning `Enabled`".to_owned(),
                found: found.to_owned(),
                evidence: evidence("s3:GetBucketVersioning", arn, found),
            }
            .propose(owner, enable_versioning(name.as_str())),
        );
    }
}
