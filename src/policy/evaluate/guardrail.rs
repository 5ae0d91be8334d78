//! Decides what stood in the way of an access that would otherwise be granted.
//!
//! The guardrails are those of <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use crate::observed::Observed;

use super::super::answer::Guardrail;
use super::super::matching::Reach;
use super::super::statement::Effect;
use super::super::truth::Judged;
use super::reasons::{KEPT, reference};
use super::{CallKind, Formula, Side, Sides};

/// A guardrail is named if removing all the others leaves it in the way of an access that would be granted without any.
pub(super) fn blocked_by(sides: &Sides<'_>) -> Vec<Guardrail> {
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
        ..formula
    };
    if !open.granted().truth.is_yes() {
        return Vec::new();
    }
    let mut blocked_by: Vec<Guardrail> = sides
        .hits
        .iter()
        .filter(|hit| hit.effect == Effect::Deny && hit.reach.any().truth.is_yes())
        .take(KEPT)
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
