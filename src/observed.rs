//! What is known about a fact: it was read, it is not there, or it could not be read.
//!
//! The three must never be confused. A policy that is not there denies nothing; a policy that could not be read may
//! deny everything. There is therefore no bare `Option` between collecting and reporting.

use serde::{Deserialize, Serialize};

/// A fact of the account, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed<T> {
    /// It was read.
    Found(T),
    /// AWS says that it does not exist.
    Absent,
    /// It could not be read, so nothing may be concluded from it.
    Unreadable(ReadFailure),
}

/// A read that failed, and what would make it succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadFailure {
    /// What was to be read, for people: `key policy of arn:…`.
    pub what: String,
    /// The API operation, such as `kms:GetKeyPolicy`.
    pub operation: String,
    /// AWS's error code, such as `AccessDeniedException`, or ours where no answer came (`Timeout`, `NotAttempted`).
    pub error_code: String,
    /// The policy statement that would permit the read, as compact JSON; empty where permission is not the obstacle.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub permit: String,
}

impl<T> Observed<T> {
    /// The fact, if it was read.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(fact) => Some(fact),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// Why it could not be read, if it could not.
    pub fn failure(&self) -> Option<&ReadFailure> {
        match self {
            Self::Unreadable(failure) => Some(failure),
            Self::Found(_) | Self::Absent => None,
        }
    }

    /// Does AWS say that it does not exist?
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The same knowledge about a part or another form of the fact.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Found(fact) => Observed::Found(change(fact)),
            Self::Absent => Observed::Absent,
            Self::Unreadable(failure) => Observed::Unreadable(failure),
        }
    }

    /// A view of the knowledge that borrows the fact.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Found(fact) => Observed::Found(fact),
            Self::Absent => Observed::Absent,
            Self::Unreadable(failure) => Observed::Unreadable(failure.clone()),
        }
    }
}
