//! How the text of a setting becomes a value, and the error when it cannot.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>: every value is text, and an empty one is
//! what a template passes for none.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::arn::{AccountId, Arn, Region, RoleArn};
use crate::guard::Tag;

use super::settings::SETTINGS;
use super::{ConfigError, EventBus, spelling};

/// The values of known settings, and what was found wrong so far.
pub(super) struct Values {
    values: BTreeMap<String, String>,
    pub(super) errors: Vec<ConfigError>,
}

impl Values {
    pub(super) fn new(vars: impl Iterator<Item = (String, String)>) -> Self {
        let names = || SETTINGS.iter().map(|setting| setting.name);
        let mut found = Self {
            values: BTreeMap::new(),
            errors: Vec::new(),
        };
        for (name, value) in vars {
            let value = value.trim();
            if names().any(|known| known == name) {
                if !value.is_empty() {
                    found.values.insert(name, value.to_owned());
                }
            } else if let Some(meant) = spelling::meant(&name, names()) {
                found.problem(
                    &name,
                    format!("is not a setting; if `{meant}` is meant, rename it, else remove it"),
                );
            }
        }
        found
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn problem(&mut self, setting: &str, problem: impl Into<String>) {
        self.errors.push(ConfigError {
            setting: setting.to_owned(),
            problem: problem.into(),
        });
    }

    fn wrong(&mut self, setting: &str, value: &str, problem: impl fmt::Display) {
        const SHOWN: usize = 100;
        let shown: String = value.chars().take(SHOWN).collect();
        self.problem(setting, format!("`{}`: {problem}", shown.escape_debug()));
    }

    /// A setting that always has a value; the default stands in for a wrong one until all problems are told.
    pub(super) fn read<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: T) -> T {
        self.optional(name, T::from_str).unwrap_or(default)
    }

    pub(super) fn switch(&mut self, name: &str) -> bool {
        let parse = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("expected `true` or `false`"),
        };
        self.optional(name, parse).unwrap_or(false)
    }

    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?.to_owned();
        parse(&text).map_err(|error| self.wrong(name, &text, error)).ok()
    }

    pub(super) fn list<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let text = self.text(name).unwrap_or_default().to_owned();
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match parse(item) {
                Ok(value) => items.push(value),
                Err(error) => self.wrong(name, item, error),
            }
        }
        items
    }
}

/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub(super) fn tag(text: &str) -> Result<Tag, &'static str> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, such as `s3-replication-remediator=allow`")?;
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err("a tag's key has 1 to 128 characters and its value at most 256");
    }
    if key.trim() != key || value.trim() != value {
        return Err("expected KEY=VALUE without blanks around the key or the value");
    }
    // What no tag can hold would mark nothing, and nobody would notice.
    let may_hold = |c: char| c.is_alphanumeric() || "_.:/=+-@ ".contains(c);
    if !key.chars().chain(value.chars()).all(may_hold) {
        return Err("a tag has letters, digits, blanks and `_.:/=+-@`");
    }
    if key
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    {
        return Err("nobody can set tags whose key starts with `aws:`; choose another key");
    }
    Ok(Tag::new(key, value))
}

