//! One invocation: what is done for each part of a payload, in which order, and what is answered.
//!
//! A message is answered for only after its report is out; what cannot be finished goes back to the queue
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>). Killed at any point, the next
//! delivery does the same again and comes to the same end.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::apply::{Outcome as Applied, apply};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::assessment::{Assessment, assess};
use crate::check::{Facts, Outcome as Examination, examine};
use crate::collect::{Scope, Wanted, WantedObject, collect};
use crate::error::chain;
use crate::event::{AnswerForm, Change, Command, InvalidEvent, PlanDigest, TriggerKind, decode};
use crate::finding::Finding;
use crate::guard::GuardSettings;
use crate::mode::Mode;
use crate::notify::{PublishFailure, Publisher, is_worth_telling, text};
use crate::observed::Observed;
use crate::plan::plan;
use crate::plan::review::{ReviewFailure, ReviewedPlan, review};
use crate::plan::role_policy::policy_name;
use crate::plan::undo::{Searched, undo_plan};
use crate::report::{Caller, Parts, Report, Undo};
use crate::snapshot::{Identity, Snapshot};
use crate::source::read::is_temporary;
use crate::source::{Reader, Source};
use crate::subject::{Batch, Subject, subjects};
use crate::target::Writable;

/// Buckets that are looked at side by side.
const CONCURRENT: usize = 4;

/// What is kept back of the invocation's time, for answering.
const RESERVE: Duration = Duration::from_secs(2);

/// A message whose reads failed for want of capacity goes back to the queue until it was handed out this often; then
/// what is known is told. The queue gives up on a message after five.
const PATIENCE: u32 = 3;

/// What the handler works with, for the life of the process.
#[derive(Debug)]
pub struct Handler<'a, A, P> {
    /// AWS, for reading and, with permission, for writing.
    pub aws: &'a A,
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
    /// How we are called from outside.
    pub caller: Caller,
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
    /// A command that this version cannot carry out.
    #[error("the command `{0}` is not supported by this version; use `check` for each bucket")]
    Unsupported(&'static str),
    /// The report could not be sent.
    #[error("bucket `{bucket}` was looked at, and the report could not be sent")]
    NotTold {
        /// The bucket.
        bucket: BucketName,
        /// Why not.
        #[source]
        source: PublishFailure,
    },
    /// AWS did not answer enough, and may do so later.
    #[error("bucket `{bucket}` was not looked at: {operation} failed with {code}, which may pass; try again")]
    Unavailable {
        /// The bucket.
        bucket: BucketName,
        /// The read that failed.
        operation: String,
        /// AWS's error code.
        code: String,
    },
    /// What would take changes back failed its review.
    #[error("the undo was not offered, which is a mistake of this program; please report it")]
    BadPlan(#[source] ReviewFailure),
    /// The time of the invocation is up.
    #[error("the invocation's time was up before bucket `{0}` was done; raise the function's timeout")]
    OutOfTime(BucketName),
}

impl HandlerError {
    /// A stable name, which Lambda shows as the type of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidEvent",
            Self::Unsupported(_) => "UnsupportedCommand",
            Self::NotTold { .. } => "NotTold",
            Self::Unavailable { .. } => "Unavailable",
            Self::BadPlan(_) => "BadPlan",
            Self::OutOfTime(_) => "OutOfTime",
        }
    }
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

/// All that one look at a bucket gives.
struct Look {
    snapshot: Snapshot,
    assessments: Vec<Assessment>,
    examination: Examination,
}

