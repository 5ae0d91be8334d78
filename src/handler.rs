//! One invocation: what to do for each part of a payload, in which order, and what to answer.
//!
//! A message is answered for only after its report is out; what cannot be finished goes back to the queue
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>). Killed at any point, the next
//! delivery does the same again and comes to the same end.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::apply::{Applied, apply};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::assessment::{Assessment, assess};
use crate::check::{Facts, Outcome, examine};
use crate::collect::{Scope, Wanted, WantedObject, collect};
use crate::event::{AnswerForm, Change, Command, InvalidEvent, PlanDigest, TriggerKind, decode};
use crate::guard::GuardSettings;
use crate::mode::Mode;
use crate::notify::{PublishFailure, Publisher, is_worth_telling, text};
use crate::observed::ReadFailure;
use crate::plan::review::{ReviewedPlan, review};
use crate::plan::{Plan, plan};
use crate::report::{Caller, Parts, Report};
use crate::snapshot::{Identity, Snapshot};
use crate::source::Source;
use crate::subject::{Batch, Subject, subjects};
use crate::target::Target;

/// Buckets that are looked at side by side.
const CONCURRENT: usize = 4;

/// What is kept back of the invocation's time, for answering.
const RESERVE: Duration = Duration::from_secs(2);

/// A read that failed for want of capacity sends its message back to the queue this often; then it is told as it is.
const PATIENCE: u32 = 3;

/// What the handler works with, for the life of the process.
#[derive(Debug)]
pub struct Handler<A, P> {
    /// AWS, for reading and for writing.
    pub aws: A,
    /// Where messages go.
    pub publisher: P,
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
    /// How we are called from outside.
    pub caller: Caller,
}

/// What holds for one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Who we are.
    pub identity: Identity,
    /// The time that reports carry.
    pub now: Timestamp,
    /// When the process will be stopped.
    pub deadline: Instant,
}

/// What an invocation answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The SQS messages that must come again.
    Batch(BTreeSet<String>),
    /// What an event led to.
    Reports(Vec<Report>),
    /// What a command led to.
    Report(Box<Report>),
}

/// An invocation that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The payload is meant for us and cannot be used.
    #[error("the event cannot be used")]
    Invalid(#[source] InvalidEvent),
    /// A command that this program does not know how to carry out yet.
    #[error("the command `{0}` is not supported by this version; check buckets one by one")]
    Unsupported(&'static str),
    /// The report could not be sent.
    #[error("the report was made and not sent")]
    NotTold(#[source] PublishFailure),
    /// AWS did not answer enough to say anything.
    #[error("{operation} failed with {code}, which may pass; try again")]
    Unavailable {
        /// The read that failed.
        operation: String,
        /// AWS's error code.
        code: String,
    },
    /// The time of the invocation is up.
    #[error("the time of the invocation was up before bucket `{0}` was done; raise the function's timeout")]
    OutOfTime(BucketName),
}

/// An error with all that caused it, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// What may be done about what is found.
enum Intent<'a> {
    /// Nothing.
    Look,
    /// What the mode allows at once.
    Event,
    /// The plan with this digest.
    Apply(&'a PlanDigest),
}

/// Everything that one look at a bucket gives.
struct Look {
    snapshot: Snapshot,
    assessments: Vec<Assessment>,
    outcome: Outcome,
}

impl<A: Source + Target, P: Publisher> Handler<A, P> {
    /// Does what a payload asks for.
    ///
    /// # Errors
    /// What cannot be answered message by message: see [`HandlerError`].
    pub async fn handle(&self, invocation: &Invocation, payload: &Value) -> Result<Answer, HandlerError> {
        let decoded = decode(payload, invocation.identity.role.as_ref());
        let batch = subjects(decoded.records);
        for dropped in &batch.dropped {
            info!(message_id = dropped.message_id, reason = %dropped.item, "dropped");
        }
        match decoded.answer {
            AnswerForm::SqsBatch => self.batch(invocation, batch).await,
            AnswerForm::Reports | AnswerForm::Command => self.direct(invocation, batch).await,
        }
    }

    /// Messages of a queue: each is answered for by itself.
    async fn batch(&self, invocation: &Invocation, batch: Batch) -> Result<Answer, HandlerError> {
        let mut again = BTreeSet::new();
        for invalid in batch.invalid {
            error!(message_id = invalid.message_id, error = %chain(&invalid.item), "message cannot be used");
            match invalid.message_id {
                Some(id) => again.insert(id),
                // A message without an id cannot be named in the answer; failing the batch is the only way to keep it.
                None => return Err(HandlerError::Invalid(invalid.item)),
            };
        }
        for command in batch.commands {
            let error = HandlerError::Unsupported(name(&command.item));
            error!(message_id = command.message_id, error = %chain(&error), "message cannot be used");
            again.extend(command.message_id);
        }
        let failed: Vec<BTreeSet<String>> = stream::iter(batch.subjects)
            .map(|subject| async move {
                match self.event(invocation, &subject).await {
                    Ok(_) => BTreeSet::new(),
                    Err(error) => {
                        warn!(bucket = %subject.bucket, error = %chain(&error), "messages go back to the queue");
                        subject.message_ids
                    }
                }
            })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        again.extend(failed.into_iter().flatten());
        Ok(Answer::Batch(again))
    }

    /// An event or a command that came by itself.
    async fn direct(&self, invocation: &Invocation, batch: Batch) -> Result<Answer, HandlerError> {
        if let Some(invalid) = batch.invalid.into_iter().next() {
            return Err(HandlerError::Invalid(invalid.item));
        }
        if let Some(command) = batch.commands.into_iter().next() {
            let report = self.command(invocation, command.item).await?;
            return Ok(Answer::Report(Box::new(report)));
        }
        let reports = stream::iter(&batch.subjects)
            .map(|subject| self.event(invocation, subject))
            .buffered(CONCURRENT)
            .collect::<Vec<_>>()
            .await;
        let reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Answer::Reports(reports.into_iter().flatten().collect()))
    }

    async fn command(&self, invocation: &Invocation, command: Command) -> Result<Report, HandlerError> {
        match command {
            Command::Check { bucket } => self.report(invocation, &Subject::asked(bucket), Intent::Look).await,
            Command::Apply { bucket, plan } => {
                self.report(invocation, &Subject::asked(bucket), Intent::Apply(&plan)).await
            }
            Command::Undo { bucket, role, keys, plan } => {
                self.undo(invocation, &Subject::asked(bucket), role, keys, plan).await
            }
            Command::Sweep => Err(HandlerError::Unsupported("sweep")),
        }
    }

    /// What happens to a bucket that an event names; nothing for one whose owner wants none of it.
    async fn event(&self, invocation: &Invocation, subject: &Subject) -> Result<Option<Report>, HandlerError> {
        let report = self.report(invocation, subject, Intent::Event).await?;
        todo!()
    }
}
