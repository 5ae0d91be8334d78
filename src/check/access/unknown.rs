//! What could not be known about access, in words, with the statement that would make it known or right.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>: nobody but the
//! owner's account can read the policy of a key, and the same holds for bucket policies. So beside the plain fact stands
//! what the owner must see to.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Place, statement};
use super::words::{actions_of, object_of, telling};
use crate::arn::AccountId;
use crate::assessment::{Assessment, key_of, resource_policy};
use crate::check::{Examination, Facts};
use crate::observed::ReadFailure;
use crate::policy::{Answer, Decision, DoubtReason, Request, principal_tag};
use crate::requirement::{Area, Necessity};
use crate::source::Read;

/// Notes what the answers about one bucket or key would have needed.
pub(super) fn tell(
    facts: &Facts<'_>,
    area: &Area,
    assessments: &[&Assessment],
    examination: &mut Examination,
) {
    let needed = || {
        assessments
            .iter()
            .copied()
            .filter(|assessment| assessment.requirement.necessity.is_certain_or_likely())
    };
    let tags = match area {
        Area::Source | Area::Destination(_) => None,
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            key_of(facts.snapshot, key).and_then(|key| key.tags.failure())
        }
    };
    let mut absent = BTreeSet::new();
    let mut not_understood: BTreeMap<String, Vec<&Assessment>> = BTreeMap::new();
    for assessment in needed() {
        let requirement = &assessment.requirement;
        match (assessment.answer.decision, &requirement.necessity) {
            (Decision::Undetermined, _) => {
                let (unread, doubts) = doubts_of(&assessment.answer, tags);
                for failure in unread {
                    examination.unread(&told_to_the_owner(facts, area, failure, needed));
                }
                for doubt in doubts {
                    not_understood.entry(doubt).or_default().push(assessment);
                }
            }
            (Decision::ExplicitlyDenied | Decision::ImplicitlyDenied, necessity) => {
                if let Necessity::RequiredUnless(failure) = necessity {
                    examination.unread(failure);
                }
                for failure in behind_a_denial(facts, area) {
                    examination.unread(&told_to_the_owner(facts, area, failure, needed));
                }
            }
            (Decision::Allowed, _) => {
                let keys = assessment.answer.absent_keys.iter();
                let is_known = |key: &str| requirement.surely_lacks(key) || principal_tag(key).is_some();
                absent.extend(keys.filter(|absent| !is_known(&absent.key)));
            }
        }
    }
    for (doubt, undetermined) in not_understood {
        let undetermined = telling(&undetermined);
        let Some(first) = undetermined.first() else {
            continue;
        };
        let (_, object) = object_of(facts, area);
        examination.unread(&not_known(
            &first.requirement.request.action,
            format!(
                "whether the role is allowed {} on {object}: {doubt}",
                actions_of(&undetermined)
            ),
        ));
    }
    let is_doubted = |key: &str| {
        let doubts = needed().flat_map(|one| &one.answer.doubts);
        doubts.into_iter().any(|doubt| {
            matches!(&doubt.reason, DoubtReason::ValueUnknown { key: doubted } if doubted.eq_ignore_ascii_case(key))
        })
    };
    // A key that S3 may send with some of these requests is told as such; the others never have it.
    for absent in absent.into_iter().filter(|absent| !is_doubted(&absent.key)) {
        examination.not_evaluated(format!(
            "`{}`, which {} tests: S3 is not known to send it when it replicates, so it was taken as absent",
            absent.key.escape_debug(),
            absent.statement
        ));
    }
}

/// What was not read and would still have to allow it where what was read is mended: across accounts both sides must
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>), and a
/// boundary too. Told beside the denial, or whoever mends that meets the next one a day later.
fn behind_a_denial(facts: &Facts<'_>, area: &Area) -> Vec<ReadFailure> {
    let snapshot = facts.snapshot;
    let boundary = snapshot.role.found().and_then(|role| role.boundary.failure());
    let policy = resource_policy(snapshot, area);
    boundary.into_iter().chain(policy.failure()).cloned().collect()
}

/// Notes what an undetermined answer would have needed.
pub(in crate::check) fn doubts(request: &Request, answer: &Answer, examination: &mut Examination) {
    let (unread, doubts) = doubts_of(answer, None);
    for failure in unread {
        examination.unread(&failure);
    }
    for doubt in doubts {
        let what = format!(
            "whether {} on {} is allowed: {doubt}",
            request.action, request.resource
        );
        examination.unread(&not_known(&request.action, what));
    }
}

