//! Which buckets a key, alias, role, policy or destination concerns: written down after each look, asked when one of them
//! changes.
//!
//! No AWS call answers the question backwards, and a look at every bucket would cost thousands of calls for each change of
//! any role. What is not in here concerns no bucket that was ever looked at; the next sweep finds what is missing. An
//! entry too many costs one look that finds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;

use super::{Item, ItemKey, Ledger, LedgerFailure, bucket_key, bucket_of};
use crate::arn::{BucketName, KeyReference};
use crate::event::{Drift, Resource};
use crate::observed::Observed;
use crate::snapshot::Snapshot;

/// What entries outlive: longer than any reasonable time between two sweeps.
const KEPT: Duration = Duration::from_secs(100 * DAY);

/// An entry that is older is written anew although nothing changed.
const FRESH: Duration = Duration::from_secs(30 * DAY);

const DAY: u64 = 24 * 60 * 60;

/// Most resources that are written down for one bucket: a thousand rules could name as many keys.
const MOST: usize = 200;

/// Where a bucket's own list stands among the items of the bucket.
const DEPENDS: &str = "depends";

/// Where it stands for which buckets looks were asked already.
const ASKED: &str = "asked";

/// On what a bucket depends, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependencies {
    on: BTreeMap<String, Dependency>,
    written: Option<Timestamp>,
}

/// What stands in the ledger for one resource and this bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    /// The grants of a key that replication may rest on.
    grants: BTreeSet<String>,
    /// The version of the item.
    version: u64,
}

/// For which buckets a change is news.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DependentBuckets {
    /// The buckets.
    pub buckets: BTreeSet<BucketName>,
    /// Were looks asked for that are still to come? Until then, and in which version that is written down.
    asked: Option<(Timestamp, u64)>,
}

impl DependentBuckets {
    /// Will these buckets be looked at anyway, after this time?
    pub fn is_asked(&self, now: Timestamp) -> bool {
        self.asked.is_some_and(|(until, _)| now < until)
    }
}

/// On what the replication of a bucket depends; nothing where it could not be seen.
fn resources(snapshot: &Snapshot) -> Option<BTreeMap<Resource, BTreeSet<String>>> {
    let configuration = match &snapshot.replication {
        Observed::Found(configuration) => configuration,
        Observed::Absent => return Some(BTreeMap::new()),
        Observed::Unreadable(_) => return None,
    };
    let mut found: BTreeMap<Resource, BTreeSet<String>> = BTreeMap::new();
    let mut add = |resource| {
        found.entry(resource).or_default();
    };
    add(Resource::role(&configuration.role));
    snapshot
        .destinations
        .keys()
        .cloned()
        .map(Resource::Bucket)
        .for_each(&mut add);
    if let Some(role) = snapshot.role.found() {
        let managed = role.managed.policies.iter().map(|policy| policy.name.as_str());
        let policies = managed.chain(role.boundary_arn.as_deref());
        policies.filter_map(Resource::policy).for_each(&mut add);
    }
    for (reference, key) in &snapshot.keys {
        let grants = key
            .grants
            .found()
            .into_iter()
            .flatten()
            .map(|grant| grant.id.clone());
        let itself = match reference {
            KeyReference::Key(arn) => Some(arn),
            KeyReference::Alias(alias) => {
                found.entry(Resource::Alias(alias.clone())).or_default();
                key.metadata.found().map(|metadata| &metadata.arn)
            }
        };
        if let Some(arn) = itself {
            found
                .entry(Resource::Key(arn.clone()))
                .or_default()
                .extend(grants);
        }
    }
    Some(found)
}

/// Is it written down on what the replication of a bucket depends? Then it replicated when it was last looked at.
///
/// # Errors
/// The ledger did not answer.
pub async fn is_known<L: Ledger>(ledger: &L, bucket: &BucketName) -> Result<bool, LedgerFailure> {
    let items = ledger.items(&bucket_key(bucket)).await?;
    let depends = dependencies(&items);
    let depends = depends.and_then(|item| serde_json::from_value::<Dependencies>(item.value.clone()).ok());
    Ok(depends.is_some_and(|depends| !depends.on.is_empty()))
}

/// Was everything read that tells on what the bucket depends?
fn is_complete(snapshot: &Snapshot) -> bool {
    let role = match &snapshot.role {
        Observed::Found(role) => role.managed.unread.is_empty(),
        Observed::Absent => true,
        Observed::Unreadable(_) => false,
    };
    role && snapshot.keys.values().all(|key| {
        !matches!(key.metadata, Observed::Unreadable(_)) && !matches!(key.grants, Observed::Unreadable(_))
    })
}

/// What is written down on what a bucket depends, among all that is remembered of it.
pub fn dependencies(items: &[Item]) -> Option<&Item> {
    items.iter().find(|item| item.key.sort == DEPENDS)
}

/// Writes down on what a bucket depends, where that has changed since it was last written: `known` is what is. A ledger
/// that fails costs thrift and never the look.
pub async fn record<L: Ledger>(ledger: &L, snapshot: &Snapshot, known: Option<&Item>, now: Timestamp) {
    let bucket = &snapshot.source.name;
    if let Err(failure) = try_record(ledger, snapshot, known, now).await {
        warn!(%bucket, error = %failure, "changes of what this bucket depends on may not be noticed before the next sweep");
    }
}

