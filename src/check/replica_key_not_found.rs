//! `replica-key-not-found`: S3 accepts a rule whose key does not exist, and then fails objects with
//! `DstKmsKeyNotFound`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html>

use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Examination, Facts, Severity, default_key, evidence, ids};
use crate::arn::KeyReference;
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        if replica.wanted_region().is_some() {
            continue;
        }
        match &replica.key.metadata {
            Observed::Found(_) => continue,
            Observed::Unreadable(failure) if !replica.key.is_gone() => {
                examination.unread(failure);
                continue;
            }
            Observed::Absent | Observed::Unreadable(_) => {}
        }
        let what = match &replica.reference {
            KeyReference::Key(_) => "key",
            KeyReference::Alias(_) => "alias",
        };
        let reference = &replica.reference;
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyNotFound,
                severity: Severity::Error,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: reference.to_string(),
                summary: format!(
                    "the rule encrypts replicas with a KMS {what} that does not exist: {reference}"
                ),
                expected: format!(
                    "a symmetric customer managed key in the Region of `{}`",
                    replica.destination
                ),
                found: format!("no such {what}"),
                evidence: evidence("kms:DescribeKey", reference, "NotFoundException"),
            }
            .propose(facts.own_account(), set_replica_key(facts, &replica.rules, None)),
        );
    }
    default_key::not_found(facts, examination);
}
