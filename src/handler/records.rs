//! The records about a bucket: read before each look, and written around each change.
//!
//! Without a table they last as long as the process. A table that cannot be read takes nothing from what is found out about
//! replication; but nothing is changed while changes cannot be written down.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::warn;

use super::publish::news_of;
use super::removal::Removal;
use super::settle::SETTLING;
use super::{Handler, Invocation, Look};
use crate::apply::{Cause, ChangeOutcome, Entry, Journal, NotRecorded};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::collect::Places;
use crate::error::chain;
use crate::event::TriggerKind;
use crate::ledger::changes::{ChangeRecord, ChangeTarget, places};
use crate::ledger::{Item, Ledger, LedgerFailure, bucket_key, index};
use crate::mode::Mode;
use crate::notify::Publisher;
use crate::notify::alert_state::CLAIM_TIMEOUT;
use crate::plan::Change;
use crate::plan::role_policy::policy_name;
use crate::plan::undo::Memory;
use crate::queue::Queue;
use crate::report::Report;
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// So long an invocation may still be at work that has begun a change, as it may be that has claimed a message.
const ALIVE: SignedDuration = CLAIM_TIMEOUT;

/// How often a record is read and written again because somebody else was faster.
const TRIES: usize = 16;

/// The longest text of an event that is written down.
const LONGEST: usize = 1_000;

/// What is remembered about a bucket.
#[derive(Debug)]
pub(super) struct BucketRecords {
    pub(super) memory: Memory,
    records: Vec<(ChangeRecord, u64)>,
    /// When the configuration was removed, as far as that is known.
    pub(super) removal: Removal,
    /// What is noted while something waits to be taken back.
    pub(super) settling: Option<Item>,
    /// On what the bucket is known to depend.
    pub(super) depends: Option<Item>,
    /// When people last had news of the bucket.
    pub(super) last_sent_at: Option<Timestamp>,
    /// Changes that somebody made who was stopped before anybody was told.
    pub(super) earlier: Vec<Entry>,
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    pub(super) async fn load_records(&self, bucket: &BucketName) -> BucketRecords {
        let (memory, items) = match self.ledger.items(&bucket_key(bucket)).await {
            Ok(items) if self.ledger.is_durable() => (Memory::Durable, items),
            Ok(items) => (Memory::OfProcess, items),
            Err(failure) => {
                warn!(%bucket, error = %chain(&failure), "the ledger could not be read");
                (Memory::Unread, Vec::new())
            }
        };
        let news = items.iter().find(|item| item.key == news_of(bucket));
        BucketRecords {
            memory,
            removal: Removal::among(&items),
            depends: index::dependencies(&items).cloned(),
            last_sent_at: news.and_then(|item| item.value.pointer("/lastSent/at")?.as_str()?.parse().ok()),
            records: items
                .iter()
                .filter_map(|item| Some((ChangeRecord::read(item)?, item.version)))
                .collect(),
            settling: items.into_iter().find(|item| item.key.sort == SETTLING),
            earlier: Vec::new(),
        }
    }

