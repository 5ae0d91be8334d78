//! Decides what of our own policy stays although nothing that is known needs it now.
//!
//! Taking a permission away is a change like any other: it is made when it is certain that no rule needs it, not when a
//! fact could not be read. Not to see a need is not to see that there is none. A rule that is switched off may be
//! switched on again, and S3 never repeats what failed in between
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html>); a source key may encrypt objects
//! that nobody looked at.

use std::collections::BTreeSet;

use crate::arn::{KeyArn, KeyReference};
use crate::assessment::Assessment;
use crate::guard::GuardSettings;
use crate::observed::Observed;
use crate::requirement::{Area, Requirement};
use crate::snapshot::{Rule, RulesById, Snapshot};

use super::need::is_certainly_foreign;
use super::role_policy::{Permission, Written, objects, permission};

/// What each requirement asks for, and the answer that it gets without anything of ours.
pub(super) fn asked<'a>(
    snapshot: &Snapshot,
    rules: &RulesById<'_>,
    assessments: &'a [Assessment],
) -> Vec<(Permission, &'a Assessment)> {
    assessments
        .iter()
        .filter_map(
            |assessment| match permission(&assessment.requirement, rules, snapshot)? {
                Written::Exactly(permission) => Some((permission, assessment)),
                Written::PrefixNotWritable => None,
            },
        )
        .collect()
}

/// Does a permission that our policy gives stay in it?
pub(super) fn stays(
    given: &Permission,
    snapshot: &Snapshot,
    rules: &RulesById<'_>,
    asked: &[(Permission, &Assessment)],
    settings: &GuardSettings,
) -> bool {
    let mut is_known = false;
    for (_, assessment) in asked.iter().filter(|(permission, _)| permission == given) {
        is_known = true;
        if matters(&assessment.requirement, rules, snapshot, settings) && !assessment.answer.is_allowed() {
            return true;
        }
    }
    let Some(replication) = snapshot.replication.found() else {
        return !snapshot.replication.is_absent();
    };
    !is_known
        && replication
            .rules
            .iter()
            .any(|rule| is_named(given, rule, snapshot, settings))
}

/// Would it be missed? Not what is only advised of S3, nor what leads nowhere but to strangers.
pub(super) fn matters(
    requirement: &Requirement,
    rules: &RulesById<'_>,
    snapshot: &Snapshot,
    settings: &GuardSettings,
) -> bool {
    let is_of_key = matches!(requirement.area, Area::SourceKey(_) | Area::ReplicaKey(_));
    (is_of_key || requirement.necessity.is_certain_or_likely())
        && rules
            .named(&requirement.rule_ids)
            .any(|rule| !is_certainly_foreign(snapshot, &rule.destination, settings))
}

/// Might the rule need it, for all that is known?
pub(super) fn is_named(
    given: &Permission,
    rule: &Rule,
    snapshot: &Snapshot,
    settings: &GuardSettings,
) -> bool {
    let Some(partition) = snapshot.role.found().map(|role| role.arn.partition()) else {
        return true;
    };
    let Some(bucket) = given.bucket() else {
        return false;
    };
    let target = given.target();
    let is_target = target == bucket.arn(partition)
        || objects(&bucket, partition, rule).is_none_or(|objects| super::prefix::covers(target, &objects));
    let is_source = bucket == snapshot.source.name;
    if !is_target
        || (!is_source && bucket != rule.destination)
        || is_certainly_foreign(snapshot, &rule.destination, settings)
    {
        return false;
    }
    let destination_is_known = snapshot
        .destination(&rule.destination)
        .is_some_and(|destination| destination.found().is_some());
    match given.key() {
        None if is_source => !rule.enabled,
        None => !rule.enabled || !destination_is_known,
        Some(key) if is_source => {
            rule.sse_kms_objects && (!rule.enabled || !source_keys(snapshot).contains(&key))
        }
        Some(key) if may_be_default(given, &key, rule, snapshot) => true,
        Some(key) => {
            let names_it = match rule.replica_key() {
                Ok(Some(reference)) if rule.sse_kms_objects => may_be(&reference, &key, snapshot),
                Ok(_) | Err(_) => Some(false),
            };
            match names_it {
                None => true,
                Some(names_it) => names_it && (!rule.enabled || !destination_is_known),
            }
        }
    }
}

/// May the destination encrypt with this key by default, as what is not encrypted at the source needs? Where that is
/// known, it is a requirement.
fn may_be_default(given: &Permission, key: &KeyArn, rule: &Rule, snapshot: &Snapshot) -> bool {
    let destination = snapshot.destination(&rule.destination).and_then(Observed::found);
    given.action != "kms:Encrypt"
        && match destination.map(|bucket| &bucket.encryption) {
            None | Some(Observed::Unreadable(_)) => true,
            Some(Observed::Absent) => false,
            Some(Observed::Found(default)) => default
                .key
                .as_ref()
                .is_some_and(|reference| may_be(reference, key, snapshot) != Some(false)),
        }
}

/// Is it this key? None where that is not known.
fn may_be(reference: &KeyReference, key: &KeyArn, snapshot: &Snapshot) -> Option<bool> {
    match snapshot.key(reference).map(|key| &key.metadata) {
        Some(Observed::Found(metadata)) => Some(metadata.arn == *key),
        Some(Observed::Absent | Observed::Unreadable(_)) | None => match reference {
            KeyReference::Key(named) if named != key => Some(false),
            KeyReference::Key(_) | KeyReference::Alias(_) => None,
        },
    }
}

/// The keys that source objects are known to be under.
fn source_keys(snapshot: &Snapshot) -> BTreeSet<KeyArn> {
    let default = snapshot.default_source_key();
    let of_objects = snapshot
        .objects
        .iter()
        .filter_map(|object| object.head.found().and_then(|head| head.kms_key.as_ref()));
    default
        .into_iter()
        .chain(of_objects)
        .filter_map(|reference| snapshot.key(reference))
        .filter_map(|key| key.metadata.found())
        .map(|metadata| metadata.arn.clone())
        .collect()
}
