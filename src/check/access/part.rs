//! Which of a rule's objects a Deny may single out: one for each pattern of a Deny that names a part of the objects.
//!
//! Policies are matched against one object, and the sample that stands for a rule is in no such part. Whether these
//! objects are denied is not read off the pattern but evaluated
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).

use std::collections::BTreeSet;

use serde_json::Value;

use super::MOST_OBJECTS;
use crate::assessment::resource_policy;
use crate::check::Facts;
use crate::policy::{Effect, NamedPolicy};
use crate::requirement::Area;
use crate::snapshot::Rule;

/// How many patterns are looked at.
const MOST_PATTERNS: usize = 20;

/// The patterns of objects that Deny statements name, without the bucket; and whether these are all.
pub(super) fn patterns(facts: &Facts<'_>, areas: &[&Area]) -> (BTreeSet<String>, bool) {
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

/// What the ARN of an object, or the pattern of one, says behind the bucket. What says nothing names all objects.
fn of_objects(text: &str) -> Option<String> {
    let (_, resource) = text.split_once(":s3:::")?;
    let (_, object) = resource.split_once('/')?;
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

/// The rules that take an object of the pattern, each with one.
pub(super) fn examples<'a>(facts: &Facts<'a>, pattern: &str) -> impl Iterator<Item = (&'a Rule, String)> {
    facts
        .snapshot
        .enabled_rules()
        .filter_map(move |rule| Some((rule, example(pattern, rule)?)))
        .take(MOST_OBJECTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_of_some_objects_count() {
        for (text, expected) in [
            ("arn:aws:s3:::logs/secret/*", Some("secret/*")),
            ("arn:aws-cn:s3:::*/*.exe", Some("*.exe")),
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
