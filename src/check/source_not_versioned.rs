//! `source-not-versioned`: replication copies versions, so the source must keep them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html>

use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::snapshot::Versioning;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    if rule_ids.is_empty() {
        return;
    }
    let source = &facts.snapshot.source;
    let Some(found) = examination
        .needs(&source.versioning)
        .copied()
        .and_then(not_enabled)
    else {
        return;
    };
    let bucket = facts.source_arn();
    let mut finding = Draft {
        check: CheckId::SourceNotVersioned,
        severity: Severity::Error,
        rule_ids,
        subject: bucket.clone(),
        summary: format!(
            "versioning is not enabled on source bucket `{}`, so nothing is replicated",
            source.name
        ),
        expected: "versioning `Enabled`".to_owned(),
        found: found.to_owned(),
        evidence: evidence("s3:GetBucketVersioning", bucket, found),
    }
    .propose(
        facts.own_account(),
        format!(
            "{}\nwhat was written meanwhile has no version of its own to replicate, and no job takes it as failed: write \
             again what matters of it, such as by copying it onto itself",
            enable_versioning(source.name.as_str())
        ),
    );
    // What was written meanwhile has no version that could have failed.
    finding.is_for_a_job = false;
    examination.finding(finding);
}

/// How the versioning of a bucket differs from what replication needs.
pub(super) fn not_enabled(versioning: Versioning) -> Option<&'static str> {
    match versioning {
        Versioning::Enabled => None,
        Versioning::Suspended => Some("versioning `Suspended`"),
        Versioning::Never => Some("versioning was never enabled"),
    }
}

/// The command that enables versioning. A bucket name needs no quoting: see [`crate::arn::BucketName`].
pub(super) fn enable_versioning(bucket: &str) -> String {
    format!("aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled")
}
