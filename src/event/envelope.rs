//! Which envelopes an event may come in, and what is inside: SQS messages, SNS notifications, S3's list of records, and
//! any of them in any other as AWS nests them.
//!
//! Implements <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html> and
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html>.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::field::Field;
use super::{AnswerForm, Content, Decoded, DropReason, InvalidEvent, Record};
use super::{alarm, cloudtrail, command, drift, s3_notification, schedule};
use crate::arn::RoleArn;

/// How often JSON may lie inside a text of JSON. AWS itself nests twice, an SNS notification in an SQS message; the rest
/// leaves room for a queue that is fed by another function.
const MAX_DEPTH: usize = 4;

/// How many events one message or notification may carry. S3 sends one, an alarm may name ten buckets; whoever forges
/// thousands to keep us busy gets one error.
const MAX_EVENTS: usize = 100;

/// How many buckets these may name: each costs some twenty calls and perhaps a message to people. An alarm watches ten
/// metrics at most, S3 names one bucket.
const MAX_BUCKETS: usize = 10;

/// What one part of a payload turned out to be.
pub(super) type PartResult = Result<Content, InvalidEvent>;

/// Takes the outermost envelope off: the only one whose message ids the answer can name.
pub(super) fn open(payload: &Value, own_role: Option<&RoleArn>) -> Decoded {
    let opener = Opener {
        own_role,
        seen: Cell::new(0),
    };
    let root = Field::root(payload);
    // A pipe sends the messages of its batch as a bare array.
    let list = if root.is_array() {
        root.clone()
    } else {
        root.get("Records")
    };
    if root.is_array() || list.items().any(|item| is_message(&item)) {
        let records = list.items().flat_map(|item| {
            let message_id = item.get("messageId").text().filter(|id| !id.is_empty());
            let receive_count = item.get("attributes").get("ApproximateReceiveCount").text();
            let receive_count = receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
            opener.seen.set(0);
            records(message_id, receive_count, opener.record(&item, 0))
        });
        return Decoded {
            answer: AnswerForm::SqsBatch,
            records: records.collect(),
        };
    }
    let is_command = root.get("command").is_present();
    Decoded {
        answer: if is_command {
            AnswerForm::Command
        } else {
            AnswerForm::Reports
        },
        records: records(None, 1, opener.event(&root, 0)).collect(),
    }
}

fn records(
    message_id: Option<&str>,
    receive_count: u32,
    outcomes: Vec<PartResult>,
) -> impl Iterator<Item = Record> + use<> {
    let message_id = message_id.map(str::to_owned);
    outcomes.into_iter().map(move |content| Record {
        message_id: message_id.clone(),
        receive_count,
        content,
    })
}

/// Is this an SQS message? Its id is what counts: a message that has one must be accounted for.
fn is_message(item: &Field<'_>) -> bool {
    item.get("eventSource").is("aws:sqs") || item.get("messageId").is_present()
}

/// Opens envelopes. Nothing that it returns is empty, so no envelope vanishes without a word.
struct Opener<'a> {
    own_role: Option<&'a RoleArn>,
    /// How many events the message that is open has shown so far, in whatever envelopes.
    seen: Cell<usize>,
}

