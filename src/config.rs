//! Every setting: its name, its default, and what is not accepted as its value.
//!
//! Settings are environment variables
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>). All problems are told at once, and any
//! problem stops the start: a guard that is misspelt must never be a guard that is not there.

mod pattern;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::arn::{AccountId, Arn, Region};
use crate::collect::Scope;
use crate::guard::{self, GuardSettings};
use crate::snapshot::Tags;

pub use crate::mode::{Mode, WriteAccess};
pub use pattern::ArnPattern;

use pattern::Kind;

/// A setting, for the documents and the template that must name the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds where it is unset or empty.
    pub default: &'static str,
    /// What it says, in one sentence.
    pub doc: &'static str,
}

/// All settings.
pub const SETTINGS: [Setting; 12] = [
    Setting {
        name: "MODE",
        default: "dry-run",
        doc: "`dry-run` only tells, `approve` repairs what a person approved by its digest, `auto` repairs at once.",
    },
    Setting {
        name: "NOTIFICATION_TOPIC_ARN",
        default: "",
        doc: "The SNS topic that reports are sent to; without one they stand in the answer and the log.",
    },
    Setting {
        name: "TRUSTED_ACCOUNTS",
        default: "",
        doc: "Comma-separated ids of the accounts whose buckets and keys count as ours beside our own.",
    },
    Setting {
        name: "ALLOWED_ROLE_ARNS",
        default: "",
        doc: "Comma-separated ARN patterns of roles that may be changed; `*` crosses `/`, `?` stands for any character.",
    },
    Setting {
        name: "ALLOWED_KEY_ARNS",
        default: "",
        doc: "Comma-separated ARN patterns of keys whose use may be granted; never aliases.",
    },
    Setting {
        name: "OPT_IN_TAG",
        default: "s3-replication-remediator=allow",
        doc: "The tag, as KEY=VALUE, of a role or key that may be changed.",
    },
    Setting {
        name: "OPT_OUT_TAG",
        default: "s3-replication-remediator=ignore",
        doc: "The tag, as KEY=VALUE, of a bucket that is left alone.",
    },
    Setting {
        name: "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
        default: "",
        doc: "The permissions boundary that a role must have before it may be changed.",
    },
    Setting {
        name: "MEMBER_ROLE_NAME",
        default: "",
        doc: "The name of the role that is assumed in trusted accounts, for reading alone.",
    },
    Setting {
        name: "UNCONSTRAINED_GRANTS",
        default: "false",
        doc: "Whether a grant may be made that is bound to no bucket, for objects that use no S3 Bucket Key.",
    },
    Setting {
        name: "INSPECT_OBJECTS",
        default: "false",
        doc: "Whether failed objects are looked at with HEAD, which needs `s3:GetObjectVersion`.",
    },
    Setting {
        name: "SAMPLE_OBJECTS",
        default: "0",
        doc: "How many recent object versions are looked at for each rule, 0 to 100; needs INSPECT_OBJECTS.",
    },
];

/// Settings whose names are taken, so that they are refused rather than ignored.
const NOT_YET: [&str; 2] = ["EVENT_BUS_NAME", "LEDGER_TABLE"];

/// The settings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How far to go.
    pub mode: Mode,
    /// Topic for reports: service `sns`, with Region and account.
    pub notification_topic: Option<Arn>,
    /// Accounts that count as ours beside our own.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// Roles that may be changed.
    pub allowed_roles: Vec<ArnPattern>,
    /// Keys whose use may be granted.
    pub allowed_keys: Vec<ArnPattern>,
    /// What marks a role or key that may be changed.
    pub opt_in_tag: Tag,
    /// What marks a bucket that is left alone.
    pub opt_out_tag: Tag,
    /// ARN of the boundary that a role must have before it may be changed.
    pub required_boundary: Option<String>,
    /// Name, without path, of the role to read with in trusted accounts.
    pub member_role_name: Option<String>,
    /// May grants be made that are bound to no bucket?
    pub unconstrained_grants: bool,
    /// May objects be looked at with HEAD?
    pub inspect_objects: bool,
    /// How many recent object versions to look at for each rule.
    pub sample_objects: u8,
}

/// A tag that a resource may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Key, case-sensitive.
    pub key: String,
    /// Value, case-sensitive.
    pub value: String,
}

impl Tag {
    fn ours(value: &str) -> Self {
        Self {
            key: "s3-replication-remediator".to_owned(),
            value: value.to_owned(),
        }
    }

    /// Is it among these tags?
    pub fn is_in(&self, tags: &Tags) -> bool {
        tags.get(&self.key) == Some(&self.value)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl FromStr for Tag {
    type Err = String;

    /// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or("expected KEY=VALUE, such as `s3-replication-remediator=allow`")?;
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err("a tag's key has 1 to 128 characters and its value at most 256".to_owned());
        }
        if key.starts_with("aws:") {
            return Err("nobody can set tags whose key starts with `aws:`; choose another key".to_owned());
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The environment variable.
    pub setting: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

impl ConfigErrors {
    /// Each problem.
    pub fn problems(&self) -> &[ConfigError] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("a setting is wrong: ")?,
            count => write!(f, "{count} settings are wrong: ")?,
        }
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(
                f,
                "{separator}{}: {}",
                error.setting.escape_debug(),
                error.problem
            )?;
        }
        Ok(())
    }
}

