//! What replicates where, and at which point of the way it breaks: the report's findings laid out along the way that an
//! object takes.
//!
//! The way is that of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-how-setup.html>: out of the source
//! bucket, decrypted under its key, carried by the role, encrypted under the replica key, into the destination bucket.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::recording::Seen;
use super::report::{Report, Severity};
use crate::arn::{KeyReference, Partition, Region};
use crate::check::CheckId;
use crate::snapshot::{DefaultEncryption, Replication, Rule};

/// Routes beyond this are counted, not drawn.
const MOST_ROUTES: usize = 24;

/// The ways out of one source bucket, the worst first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// The ways.
    pub routes: Vec<Route>,
    /// How many more there are.
    pub left_out: usize,
}

/// A way that objects take, of one rule or of several that share all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Whether objects get through.
    pub state: State,
    /// The rules' ids.
    pub rules: Vec<String>,
    /// What of the bucket they take, where it is one rule.
    pub takes: Option<String>,
    /// What lies on the way, in order.
    pub stops: Vec<Stop>,
    /// The findings about the rules themselves, by their numbers in the report.
    pub findings: Vec<usize>,
}

/// Something on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// What it is.
    pub kind: Kind,
    /// Its short name.
    pub name: String,
    /// Its full name.
    pub arn: String,
    /// Region or account.
    pub place: String,
    /// How it is.
    pub state: State,
    /// What is wrong with it, by the numbers of findings in the report.
    pub findings: Vec<usize>,
    /// How the step to it is; none for where the way begins.
    pub step: Option<Step>,
}

/// The step from one stop to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// May it be taken?
    pub state: State,
    /// Why not.
    pub findings: Vec<usize>,
}

/// What a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The source bucket.
    Source,
    /// The key of the source's objects.
    SourceKey,
    /// The role.
    Role,
    /// The key of the replicas.
    ReplicaKey,
    /// The destination bucket.
    Destination,
}

impl Kind {
    /// In a word or two.
    pub fn label(self) -> &'static str {
        match self {
            Self::Source => "source bucket",
            Self::SourceKey => "source key",
            Self::Role => "role",
            Self::ReplicaKey => "replica key",
            Self::Destination => "destination bucket",
        }
    }
}

/// How something on the way is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Switched off.
    Off,
    /// Nothing is wrong.
    Fine,
    /// It will not stay so.
    AtRisk,
    /// Not known.
    Unknown,
    /// It stops objects.
    Broken,
}

impl State {
    /// In a word or two.
    pub fn label(self) -> &'static str {
        match self {
            Self::Off => "disabled",
            Self::Fine => "fine",
            Self::AtRisk => "at risk",
            Self::Unknown => "not known",
            Self::Broken => "broken",
        }
    }

    /// The name of its style.
    pub fn class(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fine => "fine",
            Self::AtRisk => "risk",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

/// Which part of the way a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Rule,
    At(Kind),
    /// The step out of the source.
    Reading,
    /// The step from the source's key to the role.
    Decrypting,
    /// The step from the role to the replica key.
    Encrypting,
    /// The step into the destination.
    Writing,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new check is about the rules until it is given a place"
)]
fn part(check: CheckId) -> Part {
    match check {
        CheckId::ReplicationNotConfigured
        | CheckId::SourceNotVersioned
        | CheckId::ObjectOwnership
        | CheckId::FailureEventsNotRouted => Part::At(Kind::Source),
        CheckId::SourceKeyNotFound | CheckId::SourceKeyNotUsable => Part::At(Kind::SourceKey),
        CheckId::RoleNotFound | CheckId::RoleNotAssumable => Part::At(Kind::Role),
        CheckId::ReplicaKeyMissing
        | CheckId::ReplicaKeyNotFound
        | CheckId::ReplicaKeyWrongRegion
        | CheckId::ReplicaKeyWrongType
        | CheckId::ReplicaKeyNotUsable
        | CheckId::ReplicaKeyAwsManaged
        | CheckId::ReplicaKeyAlias => Part::At(Kind::ReplicaKey),
        CheckId::DestinationNotFound
        | CheckId::DestinationNotVersioned
        | CheckId::DestinationObjectLock
        | CheckId::DestinationForeign
        | CheckId::DestinationRequesterPays => Part::At(Kind::Destination),
        CheckId::RoleSourceAccess => Part::Reading,
        CheckId::RoleSourceKeyAccess => Part::Decrypting,
        CheckId::RoleReplicaKeyAccess => Part::Encrypting,
        CheckId::RoleDestinationAccess | CheckId::DestinationPolicy => Part::Writing,
        // All others are about the rules themselves.
        _ => Part::Rule,
    }
}

