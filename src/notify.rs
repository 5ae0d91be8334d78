//! What is news, how it is put, and the port through which it is told.

pub mod flood;
pub mod news;
pub mod plain;
pub mod text;
pub mod tidings;

use std::collections::BTreeMap;
use std::future::Future;

use crate::report::Report;

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

/// What one look at a bucket gives to those who are told of it.
#[derive(Debug, Clone, Copy)]
pub struct Bulletin<'a> {
    /// What was found, planned and done. Machines take it: each look tells them the state.
    pub report: &'a Report,
    /// The message for people; none where it is no news to them.
    pub message: Option<&'a Notification>,
}

/// Where it is told.
pub trait Publisher {
    /// Tells it; does nothing where nobody is to be told.
    fn publish(&self, bulletin: Bulletin<'_>) -> impl Future<Output = Result<(), PublishFailure>>;
}
