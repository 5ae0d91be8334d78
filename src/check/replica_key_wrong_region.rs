//! `replica-key-wrong-region`: replicas are encrypted in the destination bucket's Region, with a key of that Region.
//!
//! S3 treats multi-Region keys as single-Region keys, so the rule must name the related key of that Region:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.

use super::replica_key::{replica_keys, set_replica_key};
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, default_key, ids};
use crate::arn::{KeyArn, KeyReference, Region};
use crate::snapshot::Rule;

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
        let named = match (metadata, reference) {
            (Some(metadata), _) => Some(&metadata.arn),
            (None, KeyReference::Key(key)) => Some(key),
            (None, KeyReference::Alias(_)) => None,
        };
        let multi_region = named.filter(|key| key.is_multi_region());
        // Whoever makes the related key has the most to do; naming it in the rule is left to us.
        let owner = match (related, multi_region) {
            (None, Some(named)) => named.account().to_string(),
            (Some(_), _) | (None, None) => facts.own_account(),
        };
        let what_now = match (related, multi_region) {
            (Some(related), _) => format!(
                "name {related}, the related multi-Region key that exists in {wanted}:\n{}",
                set_replica_key(facts, &replica.rules, Some(&related.to_string()))
            ),
            (None, Some(named)) => {
                let primary = metadata.and_then(|key| key.primary.as_ref());
                make_related(facts, &replica.rules, named, primary, wanted)
            }
            (None, None) => set_replica_key(facts, &replica.rules, None),
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
            .propose(owner, what_now),
        );
    }
    default_key::wrong_region(facts, examination);
}

/// How to make the related key of the destination's Region, and to name it. Only the primary key can be copied, in its own
/// Region, and the copy gets a key policy of its own:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-replicate.html>.
fn make_related(
    facts: &Facts<'_>,
    rules: &[&Rule],
    named: &KeyArn,
    primary: Option<&KeyArn>,
    wanted: &Region,
) -> String {
    let related = named.in_region(wanted);
    let name_it = set_replica_key(facts, rules, Some(related.as_str()));
    let (from, region, arn) = match primary {
        Some(primary) => (
            "from the primary key",
            primary.region().to_string(),
            primary.to_string(),
        ),
        None => (
            "from the primary key, with its Region in place of PRIMARY_REGION and its ARN in place of PRIMARY_ARN",
            "PRIMARY_REGION".to_owned(),
            "PRIMARY_ARN".to_owned(),
        ),
    };
    let policy = if named.account().as_str() == facts.own_account() {
        "by default one that leaves the decision to its account"
    } else {
        "which must let the role in"
    };
    format!(
        "make the related key of {wanted} {from}:\naws kms replicate-key --region {region} --key-id {arn} --replica-region \
         {wanted}\nit gets a key policy of its own, {policy}. Then name it in the rule, or another key of {wanted} in its \
         place:\n{name_it}"
    )
}
