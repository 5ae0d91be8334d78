//! Decides what a plan does to the requirements: those that it claims must be met, and none that is met may be lost.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::json;

use super::{Fault, Objection, Reviewer};
use crate::assessment::{Assessment, Repair, answer_with, grants_of};
use crate::observed::Observed;
use crate::plan::key_grant;
use crate::plan::{Change, Plan, Slot, slot};
use crate::policy::{Decision, Grant, NamedPolicy, PolicyDocument, PolicySet};
use crate::requirement::{Area, Necessity, Requirement};

pub(super) fn of(plan: &Plan, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let after = After::new(plan, reviewer);
    let mut withheld: BTreeMap<Slot<'_>, Vec<&Requirement>> = BTreeMap::new();
    for requirement in plan.withheld.iter().flat_map(|withheld| &withheld.meets) {
        withheld.entry(slot(requirement)).or_default().push(requirement);
    }
    let mut assessed: BTreeMap<Slot<'_>, Vec<&Assessment>> = BTreeMap::new();
    for assessment in reviewer.assessments.iter().filter(|_| !plan.changes.is_empty()) {
        let slot = slot(&assessment.requirement);
        assessed.entry(slot).or_default().push(assessment);
    }
    for requirement in plan.changes.iter().flat_map(|planned| &planned.meets) {
        let of_slot = assessed.get(&slot(requirement)).map_or(&[][..], Vec::as_slice);
        let assessment = of_slot.iter().find(|one| one.requirement == *requirement);
        after.claim(requirement, assessment.copied(), objections);
    }
    for assessment in reviewer.assessments {
        let requirement = &assessment.requirement;
        let decision = if after.is_affected(requirement) {
            after.decision(requirement, &after.identity)
        } else {
            assessment.answer.decision
        };
        let stops =
            assessment.answer.is_allowed() && decision != Decision::Allowed && reviewer.matters(requirement);
        if stops {
            objections.push(Objection::new(
                Fault::Lost,
                format!("{} would stop working", shown(requirement)),
            ));
        }
        let could_be_repaired = assessment.is_denied()
            && requirement.necessity == Necessity::Required
            && match assessment.repair {
                Repair::RolePolicy | Repair::ConstrainedGrant | Repair::UnconstrainedGrant => true,
                Repair::None | Repair::Person(_) => false,
            };
        let is_withheld = || {
            let slot = withheld.get(&slot(requirement));
            slot.is_some_and(|withheld| withheld.contains(&requirement))
        };
        if could_be_repaired && !after.is_met(requirement, decision) && !is_withheld() {
            objections.push(Objection::new(
                Fault::NotMet,
                format!("{} is neither repaired nor withheld", shown(requirement)),
            ));
        }
    }
}

fn shown(requirement: &Requirement) -> String {
    format!(
        "{} on `{}`",
        requirement.request.action,
        requirement.request.resource.escape_debug()
    )
}

impl Reviewer<'_> {
    /// Would it be missed? Not what is only advised of S3, nor what serves nothing but strangers' destinations.
    fn matters(&self, requirement: &Requirement) -> bool {
        let is_of_key = matches!(requirement.area, Area::SourceKey(_) | Area::ReplicaKey(_));
        (is_of_key || requirement.necessity.is_certain_or_likely()) && self.serves_us(requirement)
    }
}

/// The account as it would stand.
struct After<'a> {
    reviewer: &'a Reviewer<'a>,
    plan: &'a Plan,
    identity: PolicySet,
}

impl<'a> After<'a> {
    fn new(plan: &'a Plan, reviewer: &'a Reviewer<'a>) -> Self {
        let mut identity = reviewer.role.identity_policies();
        for planned in &plan.changes {
            if let Change::PutRolePolicy(change) = &planned.change {
                // Attached policies are named by their ARN, so none of them can have this name.
                identity.policies.retain(|policy| policy.name != change.name);
                let document = change.after.clone();
                identity
                    .policies
                    .extend(document.map(|document| NamedPolicy::new(change.name.clone(), document)));
            }
        }
        Self {
            reviewer,
            plan,
            identity,
        }
    }

    /// Has some change a say in it? What none has is answered as it is now.
    fn is_affected(&self, requirement: &Requirement) -> bool {
        let key = match &requirement.area {
            Area::Source | Area::Destination(_) => None,
            Area::SourceKey(key) | Area::ReplicaKey(key) => Some(key),
        };
        self.plan.changes.iter().any(|planned| match &planned.change {
            Change::PutRolePolicy(change) => [&change.before, &change.after]
                .into_iter()
                .flatten()
                .any(|document| document.is_about(&requirement.request.action)),
            Change::CreateGrant(request) => key == Some(&request.key),
            Change::RevokeGrant(revocation) => key == Some(&revocation.grant.key),
        })
    }

    fn grants(&self, area: &Area) -> Cow<'a, Observed<Vec<Grant>>> {
        let mut grants = grants_of(self.reviewer.snapshot, area);
        let (Area::SourceKey(key) | Area::ReplicaKey(key)) = area else {
            return grants;
        };
        for planned in &self.plan.changes {
            let on_key = match &planned.change {
                Change::CreateGrant(request) => request.key == *key,
                Change::RevokeGrant(revocation) => revocation.grant.key == *key,
                Change::PutRolePolicy(_) => false,
            };
            if on_key && let Observed::Found(now) = grants.to_mut() {
                match &planned.change {
                    Change::CreateGrant(request) => now.push(key_grant::as_granted(request)),
                    Change::RevokeGrant(revocation) => {
                        now.retain(|grant| grant.id != revocation.grant.id);
                    }
                    Change::PutRolePolicy(_) => {}
                }
            }
        }
        grants
    }

    fn decision(&self, requirement: &Requirement, identity: &PolicySet) -> Decision {
        answer_with(
            self.reviewer.snapshot,
            self.reviewer.role,
            &requirement.area,
            &requirement.request,
            identity,
            &self.grants(&requirement.area),
        )
    }

    /// Would even a role that may do everything not be sure to succeed? Then something unread stands in between.
    fn is_open_anyway(&self, requirement: &Requirement) -> bool {
        let everything = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        });
        let mut identity = self.identity.clone();
        let everything = PolicyDocument::from_value(everything).ok();
        identity
            .policies
            .extend(everything.map(|document| NamedPolicy::new("everything", document)));
        self.decision(requirement, &identity) == Decision::Undetermined
    }

    /// Is it met, if the account as it would stand answers so?
    fn is_met(&self, requirement: &Requirement, decision: Decision) -> bool {
        match decision {
            Decision::Allowed => true,
            Decision::Undetermined => self.is_open_anyway(requirement),
            Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => false,
        }
    }

    fn claim(
        &self,
        requirement: &Requirement,
        assessment: Option<&Assessment>,
        objections: &mut Vec<Objection>,
    ) {
        let mut object = |fault, detail| objections.push(Objection::new(fault, detail));
        match assessment {
            None => object(Fault::TooMuch, format!("nothing needs {}", shown(requirement))),
            Some(assessment) if assessment.answer.decision == Decision::ExplicitlyDenied => object(
                Fault::AnswersDenial,
                format!("{} is denied in so many words", shown(requirement)),
            ),
            Some(_) => {}
        }
        if !self.is_met(requirement, self.decision(requirement, &self.identity)) {
            object(Fault::NotMet, format!("{} would still fail", shown(requirement)));
        }
    }
}
