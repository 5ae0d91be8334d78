//! `replica-key-alias`: an alias can be pointed elsewhere, and policies that name its key, and grants, do not follow.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::arn::KeyReference;
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        let KeyReference::Alias(alias) = &replica.reference else {
            continue;
        };
        let (resolved, remedy) = match &replica.key.metadata {
            Observed::Found(metadata) => {
                let key = metadata.arn.to_string();
                let remedy = set_replica_key(facts, &replica.rules, Some(&key));
                (key, remedy)
            }
            // A missing alias is told as a missing key.
            Observed::Absent => continue,
            Observed::Unreadable(_) => (
                "a key that could not be read".to_owned(),
                set_replica_key(facts, &replica.rules, None),
            ),
        };
        // Of a key that must be replaced anyhow, or whose alias nobody can point elsewhere, other checks tell.
        if replica.wanted_region().is_some() || replica.is_aws_managed() {
            continue;
        }
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyAlias,
                severity: Severity::Warning,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: alias.to_string(),
                summary: format!(
                    "the rule names the replica key by its alias `{}`: it replicates only as long as the alias points at \
                     a key that the role may use; policies that name the key, and grants, do not follow the alias",
                    alias.name()
                ),
                expected: "the ARN of a key".to_owned(),
                found: format!("an alias that points at {resolved} today"),
                evidence: evidence("kms:DescribeKey", alias, format!("KeyMetadata.Arn {resolved}")),
            }
            .propose(
                facts.own_account(),
                remedy,
            ),
        );
    }
}
