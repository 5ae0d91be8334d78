//! One story: read from its folder, told by the program, and held against what is expected of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3_replication_remediator::assessment::assess;
use s3_replication_remediator::check::{Examination, Facts, Finding, RootCause, examine};
use s3_replication_remediator::collect::{self, Scope, Wanted, WantedObject};
use s3_replication_remediator::event::{Change, Command, Record, TriggerKind, decode};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{self, Handler, Invocation, Response};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::alert_state::AlertHistory;
use s3_replication_remediator::notify::{Notification, Publication, PublishFailure, Publisher, text};
use s3_replication_remediator::queue::NoQueue;
use s3_replication_remediator::report::Caller;
use s3_replication_remediator::snapshot::Snapshot;
use s3_replication_remediator::subject::{Subject, subjects};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::patch;
use crate::account::World;
use crate::account::model::State;

thread_local! {
    /// Time does not pass in it but by jumps.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
}

/// When the stories happen.
const NOW: &str = "2026-09-14T09:00:00Z";

/// Who asks has the answer.
struct Nobody;

impl Publisher for Nobody {
    async fn publish(&self, _: Publication<'_>) -> Result<(), PublishFailure> {
        Ok(())
    }
}

/// A story.
#[derive(Debug, Clone)]
pub(super) struct Story {
    /// The path of its folder under `tests/scenarios`.
    pub(super) name: String,
    pub(super) account: Value,
    event: Value,
    settings: Settings,
    expected: Expected,
}

/// The settings that bear on what is looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Settings {
    trusted_accounts: BTreeSet<String>,
    member_role: bool,
    inspect_objects: bool,
    sample_objects: u8,
    unconstrained_grants: bool,
}

/// What must be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    verdict: String,
    #[serde(default)]
    findings: Vec<ExpectedFinding>,
    /// The operations that brought no answer that was needed.
    #[serde(default)]
    unread: BTreeSet<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpectedFinding {
    check: String,
    severity: String,
    remedy: String,
    /// Left out where it goes without saying.
    subject: Option<String>,
    rule_ids: Option<BTreeSet<String>>,
    /// The check of which it is a consequence; left out for a cause of its own.
    root_cause: Option<String>,
}

/// What the program says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) outcome: Examination,
}

impl Told {
    pub(super) fn verdict(&self) -> &'static str {
        self.outcome.verdict().as_str()
    }
}

impl Story {
    /// Every story, in the order of the names.
    pub(super) fn all() -> Vec<Self> {
        let root = root();
        let mut folders = Vec::new();
        for entry in entries(&root) {
            if entry.ends_with("healthy") {
                folders.extend(entries(&entry));
            } else if entry.is_dir() {
                folders.push(entry);
            } else {
                assert!(entry.ends_with("README.md"), "{} is no story", entry.display());
            }
        }
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    /// The story of this name.
    pub(super) fn named(name: &str) -> Self {
        Self::read(&root().join(name))
    }

    fn read(folder: &Path) -> Self {
        const KNOWN: [&str; 6] = [
            "account.json",
            "message.txt",
            "event.json",
            "settings.json",
            "expected.json",
            "told.txt",
        ];
        for file in entries(folder) {
            let known = file
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| KNOWN.contains(&name));
            assert!(known, "nobody reads {}", file.display());
        }
        let name = folder.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let account = account(&name);
        let event = json_file(&folder.join("event.json"))
            .unwrap_or_else(|| json!({"command": "check", "bucket": source_of(&account)}));
        let read = |file: &str| json_file(&folder.join(file));
        Self {
            event,
            settings: read("settings.json").map_or_else(Settings::default, |value| {
                from_value(value, &name, "settings.json")
            }),
            expected: from_value(read("expected.json").unwrap_or_default(), &name, "expected.json"),
            account,
            name,
        }
    }

