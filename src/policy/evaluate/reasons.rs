//! Decides what of an evaluation is worth telling: which statements decided, which nearly did, what stood in the way.
//!
//! The words follow <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>. Nothing here has
//! a say in the verdict; it is worked out first, and a plain "allowed" costs no second look at the statements.

use crate::observed::Observed;

use super::super::answer::{
    AbsentKey, Answer, Doubt, DoubtReason, Guardrail, Layer, LayerAnswers, Mismatch, NearMiss, StatementRef,
    Verdict,
};
use super::super::layers::{NamedPolicy, PolicySet};
use super::super::matching::{Notes, Reach};
use super::super::statement::Effect;
use super::super::truth::{Judged, Truth};
use super::{CallKind, Formula, Hit, Outcome, Side, Sides, verdict};

pub(super) fn answer(sides: &Sides<'_>, outcome: Outcome) -> Answer {
    let Outcome { verdict, blind } = outcome;
    let mut answer = Answer {
        verdict,
        layers: layer_answers(sides),
        deciding: deciding(sides, verdict),
        near_misses: Vec::new(),
        blocked_by: Vec::new(),
        doubts: Vec::new(),
        absent_keys: Vec::new(),
    };
    if verdict != blind {
        answer.absent_keys = absent_keys(sides);
    }
    if verdict != Verdict::Allowed {
        answer.blocked_by = blocked_by(sides);
        answer.near_misses = near_misses(sides);
    }
    if verdict == Verdict::Undetermined {
        answer.doubts = doubts(sides);
    }
    answer
}

fn layer_answers(sides: &Sides<'_>) -> LayerAnswers {
    let of = |side: &Side| verdict(side.denies.truth, side.allows.any().truth);
    let of_levels = |levels: &[Side]| {
        let denies = levels.iter().fold(Judged::NO, |any, side| any.or(side.denies));
        let allows = levels
            .iter()
            .fold(Judged::YES, |all, side| all.and(side.allows.any()));
        (!levels.is_empty()).then(|| verdict(denies.truth, allows.truth))
    };
    let is_service = sides.formula().kind == CallKind::Service;
    LayerAnswers {
        identity: (!is_service).then(|| of(&sides.identity)),
        boundary: sides.boundary.as_ref().map(of),
        resource: (!sides.layers.resource.is_absent()).then(|| of(&sides.resource)),
        levels: sides.levels(),
        scps: of_levels(&sides.scps),
        rcps: of_levels(&sides.rcps),
        grants: (!sides.layers.grants.is_absent()).then(|| verdict(Truth::No, sides.grants.truth)),
    }
}

pub(in crate::policy) fn reference(layer: Layer, policy: &NamedPolicy, index: usize) -> StatementRef {
    StatementRef {
        layer,
        policy: policy.name.clone(),
        sid: policy
            .document
            .statements()
            .get(index)
            .and_then(|statement| statement.sid.clone()),
        index,
    }
}

fn deciding(sides: &Sides<'_>, verdict: Verdict) -> Vec<StatementRef> {
    let effect = match verdict {
        Verdict::ExplicitlyDenied => Effect::Deny,
        Verdict::Allowed => Effect::Allow,
        Verdict::ImplicitlyDenied | Verdict::Undetermined => return Vec::new(),
    };
    // What every organisation has, `FullAWSAccess`, decides nothing.
    let matters = |hit: &&Hit<'_>| {
        let by_guardrail = matches!(hit.layer, Layer::Scp | Layer::Rcp);
        hit.effect == effect
            && hit.reach.any().truth.is_yes()
            && (effect == Effect::Deny || !by_guardrail)
            && (effect == Effect::Deny || contributes(sides, hit))
    };
    let mut deciding: Vec<StatementRef> = sides
        .hits
        .iter()
        .filter(matters)
        .map(|hit| reference(hit.layer, hit.policy, hit.index))
        .collect();
    if effect == Effect::Allow
        && let Observed::Found(grants) = sides.layers.grants
        && sides.grants.truth.is_yes()
    {
        for (index, grant) in grants.iter().enumerate() {
            if grant.fits(&sides.subject).0.is_yes() {
                deciding.push(StatementRef {
                    layer: Layer::Grant,
                    policy: grant.name.clone().unwrap_or_else(|| grant.id.clone()),
                    sid: None,
                    index,
                });
            }
        }
    }
    deciding
}

/// Does a statement of this layer take part in what allows the request?
fn contributes(sides: &Sides<'_>, hit: &Hit<'_>) -> bool {
    let formula = sides.formula();
    let without = match hit.layer {
        Layer::Identity => Formula {
            resource: Reach {
                direct: Judged::NO,
                role: Judged::NO,
                ..formula.resource
            },
            grants: Judged::NO,
            ..formula
        },
        Layer::Boundary => Formula {
            resource: Reach {
                direct: Judged::NO,
                ..formula.resource
            },
            grants: Judged::NO,
            ..formula
        },
        // A key policy always has its say; a bucket policy that names the own account has none.
        Layer::Resource => {
            let by_itself = hit.reach.direct.or(hit.reach.role).truth.is_yes();
            let account_counts = formula.kind
                != CallKind::SameAccount {
                    needs_delegation: false,
                };
            return by_itself || (account_counts && formula.identity.truth.is_yes());
        }
        Layer::Scp | Layer::Rcp | Layer::Grant => return false,
    };
    without.granted().truth.is_yes()
        || (formula.kind == CallKind::CrossAccount && formula.granted().truth.is_yes())
}

