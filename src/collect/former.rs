//! Policies and grants of ours in roles and on keys that the rules no longer name, as far as records or a person name
//! them.
//!
//! Only what lies in our own account is read: nothing of ours is anywhere else. IAM is asked by a role's name alone, so a
//! role that bears the name of the one in the rules is that one, whatever path is remembered.

use std::collections::BTreeSet;

use futures_util::join;

use super::{CONCURRENT, at_most};
use crate::arn::{KeyArn, KeyReference, RoleArn};
use crate::snapshot::{Former, FormerKey, FormerRole, Snapshot};
use crate::source::{Reader, Source};

/// So many roles, and so many pairs of a role and a key, are looked at. Whoever may write records must not be able to
/// have us ask AWS for ever.
const MOST_ROLES: usize = 8;
const MOST_PAIRS: usize = 40;

/// Where to look beside what the rules name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The name that our policy for the bucket has.
    pub policy: String,
    /// Roles that may hold it, or grants of ours.
    pub roles: BTreeSet<RoleArn>,
    /// Keys that may carry grants of ours.
    pub keys: BTreeSet<KeyArn>,
}

/// Reads what there is in those places, beside what the snapshot has already.
pub(super) async fn read<S: Source>(source: &S, snapshot: &Snapshot, places: &Places) -> Former {
    let mut former = Former::default();
    let own = &snapshot.identity.account;
    let current = snapshot.role.found().map(|role| &role.arn);
    let is_current = |role: &RoleArn| current.is_some_and(|current| current.name() == role.name());
    for foreign in places.roles.iter().filter(|role| role.account() != own) {
        let note = format!("`{foreign}`: it lies in another account, where nothing is ever written");
        former.passed_over.push(note);
    }
    let mut names = BTreeSet::new();
    let mut roles: Vec<&RoleArn> = places
        .roles
        .iter()
        .filter(|role| role.account() == own && !is_current(role) && names.insert(role.name()))
        .collect();
    if let Some(more) = roles.len().checked_sub(MOST_ROLES).filter(|more| *more > 0) {
        former.passed_over.push(format!(
            "{more} of the roles that are remembered: there are too many"
        ));
        roles.truncate(MOST_ROLES);
    }

    let named: BTreeSet<&KeyArn> = snapshot
        .keys
        .values()
        .flat_map(|key| {
            let by_arn = match &key.reference {
                KeyReference::Key(arn) => Some(arn),
                KeyReference::Alias(_) => None,
            };
            key.metadata
                .found()
                .map(|metadata| &metadata.arn)
                .into_iter()
                .chain(by_arn)
        })
        .collect();
    let of_current = places.keys.iter().filter(|key| !named.contains(key));
    let mut pairs: Vec<(&KeyArn, &RoleArn)> = current
        .into_iter()
        .flat_map(|role| of_current.clone().map(move |key| (key, role)))
        .collect();
    for role in &roles {
        let keys: BTreeSet<&KeyArn> = named.iter().copied().chain(&places.keys).collect();
        pairs.extend(keys.into_iter().map(|key| (key, *role)));
    }
    pairs.retain(|(key, _)| key.account() == own);
    if let Some(more) = pairs.len().checked_sub(MOST_PAIRS).filter(|more| *more > 0) {
        let note = format!("{more} pairs of a key and a role that are remembered: there are too many");
        former.passed_over.push(note);
        pairs.truncate(MOST_PAIRS);
    }

    let roles = roles.into_iter().map(|role| async move {
        let (record, policy) = join!(source.role(role), source.inline_policy(role, &places.policy));
        FormerRole {
            arn: role.clone(),
            record,
            policy,
        }
    });
    let keys = pairs.into_iter().map(|(key, grantee)| async move {
        let (tags, grants) = join!(
            source.key_tags(key, &Reader::Own),
            source.grants(key, grantee, &Reader::Own),
        );
        FormerKey {
            arn: key.clone(),
            grantee: grantee.clone(),
            tags,
            grants,
        }
    });
    let (roles, keys) = join!(at_most(CONCURRENT, roles), at_most(CONCURRENT, keys));
    Former {
        roles,
        keys,
        ..former
    }
}
