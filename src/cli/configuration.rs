//! A replication configuration from a file, before it is put: which field is wrong, and on which line each rule begins.
//!
//! <https://docs.aws.amazon.com/cli/latest/reference/s3api/put-bucket-replication.html>: the JSON that the command takes,
//! bare, or wrapped as `get-bucket-replication` prints it. Fields are those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>, and no others: a misspelt one would be
//! lost without a word.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::arn::{AccountId, BucketName, InvalidName, RoleArn};
use crate::notify::escape::visible;
use crate::snapshot::{Replication, Rule as KnownRule, RuleFilter, Schema};

const EXPECTED: &str = "expected is the JSON that `aws s3api get-bucket-replication` prints";
/// As many as S3 takes.
const MOST_RULES: usize = 1_000;

/// A configuration that could be put.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// What it says.
    pub replication: Replication,
    /// The line, counted from 1, on which each rule begins.
    pub lines: Vec<usize>,
}

/// Why a file is no replication configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfiguration {
    /// It is no JSON, or a field is missing, misspelt or of the wrong type.
    #[error("{}{problem}", place(path))]
    Unreadable {
        /// The field; empty for the document.
        path: String,
        /// What is wrong there.
        problem: String,
    },
    /// Fields have values that cannot be.
    #[error("{}", listed(problems))]
    Invalid {
        /// Each field with what is wrong; never empty.
        problems: Vec<String>,
    },
}

fn place(path: &str) -> String {
    match path {
        "" | "." => String::new(),
        path => format!("field `{path}`: "),
    }
}

fn listed(problems: &[String]) -> String {
    problems.join("; ")
}

/// What must be an object. A list in its place would else be taken for its fields in their order.
struct Object<T>(T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    role: String,
    rules: Vec<Object<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Wrapped {
    replication_configuration: Object<Document>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rule {
    #[serde(default, rename = "ID")]
    id: Option<String>,
    #[serde(default)]
    priority: Option<i32>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    filter: Option<Object<Filter>>,
    status: Status,
    #[serde(default)]
    source_selection_criteria: Option<Object<Criteria>>,
    #[serde(default)]
    existing_object_replication: Option<Object<Switch>>,
    destination: Object<Destination>,
    #[serde(default)]
    delete_marker_replication: Option<Object<MarkerSwitch>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
enum Status {
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Switch {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MarkerSwitch {
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    tag: Option<Object<Tag>>,
    #[serde(default)]
    and: Option<Object<And>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct And {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    tags: Vec<Object<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Criteria {
    #[serde(default)]
    sse_kms_encrypted_objects: Option<Object<Switch>>,
    #[serde(default)]
    replica_modifications: Option<Object<Switch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "fields that decide nothing here are still fields, and may not be misspelt"
)]
struct Destination {
    bucket: String,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    storage_class: Option<String>,
    #[serde(default)]
    access_control_translation: Option<Object<Translation>>,
    #[serde(default)]
    encryption_configuration: Option<Object<Encryption>>,
    #[serde(default)]
    replication_time: Option<Object<ReplicationTime>>,
    #[serde(default)]
    metrics: Option<Object<Metrics>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it has one value, which is checked by reading it")]
struct Translation {
    owner: Owner,
}

#[derive(Deserialize)]
enum Owner {
    Destination,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryption {
    #[serde(default, rename = "ReplicaKmsKeyID")]
    replica_kms_key_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "fields that decide nothing here are still fields, and may not be misspelt"
)]
struct ReplicationTime {
    status: Status,
    time: Object<Minutes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "fields that decide nothing here are still fields, and may not be misspelt"
)]
struct Metrics {
    status: Status,
    #[serde(default)]
    event_threshold: Option<Object<Minutes>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "fields that decide nothing here are still fields, and may not be misspelt"
)]
struct Minutes {
    minutes: i32,
}

/// The rules where they stand in the text.
#[derive(Deserialize)]
struct Places<'a> {
    #[serde(borrow, rename = "Rules")]
    rules: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WrappedPlaces<'a> {
    #[serde(borrow, rename = "ReplicationConfiguration")]
    inner: Places<'a>,
}

impl Configuration {
    /// Reads a configuration.
    ///
    /// # Errors
    /// The text is none, and says in which field.
    pub fn parse(text: &str) -> Result<Self, InvalidConfiguration> {
        let is_wrapped = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .is_ok_and(|fields| fields.contains_key("ReplicationConfiguration"));
        let document = match is_wrapped {
            true => read::<Wrapped>(text)?.0.replication_configuration,
            false => read::<Document>(text)?,
        };
        let rules = match is_wrapped {
            true => serde_json::from_str::<WrappedPlaces<'_>>(text).map(|places| places.inner.rules),
            false => serde_json::from_str::<Places<'_>>(text).map(|places| places.rules),
        };
        let under = if is_wrapped {
            "ReplicationConfiguration."
        } else {
            ""
        };
        Ok(Self {
            replication: known(&document, under)?,
            lines: lines_of(text, &rules.unwrap_or_default()),
        })
    }

    /// The line on which the first of these rules begins.
    pub fn line_of(&self, rule_ids: &[String]) -> Option<usize> {
        self.replication
            .rules
            .iter()
            .zip(&self.lines)
            .find(|(rule, _)| rule_ids.contains(&rule.id))
            .map(|(_, line)| *line)
    }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<Object<T>, InvalidConfiguration> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    let document = serde_path_to_error::deserialize(&mut *reader).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner());
        match error.classify() {
            // Where the text is none, no field is to blame.
            Category::Syntax | Category::Eof | Category::Io => InvalidConfiguration::Unreadable {
                path: String::new(),
                problem: format!("{}{error}; {EXPECTED}", foreign(text)),
            },
            Category::Data => InvalidConfiguration::Unreadable {
                path: visible(&path),
                problem: visible(&error.to_string()),
            },
        }
    })?;
    reader.end().map_err(|error| InvalidConfiguration::Unreadable {
        path: String::new(),
        problem: visible(&error.to_string()),
    })?;
    Ok(document)
}

/// What people have at hand that is none of it.
fn foreign(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        None => "it is empty: ",
        Some('<') => "it is XML: ",
        Some('{' | '[' | '"') => "",
        Some(_) => "it is not JSON: ",
    }
}

