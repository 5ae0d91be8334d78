//! What the tests of the handler play on: an account whose replication is broken for many reasons, and a publisher that
//! remembers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use s3_replication_remediator::collect::Scope;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{Handler, HandlerError, Invocation, Response, Settings};
use s3_replication_remediator::ledger::Ledger;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{Notification, Publication, PublishFailure, Publisher};
use s3_replication_remediator::queue::{Message, Queue, QueueFailure};
use s3_replication_remediator::report::{Caller, Report};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::account::World;

pub(super) const SOURCE: &str = "amzn-s3-demo-source-bucket";
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/s3crr_role_for_amzn-s3-demo-source-bucket";
pub(super) const REPLICA_KEY: &str =
    "arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef";

/// An account, a deployed function, and its topic.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) mode: Mode,
    /// What is left of an invocation's time.
    pub(super) time_left: Duration,
    told: RefCell<Vec<Notification>>,
    /// What machines were told.
    pub(super) states: RefCell<Vec<Report>>,
    pub(super) ledger: MemoryLedger,
    pub(super) queue: Outbox,
    pub(super) report_refused_puts: bool,
    pub(super) batch_role: Option<s3_replication_remediator::arn::RoleArn>,
    /// Does the topic refuse?
    pub(super) is_mute: Cell<bool>,
    /// Does the bus refuse?
    pub(super) is_bus_mute: Cell<bool>,
    /// The time.
    pub(super) now: Cell<Timestamp>,
}

/// What was sent to our own queue.
#[derive(Debug, Default)]
pub(super) struct Outbox(pub(super) RefCell<Vec<Message>>);

impl Queue for &Outbox {
    async fn send(&self, messages: &[Message]) -> Result<(), QueueFailure> {
        self.0.borrow_mut().extend_from_slice(messages);
        Ok(())
    }
}

impl Publisher for &Stage {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let is_mute = match publication {
            Publication::CheckResult(..) => &self.is_bus_mute,
            Publication::Alert(..) | Publication::Summary(_) => &self.is_mute,
        };
        if is_mute.get() {
            return Err(PublishFailure {
                reason: "the topic is gone".to_owned(),
            });
        }
        match publication {
            Publication::CheckResult(report, _) => self.states.borrow_mut().push(report.clone()),
            Publication::Alert(_, message) | Publication::Summary(message) => {
                self.told.borrow_mut().push(message.clone())
            }
        }
        Ok(())
    }
}

impl Stage {
    /// The account of the demo: its replication is broken for several reasons, two of which can be repaired.
    pub(super) fn broken(mode: Mode) -> Self {
        Self {
            world: World::new(include_str!("many-reasons.json")),
            mode,
            time_left: Duration::from_secs(60),
            told: RefCell::default(),
            states: RefCell::default(),
            ledger: MemoryLedger::default(),
            queue: Outbox::default(),
            report_refused_puts: false,
            batch_role: None,
            is_mute: Cell::new(false),
            is_bus_mute: Cell::new(false),
            now: Cell::new("2026-09-14T09:13:00Z".parse().unwrap()),
        }
    }

    /// The same but for what a person has to mend: what is left is what the plan repairs.
    pub(super) fn repairable(mode: Mode) -> Self {
        let stage = Self::broken(mode);
        stage.world.edit(|state| {
            state.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap().state = "Enabled".to_owned();
            let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
            let rule = &mut source.replication.as_mut().unwrap().rules[0];
            rule.destination.metrics = serde_json::from_value(json!({"Status": "Enabled"})).unwrap();
        });
        stage
    }

