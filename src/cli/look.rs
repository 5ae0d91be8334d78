//! One bucket, from the question to everything that any form of the answer is made of.
//!
//! The handler answers as it answers the function: the same command, the same guards, the same report.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::picture::Picture;
use super::recording::RecordingSource;
use super::report::Report;
use crate::arn::{BucketName, KeyArn, Region, RoleArn};
use crate::config::Config;
use crate::error::chain;
use crate::event::{Command, PlanDigest};
use crate::handler::{Handler, HandlerError, Invocation, Response, Settings};
use crate::ledger::memory::MemoryLedger;
use crate::notify::alert_state::AlertHistory;
use crate::notify::{Publication, PublishFailure, Publisher, text};
use crate::queue::NoQueue;
use crate::report::Caller;
use crate::snapshot::{Identity, Replication};
use crate::source::Source;
use crate::target::Writable;

/// Nobody waits longer for one bucket: every call has its own time limit, far below.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Who looks, and how.
#[derive(Debug)]
pub struct Session<'a, A> {
    /// AWS.
    pub aws: &'a A,
    /// Who we are.
    pub identity: Identity,
    /// The settings.
    pub config: Config,
    /// How we are called.
    pub caller: Caller,
}

/// What is asked about a bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum Question<'a> {
    /// How it is.
    Check,
    /// How it would be under this configuration.
    CheckPlanned(&'a Replication),
    /// To carry out a plan.
    Apply(&'a PlanDigest),
    /// To order the job that replicates what failed.
    Backlog,
    /// To take back what was added, if the plan of that is given.
    Undo {
        /// The role that was changed.
        role: Option<&'a RoleArn>,
        /// The keys that carry grants.
        keys: &'a [KeyArn],
        /// The plan.
        plan: Option<&'a PlanDigest>,
    },
}

/// What there is to tell about a bucket. It can be kept in a file and read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// Report v1.
    pub report: Value,
    /// The report as text.
    pub text: String,
    /// What replicates where.
    pub picture: Picture,
}

impl Looked {
    /// The report, for reading.
    ///
    /// # Errors
    /// It was kept by another version of this program.
    pub fn view(&self) -> Result<Report, serde_json::Error> {
        Report::deserialize(&self.report)
    }
}

/// A bucket that brought no report.
#[derive(Debug, thiserror::Error)]
pub enum LookFailure {
    /// The handler's word.
    #[error(transparent)]
    Handler(#[from] HandlerError),
    /// A report that its own readers do not understand.
    #[error("the report cannot be written, which is a mistake of this program; please report it")]
    Unwritable(#[source] serde_json::Error),
    /// An answer that belongs to something else.
    #[error("the answer is not a report, which is a mistake of this program; please report it")]
    NoReport,
}

impl<A: Source + Writable> Session<'_, A> {
    /// Asks about one bucket.
    ///
    /// # Errors
    /// There is no report.
    pub async fn ask(
        &self,
        bucket: &BucketName,
        region: Option<&Region>,
        question: &Question<'_>,
        now: Timestamp,
    ) -> Result<Looked, LookFailure> {
        let command = match question {
            Question::Check | Question::CheckPlanned(_) => Command::Check {
                bucket: bucket.clone(),
            },
            Question::Backlog => Command::Backlog {
                bucket: bucket.clone(),
            },
            Question::Apply(plan) => Command::Apply {
                bucket: bucket.clone(),
                plan: (*plan).clone(),
            },
            Question::Undo { role, keys, plan } => Command::Undo {
                bucket: bucket.clone(),
                role: role.cloned(),
                keys: keys.to_vec(),
                plan: plan.cloned(),
            },
        };
        let planned = match question {
            Question::CheckPlanned(planned) => Some(*planned),
            Question::Check | Question::Backlog | Question::Apply(_) | Question::Undo { .. } => None,
        };
        let source = RecordingSource::new(self.aws, bucket, planned);
        let report = {
            let handler = Handler {
                aws: &source,
                publisher: NoPublisher,
                ledger: MemoryLedger::default(),
                memory: MemoryLedger::default(),
                queue: NoQueue,
                settings: Settings {
                    mode: self.config.mode,
                    scope: self.config.scope(),
                    guards: self.config.guards(),
                    report_refused_puts: false,
                    remind_after: None,
                },
            };
            let invocation = Invocation {
                identity: self.identity.clone(),
                now,
                began: Instant::now(),
                deadline: Instant::now() + PATIENCE,
                caller: self.caller_near(region),
            };
            match Box::pin(handler.command(&invocation, command)).await? {
                Response::Report(report) => report,
                Response::Batch(_) | Response::Reports(_) | Response::Sweep(_) => {
                    return Err(LookFailure::NoReport);
                }
            }
        };
        let mut looked = Looked {
            report: serde_json::to_value(&report).map_err(LookFailure::Unwritable)?,
            text: text::text(&report, &AlertHistory::default()),
            picture: Picture::default(),
        };
        let view = looked.view().map_err(LookFailure::Unwritable)?;
        looked.picture = Picture::new(&view, &source.into_seen());
        Ok(looked)
    }

    /// The same caller, looking into the Region first that the bucket is known to lie in.
    fn caller_near(&self, region: Option<&Region>) -> Caller {
        match (&self.caller, region) {
            (Caller::CommandLine { options, .. }, Some(region)) => Caller::CommandLine {
                region: region.clone(),
                options: options.clone(),
            },
            (caller, _) => caller.clone(),
        }
    }
}

impl LookFailure {
    /// On one line.
    pub fn told(&self) -> String {
        chain(self)
    }
}

/// Whoever asks is answered; nobody else is told.
#[derive(Debug)]
struct NoPublisher;

impl Publisher for NoPublisher {
    async fn publish(&self, _: Publication<'_>) -> Result<(), PublishFailure> {
        Ok(())
    }
}