/// The part of a finding of the report; a check that this version does not know is about its rules.
fn part_of(check: &str) -> Part {
    let known = CheckId::ALL.iter().find(|id| id.as_str() == check);
    known.map_or(Part::Rule, |id| part(*id))
}

impl Picture {
    /// The picture of a report, made of what was seen for it.
    pub fn new(report: &Report, seen: &Seen) -> Self {
        let Some(replication) = &seen.replication else {
            let stop = source(report);
            let route = settled(report, vec![stop], Vec::new(), None, &all(report), true);
            return Self {
                routes: vec![route],
                left_out: 0,
            };
        };
        let mut routes: Vec<Route> = Vec::new();
        for rule in &replication.rules {
            let numbers = about(report, &rule.id);
            let stops = stops(report, seen, replication, rule);
            let takes = takes(rule);
            let route = settled(
                report,
                stops,
                vec![rule.id.clone()],
                Some(takes),
                &numbers,
                rule.enabled,
            );
            let same = routes.iter_mut().find(|other| {
                (&other.stops, &other.findings, other.state) == (&route.stops, &route.findings, route.state)
            });
            match same {
                Some(other) => {
                    other.rules.extend(route.rules);
                    other.takes = None;
                }
                None => routes.push(route),
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.state));
        let left_out = routes.len().saturating_sub(MOST_ROUTES);
        routes.truncate(MOST_ROUTES);
        Self { routes, left_out }
    }

    /// The destinations that are drawn, with how the worst way to each is.
    pub fn destinations(&self) -> Vec<(&Stop, State)> {
        let mut found: Vec<(&Stop, State)> = Vec::new();
        for route in &self.routes {
            let Some(stop) = route.stops.iter().find(|stop| stop.kind == Kind::Destination) else {
                continue;
            };
            match found.iter_mut().find(|(other, _)| other.name == stop.name) {
                Some((_, state)) => *state = (*state).max(route.state),
                None => found.push((stop, route.state)),
            }
        }
        found
    }
}

/// The numbers of the findings about a rule, those about all rules included.
fn about(report: &Report, rule: &str) -> BTreeSet<usize> {
    let is_about = |ids: &[String]| ids.is_empty() || ids.iter().any(|id| id == rule);
    numbered(report, |ids| is_about(ids))
}

fn all(report: &Report) -> BTreeSet<usize> {
    numbered(report, |_| true)
}

fn numbered(report: &Report, is_meant: impl Fn(&[String]) -> bool) -> BTreeSet<usize> {
    let findings = report.findings.iter().enumerate();
    findings
        .filter(|(_, finding)| is_meant(&finding.rule_ids))
        .map(|(at, _)| at + 1)
        .collect()
}

/// A bucket's ARN. Replication never leaves the partition that its source lies in.
fn arn(report: &Report, bucket: &str) -> String {
    let region = report.bucket.region.as_ref();
    let partition = region.and_then(|region| Some(region.parse::<Region>().ok()?.partition()));
    let partition = partition.as_ref().map_or("aws", Partition::as_str);
    format!("arn:{partition}:s3:::{bucket}")
}

fn source(report: &Report) -> Stop {
    let bucket = &report.bucket;
    let place = [bucket.region.as_deref(), bucket.account_id.as_deref()];
    Stop {
        kind: Kind::Source,
        name: bucket.name.clone(),
        arn: arn(report, &bucket.name),
        place: place.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        state: State::Fine,
        findings: Vec::new(),
        step: None,
    }
}

fn stops(report: &Report, seen: &Seen, replication: &Replication, rule: &Rule) -> Vec<Stop> {
    let step = || {
        Some(Step {
            state: State::Fine,
            findings: Vec::new(),
        })
    };
    let stop = |kind, name: String, arn: String, place: String| Stop {
        kind,
        name,
        arn,
        place,
        state: State::Fine,
        findings: Vec::new(),
        step: step(),
    };
    let mut stops = vec![source(report)];
    if let Some(encryption) = seen.encryption.as_ref().filter(|one| one.kind.uses_kms()) {
        let (name, arn, place) = source_key(seen, encryption);
        stops.push(stop(Kind::SourceKey, name, arn, place));
    }
    let role = &replication.role;
    stops.push(stop(
        Kind::Role,
        role.name().to_owned(),
        role.to_string(),
        role.account().to_string(),
    ));
    if rule.sse_kms_objects || rule.replica_key.is_some() {
        let (name, arn, place) = match (rule.replica_key(), &rule.replica_key) {
            (Ok(Some(reference)), _) => key(seen, &reference),
            (_, Some(text)) => (text.clone(), text.clone(), String::new()),
            (_, None) => ("none named".to_owned(), String::new(), String::new()),
        };
        stops.push(stop(Kind::ReplicaKey, name, arn, place));
    }
    let destination = &rule.destination;
    let place = [
        seen.regions.get(destination).map(ToString::to_string),
        rule.claimed_account.as_ref().map(ToString::to_string),
    ];
    stops.push(stop(
        Kind::Destination,
        destination.to_string(),
        arn(report, destination.as_str()),
        place.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    ));
    stops
}

