//! Which condition keys of open-ended families the policies test: tags of objects, of buckets and of keys.
//!
//! A key that is in no context counts as absent. A tag that nobody here has read is not absent but unknown, so each tag
//! that some policy asks for must be in the context as that:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html>.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::observed::Observed;
use crate::policy::NamedPolicy;
use crate::snapshot::{Role, Snapshot};

const FAMILIES: [&str; 4] = [
    "s3:existingobjecttag/",
    "s3:requestobjecttag/",
    "s3:buckettag/",
    "aws:resourcetag/",
];

/// The keys of these families that any policy around the replication tests, in lower case but for the tag's name.
pub(super) fn tested_tags(snapshot: &Snapshot, role: &Role) -> BTreeSet<String> {
    let sets = [&role.inline, &role.managed];
    let of_role = sets
        .into_iter()
        .flat_map(|set| &set.policies)
        .chain(role.boundary.found());
    let of_buckets = snapshot
        .destinations
        .values()
        .filter_map(Observed::found)
        .chain([&snapshot.source])
        .filter_map(|bucket| bucket.policy.found());
    let of_keys = snapshot.keys.values().filter_map(|key| key.policy.found());
    let mut keys = BTreeSet::new();
    for policy in of_role.chain(of_buckets).chain(of_keys) {
        in_policy(policy, &mut keys);
    }
    keys
}

fn in_policy(policy: &NamedPolicy, keys: &mut BTreeSet<String>) {
    in_value(policy.document.raw(), keys);
}

fn in_value(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                add(name, keys);
                in_value(field, keys);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| in_value(element, keys)),
        Value::String(text) => {
            for variable in text.split("${").skip(1) {
                add(variable.split(['}', ',']).next().unwrap_or_default().trim(), keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add(name: &str, keys: &mut BTreeSet<String>) {
    let is_tag = |family: &&str| {
        name.get(..family.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(family))
    };
    if FAMILIES.iter().any(is_tag) {
        keys.insert(name.to_owned());
    }
}
