//! What is remembered about a bucket: read before each look, and written around each change.
//!
//! Without a table it lasts as long as the process. A table that cannot be read takes nothing from what is found out about
//! replication; but nothing is changed while changes cannot be written down.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::warn;

use super::{Handler, Invocation, Look};
use crate::apply::{Cause, ChangeOutcome, Entry, Journal, NotRecorded};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::collect::Places;
use crate::error::chain;
use crate::event::TriggerKind;
use crate::ledger::changes::{Holder, Record, partition, places};
use crate::ledger::{Item, Ledger, LedgerFailure, Place};
use crate::mode::Mode;
use crate::notify::Publisher;
use crate::plan::canonical::sha256;
use crate::plan::role_policy::policy_name;
use crate::plan::undo::Memory;
use crate::plan::{Change, is_something_left};
use crate::queue::{Message, Queue};
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// Where it stands since when the rules are as they are, while something of ours is left that they do not need.
const SETTLING: &str = "rules#since";

/// How long rules must have been as they are before what they no longer need is taken back unasked. Tools that replace a
/// configuration remove it first, and put it again within minutes.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// When to look again at rules that were not settled; SQS keeps nothing back for longer.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Changes that were made so recently may be those that an earlier delivery of the same message made.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// How often a record is read and written again because somebody else was faster.
const TRIES: usize = 16;

/// The longest text of an event that is written down.
const LONGEST: usize = 1_000;

/// What is remembered about a bucket.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) memory: Memory,
    records: Vec<(Record, u64)>,
    settling: Option<Item>,
    /// Changes that an earlier delivery began, and of which no report may have told.
    pub(super) earlier: Vec<Entry>,
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    pub(super) async fn remember(&self, bucket: &BucketName) -> Remembered {
        let (memory, items) = match self.ledger.items(&partition(bucket)).await {
            Ok(items) if self.ledger.is_lasting() => (Memory::Lasting, items),
            Ok(items) => (Memory::OfProcess, items),
            Err(failure) => {
                warn!(%bucket, error = %chain(&failure), "the ledger could not be read");
                (Memory::Unread, Vec::new())
            }
        };
        Remembered {
            memory,
            records: items
                .iter()
                .filter_map(|item| Some((Record::read(item)?, item.version)))
                .collect(),
            settling: items.into_iter().find(|item| item.place.sort == SETTLING),
            earlier: Vec::new(),
        }
    }

    /// Compares what is remembered with what was read, and notes what follows.
    pub(super) async fn compare(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        remembered: &mut Remembered,
        snapshot: &mut Snapshot,
        is_contradicted: bool,
    ) {
        let now = invocation.now;
        for (record, version) in &mut remembered.records {
            let Some(resolved) = record.resolve(snapshot) else {
                continue;
            };
            remembered
                .earlier
                .extend(resolved.changes.last().filter(|last| last.is_made()).map(shown));
            let item = resolved.item(&subject.bucket, *version + 1, now);
            let put = match &item {
                Ok(item) => self.ledger.put(item).await,
                Err(error) => Err(LedgerFailure::Unavailable(error.to_string())),
            };
            // It is resolved again by whoever comes next.
            if let Err(failure) = put {
                warn!(bucket = %subject.bucket, error = %chain(&failure), "a record could not be completed");
            }
            *record = resolved;
        }
        if subject.receive_count > 1 {
            let recent = remembered
                .records
                .iter()
                .flat_map(|(record, _)| &record.changes)
                .filter(|entry| entry.is_made() && now.duration_since(entry.begun) < RECENT);
            remembered.earlier = recent.map(shown).collect();
        }
        snapshot.former.is_settled = !is_contradicted
            && match subject.trigger.kind {
                // A person asked, and knows what the rules are to be.
                TriggerKind::Command => true,
                TriggerKind::ReplicationConfigured
                | TriggerKind::ReplicationFailed
                | TriggerKind::Alarm
                | TriggerKind::Drift
                | TriggerKind::Sweep => self.is_settled(subject, remembered, snapshot).await,
            };
    }

    /// Have the rules been as they are for long enough to take back what they do not need?
    async fn is_settled(&self, subject: &Subject, remembered: &Remembered, snapshot: &Snapshot) -> bool {
        let now = snapshot.taken_at;
        let place = Place {
            partition: partition(&subject.bucket),
            sort: SETTLING.to_owned(),
        };
        let known = remembered.settling.as_ref();
        if !is_something_left(snapshot, &self.settings.guards) {
            if let Some(item) = known {
                note(self.ledger.remove(&place, item.version).await);
            }
            return false;
        }
        let rules = fingerprint(snapshot);
        let since = known
            .filter(|item| item.value.get("rules") == Some(&json!(rules)))
            .and_then(|item| item.value.get("since")?.as_str()?.parse::<Timestamp>().ok());
        if let Some(since) = since {
            if now.duration_since(since) >= PATIENCE {
                return true;
            }
        } else {
            let item = Item {
                place,
                version: known.map_or(1, |item| item.version.saturating_add(1)),
                value: json!({"rules": rules, "since": now.to_string()}),
                expires: None,
            };
            note(self.ledger.put(&item).await);
        }
        // One look that waits in the queue will do, however often the rules change.
        if known.is_none() || subject.trigger.kind == TriggerKind::Sweep {
            let look = Message {
                body: json!({"command": "check", "bucket": subject.bucket}),
                delay: LOOK_AGAIN,
            };
            if let Err(failure) = self.queue.send(&[look]).await {
                warn!(bucket = %subject.bucket, error = %chain(&failure), "nobody will look again by itself");
            }
        }
        false
    }

    /// Where was not looked for what the rules no longer need.
    pub(super) fn not_searched(&self, look: &Look) -> Vec<String> {
        let former = &look.snapshot.former;
        let roles = former.roles.iter().filter_map(|role| {
            let failure = role.policy.failure().or_else(|| role.record.failure())?;
            Some(format!("`{}` ({})", role.arn, failure.error_code.escape_debug()))
        });
        let keys = former.keys.iter().filter_map(|key| {
            let failure = key.grants.failure()?;
            Some(format!("`{}` ({})", key.arn, failure.error_code.escape_debug()))
        });
        let mut gaps: Vec<String> = roles
            .chain(keys)
            .chain(former.passed_over.iter().cloned())
            .collect();
        // Where nothing was ever written there is nothing to miss.
        let memory = look.remembered.memory;
        if self.settings.mode != Mode::DryRun
            && look.snapshot.replication.is_absent()
            && memory != Memory::Lasting
        {
            gaps.push(memory.gap().to_owned());
        }
        gaps.iter()
            .map(|gap| format!("whether something of ours is left that no rule needs: {gap}"))
            .collect()
    }

    /// Where changes for a subject are written down.
    pub(super) fn journal<'j>(
        &'j self,
        invocation: &Invocation,
        subject: &'j Subject,
        plan: &'j str,
    ) -> impl Journal + 'j {
        let trigger = &subject.trigger;
        let cut = |text: &Option<String>| {
            text.as_ref()
                .map(|text| text.chars().take(LONGEST).collect::<String>())
        };
        Written {
            ledger: &self.ledger,
            bucket: &subject.bucket,
            plan,
            cause: Cause {
                kind: json!(trigger.kind).as_str().unwrap_or_default().to_owned(),
                event_id: cut(&trigger.event_id),
                actor: cut(&trigger.actor),
                source_ip: cut(&trigger.source_ip),
            },
            now: invocation.now,
        }
    }
}

