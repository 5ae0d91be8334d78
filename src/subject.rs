//! What to look at: one subject per bucket, however many events of a batch name it.
//!
//! A storm of failed objects is one question about one bucket. Which messages asked it is kept, because each must be
//! answered for; SQS delivers at least once and in any order
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>),
//! so the same failure may come twice and a deletion before the put that it undid.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::BucketName;
use crate::event::{Command, Content, DropReason, FailedObject, InvalidEvent, Record, Trigger};

/// How many failed objects a subject carries on; all of them are counted.
pub const OBJECTS_KEPT: usize = 50;

/// A bucket to look at, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The bucket.
    pub bucket: BucketName,
    /// The most telling of its triggers, the latest where several are; with a sample of the failed objects of all.
    pub trigger: Trigger,
    /// How many object versions failed for how many rules, repeated messages not counted.
    pub failed_objects: usize,
    /// The SQS messages that this answers.
    pub message_ids: BTreeSet<String>,
}

/// A decoded batch, sorted by what must be done. Every record stands in exactly one of the four.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// What to look at, one per bucket, in the order of their names.
    pub subjects: Vec<Subject>,
    /// What was ordered.
    pub commands: Vec<Delivered<Command>>,
    /// What was none of our business; it needs a log line and no more.
    pub dropped: Vec<Delivered<DropReason>>,
    /// What could not be used. Its message must go back to the queue, and so in time to where failures are looked at.
    pub invalid: Vec<Delivered<InvalidEvent>>,
}

/// Something, and the SQS message that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered<T> {
    /// The message's id; `None` outside SQS.
    pub message_id: Option<String>,
    /// What came.
    pub item: T,
}

/// Sorts the records of a payload by what must be done, and merges the reasons to look at the same bucket.
pub fn subjects(records: impl IntoIterator<Item = Record>) -> Batch {
    let mut batch = Batch::default();
    let mut gathered: BTreeMap<BucketName, Gathered> = BTreeMap::new();
    for Record { message_id, content } in records {
        match content {
            Ok(Content::Trigger(trigger)) => {
                let entry = gathered.entry(trigger.bucket.clone()).or_default();
                entry.message_ids.extend(message_id);
                entry.add(trigger);
            }
            Ok(Content::Command(item)) => batch.commands.push(Delivered { message_id, item }),
            Ok(Content::Dropped(item)) => batch.dropped.push(Delivered { message_id, item }),
            Err(item) => batch.invalid.push(Delivered { message_id, item }),
        }
    }
    batch.subjects = gathered.into_values().filter_map(Gathered::subject).collect();
    batch
}

/// The triggers of one bucket, as far as they have been seen.
#[derive(Debug, Default)]
struct Gathered {
    lead: Option<Trigger>,
    failed: BTreeSet<FailedObject>,
    message_ids: BTreeSet<String>,
}

impl Gathered {
    fn add(&mut self, mut trigger: Trigger) {
        self.failed.append(&mut trigger.objects.drain(..).collect());
        let lead = match self.lead.take() {
            None => trigger,
            Some(lead) => {
                let (mut first, second) = if leads(&trigger, &lead) {
                    (trigger, lead)
                } else {
                    (lead, trigger)
                };
                first.region_hint = first.region_hint.or(second.region_hint);
                first
            }
        };
        self.lead = Some(lead);
    }

    fn subject(self) -> Option<Subject> {
        let lead = self.lead?;
        Some(Subject {
            bucket: lead.bucket.clone(),
            failed_objects: self.failed.len(),
            message_ids: self.message_ids,
            trigger: Trigger {
                objects: sample(self.failed),
                ..lead
            },
        })
    }
}

/// The more telling kind leads; among equals the later event, which knows the later state.
fn leads(new: &Trigger, old: &Trigger) -> bool {
    new.kind < old.kind || (new.kind == old.kind && new.event_time > old.event_time)
}

/// At most [`OBJECTS_KEPT`] objects: first one for each rule and reason, because that is what a cause can be read from,
/// then as many others as there is room for.
fn sample(failed: BTreeSet<FailedObject>) -> Vec<FailedObject> {
    let mut seen = BTreeSet::new();
    let (mut kept, others): (Vec<_>, Vec<_>) = failed
        .into_iter()
        .partition(|object| seen.insert((object.rule_id.clone(), object.failure_reason.clone())));
    kept.extend(others);
    kept.truncate(OBJECTS_KEPT);
    kept
}
