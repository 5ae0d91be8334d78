//! What could not be known about access, in words, with the statement that would make it known or right.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>: nobody but the
//! owner's account can read the policy of a key, and the same holds for bucket policies. So beside the plain fact stands
//! what the owner must see to.

use std::collections::BTreeSet;

use super::statement::{Place, statement};
use crate::assessment::Assessment;
use crate::check::{Facts, Outcome};
use crate::observed::ReadFailure;
use crate::policy::{Answer, Doubt, DoubtReason, Request, Verdict};
use crate::requirement::{Area, Necessity};
use crate::source::Read;

/// Notes what the answers about one bucket or key would have needed.
pub(super) fn tell(facts: &Facts<'_>, area: &Area, assessments: &[&Assessment], outcome: &mut Outcome) {
    let needed = || {
        assessments
            .iter()
            .copied()
            .filter(|assessment| assessment.requirement.necessity != Necessity::Advised)
    };
    let mut absent = BTreeSet::new();
    for assessment in needed() {
        let requirement = &assessment.requirement;
        match (assessment.answer.verdict, &requirement.necessity) {
            (Verdict::Undetermined, _) => {
                for failure in failures(&requirement.request, &assessment.answer) {
                    outcome.unread(&told_to_the_owner(facts, area, failure, needed));
                }
            }
            (Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied, Necessity::RequiredUnless(failure)) => {
                outcome.unread(failure);
            }
            (Verdict::Allowed, _) => absent.extend(&assessment.answer.absent_keys),
            (Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied, _) => {}
        }
    }
    for absent in absent {
        outcome.not_evaluated(format!(
            "`{}`, which {} tests: S3 is not known to send it when it replicates, so it was taken as absent",
            absent.key.escape_debug(),
            absent.statement
        ));
    }
}

/// Notes what an undetermined answer would have needed.
pub(in crate::check) fn doubts(request: &Request, answer: &Answer, outcome: &mut Outcome) {
    for failure in failures(request, answer) {
        outcome.unread(&failure);
    }
}

fn failures(request: &Request, answer: &Answer) -> Vec<ReadFailure> {
    let not_understood = |doubt: Option<&Doubt>| {
        let because = doubt.map_or_else(String::new, |doubt| format!(": {doubt}"));
        ReadFailure {
            what: format!(
                "whether {} on {} is allowed{because}",
                request.action, request.resource
            ),
            operation: request.action.clone(),
            error_code: "NotUnderstood".to_owned(),
            permit: String::new(),
        }
    };
    if answer.doubts.is_empty() {
        return vec![not_understood(None)];
    }
    answer
        .doubts
        .iter()
        .map(|doubt| {
            if let DoubtReason::Unread(failure) = &doubt.reason {
                return failure.clone();
            }
            not_understood(Some(doubt))
        })
        .collect()
}

/// The policy of another account's bucket or key, with what must stand in it.
fn told_to_the_owner<'a, I: Iterator<Item = &'a Assessment>>(
    facts: &Facts<'_>,
    area: &Area,
    failure: ReadFailure,
    needed: impl Fn() -> I,
) -> ReadFailure {
    let policies = [Read::KeyPolicy.operation(), Read::BucketPolicy.operation()];
    let Some(owner) = foreign_owner(facts, area).filter(|_| policies.contains(&failure.operation.as_str()))
    else {
        return failure;
    };
    let required: Vec<&Assessment> = needed().collect();
    ReadFailure {
        what: format!(
            "{}. AWS shows it to its own account alone: the owner, {owner}, must see to it that the statement given \
             here is in it",
            failure.what
        ),
        permit: statement(facts, area, Place::Resource, &required).to_string(),
        ..failure
    }
}

/// Who owns what an area is about, where that is not proven to be us.
fn foreign_owner(facts: &Facts<'_>, area: &Area) -> Option<String> {
    let own = &facts.snapshot.identity.account;
    match area {
        Area::Source => None,
        Area::Destination(bucket) => {
            let owner = facts.snapshot.destination(bucket)?.found()?.owner.found();
            match owner {
                Some(owner) if owner == own => None,
                Some(owner) => Some(format!("account {owner}")),
                None => Some("whoever that is".to_owned()),
            }
        }
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            (key.account() != own).then(|| format!("account {}", key.account()))
        }
    }
}
