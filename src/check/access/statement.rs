//! The statement that would allow what is denied, ready to paste into a policy of the role or of the bucket or key.
//!
//! For a key that rules name it is always the whole set with both encryption contexts, so that switching Bucket Keys on or
//! off breaks nothing: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>. For one that only the
//! default encryption of the destination names it is what is lacking: there, the bucket alone decides on Bucket Keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::arn::KeyArn;
use crate::assessment::Assessment;
use crate::check::Facts;
use crate::policy::Values;
use crate::requirement::{Area, Requirement, via_s3};
use crate::snapshot::SAMPLE_NAME;

/// In which kind of policy the statement is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A policy of the role, or its boundary.
    Role,
    /// The policy of the bucket or key.
    Resource,
}

/// A list of objects longer than this is written as all objects of the bucket.
const MOST_RESOURCES: usize = 10;

/// The statement that allows what these assessments lack.
pub(super) fn statement(facts: &Facts<'_>, area: &Area, place: Place, denied: &[&Assessment]) -> Value {
    let mut statement = json!({"Effect": "Allow"});
    let Some(fields) = statement.as_object_mut() else {
        return statement;
    };
    if place == Place::Resource
        && let Some(replication) = facts.snapshot.replication.found()
    {
        fields.insert("Principal".to_owned(), json!({"AWS": replication.role}));
    }
    let is_named_by_rule = facts
        .assessments
        .iter()
        .any(|one| one.requirement.area == *area && one.requirement.request.action == "kms:Encrypt");
    let actions: BTreeSet<&str> = match area {
        Area::SourceKey(_) => ["kms:Decrypt"].into(),
        Area::ReplicaKey(_) if is_named_by_rule => {
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"].into()
        }
        Area::Source | Area::Destination(_) | Area::ReplicaKey(_) => denied
            .iter()
            .map(|one| one.requirement.request.action.as_str())
            .collect(),
    };
    fields.insert("Action".to_owned(), one_or_more(actions));
    match area {
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            let resource = match place {
                Place::Role => key.to_string(),
                // In a key policy, this means the key that it belongs to.
                Place::Resource => "*".to_owned(),
            };
            fields.insert("Resource".to_owned(), json!(resource));
            let is_whole = is_named_by_rule || matches!(area, Area::SourceKey(_));
            fields.insert("Condition".to_owned(), via_bucket(key, denied, is_whole));
        }
        Area::Source | Area::Destination(_) => {
            fields.insert("Resource".to_owned(), one_or_more(resources(facts, denied)));
        }
    }
    statement
}

fn one_or_more<T: serde::Serialize>(values: BTreeSet<T>) -> Value {
    let mut values: Vec<Value> = values.into_iter().map(|value| json!(value)).collect();
    match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    }
}

/// Only through S3, and only for these buckets: in both contexts, or in those alone that are lacking.
fn via_bucket(key: &KeyArn, denied: &[&Assessment], is_whole: bool) -> Value {
    let contexts: BTreeSet<String> = denied
        .iter()
        .filter_map(|one| {
            one.requirement
                .request
                .context
                .get("kms:EncryptionContext:aws:s3:arn")
        })
        .flat_map(Values::as_slice)
        .flat_map(|context| {
            let (bucket, is_object) = match context.split_once('/') {
                Some((bucket, _)) => (bucket, true),
                None => (context.as_str(), false),
            };
            let of_bucket = (is_whole || !is_object).then(|| bucket.to_owned());
            let of_objects = (is_whole || is_object).then(|| format!("{bucket}/*"));
            of_bucket.into_iter().chain(of_objects)
        })
        .collect();
    json!({
        "StringEquals": {"kms:ViaService": via_s3(key.region())},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": contexts},
    })
}

/// The bucket itself for actions on it, the objects of the rules for actions on objects.
fn resources(facts: &Facts<'_>, denied: &[&Assessment]) -> BTreeSet<String> {
    let rules = || facts.snapshot.enabled_rules();
    let named = |one: &&Assessment| {
        let Requirement {
            request, rule_ids, ..
        } = &one.requirement;
        let Some((bucket, object)) = request.resource.split_once('/') else {
            return request.resource.clone();
        };
        let of_rule = || {
            rules()
                .find(|rule| rule_ids.contains(&rule.id))
                .map(|rule| rule.filter.prefix.as_str())
        };
        match object.strip_suffix(SAMPLE_NAME).or_else(of_rule) {
            // A wildcard or variable in a prefix would mean something else in a policy.
            Some(prefix) if !prefix.contains(['*', '?', '$']) => format!("{bucket}/{prefix}*"),
            Some(_) | None => format!("{bucket}/*"),
        }
    };
    let exact: BTreeSet<String> = denied.iter().map(named).collect();
    if exact.len() <= MOST_RESOURCES {
        return exact;
    }
    let wide = |name: &String| match name.split_once('/') {
        Some((bucket, _)) => format!("{bucket}/*"),
        None => name.clone(),
    };
    exact.iter().map(wide).collect()
}
