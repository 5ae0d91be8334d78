//! Decides whether revocations from roles and keys that the rules do not name are allowed; this code did not choose
//! them.
//!
//! Every change must take away the whole of something that is ours by name and by form, that stands in our account as the
//! plan says, and that the rules do not name.

use crate::arn::{KeyReference, RoleArn};
use crate::guard::{GuardSettings, Protected, refusals};
use crate::observed::Observed;
use crate::plan::key_grant;
use crate::plan::role_policy::policy_name;
use crate::plan::{Basis, Change, GrantRevocation, Plan, Planned, RolePolicyChange};
use crate::snapshot::{FormerKey, FormerRole, Rule, Snapshot};

use super::{Fault, Objection, form};

/// What a plan does to the role and the keys of the rules, and what it does to others.
pub(super) fn apart<'p>(plan: &'p Plan, snapshot: &Snapshot) -> (Plan, Vec<&'p Planned>) {
    let role = snapshot.role.found().map(|role| &role.arn);
    let (removals, of_rules): (Vec<&Planned>, Vec<&Planned>) =
        plan.changes.iter().partition(|planned| match &planned.change {
            Change::PutRolePolicy(change) => change.after.is_none() && Some(&change.role) != role,
            Change::RevokeGrant(revocation) => key_of(revocation, snapshot).is_some(),
            Change::CreateGrant(_) => false,
        });
    let of_rules = Plan {
        changes: of_rules.into_iter().cloned().collect(),
        ..plan.clone()
    };
    (of_rules, removals)
}

/// Where the grant was seen beside the rules.
fn key_of<'s>(revocation: &GrantRevocation, snapshot: &'s Snapshot) -> Option<&'s FormerKey> {
    snapshot.former.keys.iter().find(|key| {
        key.grants
            .found()
            .is_some_and(|grants| grants.contains(&revocation.grant))
    })
}

pub(super) fn review(
    removals: &[&Planned],
    snapshot: &Snapshot,
    settings: &GuardSettings,
    objections: &mut Vec<Objection>,
) {
    if removals.is_empty() {
        return;
    }
    let mut refused = refusals(Protected::Source, snapshot, settings);
    refused.extend(refusals(Protected::Rules, snapshot, settings));
    for planned in removals {
        match &planned.change {
            Change::PutRolePolicy(change) => {
                let roles = &snapshot.former.roles;
                let role = roles.iter().find(|role| holds(role, change, &planned.basis));
                match role {
                    Some(role) => refused.extend(refusals(Protected::FormerRole(role), snapshot, settings)),
                    None => objections.push(Objection::new(
                        Fault::Basis,
                        format!("`{}` is not as the plan says", change.role),
                    )),
                }
                policy(change, snapshot, objections);
            }
            Change::RevokeGrant(revocation) => {
                if let Some(key) = key_of(revocation, snapshot) {
                    refused.extend(refusals(Protected::FormerKey(key), snapshot, settings));
                    grant(revocation, key, snapshot, settings, objections);
                }
            }
            Change::CreateGrant(_) => {}
        }
    }
    objections.extend(refused.into_iter().map(super::objection));
}

fn holds(role: &FormerRole, change: &RolePolicyChange, basis: &Basis) -> bool {
    let document = role.policy.found().map(|policy| &policy.document);
    role.record
        .found()
        .is_some_and(|record| record.arn == change.role && *basis == Basis::Role(record.clone()))
        && document.is_some()
        && document == change.before.as_ref()
}

fn policy(change: &RolePolicyChange, snapshot: &Snapshot, objections: &mut Vec<Objection>) {
    let is_own = *change.role.account() == snapshot.identity.account;
    if !is_own || change.name != policy_name(&snapshot.source.name) {
        objections.push(Objection::new(
            Fault::NotOurs,
            format!("policy `{}` of `{}` is not ours", change.name, change.role),
        ));
    }
    for statement in form::statements(change.before.as_ref()) {
        if let Err(reason) = form::statement(&statement) {
            let detail = format!("a statement goes that {reason}, so that it is not ours");
            objections.push(Objection::new(Fault::NotOurs, detail));
        }
    }
    if needs(snapshot, &change.role) {
        let detail = format!("the rules name `{}`, or may do so", change.role);
        objections.push(Objection::new(Fault::Lost, detail));
    }
}

/// Do the rules need the role, for all that is known?
fn needs(snapshot: &Snapshot, role: &RoleArn) -> bool {
    match &snapshot.replication {
        Observed::Absent => false,
        Observed::Unreadable(_) => true,
        // IAM knows a role by its name alone.
        Observed::Found(replication) => {
            snapshot.role.found().is_none() || replication.role.name() == role.name()
        }
    }
}

fn leads_to_strangers(rule: &Rule, snapshot: &Snapshot, settings: &GuardSettings) -> bool {
    let destination = snapshot.destination(&rule.destination).and_then(Observed::found);
    destination.is_some_and(|bucket| bucket.owner.found().is_some())
        && !refusals(Protected::Destination(&rule.destination), snapshot, settings).is_empty()
}

fn grant(
    revocation: &GrantRevocation,
    key: &FormerKey,
    snapshot: &Snapshot,
    settings: &GuardSettings,
    objections: &mut Vec<Objection>,
) {
    let grant = &revocation.grant;
    let is_ours = key_grant::is_ours(grant, &snapshot.source.name)
        && grant.key == key.arn
        && grant.grantee == key.grantee.to_string()
        && *key.arn.account() == snapshot.identity.account;
    if !is_ours {
        objections.push(Objection::new(
            Fault::NotOurs,
            format!("grant `{}` is not ours", grant.id),
        ));
    }
    let Observed::Found(replication) = &snapshot.replication else {
        if !snapshot.replication.is_absent() {
            objections.push(Objection::new(Fault::Lost, "the rules are not known"));
        }
        return;
    };
    if !needs(snapshot, &key.grantee) {
        return;
    }
    // The role of the rules: only what no rule could use may go. Source objects may be under any key.
    let serves_replicas_alone = revocation
        .again
        .context_equals
        .values()
        .all(|arn| *arn != snapshot.source.name.arn(key.grantee.partition()))
        && !revocation.again.context_equals.is_empty();
    let counts = |rule: &&Rule| rule.sse_kms_objects && !leads_to_strangers(rule, snapshot, settings);
    let replicates_kms = replication.rules.iter().any(|rule| counts(&rule));
    let may_be_named = replication
        .rules
        .iter()
        .filter(counts)
        .any(|rule| match rule.replica_key() {
            Ok(Some(KeyReference::Key(named))) => named == key.arn,
            Ok(Some(alias @ KeyReference::Alias(_))) => snapshot
                .key(&alias)
                .and_then(|named| named.metadata.found())
                .is_none_or(|named| named.arn == key.arn),
            Ok(None) | Err(_) => false,
        });
    if may_be_named || (replicates_kms && !serves_replicas_alone) {
        let detail = format!("a rule may need the grant on `{}`", key.arn);
        objections.push(Objection::new(Fault::Lost, detail));
    }
}
