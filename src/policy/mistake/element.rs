//! Decides which actions and resources miss, or overshoot, because of a frequent mistake.
//!
//! The actions of replication are those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>; several sound like the
//! name of an API operation and are not.

use super::super::condition::Base;
use super::super::matching::{PreparedRequest, arn_parts};
use super::super::pattern::glob_ignoring_case;
use super::super::request::fold;
use super::super::statement::{Listed, Statement};
use super::MistakeKind;
use super::condition::CONTEXT;

/// What is needed, and what is often written in its place.
const SIMILAR: [(&str, &[&str]); 9] = [
    ("s3:ReplicateObject", &["s3:PutObject"]),
    (
        "s3:ReplicateDelete",
        &["s3:DeleteObject", "s3:DeleteObjectVersion"],
    ),
    (
        "s3:ReplicateTags",
        &["s3:PutObjectTagging", "s3:PutObjectVersionTagging"],
    ),
    (
        "s3:GetObjectVersionForReplication",
        &["s3:GetObject", "s3:GetObjectVersion"],
    ),
    ("s3:GetObjectVersionAcl", &["s3:GetObjectAcl"]),
    ("s3:GetObjectVersionTagging", &["s3:GetObjectTagging"]),
    ("s3:GetReplicationConfiguration", &["s3:GetBucketReplication"]),
    (
        "s3:ListBucket",
        &["s3:ListObjects", "s3:ListObjectsV2", "s3:ListBuckets"],
    ),
    ("s3:ObjectOwnerOverrideToBucketOwner", &["s3:PutObjectAcl"]),
];

/// The mistakes behind an action that is not among those of the statement.
pub(super) fn action(named: &[String], subject: &PreparedRequest<'_>, kinds: &mut Vec<MistakeKind>) {
    let is = |action: &str| {
        action.split_once(':').is_some_and(|(service, name)| {
            subject.is_service(service) && subject.name.eq_ignore_ascii_case(name)
        })
    };
    if is("kms:Encrypt")
        && named
            .iter()
            .any(|named| fold(named).starts_with("kms:generatedatakey"))
    {
        kinds.push(MistakeKind::GenerateDataKeyWithoutEncrypt);
    }
    for (needed, similar) in SIMILAR.iter().filter(|(needed, _)| is(needed)) {
        let written = named
            .iter()
            .find(|named| similar.iter().any(|similar| named.eq_ignore_ascii_case(similar)));
        kinds.extend(written.map(|written| MistakeKind::SimilarAction {
            named: written.clone(),
            needed: (*needed).to_owned(),
        }));
    }
}

/// The mistakes behind a resource that is not among those of the statement.
pub(super) fn resource(named: &[String], subject: &PreparedRequest<'_>, kinds: &mut Vec<MistakeKind>) {
    if subject.is_service("kms") {
        let alias = named.iter().find(|named| {
            matches!(arn_parts(named), Some([_, _, "kms", _, _, resource]) if resource.starts_with("alias/"))
        });
        kinds.extend(alias.map(|alias| MistakeKind::AliasAsResource { alias: alias.clone() }));
        return;
    }
    if !subject.is_service("s3") {
        return;
    }
    match subject.resource.split_once('/') {
        Some((bucket, _)) => {
            let only = named.iter().find(|named| *named == bucket);
            kinds.extend(only.map(|named| MistakeKind::BucketWithoutObjects { named: named.clone() }));
        }
        None => {
            let only = named.iter().find(|named| {
                named
                    .split_once('/')
                    .is_some_and(|(bucket, _)| bucket == subject.resource)
            });
            kinds.extend(only.map(|named| MistakeKind::ObjectsWithoutBucket { named: named.clone() }));
        }
    }
}

/// Patterns of a statement that applies, such as `arn:aws:s3:::logs*`, which matches the bucket `logs-of-others` too.
pub(super) fn other_buckets(
    statement: &Statement,
    subject: &PreparedRequest<'_>,
    kinds: &mut Vec<MistakeKind>,
) {
    let resources = match &statement.resources {
        Listed::These(patterns) => patterns.as_slice(),
        Listed::AllBut(_) | Listed::Missing | Listed::Flawed(_) => &[],
    };
    let contexts = statement.conditions.all.iter().filter(|condition| {
        condition.folded == CONTEXT
            && condition
                .operator
                .is_some_and(|operator| !operator.negated && operator.base != Base::StringEquals)
    });
    let sent = subject
        .context
        .get_folded(CONTEXT)
        .map(|values| values.as_slice());
    let patterns = resources
        .iter()
        .map(|pattern| (pattern.source.clone(), subject.resource))
        .chain(contexts.flat_map(|condition| {
            let sent = sent.and_then(|sent| sent.first()).map_or("", String::as_str);
            condition.wanted().into_iter().map(move |pattern| (pattern, sent))
        }));
    for (pattern, resource) in patterns {
        let bucket = resource.split_once('/').map_or(resource, |(bucket, _)| bucket);
        if ends_inside_bucket_name(&pattern, bucket) {
            kinds.push(MistakeKind::OtherBucketsIncluded { pattern });
        }
    }
}

/// Is the pattern a beginning of this bucket's ARN, some of its name included, and a `*`?
fn ends_inside_bucket_name(pattern: &str, bucket: &str) -> bool {
    let (Some(fixed), Some([_, _, "s3", _, _, name])) = (pattern.strip_suffix('*'), arn_parts(bucket)) else {
        return false;
    };
    bucket.starts_with(fixed) && fixed.len() > bucket.len() - name.len()
}

/// Does the statement have an action of the service, or of all?
pub(super) fn mentions_service(statement: &Statement, service: &str) -> bool {
    match &statement.actions {
        Listed::These(patterns) => patterns.iter().any(|pattern| {
            let wanted = pattern
                .source
                .split_once(':')
                .map_or(pattern.source.as_str(), |(wanted, _)| wanted);
            glob_ignoring_case(wanted, service)
        }),
        Listed::AllBut(_) | Listed::Missing | Listed::Flawed(_) => true,
    }
}
