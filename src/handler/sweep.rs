//! The sweep over all buckets of the account: which of them replicate, and one check in the queue for each of those.
//!
//! A sweep decides nothing about a bucket. It lists them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>), asks each for its replication
//! configuration, and leaves the rest to checks that take the way of every other message. Where an invocation's time is
//! up, a message to ourselves carries the sweep on. Where the ledger lasts, that message only names the sweep: how far it
//! has come stands in the ledger, so that a forged or repeated message changes nothing, there is one sweep at a time, and
//! a summary tells what all looks came to.

mod ask;
mod close;
mod pace;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use tracing::info;

use super::{CHECKS_PER_SECOND, Handler, HandlerError, Invocation, Response};
use crate::event::{Command, Counts, Progress, SweepId};
use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use crate::notify::Publisher;
use crate::observed::{Observed, ReadFailure};
use crate::queue::{LONGEST_DELAY, Message, Queue};
use crate::source::{Read, Source};
use crate::subject::Delivered;
use crate::target::Writable;

use pace::Pace;

/// Buckets after which a sweep looks at the clock, and sends the checks.
const CHUNK: usize = 24;

/// Without as much of the invocation left, nothing new is begun; of a short one, without half of it.
const NOT_ENOUGH: Duration = Duration::from_secs(15);

/// Until the next message takes over.
const SOON: Duration = Duration::from_secs(1);

/// A sweep that has not moved for as long is dead, and another may begin.
const DEAD: Duration = Duration::from_secs(60 * 60);

/// No sweep takes as long; a message that says so is forged.
const LONGEST: Duration = Duration::from_secs(48 * 60 * 60);

/// After a sweep was begun, none is begun for a message for as long: anybody whose topic feeds the queue may send one. A little
/// less than a quarter of an hour, so that a schedule of that keeps its pace.
const PAUSE: Duration = Duration::from_secs(14 * 60);

/// Under which names a process remembers when a sweep was begun for a message, and when a summary was told.
const BEGUN: &str = "begun";
const SUMMARY: &str = "summary";

/// How long it is remembered what a sweep's looks came to.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a sweep answers to whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepAnswer {
    /// Which sweep.
    pub sweep: SweepId,
    /// When it began.
    pub started: Timestamp,
    /// What it has found so far.
    #[serde(flatten)]
    pub counts: Counts,
    /// How many checks it left in the queue so far.
    pub enqueued: u32,
    /// Have all buckets been listed? Otherwise a message in the queue carries the sweep on.
    pub is_listed: bool,
}

/// Where a sweep stands, as the ledger knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SweepState {
    progress: Progress,
    moved: Timestamp,
    is_over: bool,
}

/// What is to be done about sweeps.
#[derive(Debug)]
pub(super) enum SweepStep {
    Begin(SweepId, Asker),
    Continue(Progress),
}

/// Who asks for a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// Whoever may invoke the function.
    Invoker,
    /// Whoever may put a message into the queue.
    Queue,
}

impl SweepStep {
    /// The sweep that something asks for: what asks twice asks for the same one.
    pub(super) fn begin(cause: &str, asker: Asker) -> Self {
        Self::Begin(SweepId::of(cause), asker)
    }
}

/// What time it is, and how much of the invocation is left.
#[derive(Debug, Clone, Copy)]
struct Clock {
    started: Instant,
    now: Timestamp,
    until: Instant,
}

impl Clock {
    fn of(invocation: &Invocation) -> Self {
        Self {
            started: invocation.began,
            now: invocation.now,
            until: invocation.work_until(),
        }
    }

