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
    #[error("the account's buckets were not listed: {} failed with {}; {}", .0.operation, .0.error_code.escape_debug(), remedy(.0))]
    NotListed(ReadFailure),
    /// The time of the invocation is up.
    #[error("the invocation's time was up before a part of the sweep was done; ask for it again")]
    SweepOutOfTime,
    /// The time of the invocation is up.
    #[error("the invocation's time was up before it was known which buckets a change concerns; try again")]
    DriftOutOfTime,
    /// The summary of a sweep could not be sent.
    #[error("the sweep is done, and its summary could not be sent; it is sent when the message comes again")]
    SummaryNotPublished(#[source] PublishFailure),
    /// Work could not be left in the queue.
    #[error(
        "what is left to do could not be left in the queue; check QUEUE_URL and that our role may send to it"
    )]
    NotQueued(#[source] QueueFailure),
    /// The ledger could not be read or written where nothing goes without it.
    #[error(
        "the ledger is needed for this and could not be used; check LEDGER_TABLE and that our role may read and write it"
    )]
    Ledger(#[source] LedgerFailure),
    /// The report could not be sent.
    #[error(
        "bucket `{bucket}` was looked at, and the report could not be sent; it is sent when the message comes again"
    )]
    NotPublished {
        /// The bucket.
        bucket: BucketName,
        /// Why not.
        #[source]
        source: PublishFailure,
    },
    /// Another invocation is telling of the bucket.
    #[error("another invocation is still publishing its report on bucket `{0}`; try again")]
    PublishInProgress(BucketName),
    /// Another invocation looked later, and told of what it saw.
    #[error("another invocation looked at bucket `{0}` later and has published its report; try again")]
    Stale(BucketName),
    /// AWS did not answer enough, and may do so later.
    #[error(
        "bucket `{bucket}` could not be judged: {operation} failed with {code}, which may pass; try again"
    )]
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
    #[error(
        "the invocation's time was up before bucket `{0}` was done, so AWS answers slowly; try again, or use the \
         command line, which has no limit"
    )]
    OutOfTime(BucketName),
}

impl HandlerError {
    /// A stable name, which Lambda shows as the type of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidEvent",
            Self::SweepUnderWay { .. } => "SweepUnderWay",
            Self::NotListed(_) => "NotListed",
            Self::SweepOutOfTime | Self::DriftOutOfTime => "OutOfTime",
            Self::SummaryNotPublished(_) => "NotPublished",
            Self::NotQueued(_) => "NotQueued",
            Self::Ledger(_) => "LedgerUnavailable",
            Self::NotPublished { .. } => "NotPublished",
            Self::PublishInProgress(_) => "PublishInProgress",
            Self::Stale(_) => "Stale",
            Self::Unavailable { .. } => "Unavailable",
            Self::NotWritten { .. } => "NotWritten",
            Self::BadPlan(_) => "BadPlan",
            Self::OutOfTime(_) => "OutOfTime",
        }
    }
}

/// What to do about a read that failed.
fn remedy(failure: &ReadFailure) -> String {
    if failure.permit.is_empty() {
        "try again".to_owned()
    } else {
        format!("our role needs {}", failure.permit)
    }
}