impl Config {
    /// The settings that these environment variables hold. Variables that are nobody's setting are passed over.
    ///
    /// # Errors
    /// Every value that is not understood, every contradiction, and every name that looks like a misspelt setting.
    pub fn from_env(vars: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut values = Values::new(vars);
        let config = Self {
            mode: values.read("MODE", Mode::DryRun),
            notification_topic: values.optional("NOTIFICATION_TOPIC_ARN", topic),
            trusted_accounts: values
                .list("TRUSTED_ACCOUNTS", |text| {
                    text.parse().map_err(|_| "expected account ids of 12 digits")
                })
                .into_iter()
                .collect(),
            allowed_roles: values.list("ALLOWED_ROLE_ARNS", |text| ArnPattern::parse(text, Kind::Role)),
            allowed_keys: values.list("ALLOWED_KEY_ARNS", |text| ArnPattern::parse(text, Kind::Key)),
            opt_in_tag: values.read("OPT_IN_TAG", Tag::ours("allow")),
            opt_out_tag: values.read("OPT_OUT_TAG", Tag::ours("ignore")),
            required_boundary: values.optional("REQUIRED_PERMISSIONS_BOUNDARY_ARN", boundary),
            member_role_name: values.optional("MEMBER_ROLE_NAME", role_name),
            unconstrained_grants: values.switch("UNCONSTRAINED_GRANTS"),
            inspect_objects: values.switch("INSPECT_OBJECTS"),
            sample_objects: values.optional("SAMPLE_OBJECTS", sample_size).unwrap_or(0),
        };
        config.contradictions(&mut values);
        if values.errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(values.errors))
        }
    }

    fn contradictions(&self, values: &mut Values) {
        if self.opt_in_tag == self.opt_out_tag {
            values.problem(
                "OPT_IN_TAG",
                "is the same as OPT_OUT_TAG; give one of them another value",
            );
        }
        if self.sample_objects > 0 && !self.inspect_objects {
            values.problem(
                "SAMPLE_OBJECTS",
                "needs INSPECT_OBJECTS=true; set it, or leave SAMPLE_OBJECTS empty",
            );
        }
        let has_accounts = values.text("TRUSTED_ACCOUNTS").is_some();
        if self.member_role_name.is_some() && !has_accounts {
            values.problem(
                "MEMBER_ROLE_NAME",
                "there is no account to assume it in; name accounts in TRUSTED_ACCOUNTS, or leave it empty",
            );
        }
    }

    /// Who may be helped.
    pub fn guards(&self) -> GuardSettings {
        let patterns = |list: &[ArnPattern]| list.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        GuardSettings {
            allowed_roles: patterns(&self.allowed_roles),
            allowed_keys: patterns(&self.allowed_keys),
            opt_in: Some(guard::Tag::new(&self.opt_in_tag.key, &self.opt_in_tag.value)),
            opt_out: Some(guard::Tag::new(&self.opt_out_tag.key, &self.opt_out_tag.value)),
            required_boundary: self.required_boundary.clone(),
            trusted_accounts: self.trusted_accounts.clone(),
            unconstrained_grants: self.unconstrained_grants,
        }
    }

    /// How far collecting may go.
    pub fn scope(&self) -> Scope {
        Scope {
            trusted_accounts: self.trusted_accounts.clone(),
            member_role: self.member_role_name.is_some(),
            inspect_objects: self.inspect_objects,
            sample_objects: self.sample_objects,
        }
    }
}

/// The variables of this process. What is no Unicode is no setting's valid value, and is refused as one if it is one's.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

/// The values of known settings, and what was found wrong so far.
struct Values {
    values: BTreeMap<String, String>,
    errors: Vec<ConfigError>,
}

impl Values {
    fn new(vars: impl Iterator<Item = (String, String)>) -> Self {
        let names = || SETTINGS.iter().map(|setting| setting.name).chain(NOT_YET);
        let mut found = Self {
            values: BTreeMap::new(),
            errors: Vec::new(),
        };
        for (name, value) in vars {
            let value = value.trim();
            if NOT_YET.contains(&name.as_str()) {
                if !value.is_empty() {
                    found.problem(&name, "is not supported yet; leave it empty");
                }
            } else if names().any(|known| known == name) {
                if !value.is_empty() {
                    found.values.insert(name, value.to_owned());
                }
            } else if let Some(meant) = spelling::meant(&name, names()) {
                found.problem(
                    &name,
                    format!("is no setting; if `{meant}` is meant, rename it, else remove it"),
                );
            }
        }
        found
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn problem(&mut self, setting: &str, problem: impl Into<String>) {
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
    fn read<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: T) -> T {
        self.optional(name, T::from_str).unwrap_or(default)
    }

    fn switch(&mut self, name: &str) -> bool {
        let parse = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("expected `true` or `false`"),
        };
        self.optional(name, parse).unwrap_or(false)
    }

    fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?.to_owned();
        parse(&text).map_err(|error| self.wrong(name, &text, error)).ok()
    }

    fn list<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let text = self.text(name).unwrap_or_default().to_owned();
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            if item.starts_with("ssm:") {
                self.wrong(
                    name,
                    item,
                    "lists in SSM parameters are not supported yet; write the list itself",
                );
                continue;
            }
            match parse(item) {
                Ok(value) => items.push(value),
                Err(error) => self.wrong(name, item, error),
            }
        }
        items
    }
}

fn topic(text: &str) -> Result<Arn, &'static str> {
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

fn boundary(text: &str) -> Result<String, &'static str> {
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

fn role_name(text: &str) -> Result<String, &'static str> {
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

fn sample_size(text: &str) -> Result<u8, &'static str> {
    match text.parse() {
        Ok(count @ 0..=100) => Ok(count),
        Ok(101..) | Err(_) => Err("expected a number from 0 to 100"),
    }
}