impl Remembered {
    /// Where to look beside the rules: where records lead, and where a command says.
    pub(super) fn places(
        &self,
        bucket: &BucketName,
        mut asked: (BTreeSet<RoleArn>, BTreeSet<KeyArn>),
    ) -> Places {
        let (roles, keys) = places(self.records.iter().map(|(record, _)| record));
        asked.0.extend(roles);
        asked.1.extend(keys);
        Places {
            policy: policy_name(bucket),
            roles: asked.0,
            keys: asked.1,
        }
    }
}

/// What a report shows of a change that was written down.
fn shown(entry: &Entry) -> Entry {
    Entry {
        undo: String::new(),
        ..entry.clone()
    }
}

/// What is lost costs that the same is noted again by the next look.
fn note(done: Result<(), LedgerFailure>) {
    if let Err(failure) = done {
        warn!(error = %chain(&failure), "since when the rules are as they are could not be noted");
    }
}

/// What the rules need: role, destinations and keys.
fn fingerprint(snapshot: &Snapshot) -> String {
    let rules = snapshot.replication.found().map(|replication| {
        let rules: BTreeSet<String> = replication
            .rules
            .iter()
            .map(|rule| {
                let key = rule.replica_key().ok().flatten().map(|key| key.to_string());
                json!([rule.destination, rule.sse_kms_objects, key]).to_string()
            })
            .collect();
        json!([replication.role, rules])
    });
    sha256(&json!(rules))
}

/// Writes changes of one plan down.
struct Written<'a, L> {
    ledger: &'a L,
    bucket: &'a BucketName,
    plan: &'a str,
    cause: Cause,
    now: Timestamp,
}

impl<L: Ledger> Written<'_, L> {
    /// Reads the record about a change, and writes it as `edit` makes it, unless that is nothing. Answers with the number
    /// of its last entry.
    async fn edit(
        &self,
        change: &Change,
        edit: impl Fn(Option<Record>) -> Option<Record>,
    ) -> Result<u64, NotRecorded> {
        let place = Holder::of(change).place(self.bucket);
        let mut failure = LedgerFailure::Changed;
        for _ in 0..TRIES {
            let items = self.ledger.items(&place.partition).await;
            let items = items.map_err(|failure| NotRecorded(chain(&failure)))?;
            let item = items.iter().find(|item| item.place == place);
            let Some(record) = edit(item.and_then(Record::read)) else {
                return Ok(0);
            };
            let number = record.changes.last().map_or(0, |last| last.number);
            let version = item.map_or(1, |item| item.version.saturating_add(1));
            let item = record
                .item(self.bucket, version, self.now)
                .map_err(|error| NotRecorded(error.to_string()))?;
            match self.ledger.put(&item).await {
                Ok(()) => return Ok(number),
                Err(LedgerFailure::Changed) => {}
                Err(other @ LedgerFailure::Unavailable(_)) => {
                    failure = other;
                    break;
                }
            }
        }
        Err(NotRecorded(chain(&failure)))
    }
}

impl<L: Ledger> Journal for Written<'_, L> {
    async fn begin(&self, change: &Change) -> Result<u64, NotRecorded> {
        let entry = Entry::begin(change, self.plan, &self.cause, self.now);
        self.edit(change, |record| {
            Some(Record::begin(record, change, entry.clone()))
        })
        .await
    }

    async fn end(&self, change: &Change, entry: u64, outcome: &ChangeOutcome) -> Result<(), NotRecorded> {
        self.edit(change, |record| record?.end(entry, outcome))
            .await
            .map(drop)
    }
}
