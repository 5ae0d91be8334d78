//! The keys that enabled rules name for replicas: what the checks of replica keys share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use std::collections::BTreeMap;

use super::Facts;
use crate::arn::{BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Key, KeyMetadata, Rule};

/// A key that rules name for the replicas in one destination.
pub(super) struct ReplicaKey<'a> {
    pub(super) reference: KeyReference,
    pub(super) key: &'a Key,
    pub(super) rules: Vec<&'a Rule>,
    pub(super) destination: &'a BucketName,
    pub(super) bucket: Option<&'a Bucket>,
}

/// Each replica key of each destination, once.
pub(super) fn replica_keys<'a>(facts: &Facts<'a>) -> Vec<ReplicaKey<'a>> {
    let snapshot = facts.snapshot;
    let mut named: BTreeMap<(KeyReference, &BucketName), Vec<&Rule>> = BTreeMap::new();
    for rule in snapshot.enabled_rules().filter(|rule| rule.sse_kms_objects) {
        if let Ok(Some(reference)) = rule.replica_key() {
            named
                .entry((reference, &rule.destination))
                .or_default()
                .push(rule);
        }
    }
    named
        .into_iter()
        .filter_map(|((reference, destination), rules)| {
            let key = snapshot.key(&reference)?;
            let bucket = snapshot.destination(destination).and_then(Observed::found);
            Some(ReplicaKey {
                reference,
                key,
                rules,
                destination,
                bucket,
            })
        })
        .collect()
}

impl<'a> ReplicaKey<'a> {
    /// The destination's Region, where the key lies in another. Nothing else about such a key matters: it must be
    /// replaced.
    pub(super) fn wanted_region(&self) -> Option<&'a Region> {
        self.bucket
            .and_then(|bucket| bucket.region.found())
            .filter(|region| *region != self.reference.region())
    }

    /// What is known of the key, where it lies in the right Region and is of a type that S3 can use.
    pub(super) fn judged(&self) -> Option<&'a KeyMetadata> {
        let metadata = self.key.metadata.found()?;
        (self.wanted_region().is_none() && metadata.is_symmetric()).then_some(metadata)
    }

    /// Who can change the key.
    pub(super) fn owner(&self) -> String {
        self.reference.account().to_string()
    }
}
