//! `replica-key-wrong-region`: replicas are encrypted in the destination bucket's Region, with a key of that Region.
//!
//! S3 treats multi-Region keys as single-Region keys, so the rule must name the related key of that Region:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.

use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, ids};
use crate::arn::KeyReference;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        // Without the Region of an existing destination the key cannot be judged.
        if let Some(bucket) = replica.bucket {
            examination.needs(&bucket.region);
        }
        let Some(wanted) = replica.wanted_region() else {
            continue;
        };
        let reference = &replica.reference;
        let metadata = replica.key.metadata.found();
        let related = metadata.and_then(|key| key.related.iter().find(|related| related.region() == wanted));
        let is_multi_region = matches!(reference, KeyReference::Key(key) if key.is_multi_region());
        let what_now = match related {
            Some(related) => format!(
                "name {related}, the related multi-Region key that exists in {wanted}:\n{}",
                set_replica_key(facts, &replica.rules, Some(&related.to_string()))
            ),
            None if is_multi_region => format!(
                "make the related key of {wanted}:\naws kms replicate-key --region {} --key-id {reference} --replica-region \
                 {wanted}\nor take another one: {}",
                reference.region(),
                set_replica_key(facts, &replica.rules, None)
            ),
            None => set_replica_key(facts, &replica.rules, None),
        };
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyWrongRegion,
                severity: Severity::Error,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: reference.to_string(),
                summary: format!(
                    "the replica key is in {}, destination bucket `{}` is in {wanted}",
                    reference.region(),
                    replica.destination
                ),
                expected: format!("a key in {wanted}"),
                found: format!("a key in {}", reference.region()),
                evidence: vec![
                    Evidence {
                        source: format!("s3:HeadBucket {}", facts.arn(replica.destination)),
                        detail: format!("Region {wanted}"),
                    },
                    Evidence {
                        source: format!("s3:GetBucketReplication {}", facts.source_arn()),
                        detail: format!("ReplicaKmsKeyID {reference}"),
                    },
                ],
            }
            .propose(facts.own_account(), what_now),
        );
    }
}