/// A guardrail is named if removing all the others leaves it in the way of an access that would be granted without any.
fn blocked_by(sides: &Sides<'_>) -> Vec<Guardrail> {
    let formula = sides.formula();
    let delegated = Reach {
        account: Judged::YES,
        ..formula.resource
    };
    let delegation_is_a_guardrail = formula.kind
        == CallKind::SameAccount {
            needs_delegation: true,
        };
    let open = Formula {
        boundary: Judged::YES,
        resource: if delegation_is_a_guardrail {
            delegated
        } else {
            formula.resource
        },
        scps: Judged::YES,
        rcps: Judged::YES,
        denies: Judged::NO,
        ..formula
    };
    if !open.granted().truth.is_yes() {
        return Vec::new();
    }
    let mut blocked_by: Vec<Guardrail> = sides
        .hits
        .iter()
        .filter(|hit| hit.effect == Effect::Deny && hit.reach.any().truth.is_yes())
        .map(|hit| Guardrail::ExplicitDeny(reference(hit.layer, hit.policy, hit.index)))
        .collect();
    let blocks = |formula: Formula| formula.granted().truth.is_no();
    if let Observed::Found(policy) = sides.layers.boundary
        && blocks(Formula {
            boundary: formula.boundary,
            ..open
        })
    {
        blocked_by.push(Guardrail::Boundary {
            policy: policy.name.clone(),
        });
    }
    let silent = |side: &Side| side.allows.any().truth.is_no();
    for (level, side) in sides.layers.scps.iter().zip(&sides.scps) {
        if silent(side) {
            blocked_by.push(Guardrail::Scp {
                level: level.name.clone(),
            });
        }
    }
    for (level, side) in sides.layers.rcps.iter().zip(&sides.rcps) {
        if silent(side) {
            blocked_by.push(Guardrail::Rcp {
                level: level.name.clone(),
            });
        }
    }
    if delegation_is_a_guardrail
        && sides.subject.is_service("kms")
        && blocks(Formula {
            resource: formula.resource,
            ..open
        })
    {
        blocked_by.push(Guardrail::KeyPolicyWithoutDelegation);
    }
    blocked_by
}

/// Everything that was read and has a say, with its kind.
pub(in crate::policy) fn policies<'a>(sides: &Sides<'a>) -> Vec<(Layer, &'a NamedPolicy)> {
    let mut policies = Vec::new();
    let is_service = sides.formula().kind == CallKind::Service;
    if !is_service {
        let set: &'a PolicySet = sides.layers.identity;
        policies.extend(set.policies.iter().map(|policy| (Layer::Identity, policy)));
        policies.extend(
            sides
                .layers
                .boundary
                .found()
                .map(|policy| (Layer::Boundary, policy)),
        );
    }
    policies.extend(
        sides
            .layers
            .resource
            .found()
            .map(|policy| (Layer::Resource, policy)),
    );
    let levels = [
        (Layer::Scp, sides.layers.scps, &sides.scps),
        (Layer::Rcp, sides.layers.rcps, &sides.rcps),
    ];
    for (layer, levels, applied) in levels {
        // Where levels do not apply to the caller, there is no side of any.
        for (level, _) in levels.iter().zip(applied) {
            policies.extend(level.policies.policies.iter().map(|policy| (layer, policy)));
        }
    }
    policies
}

fn near_misses(sides: &Sides<'_>) -> Vec<NearMiss> {
    let mut near = Vec::new();
    for (layer, policy) in policies(sides) {
        if allows_already(sides, layer) {
            continue;
        }
        for (index, statement) in policy.document.statements().iter().enumerate() {
            if statement.effect != Some(Effect::Allow) {
                continue;
            }
            let mut notes = Notes::default();
            let reach = statement.reach(&sides.subject, layer, Effect::Allow, Some(&mut notes));
            if reach.any().truth.is_no() && is_near(&notes.mismatches) {
                near.push(NearMiss {
                    statement: reference(layer, policy, index),
                    mismatches: notes.mismatches,
                });
            }
        }
    }
    near.sort_by_key(|miss| miss.mismatches.iter().map(distance).sum::<usize>());
    near
}

/// A layer that allows the request is not where something is missing.
pub(in crate::policy) fn allows_already(sides: &Sides<'_>, layer: Layer) -> bool {
    let all = |levels: &[Side]| levels.iter().all(|side| side.allows.any().truth.is_yes());
    match layer {
        Layer::Identity => sides.identity.allows.any().truth.is_yes(),
        Layer::Boundary => sides.formula().boundary.truth.is_yes(),
        Layer::Resource => sides.resource.allows.any().truth.is_yes(),
        Layer::Scp => all(&sides.scps),
        Layer::Rcp => all(&sides.rcps),
        Layer::Grant => false,
    }
}

