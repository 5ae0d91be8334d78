//! The keys that enabled rules name for replicas: what the checks of replica keys share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use std::collections::BTreeMap;

use super::Facts;
use super::rule_edit::rule_edit;
use crate::arn::{BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Key, KeyManager, KeyMetadata, Rule};

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

/// How to name a key for replicas in these rules: this one, or one that a person chooses.
pub(super) fn set_replica_key(facts: &Facts<'_>, rules: &[&Rule], key: Option<&str>) -> String {
    let destinations: BTreeMap<&BucketName, Option<&Region>> = rules
        .iter()
        .map(|rule| {
            let bucket = facts
                .snapshot
                .destination(&rule.destination)
                .and_then(Observed::found);
            (&rule.destination, bucket.and_then(|bucket| bucket.region.found()))
        })
        .collect();
    let where_to: Vec<String> = destinations
        .into_iter()
        .map(|(name, region)| match region {
            Some(region) => format!("{region} (the Region of `{name}`)"),
            None => format!("the Region of `{name}`"),
        })
        .collect();
    let command = |key: &str| {
        rule_edit(
            &facts.snapshot.source.name,
            rules.iter().copied(),
            &[("Destination.EncryptionConfiguration.ReplicaKmsKeyID", key)],
        )
    };
    match key {
        Some(key) => command(key),
        None => format!(
            "name a symmetric customer managed key of {} in the rule; with its ARN in place of KEY_ARN:\n{}",
            where_to.join(", "),
            command("KEY_ARN")
        ),
    }
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

    /// Does AWS manage the key? Its alias says so even where the key cannot be read.
    pub(super) fn is_aws_managed(&self) -> bool {
        match (&self.key.metadata, &self.reference) {
            (Observed::Found(metadata), _) => metadata.manager == KeyManager::Aws,
            (Observed::Absent | Observed::Unreadable(_), KeyReference::Alias(alias)) => {
                alias.is_aws_managed()
            }
            (Observed::Absent | Observed::Unreadable(_), KeyReference::Key(_)) => false,
        }
    }

    /// Who can change the key.
    pub(super) fn owner(&self) -> String {
        self.reference.account().to_string()
    }
}