impl Opener<'_> {
    /// An element of `Records`, or of a pipe's array.
    fn record(&self, record: &Field<'_>, depth: usize) -> Vec<PartResult> {
        if is_message(record) {
            let id = record.get("messageId");
            // Inside another envelope the id belongs to a queue that this answer does not reach.
            if depth == 0 && id.text().is_none_or(str::is_empty) {
                return vec![Err(id.invalid("the id of an SQS message"))];
            }
            return self.inside(&record.get("body"), depth);
        }
        if record.get("EventSource").is("aws:sns") {
            return self.inside(&record.get("Sns").get("Message"), depth);
        }
        if record.get("eventSource").is("aws:s3") {
            return vec![s3_notification::decode(record)];
        }
        // A pipe may have taken envelopes off. Whoever invoked us with a list gave no command of his own in it.
        self.event(record, depth.max(1))
    }

    /// JSON inside a text.
    fn inside(&self, text: &Field<'_>, depth: usize) -> Vec<PartResult> {
        if depth >= MAX_DEPTH {
            return vec![Err(too_deep(text))];
        }
        let Some(value) = text
            .text()
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
        else {
            return vec![Err(text.invalid("a text that holds JSON"))];
        };
        let outcomes = self.event(
            &Field::at(&value, text.path().to_owned()),
            depth.saturating_add(1),
        );
        if outcomes.len() > MAX_EVENTS {
            return vec![Err(too_many(text))];
        }
        let buckets: BTreeSet<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Ok(Content::Trigger(trigger)) => Some(&trigger.bucket),
                // Where refused puts are explained, these are looked at too.
                Ok(Content::Dropped(DropReason::FailedCall {
                    refused_put: Some(trigger),
                    ..
                })) => Some(&trigger.bucket),
                Ok(Content::Command(_) | Content::Drift(_) | Content::Dropped(_)) | Err(_) => None,
            })
            .collect();
        let changed: BTreeSet<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Ok(Content::Drift(drift)) => Some(&drift.resources),
                Ok(Content::Trigger(_) | Content::Command(_) | Content::Dropped(_)) | Err(_) => None,
            })
            .flatten()
            .collect();
        if buckets.len().saturating_add(changed.len()) > MAX_BUCKETS {
            return vec![Err(text.invalid(format!(
                "events about at most {MAX_BUCKETS} buckets, keys, roles or policies in one message"
            )))];
        }
        outcomes
    }

    /// Anything that may stand alone: a payload, the body of a message, the text of a notification.
    fn event(&self, event: &Field<'_>, depth: usize) -> Vec<PartResult> {
        let has = |name| event.get(name).is_present();
        let records = if event.is_array() {
            event.clone()
        } else {
            event.get("Records")
        };
        // Counted before they are read: a message of a mebibyte has room for half a million.
        let seen = self.seen.get().saturating_add(records.count());
        self.seen.set(seen);
        if depth > 0 && seen > MAX_EVENTS {
            return vec![Err(too_many(&records))];
        }
        if has("command") {
            vec![if depth == 0 {
                command::decode(event)
            } else {
                command::decode_delivered(event)
            }]
        } else if records.items().next().is_some() {
            records
                .items()
                .flat_map(|record| self.record(&record, depth))
                .collect()
        } else if has("requestPayload") && has("requestContext") {
            self.passed_on(event, depth)
        } else if has("alarmData") && event.get("source").is("aws.cloudwatch") {
            alarm::decode_action(event)
        } else if has("detail-type") {
            self.event_bridge(event, depth)
        } else if event.get("Event").is("s3:TestEvent") {
            vec![Ok(Content::Dropped(DropReason::TestEvent))]
        } else if has("AlarmName") && has("NewStateValue") {
            alarm::decode_sns(event)
        } else if has("Type") && has("TopicArn") {
            self.notification(event, depth)
        } else if has("eventName") && has("eventSource") && has("eventVersion") {
            self.bare_call(event)
        } else {
            vec![foreign(event)]
        }
    }

    /// What Lambda hands on of an invocation that failed. What succeeded was dealt with: a success of our own that led to
    /// a look would lead to the next one.
    fn passed_on(&self, event: &Field<'_>, depth: usize) -> Vec<PartResult> {
        let payload = event.get("requestPayload");
        if event.get("requestContext").get("condition").is("Success") {
            return vec![foreign(event)];
        }
        if depth >= MAX_DEPTH {
            return vec![Err(too_deep(&payload))];
        }
        self.event(&payload, depth.saturating_add(1))
    }

    /// The envelope of SNS as queues get it without raw message delivery.
    fn notification(&self, event: &Field<'_>, depth: usize) -> Vec<PartResult> {
        let kind = event.get("Type");
        if kind.is("Notification") {
            self.inside(&event.get("Message"), depth)
        } else {
            vec![Ok(Content::Dropped(DropReason::SnsControl(kind.quoted())))]
        }
    }

    /// CloudTrail's record without the event around it, as a target with the input path `$.detail` gets it.
    fn bare_call(&self, call: &Field<'_>) -> Vec<PartResult> {
        let service = call
            .get("eventSource")
            .text()
            .and_then(|source| source.strip_suffix(".amazonaws.com"));
        let Some(service @ ("s3" | "kms" | "iam")) = service else {
            return vec![foreign(call)];
        };
        let event = serde_json::json!({
            "detail-type": "AWS API Call via CloudTrail",
            "source": format!("aws.{service}"),
            "detail": call.value(),
        });
        self.event_bridge(&Field::at(&event, call.path().to_owned()), MAX_DEPTH)
    }

    /// EventBridge refuses events from outside whose source starts with `aws.`, so that source is AWS's own word.
    fn event_bridge(&self, event: &Field<'_>, depth: usize) -> Vec<PartResult> {
        let kind = event.get("detail-type");
        let from = event.get("source");
        match (kind.text().unwrap_or_default(), from.text().unwrap_or_default()) {
            ("AWS API Call via CloudTrail", "aws.s3") => vec![cloudtrail::decode(event, self.own_role)],
            ("AWS API Call via CloudTrail", "aws.kms" | "aws.iam") => {
                vec![drift::decode(event, self.own_role)]
            }
            ("KMS Imported Key Material Expiration" | "KMS CMK Deletion", "aws.kms") => {
                vec![drift::decode_kms(event)]
            }
            (
                "CloudWatch Alarm State Change" | "CloudWatch Alarm Contributor State Change",
                "aws.cloudwatch",
            ) => alarm::decode_event_bridge(event),
            ("Scheduled Event", "aws.events" | "aws.scheduler") => vec![schedule::decode()],
            ("Lambda Function Invocation Result - Failure", "lambda") => {
                self.passed_on(&event.get("detail"), depth)
            }
            _ => vec![Ok(Content::Dropped(DropReason::OtherEventBridge {
                detail_type: kind.quoted(),
                sender: from.quoted(),
            }))],
        }
    }
}