/// One thing amiss is near, and so is a wrong condition on a right action; a statement about something else is not.
fn is_near(mismatches: &[Mismatch]) -> bool {
    let about_other_action = mismatches.iter().any(|mismatch| {
        matches!(
            mismatch,
            Mismatch::Action { .. } | Mismatch::ActionExcepted { .. }
        )
    });
    match mismatches {
        [] => false,
        [_] => true,
        _ => !about_other_action,
    }
}

/// How far a mismatch is from being none.
fn distance(mismatch: &Mismatch) -> usize {
    use super::super::answer::ArnPart;
    match mismatch {
        Mismatch::ConditionValue { .. }
        | Mismatch::ConditionKeyAbsent { .. }
        | Mismatch::ConditionKeyPresent { .. } => 1,
        Mismatch::PrincipalExcepted { .. }
        | Mismatch::ActionExcepted { .. }
        | Mismatch::ResourceExcepted { .. } => 2,
        Mismatch::Resource { part, .. } => match part {
            ArnPart::Resource => 2,
            ArnPart::Account | ArnPart::Region => 3,
            ArnPart::Service | ArnPart::Partition | ArnPart::Whole => 6,
        },
        Mismatch::Principal { .. } => 4,
        Mismatch::Action { .. } => 5,
    }
}

fn absent_keys(sides: &Sides<'_>) -> Vec<AbsentKey> {
    let mut absent = Vec::new();
    for hit in &sides.hits {
        let reach = hit.reach.any();
        if reach.truth == reach.blind {
            continue;
        }
        let Some(statement) = hit.policy.document.statements().get(hit.index) else {
            continue;
        };
        let mut notes = Notes::default();
        let _ = statement.reach(&sides.subject, hit.layer, hit.effect, Some(&mut notes));
        absent.extend(notes.absent.into_iter().map(|key| AbsentKey {
            key,
            statement: reference(hit.layer, hit.policy, hit.index),
        }));
    }
    absent.sort();
    absent.dedup();
    absent
}

fn doubts(sides: &Sides<'_>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let is_service = sides.formula().kind == CallKind::Service;
    let mut unread = |layer, failure: &crate::observed::ReadFailure| {
        doubts.push(Doubt {
            layer,
            statement: None,
            reason: DoubtReason::Unread(failure.clone()),
        });
    };
    if !is_service {
        sides
            .layers
            .identity
            .unread
            .iter()
            .for_each(|failure| unread(Layer::Identity, failure));
        if let Some(failure) = sides.layers.boundary.failure() {
            unread(Layer::Boundary, failure);
        }
    }
    if let Some(failure) = sides.layers.resource.failure() {
        unread(Layer::Resource, failure);
    }
    for (layer, levels, applied) in [
        (Layer::Scp, sides.layers.scps, &sides.scps),
        (Layer::Rcp, sides.layers.rcps, &sides.rcps),
    ] {
        for (level, _) in levels.iter().zip(applied) {
            level
                .policies
                .unread
                .iter()
                .for_each(|failure| unread(layer, failure));
        }
    }
    if let Some(failure) = sides.layers.grants.failure()
        && sides.subject.is_service("kms")
    {
        unread(Layer::Grant, failure);
    }
    for hit in &sides.hits {
        if !hit.reach.any().truth.is_unknown() {
            continue;
        }
        let Some(statement) = hit.policy.document.statements().get(hit.index) else {
            continue;
        };
        let mut notes = Notes::default();
        let _ = statement.reach(&sides.subject, hit.layer, hit.effect, Some(&mut notes));
        let statement = reference(hit.layer, hit.policy, hit.index);
        for reason in notes.doubts {
            let doubt = Doubt {
                layer: hit.layer,
                statement: Some(statement.clone()),
                reason,
            };
            if !doubts.contains(&doubt) {
                doubts.push(doubt);
            }
        }
    }
    doubts.extend(grant_doubts(sides));
    doubts
}

fn grant_doubts(sides: &Sides<'_>) -> Vec<Doubt> {
    if !sides.subject.is_service("kms") {
        return Vec::new();
    }
    let grants = sides.layers.grants.found().map_or(&[][..], Vec::as_slice);
    let against_boundary = sides.formula().boundary.truth;
    grants
        .iter()
        .enumerate()
        .filter_map(|(index, grant)| {
            let reason = match grant.fits(&sides.subject) {
                (_, Some(reason)) => reason,
                (Truth::Yes, None) if !against_boundary.is_yes() => DoubtReason::GrantAgainstBoundary,
                (_, None) => return None,
            };
            Some(Doubt {
                layer: Layer::Grant,
                statement: Some(StatementRef {
                    layer: Layer::Grant,
                    policy: grant.name.clone().unwrap_or_else(|| grant.id.clone()),
                    sid: None,
                    index,
                }),
                reason,
            })
        })
        .collect()
}
