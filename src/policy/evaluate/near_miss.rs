//! Decides which Allow statements nearly apply, and how near they come.

use super::super::answer::{ArnPart, Layer, Mismatch, NearMiss};
use super::super::matching::{Notes, Reach};
use super::super::statement::Effect;
use super::reasons::{KEPT, policies, reference};
use super::{CallKind, Side, Sides};

pub(super) fn near_misses(sides: &Sides<'_>) -> Vec<NearMiss> {
    let mut near = Vec::new();
    for (layer, policy) in policies(sides) {
        if allows_already(sides, layer) {
            continue;
        }
        // Where the account is let in, a statement for someone else is not what is missing.
        let lets_account_in = layer == Layer::Resource && sides.resource.allows.account.truth.is_yes();
        for (index, statement) in policy.document.statements().iter().enumerate() {
            if statement.effect != Some(Effect::Allow) {
                continue;
            }
            let mut notes = Notes::default();
            let reach = statement.reach(&sides.subject, layer, Effect::Allow, Some(&mut notes));
            let for_others = notes
                .mismatches
                .iter()
                .any(|mismatch| matches!(mismatch, Mismatch::Principal { .. }));
            if reach.any().truth.is_no() && is_near(&notes.mismatches) && !(lets_account_in && for_others) {
                near.push(NearMiss {
                    statement: reference(layer, policy, index),
                    mismatches: notes.mismatches,
                });
            }
        }
    }
    near.sort_by_key(|miss| miss.mismatches.iter().map(distance).sum::<usize>());
    near.truncate(KEPT);
    near
}

/// A layer that allows the request is not where something is missing.
pub(in crate::policy) fn allows_already(sides: &Sides<'_>, layer: Layer) -> bool {
    let all = |levels: &[Side]| levels.iter().all(|side| side.allows.any().truth.is_yes());
    match layer {
        Layer::Identity => sides.identity.allows.any().truth.is_yes(),
        Layer::Boundary => sides.formula().boundary.truth.is_yes(),
        Layer::Resource => {
            let Reach {
                direct,
                role,
                account,
            } = sides.resource.allows;
            // In the own account, naming the account only leaves the decision to the role's policies.
            let account_suffices = sides.formula().kind == CallKind::CrossAccount && account.truth.is_yes();
            direct.or(role).truth.is_yes() || account_suffices
        }
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
    mismatches.len() == 1 || !about_other_action
}

/// How far a mismatch is from being none.
fn distance(mismatch: &Mismatch) -> usize {
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
