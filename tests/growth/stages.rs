//! Accounts of any size, and what each stage between the reads and the report costs on them.
//!
//! Costs are counted, so that they are the same on a busy machine: allocations, and the most bytes held at once.

use allocation_counter::{AllocationInfo, measure};
use s3_replication_remediator::apply::Applied;
use s3_replication_remediator::assessment::assess;
use s3_replication_remediator::check::{Facts, examine};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::alert_state::AlertHistory;
use s3_replication_remediator::notify::text;
use s3_replication_remediator::plan::plan;
use s3_replication_remediator::plan::review::review;
use s3_replication_remediator::report::{Caller, Parts, Report};
use s3_replication_remediator::snapshot::Snapshot;
use s3_replication_remediator::subject::Subject;
use serde_json::{Value, json};

use crate::world::*;

/// What the role's policies are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policies {
    /// The first allows all that is needed; the others are about other buckets.
    Granting,
    /// All are about other buckets, so that everything is missing.
    Missing,
    /// Written to keep the program busy: they nearly match, everywhere.
    Hostile,
}

/// A bucket with so many rules, each of its own prefix, and a role with so many policies.
pub(crate) fn account(rules: usize, policies: usize, kind: Policies) -> Value {
    let mut world = bare();
    let key = |n: usize| format!("arn:aws:kms:eu-west-2:{OWN}:key/replica-{}", n % 5);
    let all: Vec<Value> = (0..rules)
        .map(|n| {
            rule(
                &format!("r{n:04}"),
                &format!("prefix-{n:04}/"),
                &format!("replica-{}", n % 5),
                &key(n),
            )
        })
        .collect();
    world["buckets"]["source"]["replication"]["Rules"] = json!(all);
    for n in 0..5 {
        world["buckets"][format!("replica-{n}")] = json!({"region": "eu-west-2"});
        world["keys"][key(n)] = json!({"tags": opted_in()});
    }
    for n in 0..policies {
        world["roles"][ROLE]["inline"][format!("p{n:03}")] = policy(n, kind);
    }
    world
}

fn policy(n: usize, kind: Policies) -> Value {
    let statement = match kind {
        Policies::Granting if n == 0 => {
            json!({"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"})
        }
        Policies::Granting | Policies::Missing => json!({
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
            "Resource": [format!("arn:aws:s3:::app-{n}"), format!("arn:aws:s3:::app-{n}/*")],
        }),
        Policies::Hostile => json!({
            "Effect": "Allow",
            "Action": ["s3:*a*a*a*a*b", "s3:Get*", "s3:Replicate*", "kms:*"],
            "Resource": [format!("arn:aws:s3:::{}", "*a".repeat(60)), format!("arn:aws:s3:::x{n}/*"), "*"],
            "Condition": {"StringLike": {"s3:prefix": "*a*a*a*a*a*b", "aws:PrincipalTag/a": ["*b*b*c", "*"]}},
        }),
    };
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// What one stage costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) stage: &'static str,
    pub(crate) allocations: u64,
    /// The most bytes at once, beyond what was held before.
    pub(crate) peak: u64,
}

impl Cost {
    fn of(stage: &'static str, info: AllocationInfo) -> Self {
        Self {
            stage,
            allocations: info.count_total,
            peak: info.bytes_max,
        }
    }
}

pub(crate) fn read(account: &Value) -> Snapshot {
    let world = world(account);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(snapshot_of(&world, &GuardSettings::default()))
}

/// Everything from what was read to what is told, in the order in which the function does it; the last cost is of all
/// stages together.
pub(crate) fn costs(snapshot: &Snapshot) -> Vec<Cost> {
    let settings = GuardSettings::default();
    let subject = Subject::asked("source".parse().unwrap());
    let mut costs = Vec::new();
    let all = measure(|| {
        let mut assessments = Vec::new();
        costs.push(Cost::of(
            "assess",
            measure(|| assessments = assess(snapshot, false)),
        ));
        let facts = Facts {
            snapshot,
            subject: &subject,
            assessments: &assessments,
        };
        let mut outcome = None;
        costs.push(Cost::of("check", measure(|| outcome = Some(examine(&facts)))));
        let mut made = None;
        costs.push(Cost::of(
            "plan",
            measure(|| made = Some(plan(snapshot, &assessments, &settings))),
        ));
        let mut reviewed = None;
        let made = made.unwrap();
        costs.push(Cost::of(
            "review",
            measure(|| reviewed = review(snapshot, &assessments, made, &settings).ok()),
        ));
        let mut report = None;
        costs.push(Cost::of(
            "report",
            measure(|| {
                let applied = reviewed.as_ref().map(Applied::planned);
                report = Some(Report::new(Parts {
                    mode: Mode::DryRun,
                    subject: &subject,
                    snapshot,
                    outcome: outcome.take().unwrap(),
                    repaired: Vec::new(),
                    plan: reviewed.take(),
                    applied,
                    caller: &Caller::Function {
                        name: "f".to_owned(),
                        region: "eu-west-1".parse().unwrap(),
                    },
                    batch_role: None,
                }));
            }),
        ));
        let report = report.unwrap();
        costs.push(Cost::of(
            "render",
            measure(|| drop(text::render(&report, &AlertHistory::default()))),
        ));
        costs.push(Cost::of(
            "json",
            measure(|| drop(serde_json::to_string(&report).unwrap())),
        ));
    });
    costs.push(Cost::of("all", all));
    costs
}
