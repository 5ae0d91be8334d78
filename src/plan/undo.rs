//! Decides how to undo everything that this program did for a bucket: what is ours by name is removed, everything else
//! stays.
//!
//! Our policy in a role has a name of its own for each bucket, and a grant of ours is told by its name following from
//! all it gives, so what counts stands in the account. Which roles and keys earlier rules named does not: the command may
//! name them, and the records of changes do. What was not searched is said.
//!
//! KMS's own list of retirable grants
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html>, for the account's root, which all
//! our grants name) would find those on keys that nobody remembers. It is left to people: its permission cannot be
//! narrowed to any key, and it would have to be asked in every Region.

use std::collections::BTreeSet;

use crate::arn::{KeyArn, RoleArn};
use crate::assessment::{Assessment, answer_with, grants_of};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::requirement::Area;
use crate::snapshot::Snapshot;

use super::key_grant;
use super::our_policy::OurPolicy;
use super::review::{ReviewFailure, ReviewedPlan, review_removal};
use super::role_policy::policy_name;
use super::{Basis, Change, GrantRevocation, Plan, Planned, RolePolicyChange};

/// What is remembered of earlier changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// All that was changed since there is a ledger.
    Durable,
    /// What this process changed: there is no ledger.
    OfProcess,
    /// Nothing: the ledger could not be read.
    Unread,
}

impl Memory {
    /// Where earlier rules may have led that nobody remembers; a clause for people.
    pub fn gap(self) -> &'static str {
        match self {
            Self::Durable => {
                "roles and keys that rules named before there was a ledger, unless the command names them"
            }
            Self::OfProcess => {
                "roles and keys that earlier rules named, unless the command names them: there is no ledger that would \
                 remember them"
            }
            Self::Unread => {
                "roles and keys that earlier rules named, unless the command names them: the ledger, which remembers \
                 them, could not be read"
            }
        }
    }
}

/// Where was looked for what is ours.
#[derive(Debug, Default)]
struct Searched {
    /// Roles, with our policy for the bucket in each.
    roles: Vec<(RoleArn, Observed<NamedPolicy>)>,
    /// Keys, with the grants that a role has on each.
    keys: Vec<(KeyArn, RoleArn, Observed<Vec<Grant>>)>,
}

impl Searched {
    /// What the rules name, and what somebody remembers beside it.
    fn in_snapshot(snapshot: &Snapshot) -> Self {
        let mut searched = Self::of_rules(snapshot);
        let former = &snapshot.former;
        let roles = former.roles.iter();
        searched
            .roles
            .extend(roles.map(|role| (role.arn.clone(), role.policy.clone())));
        let keys = former.keys.iter();
        searched
            .keys
            .extend(keys.map(|key| (key.arn.clone(), key.grantee.clone(), key.grants.clone())));
        searched
    }

    fn of_rules(snapshot: &Snapshot) -> Self {
        let Some(role) = snapshot.role.found() else {
            return Self::default();
        };
        let name = policy_name(&snapshot.source.name);
        let ours = role.inline.policies.iter().find(|policy| policy.name == name);
        let policy = match (ours, role.inline.unread.first()) {
            (Some(policy), _) => Observed::Found(policy.clone()),
            (None, Some(failure)) => Observed::Unreadable(failure.clone()),
            (None, None) => Observed::Absent,
        };
        let keys = snapshot.keys.values().filter_map(|key| {
            Some((
                key.metadata.found()?.arn.clone(),
                role.arn.clone(),
                key.grants.clone(),
            ))
        });
        Self {
            roles: vec![(role.arn.clone(), policy)],
            keys: keys.collect(),
        }
    }
}

/// How everything is taken back, as far as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoPlan {
    /// The changes; all of them take something away.
    pub plan: ReviewedPlan,
    /// What will then no longer work, or go along: one sentence each.
    pub consequences: Vec<String>,
    /// Where was not looked, and why.
    pub not_searched: Vec<String>,
}

/// Plans to remove what is ours for the snapshot's source bucket. `assessments` are those of the snapshot.
///
/// # Errors
/// The plan failed its review, which is a mistake of this program.
pub fn undo_plan(
    snapshot: &Snapshot,
    assessments: &[Assessment],
    memory: Memory,
) -> Result<UndoPlan, ReviewFailure> {
    let searched = &Searched::in_snapshot(snapshot);
    let mut not_searched = always_missing(snapshot, memory);
    let mut consequences = Vec::new();
    let mut changes = Vec::new();
    policies(
        snapshot,
        searched,
        &mut changes,
        &mut consequences,
        &mut not_searched,
    );
    grants(snapshot, searched, &mut changes, &mut not_searched);
    changes.sort_by_key(|planned: &Planned| (planned.change.target(), planned.change.name().to_owned()));
    consequences.extend(losses(snapshot, assessments, &changes));
    let plan = Plan::new(&snapshot.source.name, changes, Vec::new(), None);
    Ok(UndoPlan {
        plan: review_removal(&snapshot.identity, &snapshot.source.name, plan)?,
        consequences,
        not_searched,
    })
}

