//! Decides what is offered: the plan, if it passes its review, or else only its additions.
//!
//! The review is code of its own, and may see a use where the planner sees none. Then nothing is removed, and the
//! report says what the two disagree about; what the rules need is granted all the same. So planting something odd in a
//! role or on a key prevents no repair.

use crate::assessment::Assessment;
use crate::guard::{Guard, GuardSettings, Refusal};
use crate::snapshot::Snapshot;

use super::review::{ReviewFailure, ReviewedPlan, review};
use super::{plan, plan_unless};

/// What may be offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The plan.
    pub plan: ReviewedPlan,
    /// What the review had against the plan that takes away as well. A mistake of this program.
    pub disputed: Option<ReviewFailure>,
}

/// Plans for a snapshot, and has the plan reviewed. `assessments` are those of the snapshot.
///
/// # Errors
/// Not even what only gives passed its review.
pub fn offer(
    snapshot: &Snapshot,
    assessments: &[Assessment],
    settings: &GuardSettings,
) -> Result<Offer, ReviewFailure> {
    let made = plan(snapshot, assessments, settings);
    let failure = match review(snapshot, assessments, made, settings) {
        Ok(plan) => return Ok(Offer { plan, disputed: None }),
        Err(failure) => failure,
    };
    let disputed = Refusal::unless(
        Guard::RemovalDisputed,
        failure.to_string(),
        "look whether a rule may need it; if not, take it away by hand, or all that is ours with the command `undo`",
    );
    let cautious = plan_unless(&[disputed], snapshot, assessments, settings);
    match review(snapshot, assessments, cautious, settings) {
        Ok(plan) => Ok(Offer {
            plan,
            disputed: Some(failure),
        }),
        // The first objections are about what was meant.
        Err(_) => Err(failure),
    }
}
