//! `replica-key-wrong-type`: S3 can only encrypt with symmetric encryption keys.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use super::key_state::wrong_type;
use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Examination, Facts, evidence, ids};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        let Some(metadata) = replica.key.metadata.found() else {
            continue;
        };
        if replica.wanted_region().is_some() {
            continue;
        }
        let Some(fault) = wrong_type(metadata) else {
            continue;
        };
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyWrongType,
                severity: fault.severity,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: metadata.arn.to_string(),
                summary: format!(
                    "S3 cannot encrypt replicas for `{}`: the replica key {}",
                    replica.destination, fault.short
                ),
                expected: fault.expected,
                found: fault.found.clone(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, fault.found),
            }
            .propose(
                facts.own_account(),
                format!(
                    "{}\nthe type of a key cannot be changed",
                    set_replica_key(facts, &replica.rules, None)
                ),
            ),
        );
    }
}