async fn try_record<L: Ledger>(
    ledger: &L,
    snapshot: &Snapshot,
    known: Option<&Item>,
    now: Timestamp,
) -> Result<(), LedgerFailure> {
    let Some(found) = resources(snapshot) else {
        return Ok(());
    };
    let bucket = &snapshot.source.name;
    let key = ItemKey {
        partition: bucket_key(bucket),
        sort: DEPENDS.to_owned(),
    };
    let version = known.map_or(0, |item| item.version);
    let before: Dependencies = known
        .and_then(|item| serde_json::from_value(item.value.clone()).ok())
        .unwrap_or_default();
    let is_fresh = before.written.is_some_and(|written| now < later(written, FRESH));

    let mut after = Dependencies {
        on: BTreeMap::new(),
        written: Some(now),
    };
    let is_nothing = found.is_empty() && before.on.is_empty();
    let mut is_changed = !(is_fresh || is_nothing);
    // Of a thousand rules the keys may be too many; the role, its policies and the buckets are few.
    let (keys, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(resource, _)| matches!(resource, Resource::Key(_) | Resource::Alias(_)));
    for (resource, grants) in others.into_iter().chain(keys).take(MOST) {
        let name = resource.to_string();
        let stands = before.on.get(&name);
        let entry = match stands {
            Some(entry) if is_fresh && entry.grants == grants => entry.clone(),
            Some(_) | None => {
                is_changed = true;
                let value = json!({"grants": grants});
                let key = entry_place(&name, bucket);
                let version = stands.map_or(0, |entry| entry.version);
                let version = put(ledger, key, version, value, later(now, KEPT)).await?;
                Dependency { grants, version }
            }
        };
        after.on.insert(name, entry);
    }
    for (name, entry) in before.on {
        if after.on.contains_key(&name) {
            continue;
        }
        is_changed = true;
        if is_complete(snapshot) {
            // Where somebody else has written it meanwhile, it is theirs.
            match ledger.remove(&entry_place(&name, bucket), entry.version).await {
                Ok(()) | Err(LedgerFailure::VersionConflict) => {}
                Err(failure) => return Err(failure),
            }
        } else {
            after.on.insert(name, entry);
        }
    }
    if is_changed {
        put(ledger, key, version, json!(after), later(now, KEPT)).await?;
    }
    Ok(())
}

/// Writes an item over the version that is believed to stand there, or over the one that does. Answers the new version.
async fn put<L: Ledger>(
    ledger: &L,
    key: ItemKey,
    version: u64,
    value: serde_json::Value,
    expires: Timestamp,
) -> Result<u64, LedgerFailure> {
    let mut item = Item {
        key,
        version: version.saturating_add(1),
        value,
        expires: Some(expires),
    };
    match ledger.put(&item).await {
        Err(LedgerFailure::VersionConflict) => {
            let items = ledger.items(&item.key.partition).await?;
            let stands = items.iter().find(|other| other.key == item.key);
            item.version = stands.map_or(0, |other| other.version).saturating_add(1);
            ledger.put(&item).await?;
        }
        other => other?,
    }
    Ok(item.version)
}

/// The buckets that a change of this resource concerns, as far as they were ever looked at.
///
/// # Errors
/// The ledger did not answer.
pub async fn concerned<L: Ledger>(
    ledger: &L,
    resource: &Resource,
    drift: &Drift,
) -> Result<DependentBuckets, LedgerFailure> {
    let mut concerned = DependentBuckets::default();
    for item in ledger.items(&partition(&resource.to_string())).await? {
        if item.key.sort == ASKED {
            let until = item
                .value
                .get("until")
                .and_then(|until| until.as_str()?.parse().ok());
            concerned.asked = until.map(|until| (until, item.version));
            continue;
        }
        let Some(bucket) = bucket_of(&item.key.sort) else {
            continue;
        };
        // Services make and retire grants on the same key all day; only those for replication roles count.
        let grants = item.value.get("grants").and_then(|grants| grants.as_array());
        let rests_on_it = match (&drift.grant, grants) {
            (Some(grant), Some(grants)) => grants.iter().any(|known| known == grant),
            (_, _) => true,
        };
        if rests_on_it {
            concerned.buckets.insert(bucket);
        }
    }
    Ok(concerned)
}

/// Writes down that looks have been asked for that come after `until`: whatever else changes before, they will see.
///
/// # Errors
/// The ledger did not answer.
pub async fn asked<L: Ledger>(
    ledger: &L,
    resource: &Resource,
    concerned: &DependentBuckets,
    until: Timestamp,
) -> Result<(), LedgerFailure> {
    let key = ItemKey {
        partition: partition(&resource.to_string()),
        sort: ASKED.to_owned(),
    };
    let version = concerned.asked.map_or(0, |(_, version)| version);
    let expires = later(until, Duration::from_secs(DAY));
    put(ledger, key, version, json!({"until": until}), expires)
        .await
        .map(drop)
}

fn partition(resource: &str) -> String {
    format!("resource#{resource}")
}

fn entry_place(resource: &str, bucket: &BucketName) -> ItemKey {
    ItemKey {
        partition: partition(resource),
        sort: bucket_key(bucket),
    }
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