/// The lines on which parts of the text begin, which stand in it one after another.
fn lines_of(text: &str, parts: &[&RawValue]) -> Vec<usize> {
    let (mut line, mut seen) = (1, 0);
    let mut line_of = |part: &&RawValue| {
        let at = (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let between = text.as_bytes().get(seen..at).unwrap_or_default();
        line += between.iter().filter(|byte| **byte == b'\n').count();
        seen = at;
        line
    };
    parts.iter().map(&mut line_of).collect()
}

/// The configuration as the program knows it: as if S3 had taken it and given it back.
fn known(document: &Document, under: &str) -> Result<Replication, InvalidConfiguration> {
    let mut problems = Vec::new();
    let mut problem =
        |field: &str, problem: &str| problems.push(format!("field `{under}{field}`: {problem}"));
    let role: Option<RoleArn> = ok(document.role.parse(), "Role", &mut problem);
    let rules: Vec<_> = document
        .rules
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| known_rule(rule, at, &mut problem))
        .collect();
    match document.rules.len() {
        0 => problem("Rules", "expected at least one rule"),
        1..=MOST_RULES => {}
        _ => problem("Rules", "expected at most 1,000 rules"),
    }
    let mut seen = BTreeSet::new();
    for (at, rule) in rules.iter().enumerate() {
        if !seen.insert(&rule.id) {
            problem(
                &format!("Rules[{at}].ID"),
                "another rule has this id; S3 takes each id once",
            );
        }
    }
    match (role, problems.is_empty()) {
        (Some(role), true) => Ok(Replication::new(role, rules)),
        (Some(_) | None, _) => Err(InvalidConfiguration::Invalid { problems }),
    }
}

