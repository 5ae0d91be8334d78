//! One invocation: what is done for each part of a payload, in which order, and what is answered.
//!
//! A message is acknowledged only after its report is published; unfinished ones go back to the queue
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>). If an invocation is killed at any
//! point, the next delivery repeats the work and reaches the same end state.

mod backlog;
mod batch;
mod drift;
mod error;
mod follow_up;
mod look;
mod publish;
mod records;
mod removal;
mod repair;
mod settle;
mod sweep;
mod undo;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::apply::Applied;
use crate::arn::BucketName;
use crate::collect::{Scope, Shared};
use crate::error::chain;
use crate::event::{AnswerForm, Change, Command, PlanDigest, Record, TriggerKind, decode};
use crate::guard::GuardSettings;
use crate::ledger::Ledger;
use crate::ledger::memory::MemoryLedger;
use crate::mode::Mode;
use crate::notify::alert::LookContext;
use crate::notify::summary::BucketResult;
use crate::notify::{Publication, Publisher};
use crate::plan::undo::Memory;
use crate::queue::Queue;
use crate::report::{Caller, Report};
use crate::snapshot::Identity;
use crate::source::Source;
use crate::subject::{Subject, subjects};
use crate::target::Writable;

use follow_up::is_as_promised;
use look::{Asked, Look};
use removal::without_stale_event;
use repair::not_written;
use sweep::{Asker, SweepStep};

pub use error::HandlerError;
pub use sweep::SweepAnswer;

/// Buckets that are looked at side by side.
const CONCURRENT: usize = 4;

/// Checks that are due in a second. Each makes some thirty reads, nine of them of IAM, which is the first to refuse.
const CHECKS_PER_SECOND: u64 = 2;

/// What is kept back of the invocation's time, for answering.
pub const RESERVE: Duration = Duration::from_secs(2);

/// A message whose reads failed for want of capacity goes back to the queue until it was handed out this often; then
/// what is known is told. The queue gives up on a message after five.
const MOST_RECEIVES: u32 = 3;

/// What the handler works with, for the life of the process.
#[derive(Debug)]
pub struct Handler<'a, A, P, L, Q> {
    /// AWS, for reading and, with permission, for writing.
    pub aws: &'a A,
    /// Where messages go.
    pub publisher: P,
    /// What is remembered from one invocation to the next.
    pub ledger: L,
    /// What is remembered while the ledger does not answer.
    pub memory: MemoryLedger,
    /// How work is left for later.
    pub queue: Q,
    /// What the owner of the account has settled.
    pub settings: Settings,
}

/// What the owner of the account has settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What may be done.
    pub mode: Mode,
    /// How far collecting may go.
    pub scope: Scope,
    /// Who may be helped.
    pub guards: GuardSettings,
    /// Are replication configurations that S3 refused explained?
    pub report_refused_puts: bool,
    /// How long trouble that goes on is not told again; none is for ever.
    pub remind_after: Option<SignedDuration>,
}

/// What holds for one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Who we are.
    pub identity: Identity,
    /// The time at which it began.
    pub now: Timestamp,
    /// The same time by the process's own clock.
    pub began: Instant,
    /// When the process will be stopped.
    pub deadline: Instant,
    /// How we are called from outside.
    pub caller: Caller,
}

impl Invocation {
    /// When work must be over, so that there is time to answer for it.
    pub fn work_until(&self) -> Instant {
        work_until(self.deadline)
    }

    /// A time within the invocation, to the second. Of two looks at a bucket it must be known which is the later, and one
    /// invocation may look at its last bucket long after it began.
    fn time(&self, at: Instant) -> Timestamp {
        let elapsed = at.saturating_duration_since(self.began).as_secs();
        let elapsed = i64::try_from(elapsed).unwrap_or(0);
        self.now
            .checked_add(SignedDuration::from_secs(elapsed))
            .unwrap_or(self.now)
    }
}

/// When work must be over in an invocation that will be stopped at `deadline`.
pub fn work_until(deadline: Instant) -> Instant {
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// What an invocation answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The SQS messages that must come again.
    Batch(BTreeSet<String>),
    /// What an event led to.
    Reports(Vec<Report>),
    /// What a command led to.
    Report(Box<Report>),
    /// What a sweep has found so far.
    Sweep(SweepAnswer),
}

