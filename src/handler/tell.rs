//! Publishes news once: claims it in the ledger, publishes it, and confirms it there.
//!
//! The ledger may be slow, missing or full of nonsense: when in doubt, publish. What it does not remember, the process
//! remembers as well as it can.

mod remembered;

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::{Handler, HandlerError, Invocation};
use crate::arn::BucketName;
use crate::error::chain;
use crate::event::{Command, QueuedCheck, TriggerKind};
use crate::ledger::{ItemKey, Ledger, LedgerFailure, bucket_key};
use crate::notify::flood::{Admission, PAUSE, Tally};
use crate::notify::news::{NewsRecord, Step, Telling, consider};
use crate::notify::tidings::{Sight, Tidings, failures};
use crate::notify::{Bulletin, Publisher, text};
use crate::queue::{Message, Queue};
use crate::report::Report;
use crate::source::Source;
use crate::subject::{OBJECTS_KEPT, Subject};
use crate::target::Writable;

use remembered::VersionedItem;

/// How often a conditional write is tried when others interfere.
const ATTEMPTS: u32 = 6;

/// The first wait for somebody who is telling; each further one is twice as long. In all some six seconds, where a
/// message takes a fifth of one.
const WAIT: Duration = Duration::from_millis(100);

/// What keeps a report from being told.
enum Untold {
    /// The ledger failed.
    Ledger(LedgerFailure),
    /// Whatever it is, the message that brought it must come again.
    Again(HandlerError),
}

impl From<LedgerFailure> for Untold {
    fn from(failure: LedgerFailure) -> Self {
        Self::Ledger(failure)
    }
}

/// The bucket that a message about many shows as an example, with the command that looks at it.
type Example<'a> = (&'a BucketName, &'a str);

/// Where the record of a bucket stands.
pub(super) fn news_of(bucket: &BucketName) -> ItemKey {
    ItemKey {
        partition: bucket_key(bucket),
        sort: "news".to_owned(),
    }
}

