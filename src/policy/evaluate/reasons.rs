//! Decides what of an evaluation is worth telling: which statements decided, which nearly did, what stood in the way.
//!
//! The words follow <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>. Nothing here has
//! a say in the decision; it is worked out first, and a plain "allowed" costs no second look at the statements.

use crate::observed::Observed;

use super::super::answer::{Answer, Decision, Layer, LayerAnswers, NearMiss, StatementRef};
use super::super::layers::{NamedPolicy, PolicySet};
use super::super::matching::Reach;
use super::super::statement::Effect;
use super::super::truth::{Judged, Truth};
use super::doubt::{absent_keys, doubts};
use super::guardrail::blocked_by;
use super::near_miss::near_misses;
use super::{CallKind, DecisionPair, Formula, Hit, Side, Sides, combined};

/// How many of each kind are kept: what the next would explain, these explain already. A role and a bucket may have
/// thousands of statements, and a bucket a thousand rules.
pub(super) const KEPT: usize = 32;

pub(super) fn answer(sides: &Sides<'_>, outcome: DecisionPair) -> Answer {
    let DecisionPair { decision, blind } = outcome;
    let mut answer = Answer {
        decision,
        layers: layer_answers(sides),
        deciding: deciding(sides, decision),
        near_misses: Vec::new(),
        blocked_by: Vec::new(),
        doubts: Vec::new(),
        absent_keys: Vec::new(),
    };
    if decision != blind {
        answer.absent_keys = absent_keys(sides);
    }
    if decision != Decision::Allowed {
        answer.blocked_by = blocked_by(sides);
    }
    if decision == Decision::Undetermined {
        answer.doubts = doubts(sides);
    }
    answer
}

/// What nearly allowed the request, where it is not allowed.
pub(super) fn near(sides: &Sides<'_>, decision: Decision) -> Vec<NearMiss> {
    match decision {
        Decision::Allowed => Vec::new(),
        Decision::ExplicitlyDenied | Decision::ImplicitlyDenied | Decision::Undetermined => {
            near_misses(sides)
        }
    }
}

fn layer_answers(sides: &Sides<'_>) -> LayerAnswers {
    let of = |side: &Side| combined(side.denies.truth, side.allows.any().truth);
    let of_levels = |levels: &[Side]| {
        let denies = levels.iter().fold(Judged::NO, |any, side| any.or(side.denies));
        let allows = levels
            .iter()
            .fold(Judged::YES, |all, side| all.and(side.allows.any()));
        (!levels.is_empty()).then(|| combined(denies.truth, allows.truth))
    };
    let is_service = sides.formula().kind == CallKind::Service;
    LayerAnswers {
        identity: (!is_service).then(|| of(&sides.identity)),
        boundary: sides.boundary.as_ref().map(of),
        resource: (!sides.layers.resource.is_absent()).then(|| of(&sides.resource)),
        levels: sides.levels(),
        scps: of_levels(&sides.scps),
        rcps: of_levels(&sides.rcps),
        grants: (!sides.layers.grants.is_absent()).then(|| combined(Truth::No, sides.grants.truth)),
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

fn deciding(sides: &Sides<'_>, decision: Decision) -> Vec<StatementRef> {
    let effect = match decision {
        Decision::ExplicitlyDenied => Effect::Deny,
        Decision::Allowed => Effect::Allow,
        Decision::ImplicitlyDenied | Decision::Undetermined => return Vec::new(),
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
        .take(KEPT)
        .map(|hit| reference(hit.layer, hit.policy, hit.index))
        .collect();
    if effect == Effect::Allow
        && let Observed::Found(grants) = sides.layers.grants
        && sides.grants.truth.is_yes()
    {
        for (index, grant) in grants.iter().enumerate() {
            if deciding.len() < KEPT && grant.fits(&sides.subject).0.is_yes() {
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
