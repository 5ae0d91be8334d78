//! The keys by which destination buckets encrypt the replicas of objects that are not encrypted, where such objects wait
//! to be replicated or failed: what the checks of replica keys say of them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html#replication-default-encryption>:
//! every other object keeps its kind of encryption, and the default of the destination does not count.

use super::default_encryption::another_default_key;
use super::key_state::{fault, wrong_type};
use super::replica_key::replica_keys;
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, evidence, ids};
use crate::arn::{BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::requirement::{Necessity, of_plaintext};
use crate::snapshot::{Bucket, Key, Rule};

struct DefaultKey<'a> {
    destination: &'a BucketName,
    bucket: &'a Bucket,
    reference: &'a KeyReference,
    key: &'a Key,
    /// The rules that take such objects.
    rules: Vec<&'a Rule>,
}

impl<'a> DefaultKey<'a> {
    /// The bucket's Region, where the key lies in another. Nothing else about such a key matters: it must be replaced.
    fn wanted_region(&self) -> Option<&'a Region> {
        self.bucket.lies_outside(self.reference.region())
    }
}

/// Each such key of each destination, unless a rule names it too: then it is told as that rule's.
fn default_keys<'a>(facts: &Facts<'a>, examination: &mut Examination) -> Vec<DefaultKey<'a>> {
    let snapshot = facts.snapshot;
    let named = replica_keys(facts);
    let mut keys = Vec::new();
    for (destination, bucket, mut rules) in facts.destinations() {
        rules.retain(|rule| of_plaintext(snapshot, rule) == Necessity::Required);
        let (Some(bucket), false) = (bucket.found(), rules.is_empty()) else {
            continue;
        };
        let default = examination.needs(&bucket.encryption);
        let Some((reference, key)) = default
            .and_then(|default| default.key.as_ref())
            .and_then(|reference| Some((reference, snapshot.key(reference)?)))
        else {
            continue;
        };
        let is_named = named.iter().any(|replica| {
            replica.reference == *reference
                || key.metadata.found().is_some() && replica.key.metadata == key.metadata
        });
        if !is_named {
            keys.push(DefaultKey {
                destination,
                bucket,
                reference,
                key,
                rules,
            });
        }
    }
    keys
}

/// What `replica-key-not-found` says of them.
pub(super) fn not_found(facts: &Facts<'_>, examination: &mut Examination) {
    for default in default_keys(facts, examination) {
        if default.wanted_region().is_some() {
            continue;
        }
        let remedy = another_default(&default);
        let DefaultKey {
            destination,
            reference,
            key,
            rules,
            ..
        } = default;
        match &key.metadata {
            Observed::Found(_) => continue,
            Observed::Unreadable(failure) if !key.is_gone() => {
                examination.unread(failure);
                continue;
            }
            Observed::Absent | Observed::Unreadable(_) => {}
        }
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyNotFound,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: reference.to_string(),
                summary: format!(
                    "S3 cannot encrypt replicas of unencrypted objects: the default key of `{destination}` does not exist: \
                     {reference}"
                ),
                expected: "an existing, enabled key".to_owned(),
                found: "no such key".to_owned(),
                evidence: evidence("kms:DescribeKey", reference, "NotFoundException"),
            }
            .propose(facts.owner_of(destination), remedy),
        );
    }
}

/// What `replica-key-wrong-region` says of them.
pub(super) fn wrong_region(facts: &Facts<'_>, examination: &mut Examination) {
    for default in default_keys(facts, examination) {
        let Some(wanted) = default.wanted_region() else {
            continue;
        };
        let remedy = another_default(&default);
        let DefaultKey {
            destination,
            reference,
            rules,
            ..
        } = default;
        let region = reference.region();
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyWrongRegion,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: reference.to_string(),
                summary: format!(
                    "S3 cannot encrypt replicas of unencrypted objects: the default key of `{destination}` is in {region}, \
                     the bucket is in {wanted}"
                ),
                expected: format!("a key in {wanted}"),
                found: format!("a key in {region}"),
                evidence: vec![
                    Evidence {
                        source: format!("s3:HeadBucket {}", facts.arn(destination)),
                        detail: format!("Region {wanted}"),
                    },
                    Evidence {
                        source: format!("s3:GetBucketEncryption {}", facts.arn(destination)),
                        detail: format!("KMSMasterKeyID {reference}"),
                    },
                ],
            }
            .propose(facts.owner_of(destination), remedy),
        );
    }
}

/// What `replica-key-not-usable` says of them.
pub(super) fn not_usable(facts: &Facts<'_>, examination: &mut Examination) {
    for default in default_keys(facts, examination) {
        if default.wanted_region().is_some() {
            continue;
        }
        let destination = default.destination;
        let Some(metadata) = default.key.metadata.found() else {
            continue;
        };
        let judged = match wrong_type(metadata) {
            Some(mut wrong) => {
                wrong.remedy = another_default(&default);
                Some(wrong)
            }
            None => fault(metadata, facts.snapshot.taken_at, examination),
        };
        let Some(fault) = judged else { continue };
        let short = fault.short;
        let summary = match fault.severity {
            Severity::Error => format!(
                "S3 cannot encrypt replicas of unencrypted objects: the default key of `{destination}` {short}"
            ),
            Severity::Warning | Severity::Advice => format!("the default key of `{destination}` {short}"),
        };
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyNotUsable,
                severity: fault.severity,
                rule_ids: ids(default.rules),
                subject: metadata.arn.to_string(),
                summary,
                expected: fault.expected,
                found: fault.found.clone(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, fault.found),
            }
            .propose(default.reference.account().to_string(), fault.remedy),
        );
    }
}

fn another_default(default: &DefaultKey<'_>) -> String {
    let bucket_key = default
        .bucket
        .encryption
        .found()
        .is_some_and(|found| found.bucket_key);
    let needed = if bucket_key {
        "kms:GenerateDataKey and kms:Decrypt"
    } else {
        "kms:GenerateDataKey"
    };
    let related = default.key.metadata.found().and_then(|key| {
        let region = default.wanted_region()?;
        key.related.iter().find(|related| related.region() == region)
    });
    let command = another_default_key(default.bucket, related);
    format!("{command}\nand let the role use it: {needed}")
}
