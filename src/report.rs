//! Report v1: everything that was found, planned and done about one bucket, in the form that people script against.
//!
//! A change of this form is a new version. Readers ignore fields that they do not know.

mod backlog;
mod rules;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::apply::{Applied, Entry};
use crate::arn::{AccountId, BucketName, Region, RoleArn};
use crate::check::{Examination, Finding, Severity, Unread, Verdict};
use crate::digest;
use crate::event::{Change as ReplicationChange, Changed, Command, FailedObject, TriggerKind};
use crate::mode::Mode;
use crate::plan::review::ReviewedPlan;
use crate::plan::{Change, command};
use crate::shell::shell_quote;
use crate::snapshot::Snapshot;
use crate::subject::Subject;

pub use backlog::{Backlog, BatchRole, JobStatus};
pub use rules::{Rule, Tag};

/// The name and version of the form.
pub const SCHEMA: &str = "s3-replication-remediator/report/v1";

/// A report about one bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// Names this report in logs and messages. The same event about the same bucket at the same time has the same id.
    pub id: String,
    /// What this program may do.
    pub mode: Mode,
    /// When AWS was read.
    pub time: Timestamp,
    /// What woke us.
    pub trigger: Trigger,
    /// The source bucket.
    pub bucket: Bucket,
    /// Its replication rules, for telling which objects a finding concerns; none where they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// What was wrong and is not any more, since the plan was applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<Finding>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// What nobody here can see.
    pub not_evaluated: BTreeSet<String>,
    /// What would be changed; null where there is nothing to change and nothing withheld.
    pub plan: Option<ReviewedPlan>,
    /// What was done; null without a plan.
    pub outcome: Option<Applied>,
    /// For an undo: what will break, and where was not looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What was changed by somebody who was stopped before people were told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Entry>,
    /// What is still to be replicated; null where nothing is known to have failed.
    pub backlog: Option<Backlog>,
    /// What to do next, ready to paste.
    pub commands: Commands,
}

/// What else there is to know about an undo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// What will no longer work, or goes along; one sentence each.
    pub consequences: Vec<String>,
    /// Where was not looked for what is ours.
    pub not_searched: Vec<String>,
}

/// What woke us. All text but the kind is the event's word.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// What happened.
    pub kind: TriggerKind,
    /// Whether a changed replication configuration was put or removed.
    pub change: Option<ReplicationChange>,
    /// The event's id.
    pub event_id: Option<String>,
    /// When it happened.
    pub event_time: Option<Timestamp>,
    /// Who did it.
    pub actor: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// What failed; a sample, where there are many.
    pub objects: Vec<FailedObject>,
    /// For `drift`: what was changed of that on which the bucket depends, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    /// Was this look asked for by a repair?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow_up: bool,
}

/// The source bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Its owner; null where that is not proven.
    pub account_id: Option<AccountId>,
    /// Its Region; null where that is not known.
    pub region: Option<Region>,
}

/// Commands for a person. Null where there is nothing to apply or undo. In `dry-run`, in which this program refuses to
/// write, they are AWS's own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// Applies the plan.
    pub apply: Option<String>,
    /// Takes back what was added for this bucket; shows what that would be first.
    pub undo: Option<String>,
    /// Looks again.
    pub check: String,
}

/// How this program is called from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// As a Lambda function.
    Function {
        /// Its name.
        name: String,
        /// The Region that it runs in.
        region: Region,
    },
    /// On the command line.
    CommandLine {
        /// The Region that it works from.
        region: Region,
        /// What was said beside the command, quoted for a shell and with a space before each: the same settings give the
        /// same plan.
        options: String,
    },
}

impl Caller {
    /// The Region that buckets are first looked for in.
    pub fn region(&self) -> &Region {
        match self {
            Self::Function { region, .. } | Self::CommandLine { region, .. } => region,
        }
    }

    /// The shell command that gives a command to this program.
    pub(crate) fn command(&self, command: &Command) -> String {
        match self {
            Self::Function { name, region } => format!(
                "aws lambda invoke --region {region} --function-name {} --cli-binary-format raw-in-base64-out --payload {} \
                 /dev/stdout",
                shell_quote(name),
                shell_quote(&command.to_json().to_string())
            ),
            Self::CommandLine { options, .. } => {
                format!("s3-replication-remediator {}{options}", command.arguments())
            }
        }
    }
}

/// What a report is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What this program may do.
    pub mode: Mode,
    /// Why we looked.
    pub subject: &'a Subject,
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// What the checks say.
    pub outcome: Examination,
    /// What they said before the plan was applied, and do not say any more.
    pub repaired: Vec<Finding>,
    /// What would be changed.
    pub plan: Option<ReviewedPlan>,
    /// What was done.
    pub applied: Option<Applied>,
    /// How to call us.
    pub caller: &'a Caller,
    /// The role that jobs of S3 Batch Replication are to run as.
    pub batch_role: Option<&'a RoleArn>,
}

