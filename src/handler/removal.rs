//! Decides whether an event speaks of a time before the replication configuration was removed.
//!
//! SQS keeps no order
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>),
//! and S3 gives up on objects after the configuration that they fell under is gone.
//! A put or a failed object that comes after the removal and is older does not contradict it. When the removal was is
//! written down for as long as the queue keeps messages; whoever forges that only takes an error back to advice.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::warn;

use super::look::Look;
use super::{Handler, Invocation};
use crate::arn::BucketName;
use crate::error::chain;
use crate::event::{Change, Trigger, TriggerKind};
use crate::ledger::{Item, ItemKey, Ledger, bucket_key};
use crate::notify::Publisher;
use crate::queue::Queue;
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// Where it stands when the configuration was removed.
const REMOVED: &str = "removed";

/// SQS keeps no message for longer.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// When the configuration was removed, and in which version that is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Removal {
    at: Option<Timestamp>,
    version: u64,
}

fn key(bucket: &BucketName) -> ItemKey {
    ItemKey {
        partition: bucket_key(bucket),
        sort: REMOVED.to_owned(),
    }
}

impl Removal {
    /// What is written down among the items of a bucket.
    pub(super) fn among(items: &[Item]) -> Self {
        items
            .iter()
            .find(|item| item.key.sort == REMOVED)
            .map_or_else(Self::default, |item| Self {
                at: item.value.get("at").and_then(|at| at.as_str()?.parse().ok()),
                version: item.version,
            })
    }

    /// Is the removal later than what an event speaks of?
    fn is_after(self, trigger: &Trigger) -> bool {
        let expects_a_configuration = match trigger.kind {
            TriggerKind::ReplicationConfigured => trigger.change == Some(Change::Configured),
            TriggerKind::ReplicationFailed => true,
            TriggerKind::Alarm | TriggerKind::Drift | TriggerKind::Sweep | TriggerKind::Command => false,
        };
        let times = trigger.event_time.zip(self.at);
        expects_a_configuration && times.is_some_and(|(event, removed)| event <= removed)
    }
}

/// The subject without the event that led to it, where the event speaks of a configuration that was removed since.
pub(super) fn without_stale_event(subject: &Subject, look: &Look) -> Option<Subject> {
    let is_past = look.snapshot.replication.is_absent() && look.remembered.removal.is_after(&subject.trigger);
    is_past.then(|| Subject {
        trigger: Trigger {
            event_id: subject.trigger.event_id.clone(),
            event_time: subject.trigger.event_time,
            sweep: subject.trigger.sweep.clone(),
            ..Trigger::new(TriggerKind::Sweep, subject.bucket.clone())
        },
        failed_objects: 0,
        failures_until: None,
        ..subject.clone()
    })
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Writes down when the configuration was removed, where the event is of that. A ledger that fails costs a message.
    pub(super) async fn note_removal(&self, invocation: &Invocation, subject: &Subject, look: &Look) {
        let trigger = &subject.trigger;
        let known = look.remembered.removal;
        let removed = trigger.event_time.filter(|time| {
            trigger.change == Some(Change::Removed)
                && look.snapshot.replication.is_absent()
                // A removal that is to come would make the past of everything.
                && *time <= look.snapshot.taken_at
                && known.at.is_none_or(|at| at < *time)
        });
        let Some(removed) = removed else {
            return;
        };
        let item = Item {
            key: key(&subject.bucket),
            version: known.version.saturating_add(1),
            value: json!({"at": removed}),
            expires: invocation.now.checked_add(KEPT).ok(),
        };
        if let Err(failure) = self.ledger.put(&item).await {
            warn!(
                bucket = %subject.bucket, error = %chain(&failure),
                "when the configuration was removed was not recorded; an older event may contradict it"
            );
        }
    }
}
