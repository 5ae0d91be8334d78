//! The port to our own queue: how this program leaves itself work for later, so that all work takes one path.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

/// The longest that SQS keeps a message back
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

/// A message to ourselves. It is read like any other, and as little believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What [`decode`](crate::event::decode) will find in its body.
    pub body: Value,
    /// How long the queue keeps it back, at most [`LONGEST_DELAY`].
    pub delay: Duration,
}

/// Messages that were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFailure {
    /// There is no queue to send to.
    #[error("no queue is set; set QUEUE_URL to the queue that the function reads")]
    NoQueue,
    /// The queue refused, or did not answer. Some of the messages may have been taken.
    #[error("the queue did not take {count} of the messages: {reason}")]
    NotSent {
        /// How many.
        count: usize,
        /// What the first of them met.
        reason: String,
    },
}

/// Our own queue.
pub trait Queue {
    /// Sends messages; any number of them.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Result<(), QueueFailure>>;
}

/// There is no queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoQueue;

impl Queue for NoQueue {
    async fn send(&self, messages: &[Message]) -> Result<(), QueueFailure> {
        match messages {
            [] => Ok(()),
            [..] => Err(QueueFailure::NoQueue),
        }
    }
}
