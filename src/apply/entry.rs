//! The record of one change: everything that an auditor asks for, and how to undo it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::Change;

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which it is of the changes that are written down together.
    pub number: u64,
    /// `put-role-policy`, `delete-role-policy`, `create-grant` or `revoke-grant`.
    pub kind: String,
    /// ARN of the role or key.
    pub target: String,
    /// Name of the policy or grant.
    pub name: String,
    /// What was there; null where nothing was.
    pub before: Value,
    /// What was to be there; null where nothing was to be.
    pub after: Value,
    /// The command that takes it back. It is there for whoever reads the records; a report never shows it, because people
    /// paste what reports show, and whoever may write the records may not be who they take him for.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub undo: String,
    /// Digest of the plan that it was part of.
    pub plan: String,
    /// Why it was made.
    pub cause: Cause,
    /// When it was begun.
    pub begun: Timestamp,
    /// What became of it.
    pub state: State,
    /// When that was known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Timestamp>,
    /// AWS's request id, for finding it in CloudTrail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// The grant's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant_id: Option<String>,
    /// What went wrong, or could not be verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Has nobody been told of it yet? A report, which tells of it, does not show this.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub untold: bool,
}

/// Why a change was made. All text but the kind is the event's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// What woke us.
    pub kind: String,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event_id: Option<String>,
    /// Who did what the event tells of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_ip: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is not known yet.
    Begun,
    /// It was made.
    Made,
    /// It was begun by somebody who was stopped, and found in place later.
    FoundMade,
    /// It was not made.
    NotMade,
    /// Something else is there than was written.
    Overtaken,
}

impl Entry {
    /// A change that is about to be made.
    pub fn begin(change: &Change, plan: &str, cause: &Cause, now: Timestamp) -> Self {
        Self {
            number: 0,
            kind: change.kind().to_owned(),
            target: change.target(),
            name: change.name().to_owned(),
            before: change.before(),
            after: change.after(),
            undo: change.undo(),
            plan: plan.to_owned(),
            cause: cause.clone(),
            begun: now,
            state: State::Begun,
            ended: None,
            request_id: None,
            grant_id: None,
            error: None,
            untold: true,
        }
    }

    /// Was it made, as far as it is known?
    pub fn is_made(&self) -> bool {
        matches!(self.state, State::Made | State::FoundMade)
    }

    /// Must people still be told of it? Something that was begun and overtaken may have been there for a while.
    pub fn is_owed(&self) -> bool {
        self.untold && (self.is_made() || self.state == State::Overtaken)
    }

    /// Notes what became of it.
    pub(crate) fn settle(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.ended = Some(now);
    }
}
