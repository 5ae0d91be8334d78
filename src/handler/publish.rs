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
use crate::notify::alert::{Alert, LookContext, failures};
use crate::notify::alert_state::{AlertHistory, AlertState, Step, next_step};
use crate::notify::rate_limit::{Admission, RateLimit, SUMMARY_INTERVAL};
use crate::notify::{Publication, Publisher, text};
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
enum NotifyError {
    /// The ledger failed.
    Ledger(LedgerFailure),
    /// Whatever it is, the message that brought it must come again.
    Again(HandlerError),
}

impl From<LedgerFailure> for NotifyError {
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

/// Where the rate limit of all messages stands.
fn rate_limit_key() -> ItemKey {
    ItemKey {
        partition: "messages".to_owned(),
        sort: "rate-limit".to_owned(),
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
        let fingerprints = failures(&subject.trigger.objects);
        // Of more reasons than are kept, some are not known.
        if fingerprints.len() >= OBJECTS_KEPT {
            return false;
        }
        let mut is_covered = false;
        for _ in 0..ATTEMPTS {
            let Ok(mut known) =
                VersionedItem::<AlertState>::read(&self.ledger, news_of(&subject.bucket)).await
            else {
                return is_covered;
            };
            let remind_after = self.settings.remind_after;
            let Some(record) = known
                .value
                .take()
                .filter(|record| record.covers(&fingerprints, until, invocation.now, remind_after))
            else {
                return false;
            };
            is_covered = true;
            let seen = record.seen_again(subject.failed_objects);
            match known.write(&self.ledger, &seen, invocation.now).await {
                Err(LedgerFailure::VersionConflict) => {}
                Ok(()) | Err(LedgerFailure::Unavailable(_)) => break,
            }
        }
        if is_covered {
            info!(bucket = %subject.bucket, failed = subject.failed_objects, "counted: it failed before the last look");
        }
        is_covered
    }

    /// Tells of a report what is news.
    pub(super) async fn notify(
        &self,
        subject: &Subject,
        report: &Report,
        look_context: LookContext,
    ) -> Result<(), HandlerError> {
        let Some(alert) = Alert::of(report, subject, look_context) else {
            return Ok(());
        };
        match self.notify_once(&self.ledger, &alert, report).await {
            Ok(()) => {
                // What the process remembered while the ledger was away is older than what the ledger knows.
                self.memory.forget(&news_of(&report.bucket.name));
                return Ok(());
            }
            Err(NotifyError::Again(error)) => return Err(error),
            Err(NotifyError::Ledger(failure)) => warn!(
                bucket = %report.bucket.name, error = %chain(&failure),
                "the ledger does not answer; told as this process remembers"
            ),
        }
        match self.notify_once(&self.memory, &alert, report).await {
            Ok(()) => Ok(()),
            Err(NotifyError::Again(error)) => Err(error),
            Err(NotifyError::Ledger(_)) => self.news(report, &AlertHistory::default()).await,
        }
    }

    async fn notify_once<S: Ledger>(
        &self,
        ledger: &S,
        alert: &Alert,
        report: &Report,
    ) -> Result<(), NotifyError> {
        let bucket = &report.bucket.name;
        let now = report.time;
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS {
            let mut known = VersionedItem::<AlertState>::read(ledger, news_of(bucket)).await?;
            let step = next_step(known.value.as_ref(), alert, now, self.settings.remind_after);
            let written = match &step {
                Step::Ignore => Ok(()),
                Step::Stale => return Err(NotifyError::Again(HandlerError::Stale(bucket.clone()))),
                Step::Wait => {
                    tokio::time::sleep(wait).await;
                    wait = wait.saturating_mul(2);
                    continue;
                }
                Step::Save(record) | Step::Send(record, _) => known.write(ledger, record, now).await,
            };
            match written {
                Ok(()) => {}
                Err(LedgerFailure::VersionConflict) => continue,
                Err(other) => return Err(NotifyError::Ledger(other)),
            }
            let Step::Send(claimed, history) = step else {
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
                        self.flush_pending(ledger, now, example)
                            .await
                            .map_err(NotifyError::Again)
                    }
                };
            };
            let published = self.send_rate_limited(ledger, now, report, &history).await;
            let settled = match &published {
                Ok(()) => claimed.confirmed(),
                Err(_) => claimed.failed(),
            };
            if known.write(ledger, &settled, now).await.is_err() {
                // Nobody writes over a claim that is open, so that this is the ledger's failure or took too long. Whoever
                // comes next finds the claim, and tells again.
                warn!(%bucket, "the ledger did not take what became of a message; it may be told once more");
            }
            return published.map_err(NotifyError::Again);
        }
        match VersionedItem::<AlertState>::read(ledger, news_of(bucket))
            .await?
            .value
        {
            Some(record) if record.claim.is_some() => Err(NotifyError::Again(
                HandlerError::PublishInProgress(bucket.clone()),
            )),
            Some(_) | None => Err(NotifyError::Ledger(LedgerFailure::VersionConflict)),
        }
    }

    /// There is no news of this bucket, whose owner has opted out; but other news may have waited for this look.
    pub(super) async fn flush_pending_of_others(
        &self,
        invocation: &Invocation,
        bucket: &BucketName,
    ) -> Result<(), HandlerError> {
        let check = invocation.caller.command(&Command::Check {
            bucket: bucket.clone(),
        });
        let example = (bucket, check.as_str());
        self.flush_pending(&self.ledger, invocation.now, example).await?;
        self.flush_pending(&self.memory, invocation.now, example).await
    }

    /// There is no news of this bucket; but other news may have waited until now.
    async fn flush_pending<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        example: Example<'_>,
    ) -> Result<(), HandlerError> {
        match self.change_rate_limit(ledger, now, |limit| limit.due(now)).await {
            Ok(Some(claimed)) => self.send_summary(ledger, now, example, &claimed).await,
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Tells it by itself, or with others, or leaves it to whoever comes when it is time.
    async fn send_rate_limited<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        report: &Report,
        history: &AlertHistory,
    ) -> Result<(), HandlerError> {
        let bucket = &report.bucket.name;
        let mut admission = None;
        let mut is_held = false;
        let changed = self
            .change_rate_limit(ledger, now, |limit| {
                is_held = limit.holds(bucket);
                let admitted = limit.admit(report, history, now);
                let (Admission::SendNow(limit) | Admission::SendSummary(limit) | Admission::Defer(limit)) =
                    &admitted;
                let limit = limit.clone();
                admission = Some(admitted);
                Some(limit)
            })
            .await;
        match admission.filter(|_| changed.is_ok()) {
            Some(Admission::SendSummary(claimed)) => {
                let example = (bucket, report.commands.check.as_str());
                self.send_summary(ledger, now, example, &claimed).await
            }
            Some(Admission::Defer(limit)) => {
                info!(%bucket, "held: there are too many messages; told with others");
                // What only this process remembers may be gone by then: each bucket is looked at again by whoever is there.
                let is_alone = !ledger.is_durable() && !is_held;
                if limit.holds_one() || is_alone {
                    self.schedule_recheck(bucket).await;
                }
                Ok(())
            }
            Some(Admission::SendNow(_)) | None => self.news(report, history).await,
        }
    }

    async fn send_summary<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        (bucket, check): Example<'_>,
        claimed: &RateLimit,
    ) -> Result<(), HandlerError> {
        let message = claimed.message(self.settings.mode, bucket, check);
        self.publish(bucket, Publication::Summary(&message)).await?;
        let settled = self
            .change_rate_limit(ledger, now, |limit| Some(limit.flushed(claimed)))
            .await;
        match settled {
            Ok(Some(left)) if left.is_waiting() => self.schedule_recheck(bucket).await,
            Ok(_) => {}
            Err(_) => {
                warn!(
                    "the ledger did not take what became of a message about many buckets; it may be told once more"
                );
                self.schedule_recheck(bucket).await;
            }
        }
        Ok(())
    }

    /// Changes the rate limit, over what others make of it meanwhile. Nothing is written where nothing is to be changed.
    async fn change_rate_limit<S: Ledger>(
        &self,
        ledger: &S,
        now: Timestamp,
        mut change: impl FnMut(RateLimit) -> Option<RateLimit>,
    ) -> Result<Option<RateLimit>, LedgerFailure> {
        for _ in 0..ATTEMPTS {
            let mut known = VersionedItem::<RateLimit>::read(ledger, rate_limit_key()).await?;
            let Some(changed) = change(known.value.take().unwrap_or_default()) else {
                return Ok(None);
            };
            match known.write(ledger, &changed, now).await {
                Err(LedgerFailure::VersionConflict) => {}
                Err(other) => return Err(other),
                Ok(()) => return Ok(Some(changed)),
            }
        }
        Err(LedgerFailure::VersionConflict)
    }

    /// Has us look again when what is held may be told.
    async fn schedule_recheck(&self, bucket: &BucketName) {
        let message = Message {
            body: QueuedCheck::of(bucket.clone()).to_json(),
            delay: SUMMARY_INTERVAL.unsigned_abs(),
        };
        if let Err(failure) = self.queue.send(&[message]).await {
            warn!(error = %chain(&failure), "what is held is told when the next look at any bucket is made");
        }
    }

    /// People hear what is news.
    async fn news(&self, report: &Report, history: &AlertHistory) -> Result<(), HandlerError> {
        let message = text::render(report, history);
        self.publish(&report.bucket.name, Publication::Alert(report, &message))
            .await
    }
}