    fn now(&self) -> Timestamp {
        later(self.now, self.started.elapsed())
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Without as much left, nothing new is begun.
    fn not_enough(&self) -> Duration {
        NOT_ENOUGH.min(self.until.saturating_duration_since(self.started) / 2)
    }

    /// How long until then; nothing where it is past.
    fn until(&self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.now())).unwrap_or_default()
    }

    /// How long since then; nothing where it is to come.
    fn since(&self, time: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(time)).unwrap_or_default()
    }
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// When the check is due that is left to the queue after as many others.
fn due(progress: &Progress, others: u32) -> Timestamp {
    later(
        progress.started,
        Duration::from_secs(u64::from(others) / CHECKS_PER_SECOND),
    )
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// A command that came through the queue. Who sent it waits for no answer, and it can be none but a sweep.
    pub(super) async fn delivered(
        &self,
        invocation: &Invocation,
        command: &Delivered<Command>,
    ) -> Result<(), HandlerError> {
        let order = match &command.item {
            Command::Sweep => {
                SweepStep::begin(command.message_id.as_deref().unwrap_or_default(), Asker::Queue)
            }
            Command::SweepOn(progress) => SweepStep::Continue(progress.as_ref().clone()),
            Command::Check { .. }
            | Command::Apply { .. }
            | Command::Undo { .. }
            | Command::Backlog { .. } => return Ok(()),
        };
        match self.sweep_in_time(invocation, order).await {
            Err(error @ HandlerError::SweepUnderWay { .. }) => {
                info!(message_id = command.message_id, reason = %error, "dropped");
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// A sweep that somebody waits for.
    pub(super) async fn sweep_now(
        &self,
        invocation: &Invocation,
        order: SweepStep,
    ) -> Result<Response, HandlerError> {
        let swept = self.sweep_in_time(invocation, order).await?;
        Ok(swept.map_or(Response::Reports(Vec::new()), Response::Sweep))
    }

    /// A sweep, unless the invocation's time is up before. The next delivery begins where this one did.
    async fn sweep_in_time(
        &self,
        invocation: &Invocation,
        order: SweepStep,
    ) -> Result<Option<SweepAnswer>, HandlerError> {
        let clock = Clock::of(invocation);
        let is_asked_for = matches!(order, SweepStep::Begin(_, Asker::Queue));
        let work = self.sweep(invocation, &clock, order);
        let swept = tokio::time::timeout_at(clock.until, Box::pin(work))
            .await
            .unwrap_or(Err(HandlerError::SweepOutOfTime));
        if is_asked_for && swept.is_err() {
            self.forget(BEGUN);
        }
        // It may have been cut off while it published.
        if matches!(swept, Err(HandlerError::SweepOutOfTime)) {
            self.forget(SUMMARY);
        }
        swept
    }

    /// Begins a sweep or carries it on, for as long as this invocation lasts. Answers nothing where the order is not one
    /// to follow: the sweep is over, or somebody else carries it on.
    async fn sweep(
        &self,
        invocation: &Invocation,
        clock: &Clock,
        order: SweepStep,
    ) -> Result<Option<SweepAnswer>, HandlerError> {
        // Where nothing lasts, what was found before this invocation is the word of a message.
        let is_known = self.ledger.is_durable() || matches!(order, SweepStep::Begin(..));
        let Some((mut progress, version)) = self.start_or_resume(clock, order).await? else {
            return Ok(None);
        };
        let wait = if progress.listed.is_some() {
            self.close(invocation, clock, &progress).await?
        } else {
            let wait = self.list(invocation, clock, &mut progress).await?;
            if progress.listed.is_some() && (!self.ledger.is_durable() || progress.counts.enqueued() == 0) {
                let nothing = BTreeMap::new();
                let results = (is_known && progress.counts.enqueued() == 0).then_some(&nothing);
                if self.ledger.is_durable() || self.is_first(SUMMARY, clock.now()).await {
                    let published = self.publish_summary(invocation, &progress, results).await;
                    published.inspect_err(|_| self.forget(SUMMARY))?;
                } else {
                    info!(
                        sweep = progress.id.as_str(),
                        "no summary: one was told less than a quarter of an hour ago"
                    );
                }
                None
            } else {
                Some(wait)
            }
        };
        let state = SweepState {
            progress: progress.clone(),
            moved: clock.now(),
            is_over: wait.is_none(),
        };
        if !self.save_state(version, &state).await? {
            return Ok(None);
        }
        if let Some(delay) = wait {
            let body = Command::SweepOn(Box::new(progress.clone())).to_json();
            self.leave(&[Message { body, delay }]).await?;
        }
        let counts = progress.counts;
        info!(
            sweep = progress.id.as_str(),
            buckets = counts.buckets,
            with_replication = counts.with_replication,
            unanswered = counts.unanswered,
            unreadable = counts.unreadable,
            is_listed = progress.listed.is_some(),
            is_over = state.is_over,
            "swept"
        );
        Ok(Some(SweepAnswer {
            sweep: progress.id,
            started: progress.started,
            enqueued: counts.enqueued(),
            counts,
            is_listed: progress.listed.is_some(),
        }))
    }

    /// Has nothing of this kind been done or begun a short while ago, as far as this process remembers? Then it is now.
    async fn is_first(&self, what: &str, now: Timestamp) -> bool {
        let key = in_process(what);
        let items = self.memory.items(&key.partition).await.unwrap_or_default();
        let item = items.into_iter().find(|item| item.key == key);
        let version = item.as_ref().map_or(0, |item| item.version);
        let last = item.and_then(|item| serde_json::from_value(item.value).ok());
        if last.is_some_and(|last| is_lately(last, now)) {
            return false;
        }
        let begun = Item {
            key,
            version: version.saturating_add(1),
            value: json!(now),
            expires: None,
        };
        self.memory.put(&begun).await.is_ok()
    }

    /// It failed: whoever comes again for it is to do it.
    fn forget(&self, what: &str) {
        self.memory.forget(&in_process(what));
    }

    /// Where the sweep stands that the order is about, and the version of what the ledger knows of it.
    async fn start_or_resume(
        &self,
        clock: &Clock,
        order: SweepStep,
    ) -> Result<Option<(Progress, u64)>, HandlerError> {
        if !self.ledger.is_durable() {
            return Ok(match order {
                SweepStep::Begin(_, Asker::Queue) if !self.is_first(BEGUN, clock.now()).await => {
                    log_too_soon();
                    None
                }
                SweepStep::Begin(id, _) => Some((Progress::new(id, clock.now()), 0)),
                SweepStep::Continue(progress) => {
                    // Where nothing lasts, no message of ours says that all is listed.
                    let is_possible = progress.started <= clock.now()
                        && clock.since(progress.started) < LONGEST
                        && progress.listed.is_none();
                    if !is_possible {
                        info!(sweep = progress.id.as_str(), "dropped: no sweep of ours says so");
                    }
                    is_possible.then_some((progress, 0))
                }
            });
        }
        let items = self.ledger.items(&place().partition).await;
        let item = items
            .map_err(HandlerError::Ledger)?
            .into_iter()
            .find(|item| item.key == place());
        let version = item.as_ref().map_or(0, |item| item.version);
        let state: Option<SweepState> = item.and_then(|item| serde_json::from_value(item.value).ok());
        let (over, running) = match state {
            Some(state) if state.is_over => (Some(state), None),
            running => (None, running),
        };
        match (order, running) {
            (SweepStep::Begin(_, Asker::Queue), None)
                if over.is_some_and(|over| is_lately(over.progress.started, clock.now())) =>
            {
                log_too_soon();
                Ok(None)
            }
            (SweepStep::Begin(id, _), Some(running)) if running.progress.id == id => {
                Ok(Some((running.progress, version)))
            }
            (SweepStep::Continue(progress), Some(running)) if running.progress.id == progress.id => {
                Ok(Some((running.progress, version)))
            }
            (SweepStep::Continue(progress), _) => {
                info!(
                    sweep = progress.id.as_str(),
                    "dropped: no such sweep is under way"
                );
                Ok(None)
            }
            (SweepStep::Begin(..), Some(running)) if clock.since(running.moved) < DEAD => {
                Err(HandlerError::SweepUnderWay {
                    since: running.progress.started,
                })
            }
            (SweepStep::Begin(id, _), _) => {
                let progress = Progress::new(id, clock.now());
                let state = SweepState {
                    progress: progress.clone(),
                    moved: clock.now(),
                    is_over: false,
                };
                let is_ours = self.save_state(version, &state).await?;
                Ok(is_ours.then_some((progress, version.saturating_add(1))))
            }
        }
    }

    /// Writes down where the sweep stands. Answers no where somebody else has done so meanwhile, who then goes on with it.
    async fn save_state(&self, version: u64, state: &SweepState) -> Result<bool, HandlerError> {
        if !self.ledger.is_durable() {
            return Ok(true);
        }
        let item = Item {
            key: place(),
            version: version.saturating_add(1),
            value: json!(state),
            expires: Some(later(state.moved, REMEMBERED)),
        };
        match self.ledger.put(&item).await {
            Ok(()) => Ok(true),
            Err(LedgerFailure::VersionConflict) => {
                info!(
                    sweep = state.progress.id.as_str(),
                    "dropped: somebody else carries the sweep on"
                );
                Ok(false)
            }
            Err(failure @ LedgerFailure::Unavailable(_)) => Err(HandlerError::Ledger(failure)),
        }
    }

    async fn leave(&self, messages: &[Message]) -> Result<(), HandlerError> {
        self.queue.send(messages).await.map_err(HandlerError::NotQueued)
    }

    /// Goes through the account until it is done or the time is up, and says how long the next message should wait.
    async fn list(
        &self,
        invocation: &Invocation,
        clock: &Clock,
        progress: &mut Progress,
    ) -> Result<Duration, HandlerError> {
        let pace = Pace::new();
        let mut chunk_took = Duration::ZERO;
        loop {
            if clock.left() < clock.not_enough() {
                return Ok(SOON);
            }
            let page = match self.aws.buckets(progress.token.as_deref()).await {
                Observed::Found(page) => page,
                Observed::Unreadable(failure) => return Err(HandlerError::NotListed(failure)),
                Observed::Absent => return Err(HandlerError::NotListed(no_list())),
            };
            let mut buckets = page.buckets;
            buckets.sort_by(|one, other| one.name.cmp(&other.name));
            buckets.retain(|bucket| progress.after.as_ref().is_none_or(|after| bucket.name > *after));
            for chunk in buckets.chunks(CHUNK) {
                if clock.left() < clock.not_enough().max(chunk_took * 2) {
                    return Ok(SOON);
                }
                let ahead = clock.until(due(progress, progress.counts.enqueued()));
                if ahead > LONGEST_DELAY {
                    return Ok((ahead - LONGEST_DELAY / 2).min(LONGEST_DELAY));
                }
                let begun = Instant::now();
                self.chunk(invocation, clock, &pace, chunk, progress).await?;
                chunk_took = begun.elapsed();
            }
            progress.after = None;
            if page.next.is_some() && page.next == progress.token {
                return Err(HandlerError::NotListed(no_list()));
            }
            progress.token = page.next;
            if progress.token.is_none() {
                progress.listed = Some(clock.now());
                return Ok(SOON);
            }
        }
    }
}

/// What becomes of a message that comes too early.
fn log_too_soon() {
    info!("dropped: a sweep was begun less than a quarter of an hour ago");
}

/// Was it within the pause? Clocks differ a little; a time of the far future is nobody's.
fn is_lately(last: Timestamp, now: Timestamp) -> bool {
    now.duration_since(last).unsigned_abs() < PAUSE
}

/// Where a process remembers when something was begun.
fn in_process(what: &str) -> ItemKey {
    ItemKey {
        sort: what.to_owned(),
        ..place()
    }
}

/// Where it stands which sweep is under way.
fn place() -> ItemKey {
    ItemKey {
        partition: "sweep".to_owned(),
        sort: "current".to_owned(),
    }
}

/// S3 gave a list that no account can have.
fn no_list() -> ReadFailure {
    Read::Buckets.failed("the account's buckets", "BadAnswer")
}
