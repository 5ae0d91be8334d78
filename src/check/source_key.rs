//! The keys that source objects are encrypted with, as far as they are known: what the checks of source keys share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`SrcKmsKeyInvalidState`)

use std::collections::BTreeMap;

use super::default_encryption::another_default_key;
use super::{Examination, Facts};
use crate::arn::{KeyArn, KeyReference, Region};
use crate::requirement::{must_be_replicated, passes_over};
use crate::snapshot::{Key, Rule};

/// A key that rules need for reading what they replicate.
pub(super) struct SourceKey<'a> {
    pub(super) reference: &'a KeyReference,
    pub(super) key: &'a Key,
    /// `the bucket's default encryption`, or an object.
    pub(super) user: String,
    pub(super) rules: Vec<&'a Rule>,
}

impl<'a> SourceKey<'a> {
    /// The bucket's Region, where the key lies in another. Nothing else about such a key matters: S3 cannot use it.
    pub(super) fn wanted_region(&self, facts: &Facts<'a>) -> Option<&'a Region> {
        facts.snapshot.source.lies_outside(self.reference.region())
    }

    /// How to do without this key: what its objects need instead.
    pub(super) fn instead(&self, facts: &Facts<'_>, key: Option<&KeyArn>) -> String {
        if facts.snapshot.default_source_key() == Some(self.reference) {
            let command = another_default_key(&facts.snapshot.source, key);
            format!("{command}\nand let the role decrypt with it: kms:Decrypt")
        } else {
            "write these objects anew from another copy, and leave the old versions out of what is still to be replicated"
                .to_owned()
        }
    }
}

/// Each key once, also where the objects are to be selected yet: whoever has them selected should not meet the next cause then.
pub(super) fn source_keys<'a>(facts: &Facts<'a>, examination: &mut Examination) -> Vec<SourceKey<'a>> {
    let snapshot = facts.snapshot;
    let rules: Vec<&Rule> = snapshot
        .enabled_rules()
        .filter(|rule| rule.sse_kms_objects || passes_over(snapshot, rule))
        .collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let mut named: BTreeMap<&KeyReference, (String, Vec<&Rule>)> = BTreeMap::new();
    if let Some(key) = snapshot.default_source_key() {
        named.insert(key, ("the bucket's default encryption".to_owned(), rules.clone()));
    }
    for object in &snapshot.objects {
        let under_prefix = |rule: &&Rule| object.key.starts_with(&rule.filter.prefix);
        if !rules.iter().any(under_prefix) {
            continue;
        }
        let key = examination
            .needs(&object.head)
            .and_then(|head| head.kms_key.as_ref());
        let taking = |rule: &&Rule| must_be_replicated(snapshot, rule, object);
        let taking: Vec<&Rule> = rules.iter().copied().filter(taking).collect();
        if let Some(key) = key.filter(|_| !taking.is_empty()) {
            named
                .entry(key)
                .or_insert_with(|| (format!("object `{}`", object.key.escape_debug()), taking));
        }
    }
    named
        .into_iter()
        .filter_map(|(reference, (user, rules))| {
            Some(SourceKey {
                reference,
                key: snapshot.key(reference)?,
                user,
                rules,
            })
        })
        .collect()
}
