//! `replica-key-alias`: an alias can be pointed elsewhere, and policies and grants never follow it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use super::replica_key::replica_keys;
use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::arn::KeyReference;
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::ReplicaKeyAlias],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for replica in replica_keys(facts) {
        let KeyReference::Alias(alias) = &replica.reference else {
            continue;
        };
        let resolved = match &replica.key.metadata {
            Observed::Found(metadata) => metadata.arn.to_string(),
            // A missing alias is told as a missing key.
            Observed::Absent => continue,
            Observed::Unreadable(_) => "a key that could not be read".to_owned(),
        };
        if replica.wanted_region().is_some() {
            continue;
        }
        outcome.finding(
            Found {
                check: CheckId::ReplicaKeyAlias,
                severity: Severity::Warning,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: alias.to_string(),
                summary: format!(
                    "the rule names the replica key by alias `{}`: it replicates only as long as the alias points at a \
                     key that the role may use",
                    alias.name()
                ),
                expected: "the ARN of a key".to_owned(),
                found: format!("an alias that points at {resolved} today"),
                evidence: evidence("kms:DescribeKey", alias, format!("KeyMetadata.Arn {resolved}")),
            }
            .propose(
                facts.own_account(),
                format!("set the rule's Destination.EncryptionConfiguration.ReplicaKmsKeyID to {resolved}"),
            ),
        );
    }
}
