//! Which of a rule's objects a Deny may single out: one for each pattern of a Deny that names a part of the objects.
//!
//! Policies are matched against one object, and the sample that stands for a rule is in no such part. Whether these
//! objects are denied is not read off the pattern but evaluated
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::assessment::resource_policy;
use crate::check::Facts;
use crate::policy::{Effect, NamedPolicy};
use crate::requirement::Area;
use crate::snapshot::Rule;

/// How many patterns are looked at.
const MOST_PATTERNS: usize = 20;

/// The patterns of objects that Deny statements name, without the bucket; and whether these are all.
pub(super) fn patterns<'r>(
    facts: &Facts<'_>,
    areas: impl Iterator<Item = &'r Area>,
) -> (BTreeSet<String>, bool) {
    let snapshot = facts.snapshot;
    let mut found = BTreeSet::new();
    if let Some(role) = snapshot.role.found() {
        let own = role.inline.policies.iter().chain(&role.managed.policies);
        own.chain(role.boundary.found())
            .for_each(|policy| add(policy, &mut found));
    }
    for area in areas {
        if let Some(policy) = resource_policy(snapshot, area).found() {
            add(policy, &mut found);
        }
    }
    let is_all = found.len() <= MOST_PATTERNS;
    (found.into_iter().take(MOST_PATTERNS).collect(), is_all)
}

fn add(policy: &NamedPolicy, found: &mut BTreeSet<String>) {
    let raw = policy.document.raw_statements();
    for (raw, statement) in raw.iter().zip(policy.document.statements()) {
        if statement.effect() == Some(Effect::Deny) {
            for element in ["Resource", "Condition"] {
                texts(raw.get(element), &mut |text| found.extend(of_objects(text)));
            }
        }
    }
}

/// Every text below a value.
fn texts(value: Option<&Value>, each: &mut dyn FnMut(&str)) {
    match value {
        Some(Value::String(text)) => each(text),
        Some(Value::Array(values)) => values.iter().for_each(|value| texts(Some(value), each)),
        Some(Value::Object(fields)) => fields.values().for_each(|value| texts(Some(value), each)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
    }
}

/// What a pattern of objects says behind the bucket. What says nothing there names all objects, or none.
fn of_objects(text: &str) -> Option<String> {
    // Not every pattern is a whole ARN.
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let resource = match parts.as_slice() {
        [_, _, service, _, _, resource] if *service == "s3" || service.contains(['*', '?']) => *resource,
        [_, _, _, _, _, _] => return None,
        _ => text,
    };
    let object = match resource.split_once('/') {
        Some((_, object)) => object,
        // A star in the name of a bucket may reach into its objects.
        None => resource.get(resource.find('*')?..)?,
    };
    (!object.chars().all(|c| c == '*')).then(|| object.to_owned())
}

/// An object that the rule takes and the pattern matches, where one is easily made.
pub(super) fn example(pattern: &str, rule: &Rule) -> Option<String> {
    let prefix = &rule.filter.prefix;
    let filled = pattern
        .replace("${*}", "*")
        .replace("${?}", "?")
        .replace("${$}", "$")
        .replace(['*', '?'], "x");
    if filled.starts_with(prefix) {
        return Some(filled);
    }
    // What begins with a star may begin with the prefix.
    let rest = pattern.strip_prefix('*')?;
    Some(format!("{prefix}x{}", rest.replace(['*', '?'], "x")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_of_some_objects_count() {
        for (text, expected) in [
            ("arn:aws:s3:::logs/secret/*", Some("secret/*")),
            ("arn:aws-cn:s3:::*/*.exe", Some("*.exe")),
            ("arn:*:s3:*:*:logs/secret/*", Some("secret/*")),
            ("*/secret/*", Some("secret/*")),
            ("arn:aws:s3:::logs*secret*", Some("*secret*")),
            ("o-a1b2c3d4e5/*", None),
            ("aws:kms", None),
            ("arn:aws:s3:::logs/*", None),
            ("arn:aws:s3:::logs", None),
            ("arn:aws:s3:::logs*", None),
            ("*", None),
            ("arn:aws:kms:eu-west-1:111122223333:key/1", None),
        ] {
            assert_eq!(of_objects(text).as_deref(), expected, "{text}");
        }
    }
}
