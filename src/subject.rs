//! What to look at: one subject per bucket, however many events of a batch name it.
//!
//! A storm of failed objects is one question about one bucket. The messages that asked it are kept, because each must
//! be acknowledged; SQS delivers at least once and in any order
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>),
//! so the same failure may come twice and a deletion before the put that it undid.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::arn::BucketName;
use crate::event::{
    Change, Command, Content, Drift, DropReason, FailedObject, InvalidEvent, Record, Trigger, TriggerKind,
};

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
    /// When the last of them failed, where that is all that was announced, and it is known of each.
    pub failures_until: Option<Timestamp>,
    /// The SQS messages that this answers.
    pub message_ids: BTreeSet<String>,
    /// Did something come without the id of a message? Of that, the answer can name nothing.
    pub is_nameless: bool,
    /// How often the most travelled of them was handed out.
    pub receive_count: u32,
}

impl Subject {
    /// A bucket that somebody asked about.
    pub fn asked(bucket: BucketName) -> Self {
        Self {
            trigger: Trigger::new(TriggerKind::Command, bucket.clone()),
            bucket,
            failed_objects: 0,
            failures_until: None,
            message_ids: BTreeSet::new(),
            is_nameless: true,
            receive_count: 1,
        }
    }
}

/// A decoded batch, sorted by what must be done. Every record stands in exactly one of the five.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// What to look at, one per bucket, in the order of their names.
    pub subjects: Vec<Subject>,
    /// What was changed of that on which buckets may depend.
    pub drifts: Vec<Delivered<Drift>>,
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
    for Record {
        message_id,
        receive_count,
        content,
    } in records
    {
        match content {
            Ok(Content::Trigger(trigger)) => {
                let entry = gathered.entry(trigger.bucket.clone()).or_default();
                entry.is_nameless |= message_id.is_none();
                entry.message_ids.extend(message_id);
                entry.receive_count = entry.receive_count.max(receive_count);
                entry.add(trigger);
            }
            Ok(Content::Drift(item)) => batch.drifts.push(Delivered { message_id, item }),
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
    /// The latest of the failures; and is there anything that says nothing of when, or that is no failure?
    latest: Option<Timestamp>,
    is_more: bool,
    message_ids: BTreeSet<String>,
    is_nameless: bool,
    receive_count: u32,
}

impl Gathered {
    fn add(&mut self, mut trigger: Trigger) {
        self.failed.extend(std::mem::take(&mut trigger.objects));
        self.latest = self.latest.max(trigger.event_time);
        self.is_more |= trigger.kind != TriggerKind::ReplicationFailed || trigger.event_time.is_none();
        let lead = match self.lead.take() {
            None => trigger,
            Some(lead) => {
                let (mut first, second) = if leads(&trigger, &lead) {
                    (trigger, lead)
                } else {
                    (lead, trigger)
                };
                first.region_hint = first.region_hint.or(second.region_hint);
                // Whoever asks without a promise wants to hear of what there is.
                first.promised = first.promised.filter(|_| second.promised.is_some());
                first.sweep = first.sweep.or(second.sweep);
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
            failures_until: self.latest.filter(|_| !self.is_more),
            message_ids: self.message_ids,
            is_nameless: self.is_nameless,
            receive_count: self.receive_count,
            trigger: Trigger {
                objects: sample(self.failed),
                ..lead
            },
        })
    }
}

/// The more telling kind leads; among equals the later event, which knows the later state.
fn leads(new: &Trigger, old: &Trigger) -> bool {
    // What S3 refused changed nothing, so that anything else tells more.
    let rank = |trigger: &Trigger| (trigger.change == Some(Change::Refused), trigger.kind);
    // CloudTrail knows seconds. Within one, the removal is taken for the last word: what was put after all is there.
    let when = |trigger: &Trigger| (trigger.event_time, trigger.change == Some(Change::Removed));
    rank(new) < rank(old) || (rank(new) == rank(old) && when(new) > when(old))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(kind: TriggerKind, second: u8) -> Trigger {
        Trigger {
            event_time: Some(format!("2026-09-14T09:00:{second:02}Z").parse().unwrap()),
            ..Trigger::new(kind, "logs".parse().unwrap())
        }
    }

    fn failed(key: impl Into<String>, rule: &str, reason: &str) -> FailedObject {
        FailedObject {
            key: key.into(),
            version_id: Some("v1".to_owned()),
            failure_reason: Some(reason.to_owned()),
            rule_id: Some(rule.to_owned()),
        }
    }

    fn merged(triggers: impl IntoIterator<Item = Trigger>) -> Subject {
        let records = triggers.into_iter().enumerate().map(|(id, trigger)| Record {
            message_id: Some(id.to_string()),
            receive_count: 1,
            content: Ok(Content::Trigger(trigger)),
        });
        let mut batch = subjects(records);
        assert_eq!(batch.subjects.len(), 1);
        batch.subjects.remove(0)
    }

    #[test]
    fn the_most_telling_kind_leads_in_whatever_order_it_came() {
        let put = || trigger(TriggerKind::ReplicationConfigured, 0);
        let failure = || Trigger {
            objects: vec![failed("a", "kms", "DstKmsKeyNotFound")],
            ..trigger(TriggerKind::ReplicationFailed, 30)
        };
        for triggers in [vec![put(), failure()], vec![failure(), put()]] {
            let subject = merged(triggers);
            assert_eq!(subject.trigger.kind, TriggerKind::ReplicationConfigured);
            assert_eq!((subject.trigger.objects.len(), subject.failed_objects), (1, 1));
            assert_eq!(subject.message_ids.len(), 2);
        }
    }

    #[test]
    fn the_later_of_a_put_and_a_deletion_tells_the_state() {
        let change = |change, second| Trigger {
            change: Some(change),
            ..trigger(TriggerKind::ReplicationConfigured, second)
        };
        for triggers in [
            [change(Change::Removed, 1), change(Change::Configured, 2)],
            [change(Change::Configured, 2), change(Change::Removed, 1)],
        ] {
            assert_eq!(merged(triggers).trigger.change, Some(Change::Configured));
        }
    }

    #[test]
    fn what_one_event_does_not_know_another_may() {
        let mut alarm = trigger(TriggerKind::Alarm, 0);
        alarm.region_hint = Some("eu-west-1".parse().unwrap());
        let subject = merged([alarm, trigger(TriggerKind::ReplicationConfigured, 0)]);
        assert_eq!(subject.trigger.region_hint.unwrap().as_str(), "eu-west-1");
    }

    #[test]
    fn whoever_asks_without_a_promise_hears_of_what_there_is_in_whatever_order_it_came() {
        let promise = format!("sha256:{}", "0".repeat(64));
        let check = |promised: bool| Trigger {
            promised: promised.then(|| promise.parse().unwrap()),
            ..trigger(TriggerKind::Sweep, 0)
        };
        for (first, second) in [(true, false), (false, true), (false, false)] {
            assert_eq!(merged([check(first), check(second)]).trigger.promised, None);
        }
        assert!(merged([check(true), check(true)]).trigger.promised.is_some());
    }

    #[test]
    fn a_failure_that_is_delivered_twice_counts_once() {
        let failure = || Trigger {
            objects: vec![failed("a", "kms", "DstKmsKeyNotFound")],
            ..trigger(TriggerKind::ReplicationFailed, 0)
        };
        let subject = merged([failure(), failure()]);
        assert_eq!((subject.failed_objects, subject.message_ids.len()), (1, 2));
    }

    #[test]
    fn of_a_storm_a_sample_is_kept_that_shows_every_rule_and_reason() {
        let storm = (0..5000).map(|n| failed(format!("{n:05}"), "kms", "DstKmsKeyNotFound"));
        let rare = [
            failed("z", "logs", "DstBucketUnversioned"),
            failed("z", "kms", "AssumeRoleNotPermitted"),
        ];
        let triggers = storm.chain(rare.clone()).map(|object| Trigger {
            objects: vec![object],
            ..trigger(TriggerKind::ReplicationFailed, 0)
        });
        let subject = merged(triggers);
        assert_eq!(subject.failed_objects, 5002);
        assert_eq!(subject.trigger.objects.len(), OBJECTS_KEPT);
        assert!(rare.iter().all(|object| subject.trigger.objects.contains(object)));
    }

    #[test]
    fn when_the_last_object_failed_is_known_only_where_nothing_else_was_announced() {
        let failure = |second| Trigger {
            objects: vec![failed("a", "kms", "DstKmsKeyNotFound")],
            ..trigger(TriggerKind::ReplicationFailed, second)
        };
        let last = merged([failure(5), failure(9), failure(7)]).failures_until;
        assert_eq!(last, trigger(TriggerKind::Alarm, 9).event_time);
        assert_eq!(
            merged([failure(5), trigger(TriggerKind::Sweep, 1)]).failures_until,
            None
        );
        let undated = Trigger {
            event_time: None,
            ..failure(5)
        };
        assert_eq!(merged([failure(5), undated]).failures_until, None);
    }

    #[test]
    fn each_bucket_is_a_subject_of_its_own() {
        let records = ["logs", "invoices", "logs"].map(|bucket| Record {
            receive_count: 1,
            message_id: None,
            content: Ok(Content::Trigger(Trigger::new(
                TriggerKind::Alarm,
                bucket.parse().unwrap(),
            ))),
        });
        let buckets: Vec<_> = subjects(records)
            .subjects
            .into_iter()
            .map(|subject| subject.bucket.to_string())
            .collect();
        assert_eq!(buckets, ["invoices", "logs"]);
    }
}