fn ok<T>(name: Result<T, InvalidName>, field: &str, problem: &mut impl FnMut(&str, &str)) -> Option<T> {
    name.map_err(|error| problem(field, &error.to_string())).ok()
}

fn known_rule(rule: &Rule, at: usize, problem: &mut impl FnMut(&str, &str)) -> Option<KnownRule> {
    let mut problem = |field: &str, text: &str| problem(&format!("Rules[{at}].{field}"), text);
    let is_on =
        |switch: Option<&Object<Switch>>| switch.is_some_and(|switch| switch.status == Status::Enabled);
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > 255) {
        problem("ID", "expected at most 255 characters");
    }
    // A rule with a filter is of the second generation, which has no prefix of its own.
    let (schema, filter) = match (&rule.filter, &rule.prefix) {
        (Some(_), Some(_)) => {
            problem(
                "Prefix",
                "a rule has either `Filter` or the older `Prefix`; drop one of them",
            );
            (Schema::V2, RuleFilter::default())
        }
        (Some(given), None) => {
            if rule.priority.is_none() {
                problem("Priority", "a rule with `Filter` needs one");
            }
            if rule.delete_marker_replication.is_none() {
                problem("DeleteMarkerReplication", "a rule with `Filter` needs it");
            }
            (Schema::V2, known_filter(given, &mut problem))
        }
        (None, prefix) => {
            if rule.delete_marker_replication.is_some() {
                problem("DeleteMarkerReplication", "only a rule with `Filter` may have it");
            }
            let filter = RuleFilter {
                prefix: prefix.clone().unwrap_or_default(),
                tags: Vec::new(),
            };
            (Schema::V1, filter)
        }
    };
    let destination = &rule.destination;
    let bucket = ok(
        BucketName::from_arn(&destination.bucket),
        "Destination.Bucket",
        &mut problem,
    );
    let claimed_account: Option<AccountId> = destination
        .account
        .as_ref()
        .and_then(|account| ok(account.parse(), "Destination.Account", &mut problem));
    let criteria = rule.source_selection_criteria.as_ref();
    let markers = rule.delete_marker_replication.as_ref();
    let _ = &rule.existing_object_replication;
    Some(KnownRule {
        // S3 makes an id up where there is none.
        id: rule.id.clone().unwrap_or_else(|| format!("Rules[{at}]")),
        enabled: rule.status == Status::Enabled,
        priority: rule.priority,
        superseded_by: None,
        schema,
        filter,
        destination: bucket?,
        claimed_account,
        owner_override: destination.access_control_translation.is_some(),
        sse_kms_objects: is_on(criteria.and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref())),
        replica_modifications: is_on(criteria.and_then(|criteria| criteria.replica_modifications.as_ref())),
        replica_key: destination
            .encryption_configuration
            .as_ref()
            .and_then(|encryption| encryption.replica_kms_key_id.clone()),
        delete_markers: match schema {
            Schema::V1 => true,
            Schema::V2 => markers.is_some_and(|markers| markers.status == Some(Status::Enabled)),
        },
        metrics: destination
            .metrics
            .as_ref()
            .is_some_and(|metrics| metrics.status == Status::Enabled),
    })
}

/// One of a prefix, a tag, or several of them under `And`; with none it takes everything.
fn known_filter(filter: &Filter, problem: &mut impl FnMut(&str, &str)) -> RuleFilter {
    let given = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.and.is_some(),
    ];
    if given.into_iter().filter(|is_given| *is_given).count() > 1 {
        problem(
            "Filter",
            "expected one of `Prefix`, `Tag` and `And`; several belong under `And`",
        );
    }
    let and = filter.and.as_ref();
    let tags = filter.tag.iter().chain(and.iter().flat_map(|and| &and.tags));
    RuleFilter {
        prefix: filter
            .prefix
            .clone()
            .or_else(|| and.and_then(|and| and.prefix.clone()))
            .unwrap_or_default(),
        tags: tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
    }
}
