//! How far a sweep over the account has come, as the message says that carries it on, and what is not believed of it.
//!
//! Whoever can write to the queue can write such a message. It holds nothing that decides about a bucket: at worst some
//! buckets are looked at that would have been looked at anyway, and a summary counts wrongly. Where the ledger lasts,
//! only the id counts, and everything else is read there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Quoted;
use crate::arn::BucketName;
use crate::digest;

/// The longest token of a list of buckets: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
const TOKEN_BYTES: usize = 1024;

/// Names a sweep: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SweepId(String);

/// A text that is no id of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the id of a sweep: expected 32 lower-case hexadecimal digits")]
pub struct InvalidSweepId(Quoted);

impl SweepId {
    /// The name of the sweep that something asks for: what asks twice asks for the same one.
    pub fn of(cause: &str) -> Self {
        Self(digest::id(format!("sweep\n{cause}")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SweepId {
    type Error = InvalidSweepId;

    fn try_from(text: String) -> Result<Self, InvalidSweepId> {
        if digest::is_id(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidSweepId(Quoted::new(&text)))
        }
    }
}

impl From<SweepId> for String {
    fn from(id: SweepId) -> Self {
        id.0
    }
}

/// How far a sweep has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// Which sweep.
    pub id: SweepId,
    /// When it began.
    pub started: Timestamp,
    /// What the current page of the account's list is asked for with; none for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The last bucket of that page that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<BucketName>,
    /// When the whole account was listed, so that only the summary is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// What was found so far.
    pub counts: Counts,
}

/// What a sweep has found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Buckets of the account.
    pub buckets: u32,
    /// Those that have a replication configuration.
    pub with_replication: u32,
    /// Those of which S3 did not say in time whether they have one.
    pub unanswered: u32,
    /// Those of which we are not allowed to know.
    pub unreadable: u32,
}

impl Counts {
    /// How many checks were left in the queue: one for each bucket that replicates or may do so.
    pub fn enqueued(self) -> u32 {
        self.with_replication.saturating_add(self.unanswered)
    }
}

impl Progress {
    /// A sweep that begins.
    pub fn new(id: SweepId, started: Timestamp) -> Self {
        Self {
            id,
            started,
            token: None,
            after: None,
            listed: None,
            counts: Counts::default(),
        }
    }

    /// Could S3 have given the token?
    pub(super) fn has_possible_token(&self) -> bool {
        self.token.as_deref().is_none_or(|token| {
            (1..=TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sweep_is_named_by_a_digest_and_nothing_else() {
        for id in [
            "",
            "0",
            "../../0123456789abcdef0123456789ab",
            &"A".repeat(32),
            &"a".repeat(33),
        ] {
            assert!(SweepId::try_from(id.to_owned()).is_err(), "{id}");
        }
        assert!(SweepId::try_from("0123456789abcdef0123456789abcdef".to_owned()).is_ok());
    }

    #[test]
    fn progress_survives_its_own_message() {
        let mut progress = Progress::new(
            "0".repeat(32).try_into().unwrap(),
            "2026-09-14T09:00:00Z".parse().unwrap(),
        );
        progress.counts.buckets = 7;
        progress.after = Some("logs".parse().unwrap());
        let message = json!(progress);
        assert_eq!(serde_json::from_value::<Progress>(message).unwrap(), progress);
    }
}