    /// A file of its folder.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        root().join(&self.name).join(file)
    }

    /// The account in memory.
    pub(super) fn world(&self) -> World {
        World::from_state(from_value::<State>(
            self.account.clone(),
            &self.name,
            "account.json",
        ))
    }

    /// The bucket that it is about.
    pub(super) fn bucket(&self) -> String {
        let (_, subject) = self.look_at(&self.world());
        subject.bucket.to_string()
    }

    /// What the function is set to, where its owner opened every role and key.
    pub(super) fn opened(&self) -> s3_replication_remediator::handler::Settings {
        let everything = || vec![s3_replication_remediator::guard::AllowedArn::new("arn:*:*:*:*:*")];
        s3_replication_remediator::handler::Settings {
            mode: s3_replication_remediator::mode::Mode::Auto,
            scope: self.scope(),
            guards: s3_replication_remediator::guard::GuardSettings {
                allowed_roles: everything(),
                allowed_keys: everything(),
                trusted_accounts: self.scope().trusted_accounts,
                unconstrained_grants: self.settings.unconstrained_grants,
                ..Default::default()
            },
            report_refused_puts: false,
            remind_after: None,
        }
    }

    /// Everything, from the event to the findings.
    pub(super) fn tell(&self) -> Told {
        self.tell_of(&self.world())
    }

    /// The same in a changed world.
    pub(super) fn tell_of(&self, world: &World) -> Told {
        let (snapshot, subject) = self.look_at(world);
        let assessments = assess(&snapshot, self.settings.unconstrained_grants);
        let facts = Facts {
            snapshot: &snapshot,
            subject: &subject,
            assessments: &assessments,
        };
        Told {
            outcome: examine(&facts),
        }
    }

    /// What people read of it, where nothing was told before.
    pub(super) fn message(&self) -> Notification {
        let world = self.world();
        let handler = Handler {
            aws: &world,
            publisher: Nobody,
            ledger: MemoryLedger::default(),
            memory: MemoryLedger::default(),
            queue: NoQueue,
            settings: handler::Settings {
                mode: Mode::DryRun,
                scope: self.scope(),
                guards: GuardSettings {
                    trusted_accounts: self.scope().trusted_accounts,
                    unconstrained_grants: self.settings.unconstrained_grants,
                    ..GuardSettings::default()
                },
                report_refused_puts: true,
                remind_after: None,
            },
        };
        let answer = RUNTIME.with(|runtime| {
            runtime.block_on(async {
                let invocation = Invocation {
                    identity: world.identity(),
                    now: NOW.parse().unwrap(),
                    began: Instant::now(),
                    deadline: Instant::now() + Duration::from_secs(60),
                    caller: Caller::Function {
                        name: "s3-replication-remediator".to_owned(),
                        region: world.state().identity.region.clone(),
                    },
                };
                handler.handle(&invocation, &self.event).await
            })
        });
        let report = match answer.unwrap_or_else(|error| panic!("{}: {error}", self.name)) {
            Response::Report(report) => *report,
            Response::Reports(mut reports) => reports.remove(0),
            other @ (Response::Batch(_) | Response::Sweep(_)) => {
                panic!("{}: no report: {other:?}", self.name)
            }
        };
        text::render(&report, &AlertHistory::default())
    }

    fn scope(&self) -> Scope {
        Scope {
            trusted_accounts: self
                .settings
                .trusted_accounts
                .iter()
                .map(|id| id.parse().unwrap())
                .collect(),
            member_role: self.settings.member_role,
            inspect_objects: self.settings.inspect_objects,
            sample_objects: self.settings.sample_objects,
        }
    }

    /// What is collected.
    pub(super) fn look_at(&self, world: &World) -> (Snapshot, Subject) {
        let identity = world.identity();
        let records = decode(&self.event, identity.role.as_ref()).records;
        let mut batch = subjects(records.into_iter().map(Record::or_refused_put));
        assert!(batch.invalid.is_empty(), "{}: {:?}", self.name, batch.invalid);
        batch
            .subjects
            .extend(batch.commands.drain(..).map(|command| match command.item {
                Command::Check { bucket } => Subject::asked(bucket),
                other @ (Command::Apply { .. }
                | Command::Undo { .. }
                | Command::Backlog { .. }
                | Command::Sweep
                | Command::SweepOn(_)) => {
                    panic!("{}: no story about {other:?}", self.name)
                }
            }));
        assert_eq!(batch.subjects.len(), 1, "{}: one bucket a story", self.name);
        let subject = batch.subjects.remove(0);
        let trigger = &subject.trigger;
        let wanted = Wanted {
            bucket: subject.bucket.clone(),
            region: trigger
                .region_hint
                .clone()
                .unwrap_or_else(|| world.state().identity.region.clone()),
            expects_configuration: match trigger.kind {
                TriggerKind::ReplicationConfigured => trigger.change != Some(Change::Removed),
                TriggerKind::ReplicationFailed => true,
                TriggerKind::Alarm | TriggerKind::Drift | TriggerKind::Sweep | TriggerKind::Command => false,
            },
            objects: trigger
                .objects
                .iter()
                .map(|object| WantedObject {
                    key: object.key.clone(),
                    version_id: object.version_id.clone(),
                })
                .collect(),
            former: collect::Places::default(),
            now: NOW.parse().unwrap(),
        };
        let scope = self.scope();
        let snapshot =
            RUNTIME.with(|runtime| runtime.block_on(collect::collect(world, &identity, &scope, &wanted)));
        (snapshot, subject)
    }

    /// In what the program deviates from what is expected.
    pub(super) fn deviations(&self, told: &Told) -> Vec<String> {
        let mut wrong = Vec::new();
        if told.verdict() != self.expected.verdict {
            wrong.push(format!(
                "verdict {}, expected {}",
                told.verdict(),
                self.expected.verdict
            ));
        }
        let mut expected: Vec<&ExpectedFinding> = self.expected.findings.iter().collect();
        for finding in &told.outcome.findings {
            match expected.iter().position(|one| one.is(finding)) {
                Some(at) => {
                    expected.remove(at);
                }
                None => wrong.push(format!("unexpected: {}", described(finding))),
            }
        }
        wrong.extend(expected.iter().map(|one| format!("missing: {one:?}")));
        let unread: BTreeSet<String> = told
            .outcome
            .unread
            .iter()
            .map(|one| one.operation.clone())
            .collect();
        if unread != self.expected.unread {
            wrong.push(format!("unread {unread:?}, expected {:?}", self.expected.unread));
        }
        wrong
    }
}