/// What was not read, and what was read and is not understood. `tags` is why those of the key are not known.
fn doubts_of(answer: &Answer, tags: Option<&ReadFailure>) -> (Vec<ReadFailure>, BTreeSet<String>) {
    let mut unread = Vec::new();
    let mut doubts = BTreeSet::new();
    for doubt in &answer.doubts {
        match (&doubt.reason, tags) {
            (DoubtReason::Unread(failure), _) => unread.push(failure.clone()),
            (DoubtReason::ValueUnknown { key }, Some(failure)) if is_resource_tag(key) => {
                unread.push(failure.clone());
            }
            (DoubtReason::ValueUnknown { key }, _) => {
                doubts.insert(format!("{doubt}{}", how_to_know(key)));
            }
            (_, _) => {
                doubts.insert(doubt.to_string());
            }
        }
    }
    if answer.doubts.is_empty() {
        doubts.insert("a document that decides was not read".to_owned());
    }
    (unread, doubts)
}

/// What a person can do who knows more than this program, which does not read organisations.
fn how_to_know(key: &str) -> &'static str {
    match key.to_ascii_lowercase().as_str() {
        "aws:principalorgid" | "aws:resourceorgid" => {
            "; compare what the statement asks for with the organisation's id, which `aws organizations \
             describe-organization` tells any of its accounts"
        }
        "aws:principalorgpaths" | "aws:resourceorgpaths" => {
            "; compare what the statement asks for with where the account stands in its organisation, which `aws \
             organizations list-parents` tells the management account"
        }
        _ => "",
    }
}

fn is_resource_tag(key: &str) -> bool {
    const FAMILY: &str = "aws:ResourceTag/";
    key.get(..FAMILY.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FAMILY))
}

fn not_known(action: &str, what: String) -> ReadFailure {
    ReadFailure {
        what,
        operation: action.to_owned(),
        error_code: "NotUnderstood".to_owned(),
        permit: String::new(),
    }
}

/// The rules that need any of these.
pub(super) fn ids_of(assessments: &[&Assessment]) -> BTreeSet<String> {
    assessments
        .iter()
        .flat_map(|one| one.requirement.rule_ids.iter().cloned())
        .collect()
}

/// The policy of another account's bucket or key, with what must stand in it.
fn told_to_the_owner<'a, I: Iterator<Item = &'a Assessment>>(
    facts: &Facts<'_>,
    area: &Area,
    failure: ReadFailure,
    needed: impl Fn() -> I,
) -> ReadFailure {
    let policies = [Read::KeyPolicy, Read::BucketPolicy];
    let read = policies
        .into_iter()
        .find(|read| read.operation() == failure.operation);
    let (Some(owner), Some(read)) = (foreign_owner(facts, area), read) else {
        return failure;
    };
    let members = &facts.snapshot.member_accounts;
    let is_member = match owner {
        Some(account) => members.contains(account),
        None => !members.is_empty(),
    };
    let or = match is_member {
        true => format!("permit the member role there {}", read.action()),
        false => "let this program read there (TRUSTED_ACCOUNTS, MEMBER_ROLE_NAME)".to_owned(),
    };
    let owner = owner.map_or_else(
        || "whoever that is".to_owned(),
        |owner| format!("account {owner}"),
    );
    let required: Vec<&Assessment> = needed().collect();
    ReadFailure {
        what: format!(
            "{}. The owner, {owner}, must see to it that the statement given here is in it; or {or}",
            failure.what
        ),
        permit: statement(facts, area, Place::Resource, &required).to_string(),
        ..failure
    }
}

/// Who owns what an area is about, where that is not us: nobody that is proven, where it may be anybody.
fn foreign_owner<'a>(facts: &Facts<'a>, area: &'a Area) -> Option<Option<&'a AccountId>> {
    let own = &facts.snapshot.identity.account;
    let owner = match area {
        Area::Source => return None,
        Area::Destination(bucket) => facts.snapshot.destination(bucket)?.found()?.owner.found(),
        Area::SourceKey(key) | Area::ReplicaKey(key) => Some(key.account()),
    };
    (owner != Some(own)).then_some(owner)
}
