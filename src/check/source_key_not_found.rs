//! `source-key-not-found`: objects whose key is gone cannot be read, by S3 neither.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>

use super::source_key::source_keys;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for source in source_keys(facts, examination) {
        if source.wanted_region(facts).is_some() {
            continue;
        }
        match &source.key.metadata {
            Observed::Found(_) => continue,
            Observed::Unreadable(failure) if !source.key.is_gone() => {
                examination.unread(failure);
                continue;
            }
            Observed::Absent | Observed::Unreadable(_) => {}
        }
        let reference = source.reference;
        let remedy = format!(
            "nobody can read any more what was encrypted with the deleted key\n{}",
            source.instead(facts, None)
        );
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
