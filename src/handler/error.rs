//! Why an invocation, or a part of it, fails, and the error type that Lambda shows.

use jiff::Timestamp;

use crate::arn::BucketName;
use crate::event::InvalidEvent;
use crate::ledger::LedgerFailure;
use crate::notify::PublishFailure;
use crate::observed::ReadFailure;
use crate::plan::review::ReviewFailure;
use crate::queue::QueueFailure;

/// An invocation that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The payload is meant for us and cannot be used.
    #[error("the event cannot be used")]
    Invalid(#[source] InvalidEvent),
    /// There is one at a time.
    #[error("a sweep is under way since {since}; its summary comes when it is done")]
    SweepUnderWay {
        /// When it began.
        since: Timestamp,
    },
    /// The account's buckets could not be listed.
    #[error("the account's buckets were not listed: {} failed with {}", .0.operation, .0.error_code.escape_debug())]
    NotListed(ReadFailure),
    /// The time of the invocation is up.
    #[error("the invocation's time was up before a part of the sweep was done; raise the function's timeout")]
    SweepOutOfTime,
    /// The summary of a sweep could not be sent.
    #[error("the sweep is done, and its summary could not be sent")]
    SummaryNotTold(#[source] PublishFailure),
    /// Work could not be left in the queue.
    #[error("what is left to do could not be left in the queue")]
    NotQueued(#[source] QueueFailure),
    /// The ledger could not be read or written where nothing goes without it.
    #[error("the ledger is needed for this and could not be used")]
    Ledger(#[source] LedgerFailure),
    /// The report could not be sent.
    #[error("bucket `{bucket}` was looked at, and the report could not be sent")]
    NotTold {
        /// The bucket.
        bucket: BucketName,
        /// Why not.
        #[source]
        source: PublishFailure,
    },
    /// Another invocation is telling of the bucket.
    #[error("bucket `{0}` is being told of by another invocation, which does not come to an end; try again")]
    BeingTold(BucketName),
    /// Another invocation looked later, and told of what it saw.
    #[error("bucket `{0}` was told of by another invocation that looked later; try again")]
    Late(BucketName),
    /// AWS did not answer enough, and may do so later.
    #[error("bucket `{bucket}` was not looked at: {operation} failed with {code}, which may pass; try again")]
    Unavailable {
        /// The bucket.
        bucket: BucketName,
        /// The read that failed.
        operation: String,
        /// AWS's error code.
        code: String,
    },
    /// AWS did not take all of the changes, and may do so later.
    #[error("bucket `{bucket}` was not repaired as planned, which may pass; try again: {reason}")]
    NotWritten {
        /// The bucket.
        bucket: BucketName,
        /// What AWS answered.
        reason: String,
    },
    /// What would take changes back failed its review.
    #[error("the undo was not offered, which is a mistake of this program; please report it")]
    BadPlan(#[source] ReviewFailure),
    /// The time of the invocation is up.
    #[error("the invocation's time was up before bucket `{0}` was done; raise the function's timeout")]
    OutOfTime(BucketName),
}

impl HandlerError {
    /// A stable name, which Lambda shows as the type of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidEvent",
            Self::SweepUnderWay { .. } => "SweepUnderWay",
            Self::NotListed(_) => "NotListed",
            Self::SweepOutOfTime => "OutOfTime",
            Self::SummaryNotTold(_) => "NotTold",
            Self::NotQueued(_) => "NotQueued",
            Self::Ledger(_) => "LedgerUnavailable",
            Self::NotTold { .. } => "NotTold",
            Self::BeingTold(_) => "BeingTold",
            Self::Late(_) => "Late",
            Self::Unavailable { .. } => "Unavailable",
            Self::NotWritten { .. } => "NotWritten",
            Self::BadPlan(_) => "BadPlan",
            Self::OutOfTime(_) => "OutOfTime",
        }
    }
}
