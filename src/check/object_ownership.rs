//! `object-ownership`: objects that another account wrote and owns are not the bucket owner's to replicate.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html>

use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::snapshot::ObjectOwnership;

/// What S3 says of objects whose owner has not let the bucket's owner read them.
const OF_FOREIGN_OBJECTS: &[&str] = &["SrcGetAclNotPermitted", "SrcGetObjectNotPermitted"];

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let suspected = facts.subject.trigger.objects.iter().any(|object| {
        object
            .failure_reason
            .as_deref()
            .is_some_and(|reason| OF_FOREIGN_OBJECTS.contains(&reason))
    });
    // Most buckets with this setting have no such object, so the setting alone is no finding; nor is a failure that the
    // role's own lack of access explains.
    let explained = examination.findings.iter().any(|finding| {
        finding.severity == Severity::Error
            && matches!(
                finding.check,
                CheckId::RoleSourceAccess | CheckId::RoleSourceKeyAccess | CheckId::SourceKeyNotFound
            )
    });
    if !suspected || explained || facts.snapshot.enabled_rules().next().is_none() {
        return;
    }
    let source = &facts.snapshot.source;
    let found = match examination.needs(&source.ownership) {
        Some(ObjectOwnership::ObjectWriter) => "ObjectWriter",
        Some(ObjectOwnership::BucketOwnerPreferred) => "BucketOwnerPreferred",
        Some(ObjectOwnership::BucketOwnerEnforced) | None => return,
    };
    let bucket = facts.source_arn();
    examination.finding(
        Draft {
            check: CheckId::ObjectOwnership,
            severity: Severity::Warning,
            rule_ids: ids(facts.snapshot.enabled_rules()),
            subject: bucket.clone(),
            summary: format!("S3 may not read some objects in `{}`: they may belong to the accounts that wrote them", source.name),
            expected: "object ownership `BucketOwnerEnforced`".to_owned(),
            found: format!("object ownership `{found}`"),
            evidence: evidence("s3:GetBucketOwnershipControls", bucket, found),
        }
        .propose(
            facts.own_account(),
            format!(
                "if no writer depends on access control lists, make the bucket's owner the owner of all objects:\naws s3api \
                 put-bucket-ownership-controls --bucket {} --ownership-controls \
                 'Rules=[{{ObjectOwnership=BucketOwnerEnforced}}]'",
                source.name
            ),
        ),
    );
}
