//! What is news, how it is put, and the port through which it is told.

pub mod news;
pub mod plain;
pub mod text;
pub mod tidings;

use std::collections::BTreeMap;
use std::future::Future;

/// A message to people, with attributes for those who filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// ASCII, one line, fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
    pub subject: String,
    /// At most 256 KiB.
    pub text: String,
    /// For subscription filter policies.
    pub attributes: BTreeMap<&'static str, String>,
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