/// What may be done about what is found.
#[derive(Debug, Clone, Copy)]
enum Intent<'a> {
    /// Nothing.
    Look,
    /// What the mode allows without asking.
    Event,
    /// The plan with this digest.
    Apply(&'a PlanDigest),
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Does what a payload asks for.
    ///
    /// # Errors
    /// What cannot be answered message by message: see [`HandlerError`].
    pub async fn handle(&self, invocation: &Invocation, payload: &Value) -> Result<Response, HandlerError> {
        let decoded = decode(payload, invocation.identity.role.as_ref());
        let records = decoded.records.into_iter();
        let batch = if self.settings.report_refused_puts {
            subjects(records.map(Record::or_refused_put))
        } else {
            subjects(records)
        };
        for dropped in &batch.dropped {
            info!(message_id = dropped.message_id, reason = %dropped.item, "dropped");
        }
        self.publisher.unusable(batch.invalid.len());
        let reads = &Shared::new(self.aws);
        match decoded.answer {
            AnswerForm::SqsBatch => self.batch(invocation, reads, batch).await,
            AnswerForm::Reports | AnswerForm::Command => self.direct(invocation, reads, batch).await,
        }
    }

    /// What becomes of a bucket that an event names; nothing where the bucket's owner wants nothing of us.
    async fn event(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
    ) -> Result<Option<Report>, HandlerError> {
        let work = async {
            if self.is_covered(invocation, subject).await {
                return Ok(None);
            }
            match Box::pin(self.process(invocation, reads, subject, true)).await {
                Err(HandlerError::Stale(_)) => {
                    info!(bucket = %subject.bucket, "looks again: somebody who looked later has told something else");
                    // What was read before is what is late.
                    let reads = &Shared::new(self.aws);
                    Box::pin(self.process(invocation, reads, subject, false)).await
                }
                done => done,
            }
        };
        before_deadline(invocation, &subject.bucket, work).await
    }

    /// Looks, does what may be done, and tells it.
    async fn process(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
        is_first: bool,
    ) -> Result<Option<Report>, HandlerError> {
        let mut look = self.look(invocation, reads, subject, Asked::default()).await;
        let of_the_present = without_stale_event(subject, &look);
        let subject = match &of_the_present {
            Some(of_the_present) => {
                info!(
                    bucket = %subject.bucket, failed = subject.failed_objects,
                    "the event is older than the removal of the configuration"
                );
                look.forget_the_event(of_the_present);
                of_the_present
            }
            None => {
                self.note_removal(invocation, subject, &look).await;
                subject
            }
        };
        // That we changed something is told even where nothing more is wanted of us.
        let is_opted_out = self.is_opted_out(&look);
        if is_opted_out && look.remembered.earlier.is_empty() {
            info!(bucket = %subject.bucket, "dropped: the bucket is opted out");
            self.record_result(invocation, subject, &BucketResult::opted_out())
                .await;
            // What is held may have been left to this very look.
            self.flush_pending_of_others(invocation, &subject.bucket).await?;
            return Ok(None);
        }
        if let Some(failure) = self.passing(subject, &look) {
            return Err(HandlerError::Unavailable {
                bucket: subject.bucket.clone(),
                operation: failure.operation.clone(),
                code: failure.error_code.clone(),
            });
        }
        let intent = match subject.trigger.change {
            // Nothing changed, so nothing is repaired for it.
            Some(Change::Refused) => Intent::Look,
            Some(Change::Configured | Change::Removed) | None if is_opted_out => Intent::Look,
            Some(Change::Configured | Change::Removed) | None => Intent::Event,
        };
        let is_no_news = is_as_promised(&look, subject);
        let last_sent_at = look.remembered.last_sent_at;
        let look_context = LookContext {
            knows_changes: look.remembered.memory == Memory::Durable,
            is_first,
        };
        let report = Box::pin(self.finish(invocation, reads, subject, look, intent)).await?;
        let is_news = !is_no_news
            || !report.earlier.is_empty()
            || report.outcome.as_ref().is_some_and(Applied::has_written);
        let tell = async {
            match is_news {
                true => self.notify(subject, &report, look_context).await,
                false => Ok(()),
            }
        };
        // Neither keeps the other from being told.
        let (state, news) = join(self.publish_state(&report, last_sent_at), tell).await;
        news.and(state)?;
        self.mark_reported(invocation, subject.trigger.kind, &report)
            .await;
        self.record_result(invocation, subject, &BucketResult::of(&report))
            .await;
        // Told what was done; the rest is for the next delivery.
        match report
            .outcome
            .as_ref()
            .and_then(|applied| not_written(subject, applied))
        {
            Some(error) => Err(error),
            None => Ok(Some(report)),
        }
    }

    /// Does what a command asks for.
    ///
    /// # Errors
    /// See [`HandlerError`].
    pub async fn command(&self, invocation: &Invocation, command: Command) -> Result<Response, HandlerError> {
        self.execute(invocation, &Shared::new(self.aws), command).await
    }

    async fn execute(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        command: Command,
    ) -> Result<Response, HandlerError> {
        let report = match command {
            Command::Check { bucket } => self.ask(invocation, reads, bucket, Intent::Look).await,
            Command::Apply { bucket, plan } => {
                self.ask(invocation, reads, bucket, Intent::Apply(&plan)).await
            }
            Command::Undo {
                bucket,
                role,
                keys,
                plan,
            } => {
                let subject = Subject::asked(bucket);
                let work = self.undo(invocation, reads, &subject, role, keys, plan);
                before_deadline(invocation, &subject.bucket, work).await
            }
            Command::Backlog { bucket } => {
                let subject = Subject::asked(bucket);
                let work = self.backlog(invocation, reads, &subject);
                before_deadline(invocation, &subject.bucket, work).await
            }
            Command::Sweep => {
                return self
                    .sweep_now(
                        invocation,
                        SweepStep::begin(&invocation.now.to_string(), Asker::Invoker),
                    )
                    .await;
            }
            Command::SweepOn(progress) => {
                return self.sweep_now(invocation, SweepStep::Continue(*progress)).await;
            }
        };
        let report = report?;
        // Whoever asked gets the answer whatever else fails; machines that did not hear it do so from the next look.
        match self.publish_state(&report, None).await {
            Ok(()) => {
                self.mark_reported(invocation, TriggerKind::Command, &report)
                    .await
            }
            Err(error) => {
                warn!(bucket = %report.bucket.name, error = %chain(&error), "answered, and not published");
            }
        }
        Ok(Response::Report(Box::new(report)))
    }

    /// What somebody wants to know, or to have done, about one bucket.
    async fn ask(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        bucket: BucketName,
        intent: Intent<'_>,
    ) -> Result<Report, HandlerError> {
        let subject = Subject::asked(bucket);
        let work = async {
            let look = self.look(invocation, reads, &subject, Asked::default()).await;
            self.finish(invocation, reads, &subject, look, intent).await
        };
        before_deadline(invocation, &subject.bucket, work).await
    }

    /// Machines keep the state of buckets, and hear of each look.
    async fn publish_state(
        &self,
        report: &Report,
        last_sent_at: Option<Timestamp>,
    ) -> Result<(), HandlerError> {
        self.publish(
            &report.bucket.name,
            Publication::CheckResult(report, last_sent_at),
        )
        .await
    }

    async fn publish(&self, bucket: &BucketName, publication: Publication<'_>) -> Result<(), HandlerError> {
        self.publisher
            .publish(publication)
            .await
            .map_err(|source| HandlerError::NotPublished {
                bucket: bucket.clone(),
                source,
            })
    }
}

/// Does whoever sent this hand it out again, and has not done so often enough yet?
fn will_be_redelivered(subject: &Subject) -> bool {
    !subject.message_ids.is_empty() && subject.receive_count < MOST_RECEIVES
}

/// Work, unless the invocation's time is up before. Whatever was begun is found as it is by the next delivery.
async fn before_deadline<T>(
    invocation: &Invocation,
    bucket: &BucketName,
    work: impl Future<Output = Result<T, HandlerError>>,
) -> Result<T, HandlerError> {
    tokio::time::timeout_at(invocation.work_until(), work)
        .await
        .map_err(|_| HandlerError::OutOfTime(bucket.clone()))?
}

/// One line for each report. Documents, tags and object keys stay out of the log.
fn log(report: &Report) {
    let findings: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.check.as_str())
        .collect();
    info!(
        report_id = report.id,
        bucket = %report.bucket.name,
        verdict = report.verdict.as_str(),
        mode = report.mode.as_str(),
        findings = findings.join(","),
        unread = report.unread.len(),
        plan = report.digest(),
        outcome = report.outcome.as_ref().map(|outcome| outcome.status.as_str()),
        "checked"
    );
}
