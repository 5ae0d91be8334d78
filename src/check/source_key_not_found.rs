//! `source-key-not-found`: objects whose key is gone cannot be read, by S3 neither.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>

use super::source_key::source_keys;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let bucket = &facts.snapshot.source.name;
    for source in source_keys(facts, examination) {
        match &source.key.metadata {
            Observed::Found(_) => continue,
            Observed::Unreadable(failure) if !source.key.is_gone() => {
                examination.unread(failure);
                continue;
            }
            Observed::Absent | Observed::Unreadable(_) => {}
        }
        let reference = source.reference;
        let remedy = if facts.snapshot.default_source_key() == Some(reference) {
            format!(
                "give the bucket an existing key, with its ARN in place of KEY_ARN:\naws s3api put-bucket-encryption --bucket {bucket} \
                 --server-side-encryption-configuration '{{\"Rules\":[{{\"ApplyServerSideEncryptionByDefault\":\
                 {{\"SSEAlgorithm\":\"aws:kms\",\"KMSMasterKeyID\":\"KEY_ARN\"}},\"BucketKeyEnabled\":true}}]}}'\n\
                 What was encrypted with the deleted key cannot be read again by anyone"
            )
        } else {
            "nobody can read what is encrypted with a deleted key: write these objects anew from another copy, and leave \
             the old versions out of what is still to be replicated"
                .to_owned()
        };
        examination.finding(
            Draft {
                check: CheckId::SourceKeyNotFound,
                severity: Severity::Error,
                rule_ids: ids(source.rules),
                subject: reference.to_string(),
                summary: format!("the KMS key of {} does not exist: {reference}", source.user),
                expected: "an existing, enabled key".to_owned(),
                found: "no such key".to_owned(),
                evidence: evidence("kms:DescribeKey", reference, "NotFoundException"),
            }
            .propose(facts.own_account(), remedy),
        );
    }
}