/// Where the tally of all messages stands.
fn tally() -> ItemKey {
    ItemKey {
        partition: "messages".to_owned(),
        sort: "tally".to_owned(),
    }
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Were these failures over before the last look, and told with it? Then they are counted, and there is nothing to look
    /// at: a night of failures is thousands of messages about one state of the account.
    pub(super) async fn is_covered(&self, invocation: &Invocation, subject: &Subject) -> bool {
        let Some(until) = subject.failures_until else {
            return false;
        };
        // Who invokes us directly wants a report, and a message that comes again may have lost its own.
        if subject.message_ids.is_empty() || subject.receive_count > 1 {
            return false;
        }
        let marks = failures(&subject.trigger.objects);
        // Of more reasons than are kept, some are not known.
        if marks.len() >= OBJECTS_KEPT {
            return false;
        }
        let mut is_covered = false;
        for _ in 0..ATTEMPTS {
            let Ok(mut known) =
                VersionedItem::<NewsRecord>::read(&self.ledger, news_of(&subject.bucket)).await
            else {
                return is_covered;
            };
            let remind_after = self.settings.remind_after;
            let Some(record) = known
                .value
                .take()
                .filter(|record| record.covers(&marks, until, invocation.now, remind_after))
            else {
                return false;
            };
            is_covered = true;
            let seen = record.seen_again(subject.failed_objects);
            match known.write(&self.ledger, &seen, invocation.now).await {
                Err(LedgerFailure::Changed) => {}
                Ok(()) | Err(LedgerFailure::Unavailable(_)) => break,
            }
        }
        if is_covered {
            info!(bucket = %subject.bucket, failed = subject.failed_objects, "counted: it failed before the last look");
        }
        is_covered
    }

    /// Tells of a report what is news.
    pub(super) async fn tell(
        &self,
        subject: &Subject,
        report: &Report,
        sight: Sight,
    ) -> Result<(), HandlerError> {
        let Some(tidings) = Tidings::of(report, subject, sight) else {
            return Ok(());
        };
        match self.tell_once(&self.ledger, &tidings, report).await {
            Ok(()) => {
                // What the process remembered while the ledger was away is older than what the ledger knows.
                self.memory.forget(&news_of(&report.bucket.name));
                return Ok(());
            }
            Err(Untold::Again(error)) => return Err(error),
            Err(Untold::Ledger(failure)) => warn!(
                bucket = %report.bucket.name, error = %chain(&failure),
                "the ledger does not answer; told as this process remembers"
            ),
        }
        match self.tell_once(&self.memory, &tidings, report).await {
            Ok(()) => Ok(()),
            Err(Untold::Again(error)) => Err(error),
            Err(Untold::Ledger(_)) => self.news(report, &Telling::default()).await,
        }
    }

    async fn tell_once<S: Ledger>(
        &self,
        ledger: &S,
        tidings: &Tidings,
        report: &Report,
    ) -> Result<(), Untold> {
        let bucket = &report.bucket.name;
        let now = report.time;
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS {
            let mut known = VersionedItem::<NewsRecord>::read(ledger, news_of(bucket)).await?;
            let step = consider(known.value.as_ref(), tidings, now, self.settings.remind_after);
            let written = match &step {
                Step::Nothing => Ok(()),
                Step::Late => return Err(Untold::Again(HandlerError::Late(bucket.clone()))),
                Step::Wait => {
                    tokio::time::sleep(wait).await;
                    wait = wait.saturating_mul(2);
                    continue;
                }
                Step::Remember(record) | Step::Tell(record, _) => known.write(ledger, record, now).await,
            };
            match written {
                Ok(()) => {}
                Err(LedgerFailure::Changed) => continue,
                Err(other) => return Err(Untold::Ledger(other)),
            }
            let Step::Tell(claimed, telling) = step else {
                info!(%bucket, "no news");
                // Of a storm, each look would ask in vain.
                return match report.trigger.kind {
                    TriggerKind::ReplicationFailed => Ok(()),
                    TriggerKind::ReplicationConfigured
                    | TriggerKind::Alarm
                    | TriggerKind::Drift
                    | TriggerKind::Sweep
                    | TriggerKind::Command => {
                        let example = (bucket, report.commands.check.as_str());
                        self.pass_on(ledger, now, example).await.map_err(Untold::Again)
                    }
                };
            };
            let published = self.tell_within_bounds(ledger, now, report, &telling).await;
            let settled = match &published {
                Ok(()) => claimed.confirmed(),
                Err(_) => claimed.failed(),
            };
            if known.write(ledger, &settled, now).await.is_err() {
                // Nobody writes over a claim that is open, so that this is the ledger's failure or took too long. Whoever
                // comes next finds the claim, and tells again.
                warn!(%bucket, "the ledger did not take what became of a message; it may be told once more");
            }
            return published.map_err(Untold::Again);
        }
        match VersionedItem::<NewsRecord>::read(ledger, news_of(bucket))
            .await?
            .value
        {
            Some(record) if record.claim.is_some() => {
                Err(Untold::Again(HandlerError::BeingTold(bucket.clone())))
            }
            Some(_) | None => Err(Untold::Ledger(LedgerFailure::Changed)),
        }
    }

    /// There is no news of this bucket, whose owner has opted out; but other news may have waited for this look.
    pub(super) async fn tell_of_others(
        &self,
        invocation: &Invocation,
        bucket: &BucketName,
    ) -> Result<(), HandlerError> {
        let check = invocation.caller.command(&Command::Check {
            bucket: bucket.clone(),
        });
        let example = (bucket, check.as_str());
        self.pass_on(&self.ledger, invocation.now, example).await?;
        self.pass_on(&self.memory, invocation.now, example).await
    }

    /// There is no news of this bucket; but other news may have waited until now.
    async fn pass_on<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        example: Example<'_>,
    ) -> Result<(), HandlerError> {
        match self.change_tally(ledger, now, |tally| tally.due(now)).await {
            Ok(Some(claimed)) => self.tell_together(ledger, now, example, &claimed).await,
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Tells it by itself, or with others, or leaves it to whoever comes when it is time.
    async fn tell_within_bounds<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        report: &Report,
        telling: &Telling,
    ) -> Result<(), HandlerError> {
        let bucket = &report.bucket.name;
        let mut admission = None;
        let mut is_held = false;
        let changed = self
            .change_tally(ledger, now, |tally| {
                is_held = tally.holds(bucket);
                let admitted = tally.admit(report, telling, now);
                let (Admission::Alone(tally) | Admission::Together(tally) | Admission::Later(tally)) =
                    &admitted;
                let tally = tally.clone();
                admission = Some(admitted);
                Some(tally)
            })
            .await;
        match admission.filter(|_| changed.is_ok()) {
            Some(Admission::Together(claimed)) => {
                let example = (bucket, report.commands.check.as_str());
                self.tell_together(ledger, now, example, &claimed).await
            }
            Some(Admission::Later(tally)) => {
                info!(%bucket, "held: there are too many messages; told with others");
                // What only this process remembers may be gone by then: each bucket is looked at again by whoever is there.
                let is_alone = !ledger.is_lasting() && !is_held;
                if tally.is_the_first() || is_alone {
                    self.come_back(bucket).await;
                }
                Ok(())
            }
            Some(Admission::Alone(_)) | None => self.news(report, telling).await,
        }
    }

    async fn tell_together<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        (bucket, check): Example<'_>,
        claimed: &Tally,
    ) -> Result<(), HandlerError> {
        let message = claimed.message(self.settings.mode, bucket, check);
        self.publish(bucket, Bulletin::Summary(&message)).await?;
        let settled = self
            .change_tally(ledger, now, |tally| Some(tally.told(claimed)))
            .await;
        match settled {
            Ok(Some(left)) if left.is_waiting() => self.come_back(bucket).await,
            Ok(_) => {}
            Err(_) => {
                warn!(
                    "the ledger did not take what became of a message about many buckets; it may be told once more"
                );
                self.come_back(bucket).await;
            }
        }
        Ok(())
    }

    /// Changes the tally, over what others make of it meanwhile. Nothing is written where nothing is to be changed.
    async fn change_tally<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        mut change: impl FnMut(Tally) -> Option<Tally>,
    ) -> Result<Option<Tally>, LedgerFailure> {
        for _ in 0..ATTEMPTS {
            let mut known = VersionedItem::<Tally>::read(ledger, tally()).await?;
            let Some(changed) = change(known.value.take().unwrap_or_default()) else {
                return Ok(None);
            };
            match known.write(ledger, &changed, now).await {
                Err(LedgerFailure::Changed) => {}
                Err(other) => return Err(other),
                Ok(()) => return Ok(Some(changed)),
            }
        }
        Err(LedgerFailure::Changed)
    }

    /// Has us look again when what is held may be told.
    async fn come_back(&self, bucket: &BucketName) {
        let message = Message {
            body: QueuedCheck::of(bucket.clone()).to_json(),
            delay: PAUSE.unsigned_abs(),
        };
        if let Err(failure) = self.queue.send(&[message]).await {
            warn!(error = %chain(&failure), "what is held is told when the next look at any bucket is made");
        }
    }

    /// People hear what is news.
    async fn news(&self, report: &Report, telling: &Telling) -> Result<(), HandlerError> {
        let message = text::render(report, telling);
        self.publish(&report.bucket.name, Bulletin::News(report, &message))
            .await
    }
}