fn too_many(place: &Field<'_>) -> InvalidEvent {
    place.invalid(format!("at most {MAX_EVENTS} events in one message"))
}

fn too_deep(place: &Field<'_>) -> InvalidEvent {
    place.invalid(format!("an event in at most {MAX_DEPTH} envelopes"))
}

fn foreign(event: &Field<'_>) -> PartResult {
    let at = if event.path().is_empty() {
        "the payload"
    } else {
        event.path()
    };
    Ok(Content::Dropped(DropReason::Foreign(format!(
        "{at} is {}",
        event.describe()
    ))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!({"command": "sweep"}), |inner, _| {
            json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": inner.to_string()})
        })
    }

    #[test]
    fn one_message_cannot_ask_for_thousands_of_looks() {
        let records = |count: usize| -> Value {
            let record =
                json!({"eventSource": "aws:s3", "eventVersion": "2.6", "eventName": "ObjectCreated:Put"});
            json!([{"messageId": "1", "body": json!({"Records": vec![record; count]}).to_string()}])
        };
        let opened = |count| open(&records(count), None).records;
        assert_eq!(opened(MAX_EVENTS).len(), MAX_EVENTS);
        let flood = opened(MAX_EVENTS + 1);
        assert!(
            matches!(
                flood.as_slice(),
                [Record {
                    message_id: Some(_),
                    content: Err(_),
                    ..
                }]
            ),
            "{flood:?}"
        );
    }

    #[test]
    fn envelopes_nest_only_so_deep() {
        let opened = |depth| open(&nested(depth), None).records.remove(0).content;
        assert!(opened(MAX_DEPTH).is_ok());
        let error = opened(MAX_DEPTH + 1).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "field `Message.Message.Message.Message.Message`: expected an event in at most 4 envelopes"
            ),
            "{error}"
        );
    }
}
