//! Decides which policies and grants of ours are revoked from roles and keys that the rules no longer name.
//!
//! They are revoked only where it is certain that the rules do not need them: these were read, and there are none, or they
//! name a role that is there and is another one. A missing role may be a typo, and the next put may name the former one
//! again. Records decide nothing: they say where to look, and what is found there counts if it is ours by name and by
//! form.

use crate::arn::KeyReference;
use crate::guard::{Guard, GuardSettings, Protected, Refusal, refusals};
use crate::observed::Observed;
use crate::policy::Grant;
use crate::snapshot::{FormerKey, FormerRole, Role, Snapshot};

use super::keep::is_named;
use super::key_grant;
use super::our_policy::OurPolicy;
use super::role_policy::{KeyContext, Permission, policy_name};
use super::{Basis, Change, GrantRevocation, Planned, RolePolicyChange, Withheld};

/// Which role the rules need; none where it is not certain.
enum Needed<'a> {
    Nobody,
    Only(&'a Role),
}

impl<'a> Needed<'a> {
    fn by_rules(snapshot: &'a Snapshot) -> Option<Self> {
        match (&snapshot.replication, &snapshot.role) {
            (Observed::Absent, _) => Some(Self::Nobody),
            (Observed::Found(replication), Observed::Found(role)) if replication.role == role.arn => {
                Some(Self::Only(role))
            }
            (Observed::Found(_) | Observed::Unreadable(_), _) => None,
        }
    }
}

/// What goes, and what would go if it might.
pub(super) fn removals(
    snapshot: &Snapshot,
    settings: &GuardSettings,
    against_taking: &[Refusal],
) -> (Vec<Planned>, Vec<Withheld>) {
    let mut changes = Vec::new();
    let mut withheld = Vec::new();
    let Some(needed) = Needed::by_rules(snapshot) else {
        return (changes, withheld);
    };
    let ask = |subject| refusals(subject, snapshot, settings);
    let mut against_all = ask(Protected::Source);
    against_all.extend_from_slice(against_taking);
    let policies = snapshot.former.roles.iter().filter_map(|role| {
        let (planned, mut refused) = policy(role, snapshot)?;
        refused.extend(ask(Protected::FormerRole(role)));
        Some((planned, refused))
    });
    let grants = snapshot.former.keys.iter().flat_map(|key| {
        let refused = ask(Protected::FormerKey(key));
        superfluous(key, &needed, snapshot, settings)
            .map(move |grant| (revocation(key, grant, snapshot), refused.clone()))
    });
    for (planned, mut refused) in policies.chain(grants) {
        refused.extend(against_all.iter().cloned());
        if refused.is_empty() {
            changes.push(planned);
        } else {
            withheld.push(Withheld {
                change: planned.change,
                refusals: refused,
                meets: Vec::new(),
            });
        }
    }
    (changes, withheld)
}

/// The end of our policy in a role, and what stands in its own text against it. None where nothing there is ours.
fn policy(role: &FormerRole, snapshot: &Snapshot) -> Option<(Planned, Vec<Refusal>)> {
    let (Observed::Found(policy), Observed::Found(record)) = (&role.policy, &role.record) else {
        return None;
    };
    let source = snapshot.source.name.arn(record.arn.partition());
    let ours = OurPolicy::read(&policy.document, &source);
    if ours.permissions.is_empty() && !ours.is_foreign {
        return None;
    }
    let mut refused = Vec::new();
    if ours.is_foreign || !ours.foreign.is_empty() {
        refused.push(Refusal::unless(
            Guard::PolicyEdited,
            format!("our policy `{}` in `{}` was edited by someone else", policy.name, record.arn),
            "move what was written into it to a policy of another name, or take back ours with the command `undo`",
        ));
    }
    let change = RolePolicyChange {
        role: record.arn.clone(),
        name: policy_name(&snapshot.source.name),
        before: Some(policy.document.clone()),
        after: None,
    };
    let planned = Planned {
        change: Change::PutRolePolicy(change),
        basis: Basis::Role(record.clone()),
        meets: Vec::new(),
    };
    Some((planned, refused))
}

fn superfluous<'s>(
    key: &'s FormerKey,
    needed: &Needed<'s>,
    snapshot: &'s Snapshot,
    settings: &'s GuardSettings,
) -> impl Iterator<Item = &'s Grant> + use<'s> {
    let role = match needed {
        Needed::Only(role) if role.arn == key.grantee => Some(*role),
        Needed::Only(_) | Needed::Nobody => None,
    };
    key.grants
        .found()
        .into_iter()
        .flatten()
        .filter(|grant| {
            grant.key == key.arn
                && grant.grantee == key.grantee.to_string()
                && key_grant::is_ours(grant, &snapshot.source.name)
        })
        .filter(move |grant| role.is_none_or(|role| !may_be_named(grant, role, snapshot, settings)))
}

/// Might a rule need the grant, for all that is known?
pub(super) fn may_be_named(
    grant: &Grant,
    role: &Role,
    snapshot: &Snapshot,
    settings: &GuardSettings,
) -> bool {
    let Observed::Found(replication) = &snapshot.replication else {
        return true;
    };
    // A key under an alias that leads nowhere today may be any key, and may be meant for any destination.
    let leads_nowhere = |alias: &KeyReference| {
        matches!(alias, KeyReference::Alias(_))
            && snapshot
                .key(alias)
                .is_none_or(|key| key.metadata.found().is_none())
    };
    if replication
        .rules
        .iter()
        .filter_map(|rule| rule.replica_key().ok().flatten())
        .any(|key| leads_nowhere(&key))
    {
        return true;
    }
    let partition = role.arn.partition();
    let context = grant.constraints.equals.clone().unwrap_or_default();
    let bound_to = key_grant::bound_to(&context, partition);
    std::iter::once(&snapshot.source.name)
        .chain(replication.rules.iter().map(|rule| &rule.destination))
        .map(|bucket| bucket.arn(partition))
        .filter(|bucket| bound_to.is_none_or(|bound_to| bound_to == bucket))
        .map(|bucket| Permission {
            resource: grant.key.to_string(),
            context: Some(KeyContext {
                via_service: String::new(),
                arn: bucket,
            }),
            action: String::new(),
        })
        .any(|given| {
            replication
                .rules
                .iter()
                .any(|rule| is_named(&given, rule, snapshot, settings))
        })
}

fn revocation(key: &FormerKey, grant: &Grant, snapshot: &Snapshot) -> Planned {
    Planned {
        change: Change::RevokeGrant(Box::new(GrantRevocation {
            again: key_grant::as_request(grant, &key.grantee, &snapshot.identity),
            grant: grant.clone(),
        })),
        basis: Basis::Nothing,
        meets: Vec::new(),
    }
}