    /// Compares what is remembered with what was read, and notes what follows.
    pub(super) async fn compare(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        remembered: &mut BucketRecords,
        snapshot: &Snapshot,
    ) {
        let now = invocation.now;
        for (record, version) in &mut remembered.records {
            let Some(resolved) = record.resolve(snapshot) else {
                continue;
            };
            let item = resolved.item(&subject.bucket, version.saturating_add(1), now);
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
        // Who is still at work tells of it himself.
        let is_left = |entry: &Entry| subject.receive_count > 1 || now.duration_since(entry.begun) >= ALIVE;
        remembered.earlier = remembered
            .records
            .iter()
            .flat_map(|(record, _)| &record.changes)
            .filter(|entry| entry.is_owed() && is_left(entry))
            .map(shown)
            .collect();
    }

    /// Notes that what a report says was changed is known to those whom it concerns: what this invocation changed, and,
    /// where people were told, what was changed before.
    pub(super) async fn mark_reported(&self, invocation: &Invocation, kind: TriggerKind, report: &Report) {
        let has_tried = report
            .outcome
            .as_ref()
            .is_some_and(|outcome| outcome.changes.iter().any(|change| change.request_id.is_some()));
        let earlier = match kind {
            // Whoever asked is not who is told of changes.
            TriggerKind::Command => &[],
            TriggerKind::ReplicationConfigured
            | TriggerKind::ReplicationFailed
            | TriggerKind::Alarm
            | TriggerKind::Drift
            | TriggerKind::Sweep => report.earlier.as_slice(),
        };
        if !has_tried && earlier.is_empty() {
            return;
        }
        let is_told = |entry: &Entry| {
            let is_own = Some(entry.plan.as_str()) == report.digest() && entry.begun == invocation.now;
            is_own
                || earlier.iter().any(|told| {
                    (told.number, &told.target, &told.name, told.begun)
                        == (entry.number, &entry.target, &entry.name, entry.begun)
                })
        };
        if let Err(failure) = self.mark_told(invocation, &report.bucket.name, is_told).await {
            warn!(
                bucket = %report.bucket.name, error = %chain(&failure),
                "that a change was told could not be noted; it may be told once more"
            );
        }
    }

    async fn mark_told(
        &self,
        invocation: &Invocation,
        bucket: &BucketName,
        is_told: impl Fn(&Entry) -> bool,
    ) -> Result<(), LedgerFailure> {
        for _ in 0..TRIES {
            let mut is_done = true;
            for item in self.ledger.items(&bucket_key(bucket)).await? {
                let Some(told) = ChangeRecord::read(&item).and_then(|record| record.told(&is_told)) else {
                    continue;
                };
                let item = told
                    .item(bucket, item.version.saturating_add(1), invocation.now)
                    .map_err(|error| LedgerFailure::Unavailable(error.to_string()))?;
                match self.ledger.put(&item).await {
                    Ok(()) => {}
                    Err(LedgerFailure::VersionConflict) => is_done = false,
                    Err(other @ LedgerFailure::Unavailable(_)) => return Err(other),
                }
            }
            if is_done {
                return Ok(());
            }
        }
        Err(LedgerFailure::VersionConflict)
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
            && memory != Memory::Durable
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
        LedgerJournal {
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

impl BucketRecords {
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
        untold: false,
        ..entry.clone()
    }
}

/// Writes changes of one plan down.
struct LedgerJournal<'a, L> {
    ledger: &'a L,
    bucket: &'a BucketName,
    plan: &'a str,
    cause: Cause,
    now: Timestamp,
}

impl<L: Ledger> LedgerJournal<'_, L> {
    /// Reads the record about a change, and writes it as `edit` makes it, unless that is nothing. Answers with the number
    /// of its last entry.
    async fn edit(
        &self,
        change: &Change,
        edit: impl Fn(Option<ChangeRecord>) -> Option<ChangeRecord>,
    ) -> Result<u64, NotRecorded> {
        let key = ChangeTarget::of(change).key(self.bucket);
        let mut failure = LedgerFailure::VersionConflict;
        for _ in 0..TRIES {
            let items = self.ledger.items(&key.partition).await;
            let items = items.map_err(|failure| NotRecorded(chain(&failure)))?;
            let item = items.iter().find(|item| item.key == key);
            let Some(record) = edit(item.and_then(ChangeRecord::read)) else {
                return Ok(0);
            };
            let number = record.changes.last().map_or(0, |last| last.number);
            let version = item.map_or(1, |item| item.version.saturating_add(1));
            let item = record
                .item(self.bucket, version, self.now)
                .map_err(|error| NotRecorded(error.to_string()))?;
            match self.ledger.put(&item).await {
                Ok(()) => return Ok(number),
                Err(LedgerFailure::VersionConflict) => {}
                Err(other @ LedgerFailure::Unavailable(_)) => {
                    failure = other;
                    break;
                }
            }
        }
        Err(NotRecorded(chain(&failure)))
    }
}

impl<L: Ledger> Journal for LedgerJournal<'_, L> {
    async fn begin(&self, change: &Change) -> Result<u64, NotRecorded> {
        let entry = Entry::begin(change, self.plan, &self.cause, self.now);
        self.edit(change, |record| {
            Some(ChangeRecord::begin(record, change, entry.clone()))
        })
        .await
    }

    async fn end(&self, change: &Change, entry: u64, outcome: &ChangeOutcome) -> Result<(), NotRecorded> {
        self.edit(change, |record| record?.end(entry, outcome))
            .await
            .map(drop)
    }
}
