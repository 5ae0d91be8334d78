//! `source-key-not-usable`: S3 fails objects with `SrcKmsKeyInvalidState` where their key is not enabled.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use super::key_state::{fault, wrong_type};
use super::source_key::source_keys;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for source in source_keys(facts, examination) {
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
