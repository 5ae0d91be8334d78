//! The keys that enabled rules name for replicas, those rules included that must yet be made to select objects under KMS keys:
//! what the checks of replica keys share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Facts;
use super::rule_edit::rule_edit;
use crate::arn::{BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::requirement::passes_over;
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
    for rule in snapshot.enabled_rules() {
        if let Ok(Some(reference)) = rule.replica_key()
            && (rule.sse_kms_objects || passes_over(snapshot, rule))
        {
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

/// What sets the key of a rule for replicas.
pub(super) const REPLICA_KEY_ID: &str = "Destination.EncryptionConfiguration.ReplicaKmsKeyID";

/// Rules whose replicas one key can encrypt: those into one Region. Those whose destination's Region is not known stand
/// together.
pub(super) struct Place<'a> {
    region: Option<&'a Region>,
    destinations: BTreeSet<&'a BucketName>,
    pub(super) rules: Vec<&'a Rule>,
}

/// These rules by the Region that they replicate into.
pub(super) fn places<'a>(facts: &Facts<'a>, rules: &[&'a Rule]) -> Vec<Place<'a>> {
    let mut places: BTreeMap<Option<&Region>, Place<'_>> = BTreeMap::new();
    for rule in rules {
        let bucket = facts.snapshot.destination(&rule.destination);
        let region = bucket
            .and_then(Observed::found)
            .and_then(|bucket| bucket.region.found());
        let place = places.entry(region).or_insert_with(|| Place {
            region,
            destinations: BTreeSet::new(),
            rules: Vec::new(),
        });
        place.destinations.insert(&rule.destination);
        place.rules.push(rule);
    }
    places.into_values().collect()
}

impl fmt::Display for Place<'_> {
    /// `eu-central-1 (the Region of `replica`)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.destinations.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        match self.region {
            Some(region) => write!(f, "{region} (the Region of {names})"),
            None => write!(f, "the Region of {names}"),
        }
    }
}

/// How to name a key for replicas in these rules: this one, or one for each Region that a person chooses.
pub(super) fn set_replica_key(facts: &Facts<'_>, rules: &[&Rule], key: Option<&str>) -> String {
    let command = |rules: &[&Rule], key: &str| {
        let rules = rules.iter().copied();
        rule_edit(&facts.snapshot.source.name, rules, &[(REPLICA_KEY_ID, key)])
    };
    if let Some(key) = key {
        return command(rules, key);
    }
    let choices: Vec<String> = places(facts, rules)
        .iter()
        .map(|place| {
            format!(
                "name a symmetric customer managed key of {place} in the rule; with its ARN in place of KEY_ARN:\n{}",
                command(&place.rules, "KEY_ARN")
            )
        })
        .collect();
    choices.join("\n")
}

impl<'a> ReplicaKey<'a> {
    /// The destination's Region, where the key lies in another. Nothing else about such a key matters: it must be
    /// replaced.
    pub(super) fn wanted_region(&self) -> Option<&'a Region> {
        self.bucket
            .and_then(|bucket| bucket.lies_outside(self.reference.region()))
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