impl<A: Source + Writable, P: Publisher> Handler<'_, A, P> {
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
                // A message without an id cannot be named in the answer: only the failure of all keeps it.
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
            return self
                .command(invocation, command.item)
                .await
                .map(|report| Answer::Report(Box::new(report)));
        }
        let reports: Vec<_> = stream::iter(&batch.subjects)
            .map(|subject| self.event(invocation, subject))
            .buffered(CONCURRENT)
            .collect()
            .await;
        let reports: Result<Vec<Option<Report>>, _> = reports.into_iter().collect();
        Ok(Answer::Reports(reports?.into_iter().flatten().collect()))
    }

    /// What becomes of a bucket that an event names; nothing where the bucket's owner wants nothing of us.
    async fn event(
        &self,
        invocation: &Invocation,
        subject: &Subject,
    ) -> Result<Option<Report>, HandlerError> {
        let work = async {
            let look = self.look(invocation, subject).await;
            if self.is_opted_out(&look) {
                info!(bucket = %subject.bucket, "dropped: the bucket is opted out");
                return Ok(None);
            }
            patience(subject, &look)?;
            let report = self.finish(invocation, subject, look, Intent::Event).await?;
            self.tell(subject, &report).await?;
            Ok(Some(report))
        };
        in_time(invocation, &subject.bucket, work).await
    }

    async fn command(&self, invocation: &Invocation, command: Command) -> Result<Report, HandlerError> {
        match command {
            Command::Check { bucket } => self.ask(invocation, bucket, Intent::Look).await,
            Command::Apply { bucket, plan } => self.ask(invocation, bucket, Intent::Apply(&plan)).await,
            Command::Undo {
                bucket,
                role,
                keys,
                plan,
            } => {
                let subject = Subject::asked(bucket);
                let work = self.undo(invocation, &subject, role, keys, plan);
                in_time(invocation, &subject.bucket, work).await
            }
            Command::Sweep => Err(HandlerError::Unsupported("sweep")),
        }
    }

    /// What somebody wants to know, or to have done, about one bucket.
    async fn ask(
        &self,
        invocation: &Invocation,
        bucket: BucketName,
        intent: Intent<'_>,
    ) -> Result<Report, HandlerError> {
        let subject = Subject::asked(bucket);
        let work = async {
            let look = self.look(invocation, &subject).await;
            self.finish(invocation, &subject, look, intent).await
        };
        in_time(invocation, &subject.bucket, work).await
    }

    /// Reads everything, and judges it.
    async fn look(&self, invocation: &Invocation, subject: &Subject) -> Look {
        let trigger = &subject.trigger;
        let wanted = Wanted {
            bucket: subject.bucket.clone(),
            region: trigger
                .region_hint
                .clone()
                .unwrap_or_else(|| invocation.caller.region.clone()),
            expects_configuration: match trigger.kind {
                TriggerKind::ReplicationConfigured => trigger.change != Some(Change::Removed),
                TriggerKind::ReplicationFailed | TriggerKind::Alarm => true,
                TriggerKind::Drift | TriggerKind::Sweep | TriggerKind::Command => false,
            },
            objects: trigger
                .objects
                .iter()
                .map(|object| WantedObject {
                    key: object.key.clone(),
                    version_id: object.version_id.clone(),
                })
                .collect(),
            now: invocation.now,
        };
        let snapshot = Box::pin(collect(
            self.aws,
            &invocation.identity,
            &self.settings.scope,
            &wanted,
        ))
        .await;
        let assessments = assess(&snapshot, self.settings.guards.unconstrained_grants);
        let facts = Facts {
            snapshot: &snapshot,
            subject,
            assessments: &assessments,
        };
        let examination = examine(&facts);
        Look {
            snapshot,
            assessments,
            examination,
        }
    }

    fn is_opted_out(&self, look: &Look) -> bool {
        let tag = self.settings.guards.opt_out.as_ref();
        let tags = look.snapshot.source.tags.found();
        tag.zip(tags).is_some_and(|(tag, tags)| tag.is_in(tags))
    }

    /// Plans, does what may be done, and puts the report together.
    async fn finish(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        mut look: Look,
        intent: Intent<'_>,
    ) -> Result<Report, HandlerError> {
        let guards = &self.settings.guards;
        let made = plan(&look.snapshot, &look.assessments, guards);
        let reviewed = match review(&look.snapshot, &look.assessments, made, guards) {
            Ok(reviewed) => Some(reviewed),
            Err(failure) => {
                error!(bucket = %subject.bucket, error = %chain(&failure), "a plan failed its review");
                look.examination.not_evaluated.insert(
                    "a repair: a plan was made and failed its review, which is a mistake of this program; please report it"
                        .to_owned(),
                );
                None
            }
        };
        let applied = match &reviewed {
            Some(reviewed) => Some(self.carry_out(subject, reviewed, intent).await?),
            None => None,
        };
        let mut repaired = Vec::new();
        if applied.as_ref().is_some_and(Applied::has_written) {
            let before = std::mem::take(&mut look.examination.findings);
            let after = self.look(invocation, subject).await;
            look.examination = after.examination;
            let is_open = |finding: &Finding| {
                look.examination.findings.iter().any(|left| {
                    (left.check, &left.subject, left.severity)
                        == (finding.check, &finding.subject, finding.severity)
                })
            };
            repaired = before.into_iter().filter(|finding| !is_open(finding)).collect();
        }
        let report = Report {
            repaired,
            ..Report::new(Parts {
                mode: self.settings.mode,
                subject,
                snapshot: &look.snapshot,
                outcome: look.examination,
                plan: reviewed,
                applied,
                caller: &invocation.caller,
            })
        };
        log(&report);
        Ok(report)
    }

    /// Applies the plan, if this is the time and the mode for it.
    async fn carry_out(
        &self,
        subject: &Subject,
        plan: &ReviewedPlan,
        intent: Intent<'_>,
    ) -> Result<Applied, HandlerError> {
        let permission = match (intent, self.settings.mode.write_access()) {
            (Intent::Look, _) | (Intent::Event, None) => return Ok(Applied::planned(plan)),
            (Intent::Event, Some(_)) if self.settings.mode != Mode::Auto => {
                return Ok(Applied::planned(plan));
            }
            (Intent::Apply(_), None) => {
                return Ok(Applied::refused(
                    plan,
                    "the mode is dry-run, in which nothing is ever written",
                ));
            }
            (Intent::Apply(digest), Some(_)) if digest.as_str() != plan.digest() => {
                return Ok(Applied::refused(
                    plan,
                    "this is not the plan that was approved: it is what would be done now",
                ));
            }
            (Intent::Event | Intent::Apply(_), Some(permission)) => permission,
        };
        if !plan.has_changes() {
            return Ok(Applied::planned(plan));
        }
        let applied = apply(&permission, self.aws, &self.aws.writer(&permission), plan).await;
        if applied.is_retryable() && !applied.has_written() && subject.receive_count < PATIENCE {
            return Err(HandlerError::Unavailable {
                bucket: subject.bucket.clone(),
                operation: "a write".to_owned(),
                code: "a code that may pass".to_owned(),
            });
        }
        Ok(applied)
    }

    /// Shows what would be taken back, or takes it back where the digest is that of what was shown.
    async fn undo(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        role: Option<RoleArn>,
        keys: Vec<KeyArn>,
        digest: Option<PlanDigest>,
    ) -> Result<Report, HandlerError> {
        let mut look = self.look(invocation, subject).await;
        let searched = self.search(&look.snapshot, role.as_ref(), &keys).await;
        let undo = undo_plan(&look.snapshot, &look.assessments, &searched).map_err(HandlerError::BadPlan)?;
        let intent = digest.as_ref().map_or(Intent::Look, Intent::Apply);
        let applied = self.carry_out(subject, &undo.plan, intent).await?;
        if applied.has_written() {
            look.examination = self.look(invocation, subject).await.examination;
        }
        let mut report = Report::new(Parts {
            mode: self.settings.mode,
            subject,
            snapshot: &look.snapshot,
            outcome: look.examination,
            plan: Some(undo.plan),
            applied: Some(applied),
            caller: &invocation.caller,
        });
        report.commands.apply = report.digest().map(|digest| {
            invocation.caller.invoke(&json!({
                "command": "undo", "bucket": subject.bucket, "role": role, "keys": keys, "plan": digest,
            }))
        });
        report.commands.undo = None;
        report.undo = Some(Undo {
            consequences: undo.consequences,
            not_searched: undo.not_searched,
        });
        log(&report);
        Ok(report)
    }

    /// Reads what an undo looks at beside what the current rules name.
    async fn search(&self, snapshot: &Snapshot, role: Option<&RoleArn>, keys: &[KeyArn]) -> Searched {
        let mut searched = Searched::in_snapshot(snapshot);
        let current = snapshot.role.found().map(|role| &role.arn);
        let own = &snapshot.identity.account;
        if let Some(role) = role.filter(|role| current != Some(*role)) {
            let policy = match role.account() == own {
                true => {
                    self.aws
                        .inline_policy(role, &policy_name(&snapshot.source.name))
                        .await
                }
                false => Observed::Absent,
            };
            searched.roles.push((role.clone(), policy));
        }
        for grantee in current
            .into_iter()
            .chain(role.filter(|role| current != Some(*role)))
        {
            let known = |key: &KeyArn| {
                searched
                    .keys
                    .iter()
                    .any(|(named, of, _)| named == key && of == grantee)
            };
            let named = snapshot
                .keys
                .values()
                .filter_map(|key| Some(&key.metadata.found()?.arn))
                .chain(keys);
            let open: BTreeSet<KeyArn> = named
                .filter(|key| key.account() == own && !known(key))
                .cloned()
                .collect();
            for key in open {
                let grants = self.aws.grants(&key, grantee, &Reader::Own).await;
                searched.keys.push((key, grantee.clone(), grants));
            }
        }
        searched
    }

    async fn tell(&self, subject: &Subject, report: &Report) -> Result<(), HandlerError> {
        if !is_worth_telling(report, subject) {
            return Ok(());
        }
        self.publisher
            .publish(&text::render(report))
            .await
            .map_err(|source| HandlerError::NotTold {
                bucket: subject.bucket.clone(),
                source,
            })
    }
}

/// A look that failed for want of capacity only is worth another try before it is told as undetermined.
fn patience(subject: &Subject, look: &Look) -> Result<(), HandlerError> {
    let passing = look
        .examination
        .unread
        .iter()
        .find(|failure| is_temporary(&failure.error_code));
    match passing {
        Some(failure) if !subject.message_ids.is_empty() && subject.receive_count < PATIENCE => {
            Err(HandlerError::Unavailable {
                bucket: subject.bucket.clone(),
                operation: failure.operation.clone(),
                code: failure.error_code.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// Work, unless the invocation's time is up before. Whatever was begun is found as it is by the next delivery.
async fn in_time<T>(
    invocation: &Invocation,
    bucket: &BucketName,
    work: impl Future<Output = Result<T, HandlerError>>,
) -> Result<T, HandlerError> {
    let until = invocation
        .deadline
        .checked_sub(RESERVE)
        .unwrap_or(invocation.deadline);
    tokio::time::timeout_at(until, work)
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

fn name(command: &Command) -> &'static str {
    match command {
        Command::Check { .. } => "check",
        Command::Apply { .. } => "apply",
        Command::Undo { .. } => "undo",
        Command::Sweep => "sweep",
    }
}
