//! Our own queue: messages go out ten at a time, and those of a batch that were not taken once more.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>: a batch has at
//! most ten messages, may succeed in part, and says of each refused one whose fault that is.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::queue::{LONGEST_DELAY, Message, Queue, QueueFailure};

use super::Aws;
use super::error::Failure;
use super::json::{Address, JsonCall, response};
use super::signed::Limits;

const OPERATION: &str = "sqs:SendMessageBatch";

/// Most messages of a batch.
const MOST_MESSAGES: usize = 10;

/// Most bytes of a batch. SQS takes more today; this much it has always taken.
const MOST_BYTES: usize = 256 * 1024;

/// Batches that are under way at once.
const CONCURRENT: usize = 4;

/// Pauses before what was not taken is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// The queue that this function reads, if its URL is set.
#[derive(Debug)]
pub struct OwnQueue<'a> {
    aws: &'a Aws,
    url: Option<String>,
}

/// A message as it goes out.
#[derive(Debug, Clone)]
struct Outgoing {
    body: String,
    delay: u64,
}

impl Aws {
    /// The queue at that URL, in our own Region.
    pub fn queue(&self, url: Option<String>) -> OwnQueue<'_> {
        OwnQueue { aws: self, url }
    }
}

impl Queue for OwnQueue<'_> {
    async fn send(&self, messages: &[Message]) -> Result<(), QueueFailure> {
        if messages.is_empty() {
            return Ok(());
        }
        let url = self.url.as_deref().ok_or(QueueFailure::NoQueue)?;
        let refused: Vec<Refused> = stream::iter(batches(messages))
            .map(|batch| Box::pin(self.send_batch(url, batch)))
            .buffered(CONCURRENT)
            .collect()
            .await;
        let count = refused.iter().map(|refused| refused.count).sum();
        match refused.into_iter().find(|refused| refused.count > 0) {
            Some(first) => Err(QueueFailure::NotSent {
                count,
                reason: first.reason,
            }),
            None => Ok(()),
        }
    }
}

/// What of a batch was not taken.
#[derive(Debug, Default)]
struct Refused {
    count: usize,
    reason: String,
}

impl OwnQueue<'_> {
    async fn send_batch(&self, url: &str, mut batch: Vec<Outgoing>) -> Refused {
        let mut refused = Refused::default();
        let mut pauses = PAUSES.iter();
        loop {
            let (again, reason) = match self.try_batch(url, &batch).await {
                Ok(answer) => {
                    refused.count += answer.for_good;
                    (answer.again, answer.reason)
                }
                // The SDK has tried this call again by itself.
                Err(failure) => {
                    refused.count += batch.len();
                    (Vec::new(), Some(failure))
                }
            };
            if let Some(reason) = reason {
                refused.reason = reason;
            }
            match pauses.next() {
                Some(pause) if !again.is_empty() => {
                    tokio::time::sleep(*pause).await;
                    batch = again;
                }
                _ => {
                    refused.count += again.len();
                    return refused;
                }
            }
        }
    }

    async fn try_batch(&self, url: &str, batch: &[Outgoing]) -> Result<BatchAnswer, String> {
        self.aws.count(OPERATION);
        let shown = |failure: &Failure| format!("{OPERATION} failed with {}", failure.code.escape_debug());
        let call = JsonCall {
            service: "sqs",
            operation: "SendMessageBatch",
            address: Address::Target("application/x-amz-json-1.0", "AmazonSQS"),
            // Our own queue lies in our own Region.
            region: &self.aws.region,
            limits: Limits::default(),
        };
        let entries: Vec<Value> = batch
            .iter()
            .enumerate()
            .map(|(id, message)| {
                json!({"Id": id.to_string(), "MessageBody": message.body, "DelaySeconds": message.delay})
            })
            .collect();
        let body = json!({"QueueUrl": url, "Entries": entries});
        let answer = self.aws.send_json(call, &body, response).await;
        let answer = answer.map_err(|failure| shown(&failure))?;
        let mut result = BatchAnswer::default();
        // A call succeeds whatever becomes of its messages.
        for failed in answer
            .get("Failed")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |name| failed.get(name).and_then(Value::as_str).unwrap_or_default();
            result.reason = Some(format!(
                "{OPERATION} refused it with {}",
                text("Code").escape_debug()
            ));
            let is_ours = failed.get("SenderFault").and_then(Value::as_bool).unwrap_or(true);
            match text("Id").parse().ok().and_then(|id: usize| batch.get(id)) {
                Some(message) if !is_ours => result.again.push(message.clone()),
                Some(_) | None => result.for_good += 1,
            }
        }
        Ok(result)
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
struct BatchAnswer {
    /// Not taken, and not for want of anything on our side.
    again: Vec<Outgoing>,
    /// Refused.
    for_good: usize,
    reason: Option<String>,
}

/// The messages in batches as large as SQS takes them. One that is too large for any is left to SQS to refuse.
fn batches(messages: &[Message]) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let seconds = message.delay.min(LONGEST_DELAY).as_secs();
        let outgoing = Outgoing {
            body: message.body.to_string(),
            delay: seconds,
        };
        let length = outgoing.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_MESSAGES && bytes + length <= MOST_BYTES => {
                bytes += length;
                batch.push(outgoing);
            }
            Some(_) | None => {
                bytes = length;
                batches.push(vec![outgoing]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(count: usize, length: usize) -> Vec<Message> {
        let message = Message {
            body: json!({"command": "x".repeat(length)}),
            delay: Duration::from_millis(1_999),
        };
        vec![message; count]
    }

    #[test]
    fn a_batch_has_at_most_ten_messages_and_no_more_bytes_than_sqs_takes() {
        let sizes = |messages: &[Message]| batches(messages).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&messages(23, 10)), [10, 10, 3]);
        assert_eq!(sizes(&messages(5, 100_000)), [2, 2, 1]);
        assert_eq!(sizes(&messages(2, 300_000)), [1, 1], "SQS refuses them, not we");
        assert!(batches(&[]).is_empty());
    }

    #[test]
    fn a_delay_is_whole_seconds_and_no_more_than_sqs_takes() {
        let mut long = messages(2, 1);
        long[1].delay = Duration::from_secs(86_400);
        let delays: Vec<u64> = batches(&long)
            .concat()
            .iter()
            .map(|message| message.delay)
            .collect();
        assert_eq!(delays, [1, 900]);
    }
}