    /// The same where the replica key's policy leaves nothing to the account but grants to us: what the plan repairs is a
    /// policy for one key and a grant on the other.
    pub(super) fn repairable_by_a_grant(mode: Mode) -> Self {
        let stage = Self::repairable(mode);
        stage.world.edit(|state| {
            let us = state.identity.role.to_string();
            let admin = "arn:aws:iam::111122223333:role/admin";
            let key = state.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap();
            key.policy = Some(json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": admin}, "Action": "kms:*", "Resource": "*"},
                {"Effect": "Allow", "Principal": {"AWS": us}, "Resource": "*",
                 "Action": ["kms:CreateGrant", "kms:RevokeGrant"]},
            ]}));
        });
        stage
    }

    /// One in which nothing is wrong.
    pub(super) fn healthy(mode: Mode) -> Self {
        let stage = Self::repairable(Mode::Auto);
        stage.handle(&recorded("cloudtrail/put-kms-rule.json")).unwrap();
        stage.forget();
        Self {
            mode,
            ledger: MemoryLedger::default(),
            ..stage
        }
    }

    /// What was told so far is told.
    pub(super) fn forget(&self) {
        self.told.borrow_mut().clear();
        self.states.borrow_mut().clear();
    }

    pub(super) fn handle(&self, payload: &Value) -> Result<Response, HandlerError> {
        self.handle_with(&self.ledger, payload)
    }

    /// The same, with another ledger.
    pub(super) fn handle_with<L: Ledger>(
        &self,
        ledger: L,
        payload: &Value,
    ) -> Result<Response, HandlerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let handler = Handler {
                aws: &self.world,
                publisher: self,
                ledger,
                memory: MemoryLedger::default(),
                queue: &self.queue,
                settings: Settings {
                    mode: self.mode,
                    scope: Scope::default(),
                    guards: GuardSettings {
                        batch_role: self.batch_role.clone(),
                        ..GuardSettings::default()
                    },
                    report_refused_puts: self.report_refused_puts,
                    remind_after: Some(SignedDuration::from_hours(24)),
                },
            };
            let invocation = Invocation {
                identity: self.world.identity(),
                now: self.now.get(),
                began: Instant::now(),
                deadline: Instant::now() + self.time_left,
                caller: Caller::Function {
                    name: "s3-replication-remediator".to_owned(),
                    region: "eu-west-1".parse().unwrap(),
                },
            };
            handler.handle(&invocation, payload).await
        })
    }

    /// The ids of the messages that must come again.
    pub(super) fn deliver(&self, messages: &[(&str, u32, Value)]) -> BTreeSet<String> {
        match self.handle(&batch(messages)).unwrap() {
            Response::Batch(again) => again,
            other @ (Response::Report(_) | Response::Reports(_) | Response::Sweep(_)) => {
                panic!("not the answer to a batch: {other:?}")
            }
        }
    }

    /// The report that a command is answered with.
    pub(super) fn command(&self, command: &Value) -> Report {
        match self.handle(command).unwrap() {
            Response::Report(report) => *report,
            other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => {
                panic!("not the answer to a command: {other:?}")
            }
        }
    }

    pub(super) fn told(&self) -> Vec<Notification> {
        self.told.borrow().clone()
    }

    /// The one message that was told.
    pub(super) fn only_message(&self) -> Notification {
        let told = self.told();
        assert_eq!(told.len(), 1, "{told:#?}");
        told[0].clone()
    }
}

/// A recorded event.
pub(crate) fn recorded(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every recorded event, by the name of its file.
pub(crate) fn all_recorded() -> Vec<(String, Value)> {
    fn walk(folder: &Path, under: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{under}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                walk(&path, &format!("{name}/"), found);
            } else if name.ends_with(".json") {
                found.push(name);
            }
        }
    }
    let mut files = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("events"),
        "",
        &mut files,
    );
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), recorded(&file)))
        .collect()
}

/// A batch of messages: id, how often each was handed out, body.
pub(super) fn batch(messages: &[(&str, u32, Value)]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, receive_count, body)| {
            json!({
                "messageId": id,
                "body": body.to_string(),
                "attributes": {"ApproximateReceiveCount": receive_count.to_string()},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:s3-replication-remediator",
                "awsRegion": "eu-west-1",
            })
        })
        .collect();
    json!({"Records": records})
}
