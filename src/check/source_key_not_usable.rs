//! `source-key-not-usable`: S3 fails objects with `SrcKmsKeyInvalidState` where their key is not enabled, and uses none of
//! another Region.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>

use super::key_state::{fault, wrong_type};
use super::source_key::{SourceKey, source_keys};
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, evidence, ids};
use crate::arn::Region;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for source in source_keys(facts, examination) {
        examination.needs(&facts.snapshot.source.region);
        if let Some(wanted) = source.wanted_region(facts) {
            in_another_region(facts, source, wanted, examination);
            continue;
        }
        let Some(metadata) = source.key.metadata.found() else {
            continue;
        };
        let Some(fault) =
            wrong_type(metadata).or_else(|| fault(metadata, facts.snapshot.taken_at, examination))
        else {
            continue;
        };
        let user = &source.user;
        let summary = match fault.severity {
            Severity::Error => format!(
                "S3 cannot decrypt source objects: the key of {user} {}",
                fault.short
            ),
            Severity::Warning | Severity::Advice => format!("the key of {user} {}", fault.short),
        };
        examination.finding(
            Draft {
                check: CheckId::SourceKeyNotUsable,
                severity: fault.severity,
                rule_ids: ids(source.rules),
                subject: metadata.arn.to_string(),
                summary,
                expected: fault.expected,
                found: fault.found.clone(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, fault.found),
            }
            .propose(metadata.arn.account().to_string(), fault.remedy),
        );
    }
}

fn in_another_region(
    facts: &Facts<'_>,
    source: SourceKey<'_>,
    wanted: &Region,
    examination: &mut Examination,
) {
    let reference = source.reference;
    let region = reference.region();
    let metadata = source.key.metadata.found();
    let related = metadata.and_then(|key| key.related.iter().find(|related| related.region() == wanted));
    let bucket = &facts.snapshot.source.name;
    let is_default = facts.snapshot.default_source_key() == Some(reference);
    let named_by = if is_default {
        "s3:GetBucketEncryption"
    } else {
        "s3:HeadObject"
    };
    let remedy = source.instead(facts, related);
    examination.finding(
        Draft {
            check: CheckId::SourceKeyNotUsable,
            severity: Severity::Error,
            rule_ids: ids(source.rules),
            subject: reference.to_string(),
            summary: format!(
                "S3 cannot use the key of {}: it is in {region}, source bucket `{bucket}` is in {wanted}",
                source.user
            ),
            expected: format!("a key in {wanted}"),
            found: format!("a key in {region}"),
            evidence: vec![
                Evidence {
                    source: format!("s3:HeadBucket {}", facts.source_arn()),
                    detail: format!("Region {wanted}"),
                },
                Evidence {
                    source: format!("{named_by} {}", facts.source_arn()),
                    detail: format!("KMS key {reference}"),
                },
            ],
        }
        .propose(facts.own_account(), remedy),
    );
}
