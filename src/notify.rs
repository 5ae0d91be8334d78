//! What is worth telling, and the port through which it is told.

pub mod plain;
pub mod sparing;
pub mod summary;
pub mod text;

use std::collections::BTreeMap;
use std::future::Future;

use crate::check::Verdict;
use crate::event::{Change, TriggerKind};
use crate::mode::Mode;
use crate::report::Report;
use crate::subject::Subject;

/// A message to people, with attributes for those who filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// ASCII, one line, fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
    pub subject: String,
    /// At most 256 KiB.
    pub text: String,
    /// For subscription filter policies.
    pub attributes: BTreeMap<&'static str, String>,
    /// What makes a message news, where the same may come again and again; none where each is news.
    pub sameness: Option<String>,
}

/// A message that did not go out. It is not lost: what caused it goes back to the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the notification was not published: {reason}")]
pub struct PublishFailure {
    /// What went wrong.
    pub reason: String,
}

/// Where messages go.
pub trait Publisher {
    /// Publishes a message; does nothing where nobody is to be told.
    fn publish(&self, notification: &Notification) -> impl Future<Output = Result<(), PublishFailure>>;
}

/// Is this worth waking somebody for?
///
/// What a person asked for is answered to that person alone. Of the rest, all is told but good news that changed
/// nothing; that somebody switched replication off is told although nothing is wrong. So is good news about a message
/// that was handed out before, where repairs are made at once: whoever had it first may have made one and been stopped
/// before it was told.
pub fn is_worth_telling(report: &Report, subject: &Subject) -> bool {
    match report.trigger.kind {
        TriggerKind::Command => false,
        TriggerKind::ReplicationConfigured
        | TriggerKind::ReplicationFailed
        | TriggerKind::Alarm
        | TriggerKind::Drift
        | TriggerKind::Sweep => {
            report.verdict != Verdict::Healthy
                || report.plan.is_some()
                || matches!(subject.trigger.change, Some(Change::Removed | Change::Refused))
                || (report.mode == Mode::Auto && subject.receive_count > 1)
        }
    }
}