pub(super) fn topic(text: &str) -> Result<Arn, &'static str> {
    const EXPECTED: &str =
        "expected the ARN of an SNS topic, such as `arn:aws:sns:eu-west-1:111122223333:reports`";
    let arn: Arn = text.parse().map_err(|_| EXPECTED)?;
    let names_a_topic = arn.service == "sns"
        && arn.region.parse::<Region>().is_ok()
        && arn.account.parse::<AccountId>().is_ok()
        && arn
            .resource
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if arn.resource.ends_with(".fifo") {
        return Err("is a FIFO topic, which would drop reports that look alike; name a standard topic");
    }
    if names_a_topic { Ok(arn) } else { Err(EXPECTED) }
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>
pub(super) fn event_bus(text: &str) -> Result<EventBus, &'static str> {
    const EXPECTED: &str = "expected the name or the ARN of an event bus, such as `default` or \
         `arn:aws:events:eu-west-1:111122223333:event-bus/operations`";
    let is_a_name = |name: &str| {
        (1..=256).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    };
    if is_a_name(text) {
        return Ok(EventBus {
            name: text.to_owned(),
            region: None,
        });
    }
    let arn: Arn = text.parse().map_err(|_| EXPECTED)?;
    let names_a_bus = arn.service == "events"
        && arn.account.parse::<AccountId>().is_ok()
        && arn.resource.strip_prefix("event-bus/").is_some_and(is_a_name);
    match arn.region.parse() {
        Ok(region) if names_a_bus => Ok(EventBus {
            name: text.to_owned(),
            region: Some(region),
        }),
        Ok(_) | Err(_) => Err(EXPECTED),
    }
}

pub(super) fn queue_url(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str =
        "expected the URL of an SQS queue, such as `https://sqs.eu-west-1.amazonaws.com/111122223333/name`";
    let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
    let mut parts = rest.rsplit('/');
    let (name, account, host) = (parts.next(), parts.next(), parts.next());
    if name.is_some_and(|name| name.ends_with(".fifo")) {
        return Err("is a FIFO queue, which delays no single message; name a standard queue");
    }
    let names_a_queue = ["https", "http"].contains(&scheme)
        && host.is_some_and(|host| !host.is_empty())
        && account.is_some_and(|account| account.parse::<AccountId>().is_ok())
        && name.is_some_and(|name| {
            (1..=80).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        });
    if names_a_queue {
        Ok(text.to_owned())
    } else {
        Err(EXPECTED)
    }
}

pub(super) fn boundary(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str =
        "expected the ARN of a managed policy, such as `arn:aws:iam::111122223333:policy/replication`";
    let arn: Arn = text.parse().map_err(|_| EXPECTED)?;
    let names_a_policy = arn.service == "iam"
        && arn.region.is_empty()
        && (arn.account == "aws" || arn.account.parse::<AccountId>().is_ok())
        && arn
            .resource
            .strip_prefix("policy/")
            .is_some_and(|name| !name.is_empty())
        && !text.contains(['*', '?', ' ']);
    if names_a_policy {
        Ok(text.to_owned())
    } else {
        Err(EXPECTED)
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html>
pub(super) fn batch_role(text: &str) -> Result<RoleArn, &'static str> {
    match text.parse::<RoleArn>() {
        Ok(role) if !role.is_service_linked() => Ok(role),
        Ok(_) | Err(_) => Err(
            "expected the ARN of a role of yours, such as `arn:aws:iam::111122223333:role/batch-replication`",
        ),
    }
}

pub(super) fn role_name(text: &str) -> Result<String, &'static str> {
    let is_a_name = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if is_a_name {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a role without account and path, such as `replication-reader`")
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(super) fn external_id(text: &str) -> Result<String, &'static str> {
    let is_an_id = (2..=1224).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+=,.@:/_-".contains(&b));
    if is_an_id {
        Ok(text.to_owned())
    } else {
        Err("expected 2 to 1224 letters, digits and `+=,.@:/_-`")
    }
}

pub(super) fn sample_size(text: &str) -> Result<u8, &'static str> {
    match text.parse() {
        Ok(count @ 0..=100) => Ok(count),
        Ok(101..) | Err(_) => Err("expected a number from 0 to 100"),
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
pub(super) fn table_name(text: &str) -> Result<String, &'static str> {
    let is_a_name = (3..=255).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if is_a_name {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a DynamoDB table of this account and Region, such as `replication-ledger`")
    }
}

pub(super) fn hours(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        // A year; what is remembered is forgotten sooner, unless it is seen again.
        Ok(count @ 0..=8_760) => Ok(count),
        Ok(8_761..) | Err(_) => Err("expected a number of hours from 0 to 8760"),
    }
}