fn source_key(seen: &Seen, encryption: &DefaultEncryption) -> (String, String, String) {
    match &encryption.key {
        Some(reference) => key(seen, reference),
        None => (
            "alias/aws/s3".to_owned(),
            "alias/aws/s3".to_owned(),
            "managed by AWS".to_owned(),
        ),
    }
}

/// A key's short name, full name and place.
fn key(seen: &Seen, reference: &KeyReference) -> (String, String, String) {
    const SHORT: usize = 13;
    let full = reference.to_string();
    let name = full.rsplit_once(":").map_or(full.as_str(), |(_, name)| name);
    let name = match name.strip_prefix("key/") {
        Some(id) if id.chars().count() > SHORT => format!("{}…", id.chars().take(SHORT).collect::<String>()),
        Some(id) => id.to_owned(),
        None => name.to_owned(),
    };
    let place = format!("{} · {}", reference.region(), reference.account());
    let arn = seen.keys.get(reference).map_or(full, ToString::to_string);
    (name, arn, place)
}

/// Which objects a rule takes, in a few words.
fn takes(rule: &Rule) -> String {
    let prefix = match rule.filter.prefix.as_str() {
        "" => None,
        prefix => Some(format!("under {prefix}")),
    };
    let tags = rule
        .filter
        .tags
        .iter()
        .map(|(key, value)| format!("tagged {key}={value}"));
    let words: Vec<String> = prefix.into_iter().chain(tags).collect();
    match words.is_empty() {
        true => "all objects".to_owned(),
        false => format!("objects {}", words.join(", ")),
    }
}

/// The route with every finding where it belongs. `numbers` are the findings about it.
fn settled(
    report: &Report,
    mut stops: Vec<Stop>,
    rules: Vec<String>,
    takes: Option<String>,
    numbers: &BTreeSet<usize>,
    is_enabled: bool,
) -> Route {
    let mut own = Vec::new();
    let mut state = if is_enabled { State::Fine } else { State::Off };
    if is_enabled {
        for number in numbers {
            let Some(finding) = number.checked_sub(1).and_then(|at| report.findings.get(at)) else {
                continue;
            };
            let how = match finding.severity {
                Severity::Error => State::Broken,
                Severity::Warning => State::AtRisk,
                Severity::Advice => State::Fine,
            };
            state = state.max(how);
            place(&mut stops, part_of(&finding.check), *number, how, &mut own);
        }
        for stop in &mut stops {
            let is_unread =
                |what: &str| names(what, &stop.name) || (!stop.arn.is_empty() && names(what, &stop.arn));
            if report.unread.iter().any(|unread| is_unread(&unread.what)) {
                stop.state = stop.state.max(State::Unknown);
                state = state.max(State::Unknown);
            }
        }
    }
    Route {
        state,
        rules,
        takes,
        stops,
        findings: own,
    }
}

/// Does a text hold this name as a whole?
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "-._/:".contains(c);
    text.match_indices(name).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(name).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// Puts a finding where it belongs; where that is not drawn, with the rule.
fn place(stops: &mut [Stop], part: Part, number: usize, how: State, own: &mut Vec<usize>) {
    let at = |stops: &[Stop], kind| stops.iter().position(|stop| stop.kind == kind);
    let step_to = match part {
        Part::Rule => {
            own.push(number);
            return;
        }
        Part::At(kind) => {
            match at(stops, kind).and_then(|at| stops.get_mut(at)) {
                Some(stop) => {
                    stop.state = stop.state.max(how);
                    stop.findings.push(number);
                }
                None => own.push(number),
            }
            return;
        }
        Part::Reading => Some(1),
        Part::Decrypting => at(stops, Kind::Role),
        Part::Encrypting => at(stops, Kind::Role).map(|role| role + 1),
        Part::Writing => at(stops, Kind::Destination),
    };
    let step = step_to
        .and_then(|at| stops.get_mut(at))
        .and_then(|stop| stop.step.as_mut());
    match step {
        Some(step) => {
            step.state = step.state.max(how);
            step.findings.push(number);
        }
        None => own.push(number),
    }
}
