//! `replica-key-aws-managed`: a rule must name a customer managed key; the one that AWS manages serves one account only,
//! and its policy cannot be changed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>

use super::replica_key::replica_keys;
use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::snapshot::KeyManager;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::ReplicaKeyAwsManaged],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for replica in replica_keys(facts) {
        let Some(metadata) = replica.judged() else {
            continue;
        };
        if metadata.manager != KeyManager::Aws {
            continue;
        }
        let owner = replica.bucket.and_then(|bucket| bucket.owner.found());
        let crosses = owner.is_some_and(|owner| owner != metadata.arn.account());
        outcome.finding(
            Found {
                check: CheckId::ReplicaKeyAwsManaged,
                severity: if crosses { Severity::Error } else { Severity::Warning },
                rule_ids: ids(replica.rules.iter().copied()),
                subject: metadata.arn.to_string(),
                summary: if crosses {
                    "the replica key is managed by AWS for another account than the destination's: its owner could not \
                     read the replicas"
                } else {
                    "the replica key is managed by AWS; S3 documents replication with customer managed keys only"
                }
                .to_owned(),
                expected: "a customer managed key".to_owned(),
                found: "KeyManager AWS".to_owned(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, "KeyManager AWS"),
            }
            .propose(
                facts.own_account(),
                format!("name a symmetric customer managed key of {} in the rule", metadata.arn.region()),
            ),
        );
    }
}
