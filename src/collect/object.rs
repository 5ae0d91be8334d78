//! Which object versions are looked at themselves, to learn the keys and Bucket Key settings that are really in use.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>. HEAD needs the permission for
//! reading the object, so nothing here happens unless the owner of the account has allowed it.

use std::collections::BTreeSet;

use crate::arn::KeyReference;
use crate::observed::Observed;
use crate::snapshot::{InspectedObject, Rule};
use crate::source::{BucketAt, ObjectVersion, Read, Source};

use super::{CONCURRENT, Scope, WantedObject, at_most};

/// Objects of one event that are looked at: those that failed together mostly failed for the same reason.
const MOST_WANTED: usize = 10;

/// Object versions that are sampled in one bucket, whatever the number of its rules: each costs a request.
const MOST_SAMPLED: usize = 1000;

/// HEAD of the objects that the event names.
pub(super) async fn wanted<S: Source>(
    source: &S,
    at: &BucketAt,
    scope: &Scope,
    objects: &[WantedObject],
) -> Vec<InspectedObject> {
    if !scope.inspect_objects {
        return Vec::new();
    }
    let distinct: BTreeSet<&WantedObject> = objects.iter().collect();
    let heads = distinct.into_iter().take(MOST_WANTED).map(|object| async move {
        InspectedObject {
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            head: match &object.version_id {
                Some(version) => source.head_object(at, &object.key, version).await,
                None => Read::HeadObject.not_attempted(format!(
                    "object `{}`, of which the event names no version",
                    object.key.escape_debug()
                )),
            },
        }
    });
    at_most(CONCURRENT, heads).await
}

/// HEAD of the newest versions under the prefix of each enabled rule, those left out that were looked at before.
///
/// A prefix that could not be listed stands in the answer as an object of that name without a version.
pub(super) async fn sample<S: Source>(
    source: &S,
    at: &BucketAt,
    scope: &Scope,
    enabled: &[&Rule],
    seen: &[InspectedObject],
) -> Vec<InspectedObject> {
    if !scope.inspect_objects || scope.sample_objects == 0 {
        return Vec::new();
    }
    let limit = usize::from(scope.sample_objects);
    let prefixes: BTreeSet<&str> = enabled.iter().map(|rule| rule.filter.prefix.as_str()).collect();
    let lists = prefixes
        .into_iter()
        .map(|prefix| async move { (prefix, source.recent_versions(at, prefix, limit).await) });

    let mut failed = Vec::new();
    let mut versions: BTreeSet<(String, String)> = BTreeSet::new();
    for (prefix, list) in at_most(CONCURRENT, lists).await {
        match list {
            Observed::Found(list) => versions.extend(
                list.into_iter()
                    .take(limit)
                    .map(|ObjectVersion { key, version_id }| (key, version_id)),
            ),
            Observed::Absent => {}
            Observed::Unreadable(failure) => failed.push(InspectedObject {
                key: prefix.to_owned(),
                version_id: None,
                head: Observed::Unreadable(failure),
            }),
        }
    }
    for object in seen {
        if let Some(version) = &object.version_id {
            versions.remove(&(object.key.clone(), version.clone()));
        }
    }
    let heads = versions
        .into_iter()
        .take(MOST_SAMPLED)
        .map(|(key, version)| async move {
            let head = source.head_object(at, &key, &version).await;
            InspectedObject {
                key,
                version_id: Some(version),
                head,
            }
        });
    let mut objects = at_most(CONCURRENT, heads).await;
    objects.extend(failed);
    objects
}

/// The KMS keys that encrypt those of these objects that S3 has yet to read.
pub(super) fn keys(objects: &[InspectedObject]) -> impl Iterator<Item = &KeyReference> {
    objects.iter().filter_map(|object| {
        object
            .head
            .found()
            .filter(|head| !head.is_done_with())?
            .kms_key
            .as_ref()
    })
}
