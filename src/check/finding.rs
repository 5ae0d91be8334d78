//! What a check may say: a finding with its evidence and its remedy, and a fact that would have been needed.
//!
//! The JSON form of these types is part of Report v1.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::CheckId;
use crate::observed::ReadFailure;

/// How bad it is. The order is that of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Replication does not work for objects that the rule takes.
    Error,
    /// It works today and will not, or nobody will hear of it when it fails.
    Warning,
    /// Better done otherwise; nothing is wrong today.
    Advice,
}

/// Where a statement of ours comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The AWS call and the resource: `kms:DescribeKey arn:…`.
    pub source: String,
    /// What it said.
    pub detail: String,
}

/// What can be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// Can this program do it?
    pub kind: RemedyKind,
    /// Who can: the account, or whoever owns the resource.
    pub owner: String,
    /// What to do, ready to paste where it is a command or a statement.
    pub text: String,
}

/// Can this program repair it?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RemedyKind {
    /// A policy of ours on the role, or a grant, closes it. Whether it may is for the guards to say.
    Automatic,
    /// A person must do it.
    Propose,
    /// Nothing can be done.
    None,
}

/// Is this a cause of its own?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootCause {
    /// It is.
    Itself,
    /// It follows from the finding of another check.
    ConsequenceOf(CheckId),
}

/// What of a rule's objects an error keeps from being replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of them, as far as is known.
    All,
    /// Single ones: those that failed, or that another key encrypts than new ones.
    Some,
    /// Their delete markers alone.
    DeleteMarkers,
}

impl Serialize for RootCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Itself => serializer.serialize_bool(true),
            Self::ConsequenceOf(check) => check.serialize(serializer),
        }
    }
}

/// One thing that is wrong, told so that a person can act on it without reading another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which check says so.
    pub check: CheckId,
    /// How bad it is.
    pub severity: Severity,
    /// The rules that are affected.
    pub rule_ids: BTreeSet<String>,
    /// ARN of what is wrong.
    pub subject: String,
    /// One sentence.
    pub summary: String,
    /// What replication needs.
    pub expected: String,
    /// What there is.
    pub found: String,
    /// Why we believe it; never empty.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub remedy: Remedy,
    /// `true`, or the check of which this is a consequence.
    pub root_cause: RootCause,
    /// What it keeps from being replicated.
    #[serde(skip)]
    pub reach: Reach,
    /// Would a Batch Replication job replicate, once it is mended, what it left behind?
    #[serde(skip)]
    pub is_for_a_job: bool,
}

/// A fact that a verdict would have needed and that could not be read or understood.
pub type Unread = ReadFailure;
