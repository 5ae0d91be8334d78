//! `replica-key-aws-managed`: a rule must name a customer managed key; the one that AWS manages serves one account only,
//! and its policy cannot be changed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>

use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        // Such a key that does not exist yet, or lies elsewhere, is told as that.
        if !replica.is_aws_managed() || replica.key.metadata.is_absent() || replica.wanted_region().is_some()
        {
            continue;
        }
        let reference = &replica.reference;
        let owner = replica.bucket.and_then(|bucket| bucket.owner.found());
        let is_foreign = *reference.account() != facts.snapshot.identity.account;
        let crosses = is_foreign || owner.is_some_and(|owner| owner != reference.account());
        let proof = match &replica.key.metadata {
            Observed::Found(metadata) => evidence(
                "kms:DescribeKey",
                reference,
                format!("KeyManager AWS, Arn {}", metadata.arn),
            ),
            Observed::Absent | Observed::Unreadable(_) => evidence(
                "s3:GetBucketReplication",
                facts.source_arn(),
                format!("ReplicaKmsKeyID {reference}: aliases of this form belong to AWS managed keys"),
            ),
        };
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyAwsManaged,
                severity: if crosses { Severity::Error } else { Severity::Warning },
                rule_ids: ids(replica.rules.iter().copied()),
                subject: reference.to_string(),
                summary: if crosses {
                    "the replica key is managed by AWS, and such a key cannot be used across accounts"
                } else {
                    "the replica key is managed by AWS; S3 documents replication with customer managed keys only"
                }
                .to_owned(),
                expected: "a customer managed key".to_owned(),
                found: "an AWS managed key, whose policy nobody can change".to_owned(),
                evidence: proof,
            }
            .propose(facts.own_account(), set_replica_key(facts, &replica.rules, None)),
        );
    }
}