impl ExpectedFinding {
    fn is(&self, finding: &Finding) -> bool {
        let json = serde_json::to_value(finding).unwrap();
        json["check"] == self.check
            && json["severity"] == self.severity
            && json["remedy"]["kind"] == self.remedy
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| *subject == finding.subject)
            && self
                .rule_ids
                .as_ref()
                .is_none_or(|rules| *rules == finding.rule_ids)
            && match &self.root_cause {
                Some(cause) => json["rootCause"] == **cause,
                None => finding.root_cause == RootCause::Itself,
            }
    }
}

/// A finding in one line.
pub(super) fn described(finding: &Finding) -> String {
    let json = serde_json::to_value(finding).unwrap();
    format!(
        "{} {} on {}, rules {:?}, remedy {}, root cause {}: {}",
        finding.check.as_str(),
        json["severity"],
        finding.subject,
        finding.rule_ids,
        json["remedy"]["kind"],
        json["rootCause"],
        finding.summary
    )
}

/// The account of a story, with what it takes from the one that it is like.
fn account(name: &str) -> Value {
    let mut written = json_file(&root().join(name).join("account.json"))
        .unwrap_or_else(|| panic!("{name} has no account.json"));
    let like = written.as_object_mut().and_then(|fields| fields.remove("like"));
    match like.as_ref().and_then(Value::as_str) {
        Some(other) => {
            let mut account = account(other);
            patch::apply(&mut account, &written);
            account
        }
        None => written,
    }
}

/// The one bucket that replicates.
fn source_of(account: &Value) -> String {
    let buckets = account["buckets"].as_object().expect("an account has buckets");
    let mut sources = buckets
        .iter()
        .filter(|(_, bucket)| bucket["replication"].is_object());
    let first = sources.next().map(|(name, _)| name.clone());
    assert!(
        sources.next().is_none(),
        "which bucket is it about? write an event.json"
    );
    first.expect("no bucket replicates: write an event.json")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    read.map(|entry| entry.unwrap().path()).collect()
}

fn json_file(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[track_caller]
fn from_value<T: serde::de::DeserializeOwned>(value: Value, name: &str, file: &str) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
}
