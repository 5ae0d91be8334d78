//! `replica-key-wrong-type`: S3 can only encrypt with symmetric encryption keys.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use super::replica_key::replica_keys;
use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::ReplicaKeyWrongType],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for replica in replica_keys(facts) {
        let Some(metadata) = replica.key.metadata.found() else {
            continue;
        };
        if replica.wanted_region().is_some() || metadata.is_symmetric() {
            continue;
        }
        let found = format!("KeySpec {}, KeyUsage {}", metadata.spec, metadata.usage);
        outcome.finding(
            Found {
                check: CheckId::ReplicaKeyWrongType,
                severity: Severity::Error,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: metadata.arn.to_string(),
                summary: "the replica key is not a symmetric encryption key, so S3 cannot use it".to_owned(),
                expected: "KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT".to_owned(),
                found: found.clone(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, found),
            }
            .propose(
                facts.own_account(),
                "name a symmetric key in the rule; the type of a key cannot be changed",
            ),
        );
    }
}
