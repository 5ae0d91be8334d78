//! What is news, how it is worded, and the port through which it is published.

pub mod affected;
pub mod alert;
pub mod alert_state;
pub mod chat;
pub mod dedup;
pub mod escape;
pub mod events;
pub mod fanout;
pub mod rate_limit;
pub mod security_hub;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod text;

use std::collections::BTreeMap;
use std::future::Future;

use jiff::Timestamp;

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
    /// What it is about, for forms that put together what belongs together.
    pub about: NotificationScope,
    /// When the message about that before this one went out, as far as is remembered.
    pub after: Option<Timestamp>,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationScope {
    /// The trouble of one bucket, named by when it was first seen; none where that is not known.
    Bucket(Option<Timestamp>),
    /// Several buckets at once, by their names.
    Many(Vec<String>),
}

/// A message that did not go out. It is not lost: what caused it goes back to the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the notification was not published: {reason}")]
pub struct PublishFailure {
    /// What went wrong.
    pub reason: String,
}

/// What there is to tell. Each publisher takes what it is for.
#[derive(Debug, Clone, Copy)]
pub enum Publication<'a> {
    /// How it stands: for machines, after each look; and when people last had news of the bucket, as far as is remembered.
    CheckResult(&'a Report, Option<Timestamp>),
    /// What is news to people, with the message that tells it.
    Alert(&'a Report, &'a Notification),
    /// What is news to people about more than one bucket.
    Summary(&'a Notification),
}

impl<'a> Publication<'a> {
    /// What was found, planned and done about the one bucket that it is about.
    pub fn report(self) -> Option<&'a Report> {
        match self {
            Self::CheckResult(report, _) | Self::Alert(report, _) => Some(report),
            Self::Summary(_) => None,
        }
    }
}

/// Where it is told.
pub trait Publisher {
    /// Tells it; does nothing where nobody is to be told, or it is for others.
    fn publish(&self, publication: Publication<'_>) -> impl Future<Output = Result<(), PublishFailure>>;

    /// Hears how many messages cannot be used. The log and the queue have them, so that only who counts cares.
    fn unusable(&self, _messages: usize) {}
}