fn always_missing(snapshot: &Snapshot, memory: Memory) -> Vec<String> {
    let mut missing = vec![memory.gap().to_owned()];
    missing.extend(snapshot.former.passed_over.iter().cloned());
    match &snapshot.replication {
        Observed::Found(_) => {}
        Observed::Absent => missing.push("the current rules: there are none".to_owned()),
        Observed::Unreadable(failure) => missing.push(format!(
            "the current rules: they could not be read ({})",
            failure.error_code.escape_debug()
        )),
    }
    missing
}

fn policies(
    snapshot: &Snapshot,
    searched: &Searched,
    changes: &mut Vec<Planned>,
    consequences: &mut Vec<String>,
    not_searched: &mut Vec<String>,
) {
    let name = policy_name(&snapshot.source.name);
    let mut seen = BTreeSet::new();
    for (role, policy) in &searched.roles {
        match policy {
            Observed::Found(policy) if seen.insert(role.name()) => {
                let source = snapshot.source.name.arn(role.partition());
                let ours = OurPolicy::read(&policy.document, &source);
                let is_theirs = !ours.foreign.is_empty() && ours.permissions.is_empty();
                if ours.is_foreign || is_theirs {
                    not_searched.push(format!(
                        "policy `{name}` of `{role}`: it has our name, and this program did not write what it says; it stays"
                    ));
                    continue;
                }
                // Somebody's denial among them would give access by going.
                let after = ours.with(&BTreeSet::new(), &source);
                if after.is_some() {
                    consequences.push(format!(
                        "policy `{name}` of `{role}` holds statements that this program did not write; they stay"
                    ));
                }
                changes.push(Planned {
                    change: Change::PutRolePolicy(RolePolicyChange {
                        role: role.clone(),
                        name: name.clone(),
                        before: Some(policy.document.clone()),
                        after,
                    }),
                    basis: Basis::Nothing,
                    meets: Vec::new(),
                });
            }
            Observed::Found(_) | Observed::Absent => {}
            Observed::Unreadable(failure) => not_searched.push(format!(
                "our policy in `{role}`: it could not be read ({})",
                failure.error_code.escape_debug()
            )),
        }
    }
}

fn grants(
    snapshot: &Snapshot,
    searched: &Searched,
    changes: &mut Vec<Planned>,
    not_searched: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for (key, grantee, grants) in &searched.keys {
        let grants = match grants {
            Observed::Found(grants) => grants,
            Observed::Absent => continue,
            Observed::Unreadable(failure) => {
                not_searched.push(format!(
                    "grants on `{key}`: they could not be read ({})",
                    failure.error_code.escape_debug()
                ));
                continue;
            }
        };
        for grant in grants {
            let is_ours = grant.key == *key
                && *key.account() == snapshot.identity.account
                && grant.grantee == grantee.to_string()
                && key_grant::is_ours(grant, &snapshot.source.name);
            if is_ours && seen.insert((key, grant.id.as_str())) {
                changes.push(Planned {
                    change: Change::RevokeGrant(Box::new(GrantRevocation {
                        again: key_grant::as_request(grant, grantee, &snapshot.identity),
                        grant: grant.clone(),
                    })),
                    basis: Basis::Nothing,
                    meets: Vec::new(),
                });
            }
        }
    }
}

/// What the rules need and have today, and will not have then.
fn losses(snapshot: &Snapshot, assessments: &[Assessment], changes: &[Planned]) -> Vec<String> {
    let Some(role) = snapshot.role.found() else {
        return Vec::new();
    };
    let mut identity = role.identity_policies();
    let mut revoked = BTreeSet::new();
    for planned in changes {
        match &planned.change {
            Change::PutRolePolicy(change) if change.role.name() == role.arn.name() => {
                identity.policies.retain(|policy| policy.name != change.name);
                let left = change.after.clone();
                identity
                    .policies
                    .extend(left.map(|document| NamedPolicy::new(change.name.clone(), document)));
            }
            Change::RevokeGrant(revocation) => {
                revoked.insert(revocation.grant.id.clone());
            }
            Change::PutRolePolicy(_) | Change::CreateGrant(_) => {}
        }
    }
    let mut losses = Vec::new();
    for assessment in assessments {
        let requirement = &assessment.requirement;
        let is_of_key = matches!(requirement.area, Area::SourceKey(_) | Area::ReplicaKey(_));
        if !assessment.answer.is_allowed() || !(is_of_key || requirement.necessity.is_certain_or_likely()) {
            continue;
        }
        let grants = grants_of(snapshot, &requirement.area)
            .into_owned()
            .map(|mut grants| {
                grants.retain(|grant| !revoked.contains(&grant.id));
                grants
            });
        let answer = answer_with(
            snapshot,
            role,
            &requirement.area,
            &requirement.request,
            &identity,
            &grants,
        );
        if !answer.is_allowed() {
            let rules: Vec<String> = requirement
                .rule_ids
                .iter()
                .map(|rule| format!("`{}`", rule.escape_debug()))
                .collect();
            let loss = format!(
                "rule {} will lack {} on `{}`",
                rules.join(", "),
                requirement.request.action,
                requirement.request.resource.escape_debug()
            );
            if !losses.contains(&loss) {
                losses.push(loss);
            }
        }
    }
    losses
}
