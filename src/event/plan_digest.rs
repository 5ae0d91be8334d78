//! How a plan is named: by a digest of what it consists of, so that who approves it approves that and nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Quoted;
use crate::digest;

/// The digest of a plan: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanDigest(String);

/// A text that is no digest of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a plan digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct InvalidPlanDigest(Quoted);

impl PlanDigest {
    /// The digest of what a plan consists of.
    pub(crate) fn of(parts: impl AsRef<[u8]>) -> Self {
        Self(format!("sha256:{}", digest::sha256(parts)))
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlanDigest {
    type Err = InvalidPlanDigest;

    fn from_str(text: &str) -> Result<Self, InvalidPlanDigest> {
        let is_valid = text.strip_prefix("sha256:").is_some_and(digest::is_sha256);
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPlanDigest(Quoted::new(text)))
        }
    }
}

impl TryFrom<String> for PlanDigest {
    type Error = InvalidPlanDigest;

    fn try_from(text: String) -> Result<Self, InvalidPlanDigest> {
        text.parse()
    }
}

impl From<PlanDigest> for String {
    fn from(digest: PlanDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
