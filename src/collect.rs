//! Which facts a bucket's replication depends on, read in as few rounds as possible.
//!
//! What depends on what is in <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.
//! A round is one wait for AWS; everything in it is asked at once:
//! 1. all about the source bucket, and the objects that the event names;
//! 2. the role and the names of its policies, the owner of each destination, each key, the newest object versions;
//! 3. the policies' documents, all else about each destination, the keys behind aliases, HEAD of those versions;
//! 4. the default versions of managed policies, the keys of those versions and of destinations by default.
//!
//! A destination that does not show itself to us at once may need two rounds more. No read can end the check: one that
//! fails is a fact of its own ([`Observed::Unreadable`]).

mod bucket;
mod destination;
mod former;
mod key;
mod object;
mod role;
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::join;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use crate::arn::{AccountId, BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Former, Identity, InspectedObject, Replication, Rule, Snapshot};
use crate::source::{BucketAt, Read, Reader, Source};

use bucket::{Facts, Questions};
pub use former::Places;
pub use shared::Shared;

/// Reads of the same kind that may be under way at once. A configuration may have a thousand rules with as many keys,
/// and AWS refuses whoever asks too much at once.
const CONCURRENT: usize = 16;

/// Pauses before asking again for a configuration that should be there: soon after a put S3 may still deny it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>).
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];

/// How far collecting may go, as the owner of the account has settled it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Accounts that count as ours beside our own.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// Is there a role in trusted accounts to read with? Otherwise our own credentials are tried.
    pub member_role: bool,
    /// May objects be looked at with HEAD?
    pub inspect_objects: bool,
    /// How many recent object versions to look at for each enabled rule; needs `inspect_objects`.
    pub sample_objects: u8,
}

/// What is to be looked at, and what the event says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The source bucket.
    pub bucket: BucketName,
    /// Where it is believed to lie: what the event says, or else our own Region.
    pub region: Region,
    /// Does the event say that there is a configuration: one was just put, or an object failed under one?
    pub expects_configuration: bool,
    /// Objects that the event names.
    pub objects: Vec<WantedObject>,
    /// Where else there may be something of ours.
    pub former: Places,
    /// The time of this look.
    pub now: Timestamp,
}

/// An object that an event names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedObject {
    /// The object's key.
    pub key: String,
    /// Its version; without one it is not looked at, because that would take a permission of its own.
    pub version_id: Option<String>,
}

/// Reads everything that the replication of one bucket depends on; what several names lead to is read once where the
/// source is a [`Shared`] one.
pub async fn collect<S: Source>(source: &S, identity: &Identity, scope: &Scope, wanted: &Wanted) -> Snapshot {
    let mut snapshot = of_rules(source, identity, scope, wanted).await;
    snapshot.former = former::read(source, &snapshot, &wanted.former).await;
    snapshot
}

