//! Every setting: its name, its default, and what is not accepted as its value.
//!
//! Settings are environment variables (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>). All
//! problems are reported together, and any problem stops the start: a misspelt guard must not silently be no guard.

mod allow_list;
mod settings;
mod spelling;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;

use crate::arn::{AccountId, Arn, Region, RoleArn};
use crate::collect::Scope;
use crate::guard::{AllowedArn, GuardSettings, Tag};

pub use crate::mode::{Mode, WriteAccess};
pub use settings::{SETTINGS, Setting};

use allow_list::{Kind, pattern};
use values::{
    Values, batch_role, boundary, event_bus, external_id, hours, queue_url, role_name, sample_size,
    table_name, tag, topic,
};

/// The settings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How far to go.
    pub mode: Mode,
    /// Topic for reports: service `sns`, with Region and account.
    pub notification_topic: Option<Arn>,
    /// Name of the table that remembers what was told.
    pub ledger_table: Option<String>,
    /// Hours for which trouble that goes on is not told again; 0 is for ever.
    pub remind_after_hours: u16,
    /// Bus for events.
    pub event_bus: Option<EventBus>,
    /// Topic of a chat channel, another than that for reports.
    pub chat_topic: Option<Arn>,
    /// Is every bucket kept as a finding in Security Hub?
    pub security_hub: bool,
    /// Accounts that count as ours beside our own.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// Roles that may be changed.
    pub allowed_roles: Vec<AllowedArn>,
    /// Keys whose use may be granted.
    pub allowed_keys: Vec<AllowedArn>,
    /// What marks a role or key that may be changed.
    pub opt_in_tag: Tag,
    /// What marks a bucket that is left alone.
    pub opt_out_tag: Tag,
    /// ARN of the boundary that a role must have before it may be changed.
    pub required_boundary: Option<String>,
    /// Name, without path, of the role to read with in trusted accounts.
    pub member_role_name: Option<String>,
    /// External id that the trust policy of that role asks for.
    pub member_role_external_id: Option<String>,
    /// May grants be made that are bound to no bucket?
    pub unconstrained_grants: bool,
    /// The role that jobs of S3 Batch Replication may be ordered for.
    pub batch_role: Option<RoleArn>,
    /// May objects be looked at with HEAD?
    pub inspect_objects: bool,
    /// How many recent object versions to look at for each rule.
    pub sample_objects: u8,
    /// Are replication configurations that S3 refused explained?
    pub report_refused_puts: bool,
    /// URL of the queue that we read, for what we leave ourselves to do later.
    pub queue_url: Option<String>,
}

/// A bus of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBus {
    /// Its name, or its ARN where it is named by that.
    pub name: String,
    /// Where it lies; our own Region where it is named by name alone.
    pub region: Option<Region>,
}

/// The tags that mean something where no others are set.
fn ours(value: &str) -> Tag {
    Tag::new("s3-replication-remediator", value)
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
            ledger_table: values.optional("LEDGER_TABLE", table_name),
            remind_after_hours: values.optional("REMIND_AFTER_HOURS", hours).unwrap_or(24),
            event_bus: values.optional("EVENT_BUS_NAME", event_bus),
            chat_topic: values.optional("CHAT_TOPIC_ARN", topic),
            security_hub: values.switch("SECURITY_HUB"),
            trusted_accounts: values
                .list("TRUSTED_ACCOUNTS", |text| {
                    text.parse().map_err(|_| "expected account ids of 12 digits")
                })
                .into_iter()
                .collect(),
            allowed_roles: values.list("ALLOWED_ROLE_ARNS", |text| pattern(text, Kind::Role)),
            allowed_keys: values.list("ALLOWED_KEY_ARNS", |text| pattern(text, Kind::Key)),
            opt_in_tag: values
                .optional("OPT_IN_TAG", tag)
                .unwrap_or_else(|| ours("allow")),
            opt_out_tag: values
                .optional("OPT_OUT_TAG", tag)
                .unwrap_or_else(|| ours("ignore")),
            required_boundary: values.optional("REQUIRED_PERMISSIONS_BOUNDARY_ARN", boundary),
            member_role_name: values.optional("MEMBER_ROLE_NAME", role_name),
            member_role_external_id: values.optional("MEMBER_ROLE_EXTERNAL_ID", external_id),
            unconstrained_grants: values.switch("UNCONSTRAINED_GRANTS"),
            batch_role: values.optional("BATCH_ROLE_ARN", batch_role),
            inspect_objects: values.switch("INSPECT_OBJECTS"),
            sample_objects: values.optional("SAMPLE_OBJECTS", sample_size).unwrap_or(0),
            report_refused_puts: values.switch("REPORT_REFUSED_PUTS"),
            queue_url: values.optional("QUEUE_URL", queue_url),
        };
        config.contradictions(&mut values);
        if values.errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(values.errors))
        }
    }

    fn contradictions(&self, values: &mut Values) {
        if self.chat_topic.is_some() && self.chat_topic == self.notification_topic {
            values.problem(
                "CHAT_TOPIC_ARN",
                "is the topic of NOTIFICATION_TOPIC_ARN, whose readers would get JSON, and the chat what it drops; name \
                 another topic",
            );
        }
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
        let has_role = values.text("MEMBER_ROLE_NAME").is_some();
        if self.member_role_external_id.is_some() && !has_role {
            values.problem(
                "MEMBER_ROLE_EXTERNAL_ID",
                "there is no role that asks for it; name one in MEMBER_ROLE_NAME, or leave it empty",
            );
        }
    }

    /// Who may be helped.
    pub fn guards(&self) -> GuardSettings {
        GuardSettings {
            allowed_roles: self.allowed_roles.clone(),
            allowed_keys: self.allowed_keys.clone(),
            opt_in: Some(self.opt_in_tag.clone()),
            opt_out: Some(self.opt_out_tag.clone()),
            required_boundary: self.required_boundary.clone(),
            trusted_accounts: self.trusted_accounts.clone(),
            unconstrained_grants: self.unconstrained_grants,
            batch_role: self.batch_role.clone(),
        }
    }

    /// How long trouble that goes on is not told again.
    pub fn remind_after(&self) -> Option<SignedDuration> {
        (self.remind_after_hours > 0).then(|| SignedDuration::from_hours(self.remind_after_hours.into()))
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