impl Report {
    /// Puts the parts together.
    pub fn new(parts: Parts<'_>) -> Self {
        let Parts {
            mode,
            subject,
            snapshot,
            outcome,
            repaired,
            plan,
            applied,
            caller,
            batch_role,
        } = parts;
        let trigger = &subject.trigger;
        let plan = plan.filter(|plan| !plan.plan().is_empty());
        Self {
            schema: SCHEMA,
            id: id(subject, snapshot.taken_at),
            mode,
            time: snapshot.taken_at,
            trigger: Trigger {
                kind: trigger.kind,
                change: trigger.change,
                event_id: trigger.event_id.clone(),
                event_time: trigger.event_time,
                actor: trigger.actor.clone(),
                source_ip: trigger.source_ip.clone(),
                objects: trigger.objects.clone(),
                changed: trigger.drift.clone(),
                follow_up: trigger.promised.is_some(),
            },
            bucket: Bucket {
                name: subject.bucket.clone(),
                account_id: snapshot.source.owner.found().cloned(),
                region: snapshot.source.region.found().cloned(),
            },
            rules: snapshot
                .replication
                .found()
                .into_iter()
                .flat_map(|replication| &replication.rules)
                .map(Rule::of)
                .collect(),
            verdict: outcome.verdict(),
            backlog: backlog::left(
                subject,
                snapshot,
                outcome.findings.iter().chain(&repaired),
                batch_role,
            ),
            commands: commands(mode, subject, snapshot, plan.as_ref(), applied.as_ref(), caller),
            findings: outcome.findings,
            repaired,
            unread: outcome.unread,
            not_evaluated: outcome.not_evaluated,
            undo: None,
            earlier: Vec::new(),
            outcome: plan.as_ref().and(applied),
            plan,
        }
    }

    /// The name of the plan in it.
    pub fn digest(&self) -> Option<&str> {
        self.plan.as_ref().map(|plan| plan.digest().as_str())
    }

    /// The worst that was found.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).min()
    }
}

#[cfg(test)]
impl Report {
    /// One that says nothing.
    pub(crate) fn healthy() -> Self {
        Self {
            schema: SCHEMA,
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            mode: Mode::DryRun,
            time: Timestamp::UNIX_EPOCH,
            trigger: Trigger {
                kind: TriggerKind::ReplicationConfigured,
                change: None,
                event_id: None,
                event_time: None,
                actor: None,
                source_ip: None,
                changed: None,
                follow_up: false,
                objects: Vec::new(),
            },
            bucket: Bucket {
                name: "amzn-s3-demo-source-bucket".parse().unwrap(),
                account_id: "111122223333".parse().ok(),
                region: "eu-west-1".parse().ok(),
            },
            rules: Vec::new(),
            verdict: Verdict::Healthy,
            findings: Vec::new(),
            repaired: Vec::new(),
            unread: Vec::new(),
            not_evaluated: BTreeSet::new(),
            plan: None,
            outcome: None,
            undo: None,
            earlier: Vec::new(),
            backlog: None,
            commands: Commands {
                apply: None,
                undo: None,
                check: String::new(),
            },
        }
    }
}

fn id(subject: &Subject, time: Timestamp) -> String {
    let event = subject.trigger.event_id.as_deref().unwrap_or_default();
    digest::id(format!("{}\n{event}\n{time}", subject.bucket))
}

fn commands(
    mode: Mode,
    subject: &Subject,
    snapshot: &Snapshot,
    plan: Option<&ReviewedPlan>,
    applied: Option<&Applied>,
    caller: &Caller,
) -> Commands {
    let bucket = &subject.bucket;
    let check = caller.command(&Command::Check {
        bucket: bucket.clone(),
    });
    let Some(plan) = plan.filter(|plan| plan.has_changes()) else {
        return Commands {
            apply: None,
            undo: None,
            check,
        };
    };
    let keys: BTreeSet<_> = snapshot
        .keys
        .values()
        .filter_map(|key| key.metadata.found())
        .map(|key| key.arn.clone())
        .collect();
    let is_done = applied.is_some_and(Applied::is_in_place);
    let changes = || plan.plan().changes.iter().map(|planned| &planned.change);
    if mode == Mode::DryRun {
        // We ourselves would refuse, so these are commands for whoever may change the role or the key.
        return Commands {
            apply: Some(joined(changes().map(by_hand))),
            undo: Some(joined(changes().rev().map(Change::undo))),
            check,
        };
    }
    Commands {
        apply: (!is_done).then(|| {
            caller.command(&Command::Apply {
                bucket: bucket.clone(),
                plan: plan.digest().clone(),
            })
        }),
        undo: Some(caller.command(&Command::Undo {
            bucket: bucket.clone(),
            role: snapshot.role.found().map(|role| role.arn.clone()),
            keys: keys.into_iter().collect(),
            plan: None,
        })),
        check,
    }
}

/// The command of the AWS command line that makes a change.
fn by_hand(change: &Change) -> String {
    match change {
        Change::PutRolePolicy(change) => match &change.after {
            Some(document) => command::put_role_policy(&change.role, &change.name, document),
            None => command::delete_role_policy(&change.role, &change.name),
        },
        Change::CreateGrant(grant) => command::create_grant(grant),
        Change::RevokeGrant(revocation) => command::revoke_grant_by_name(&revocation.again),
    }
}

fn joined(commands: impl Iterator<Item = String>) -> String {
    commands.collect::<Vec<_>>().join(" && ")
}