/// What the rules name.
async fn of_rules<S: Source>(source: &S, identity: &Identity, scope: &Scope, wanted: &Wanted) -> Snapshot {
    let mut at = BucketAt {
        name: wanted.bucket.clone(),
        region: wanted.region.clone(),
        owner: identity.account.clone(),
        reader: Reader::Own,
    };
    let questions = Questions {
        ownership: true,
        object_lock: true,
        payer: false,
    };
    let (head, facts, tags, failure_notifications, replication, mut objects) = join!(
        source.head_bucket(&at),
        Facts::read(source, &at, questions),
        source.bucket_tags(&at),
        source.failure_notifications(&at),
        replication(source, &at, wanted.expects_configuration),
        object::wanted(source, &at, scope, &wanted.objects),
    );
    let owner_by_other_read = tags.found().is_some() || replication.found().is_some();
    let bucket = Bucket {
        tags,
        failure_notifications,
        ..facts.into_bucket(&at, head, owner_by_other_read)
    };
    if let Some(region) = bucket.region.found() {
        at.region = region.clone();
    }

    let mut snapshot = Snapshot {
        identity: identity.clone(),
        taken_at: wanted.now,
        member_accounts: scope.members(identity),
        source: bucket,
        replication,
        role: Observed::Absent,
        destinations: BTreeMap::new(),
        keys: BTreeMap::new(),
        objects: Vec::new(),
        former: Former::default(),
    };
    let configuration = match &snapshot.replication {
        Observed::Found(configuration) => configuration,
        Observed::Unreadable(_) => {
            snapshot.role = Read::Role.not_attempted(format!("the role that replicates `{}`", at.name));
            snapshot.objects = objects;
            return snapshot;
        }
        Observed::Absent => {
            snapshot.objects = objects;
            return snapshot;
        }
    };

    let rules = configuration.rules.iter();
    // Those that another supersedes need nothing, so nothing is read for them.
    let enabled: Vec<&Rule> = rules
        .filter(|rule| rule.enabled && rule.superseded_by.is_none())
        .collect();
    let is_locked = snapshot.source.object_lock.found().is_some();
    let references = key_references(&snapshot, &enabled, &objects);
    let keys = key::Keys {
        source,
        identity,
        scope,
        grantee: &configuration.role,
    };
    let (role, (destinations, default_keys), mut key_facts, (sampled, sampled_keys)) = join!(
        role::read(source, identity, &configuration.role),
        async {
            let destinations =
                read_destinations(source, identity, scope, &at.region, is_locked, &enabled).await;
            let default_keys = keys.read(default_keys(&destinations).cloned().collect()).await;
            (destinations, default_keys)
        },
        keys.read(references),
        async {
            let sampled = object::sample(source, &at, scope, &enabled, &objects).await;
            let sampled_keys = keys.read(object::keys(&sampled).cloned().collect()).await;
            (sampled, sampled_keys)
        },
    );
    key_facts.extend(sampled_keys);
    key_facts.extend(default_keys);
    objects.extend(sampled);
    snapshot.role = role;
    snapshot.destinations = destinations;
    snapshot.keys = key_facts;
    snapshot.objects = objects;
    snapshot
}

/// The replication configuration; an absence that the event contradicts is believed only when it lasts.
async fn replication<S: Source>(source: &S, at: &BucketAt, expected: bool) -> Observed<Replication> {
    let mut answer = source.replication(at).await;
    if expected {
        for pause in PAUSES {
            if !answer.is_absent() {
                break;
            }
            tokio::time::sleep(pause).await;
            answer = source.replication(at).await;
        }
    }
    answer
}

/// All keys that are named before any sampling: by the source's default encryption, by enabled rules, by the event's
/// objects. What a rule names wrongly is for the checks to tell; there is nothing to read.
fn key_references(
    snapshot: &Snapshot,
    enabled: &[&Rule],
    objects: &[InspectedObject],
) -> BTreeSet<KeyReference> {
    enabled
        .iter()
        .filter_map(|rule| rule.replica_key().ok().flatten())
        .chain(snapshot.default_source_key().cloned())
        .chain(object::keys(objects).cloned())
        .collect()
}

/// The KMS keys by which destinations encrypt what comes to them unencrypted.
fn default_keys(
    destinations: &BTreeMap<BucketName, Observed<Bucket>>,
) -> impl Iterator<Item = &KeyReference> {
    destinations
        .values()
        .filter_map(Observed::found)
        .filter_map(|bucket| bucket.encryption.found()?.key.as_ref())
}

/// Each distinct destination of the enabled rules.
async fn read_destinations<S: Source>(
    source: &S,
    identity: &Identity,
    scope: &Scope,
    source_region: &Region,
    is_locked: bool,
    enabled: &[&Rule],
) -> BTreeMap<BucketName, Observed<Bucket>> {
    let mut by_name: BTreeMap<&BucketName, Vec<&Rule>> = BTreeMap::new();
    for rule in enabled {
        by_name.entry(&rule.destination).or_default().push(rule);
    }
    let reads = by_name.into_iter().map(|(name, rules)| async move {
        let questions = Questions {
            ownership: rules.iter().any(|rule| rule.owner_override),
            object_lock: is_locked,
            payer: true,
        };
        let search =
            destination::Search::new(source, identity, scope, name, &rules, source_region, questions);
        (name.clone(), search.run().await)
    });
    at_most(CONCURRENT, reads).await.into_iter().collect()
}

/// The answers of all futures, in their order, at most `limit` of them under way at once.
async fn at_most<F: Future>(limit: usize, futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(futures).buffered(limit).collect().await
}
