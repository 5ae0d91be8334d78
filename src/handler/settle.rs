//! Decides whether access that the rules do not need has been unneeded for long enough to be revoked automatically.
//!
//! Some tools replace a configuration by deleting it and putting it again within minutes; others switch rules, or a
//! bucket's default encryption, back and forth. S3 never retries what failed in between, and IAM should not be written
//! each time. So the pending revocation is recorded with its time, and made once it has been the same for ten minutes.
//! An event younger than that overrides the record: its change cannot be ten minutes old. So anyone who can write the
//! table can at most have unneeded access revoked a little early, at a look that no recent change led to.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;

use super::{Handler, Look};
use crate::error::chain;
use crate::event::{QueuedCheck, Trigger, TriggerKind};
use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure, bucket_key};
use crate::notify::Publisher;
use crate::queue::{LONGEST_DELAY, Message, Queue, QueueFailure};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// Where it stands what waits, and since when.
pub(super) const SETTLING: &str = "rules#since";

/// How long something must have been superfluous before it is taken back unasked.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// When to look again.
const LOOK_AGAIN: Duration = LONGEST_DELAY;

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    /// Names what waits.
    waiting: String,
    /// When it was first seen to be superfluous.
    since: Timestamp,
    /// When the look is due that waits in the queue.
    look: Option<Timestamp>,
}

impl Note {
    /// Is there a look in the queue? One that would be later than any that we ask for is nobody's.
    fn has_look(&self, now: Timestamp) -> bool {
        self.look.is_some_and(|due| {
            let left = due.duration_since(now);
            left.is_positive() && left.unsigned_abs() <= LOOK_AGAIN
        })
    }
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// May what waits be taken back? `waiting` names it; nothing where there is nothing.
    pub(super) async fn has_settled(&self, subject: &Subject, look: &Look, waiting: Option<String>) -> bool {
        if subject.trigger.kind == TriggerKind::Command {
            // A person asked, and knows what the rules are to be.
            return waiting.is_some();
        }
        let known = look.remembered.settling.as_ref();
        let noted = known.and_then(|item| serde_json::from_value::<Note>(item.value.clone()).ok());
        let place = ItemKey {
            partition: bucket_key(&subject.bucket),
            sort: SETTLING.to_owned(),
        };
        let Some(waiting) = waiting else {
            if let Some(item) = known.filter(|_| noted.is_some()) {
                lost(subject, self.ledger.remove(&place, item.version).await);
            }
            return false;
        };
        let now = look.snapshot.taken_at;
        let look_in_queue = noted.as_ref().and_then(|noted| noted.look);
        let mut note = noted
            .clone()
            .filter(|noted| noted.waiting == waiting && noted.since <= now)
            .unwrap_or(Note {
                waiting,
                since: now,
                look: look_in_queue,
            });
        let is_old = now.duration_since(note.since) >= PATIENCE;
        if is_old && !look.is_contradicted && !is_young(&subject.trigger, now) {
            return true;
        }
        let asks = !note.has_look(now);
        if asks {
            note.look = None;
        }
        if !asks && noted.as_ref() == Some(&note) {
            return false;
        }
        // One look in the queue will do, however often the rules change. Whoever was first to write it down asks for it.
        let mut version = known.map_or(1, |item| item.version.saturating_add(1));
        let write = async |note: &Note, version: u64| {
            let item = Item {
                key: place.clone(),
                version,
                value: json!(note),
                expires: None,
            };
            self.ledger.put(&item).await
        };
        let written = write(&note, version).await;
        if asks && written.is_ok() && self.ask_again(subject).await {
            note.look = now.checked_add(LOOK_AGAIN).ok();
            version = version.saturating_add(1);
            lost(subject, write(&note, version).await);
        } else {
            lost(subject, written);
        }
        false
    }

    async fn ask_again(&self, subject: &Subject) -> bool {
        let look = Message {
            body: QueuedCheck::of(subject.bucket.clone()).to_json(),
            delay: LOOK_AGAIN,
        };
        match self.queue.send(&[look]).await {
            Ok(()) => true,
            Err(QueueFailure::NoQueue) => false,
            Err(failure @ QueueFailure::NotSent { .. }) => {
                warn!(bucket = %subject.bucket, error = %chain(&failure), "nobody will look again by itself");
                false
            }
        }
    }
}

/// Does the event tell of a change that was made a moment ago? One that says nothing of its time may.
fn is_young(trigger: &Trigger, now: Timestamp) -> bool {
    match trigger.kind {
        TriggerKind::ReplicationConfigured | TriggerKind::Drift => trigger
            .event_time
            .is_none_or(|time| now.duration_since(time) < PATIENCE),
        TriggerKind::ReplicationFailed | TriggerKind::Alarm | TriggerKind::Sweep | TriggerKind::Command => {
            false
        }
    }
}

/// What is lost costs that the wait begins anew.
fn lost(subject: &Subject, done: Result<(), LedgerFailure>) {
    if let Err(failure) = done {
        warn!(bucket = %subject.bucket, error = %chain(&failure), "when the revocation became due was not recorded; its delay begins anew");
    }
}
