//! Decides how an answer is told to a person: in one or two sentences, with the nearest cause first.
//!
//! The words are those of <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>. All text
//! that comes from documents is quoted, escaped and cut: the report may end up in a terminal, a mail or a chat.

mod quote;
mod words;

use super::answer::{Answer, Decision, Guardrail, Layer, Mismatch, NearMiss};
use super::condition::Quantifier;
use super::request::{Caller, Context, Request, Values};
use super::statement::Statement;
pub(super) use quote::{quoted, quoted_list};

/// One or two sentences that say what the decision is and why.
#[must_use]
pub fn explain(request: &Request, answer: &Answer) -> String {
    let call = format!(
        "{} on {}",
        quote::cleaned(&request.action),
        quote::cleaned(&request.resource)
    );
    let sentence = match answer.decision {
        Decision::Allowed => format!("{call} is allowed by {}.", listed(answer, " and ")),
        Decision::ExplicitlyDenied => format!("{call} is denied by {}.", listed(answer, " and by ")),
        Decision::ImplicitlyDenied => not_allowed(&call, request, answer),
        Decision::Undetermined => undetermined(&call, answer),
    };
    match absence(answer) {
        Some(absence) => format!("{sentence} {absence}"),
        None => sentence,
    }
}

/// The family of condition keys that hold the tags of the caller.
const TAGS: &str = "aws:PrincipalTag/";

/// The tag that a condition key asks for, where it asks for one of the caller's own.
#[must_use]
pub fn principal_tag(key: &str) -> Option<&str> {
    let (family, tag) = key.split_at_checked(TAGS.len())?;
    family.eq_ignore_ascii_case(TAGS).then_some(tag)
}

/// What a statement that denies would spare, and what the request has in its place: any of its negated conditions that
/// fails is enough. `None` where it has none, or where the request has nothing to compare.
#[must_use]
pub fn spared(statement: &Statement, context: &Context) -> Option<String> {
    let conditions = statement.conditions.all.iter();
    let mismatches = conditions.filter_map(|condition| {
        let is_negated = |operator: &super::condition::Operator| {
            operator.negated && operator.quantifier == Quantifier::None
        };
        condition
            .operator
            .as_ref()
            .filter(|operator| is_negated(operator))?;
        let operator = condition.operator_name.replacen("Not", "", 1);
        let (key, wanted) = (condition.key.clone(), condition.wanted());
        match context.get(&key) {
            Some(Values::One(value)) => Some(Mismatch::ConditionValue {
                operator,
                key,
                found: vec![value.clone()],
                wanted,
            }),
            None if principal_tag(&key).is_some() => Some(Mismatch::ConditionKeyAbsent {
                operator,
                key,
                wanted,
            }),
            Some(_) | None => None,
        }
    });
    let mismatches: Vec<Mismatch> = mismatches.collect();
    (!mismatches.is_empty()).then(|| words::spares(&mismatches))
}

fn listed(answer: &Answer, and: &str) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = answer
        .deciding
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    match answer.deciding.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} (and {more} more)", shown.join(and)),
        Some(0) | None => shown.join(and),
    }
}

fn not_allowed(call: &str, request: &Request, answer: &Answer) -> String {
    if let Some(guardrail) = answer.blocked_by.first() {
        let sentence = format!("{call} would be allowed, but {guardrail}.");
        // What the guardrail lacks is often only a condition away.
        let of_guardrail = answer.near_misses.iter().find(|miss| {
            matches!(
                (guardrail, miss.statement.layer),
                (Guardrail::Boundary { .. }, Layer::Boundary)
                    | (Guardrail::Scp { .. }, Layer::Scp)
                    | (Guardrail::Rcp { .. }, Layer::Rcp)
                    | (Guardrail::KeyPolicyWithoutDelegation, Layer::Resource)
            ) && !is_about_other_action(miss)
        });
        return match of_guardrail {
            Some(miss) => format!("{sentence} There, {miss}."),
            None => sentence,
        };
    }
    if let Some(miss) = answer.near_misses.first() {
        let nearly = nearly(call, miss);
        return match besides(request, answer, miss.statement.layer) {
            Some(besides) => format!("{nearly} {besides}"),
            None => nearly,
        };
    }
    let allows = |decision: Option<Decision>| decision == Some(Decision::Allowed);
    let owner = &request.resource_account;
    match &request.caller {
        Caller::Service(service) => format!(
            "{call}: no statement of the trust policy allows it to {}.",
            quoted(service)
        ),
        Caller::Role { role, .. } if role.account() == owner => format!("{call} is allowed by no statement."),
        Caller::Role { .. } if allows(answer.layers.identity) => format!(
            "{call} is allowed by the role's policies, but by no statement of the resource's policy in account {owner}, and across accounts both must allow it."
        ),
        Caller::Role { .. } if allows(answer.layers.resource) => format!(
            "{call} is allowed by the resource's policy in account {owner}, but by no policy of the role, and across accounts both must allow it."
        ),
        Caller::Role { .. } => format!(
            "{call} is allowed neither by a policy of the role nor by the resource's policy in account {owner}."
        ),
    }
}

fn nearly(call: &str, miss: &NearMiss) -> String {
    match miss.mismatches.as_slice() {
        [Mismatch::Action { named }] => format!(
            "{call} is allowed by no statement; the nearest, {}, is for {}.",
            miss.statement,
            quoted_list(named)
        ),
        mismatches => format!(
            "{call} is allowed by {} {}.",
            miss.statement,
            words::only(mismatches)
        ),
    }
}

/// What would still be missing if the nearest statement applied.
fn besides(request: &Request, answer: &Answer, repaired: Layer) -> Option<String> {
    let levels = answer.layers.levels;
    let account = request.caller.account()?;
    let is_key = request.action.to_ascii_lowercase().starts_with("kms:");
    let unnamed = levels.direct.is_no() && levels.role.is_no() && levels.account.is_no();
    match repaired {
        Layer::Resource if account != &request.resource_account => (answer.layers.identity
            == Some(Decision::ImplicitlyDenied))
        .then(|| "Nor does a policy of the role allow it, and across accounts both must.".to_owned()),
        Layer::Identity if account != &request.resource_account => unnamed.then(|| {
            "Nor does the resource's policy in the other account allow it, and across accounts both must."
                .to_owned()
        }),
        Layer::Identity if is_key && unnamed => {
            Some(format!("Besides, {}.", Guardrail::KeyPolicyWithoutDelegation))
        }
        Layer::Identity | Layer::Boundary | Layer::Resource | Layer::Scp | Layer::Rcp | Layer::Grant => None,
    }
}

fn is_about_other_action(miss: &NearMiss) -> bool {
    miss.mismatches
        .iter()
        .any(|mismatch| matches!(mismatch, Mismatch::Action { .. }))
}

fn undetermined(call: &str, answer: &Answer) -> String {
    const SHOWN: usize = 2;
    let mut doubts: Vec<String> = answer
        .doubts
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if doubts.is_empty() {
        doubts.push("a needed document was not read".to_owned());
    }
    let more = match answer.doubts.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!(" (and {more} more)"),
        Some(0) | None => String::new(),
    };
    format!(
        "Whether {call} is allowed cannot be known: {}{more}.",
        doubts.join("; ")
    )
}

fn absence(answer: &Answer) -> Option<String> {
    let mut keys: Vec<String> = answer
        .absent_keys
        .iter()
        .map(|absent| absent.key.clone())
        .collect();
    keys.dedup();
    // A denial for want of a key has said so already.
    let told = answer.decision == Decision::ImplicitlyDenied && answer.blocked_by.is_empty();
    if keys.is_empty() || told {
        return None;
    }
    Some(format!(
        "This rests on the request having no {}.",
        quoted_list(&keys)
    ))
}

#[cfg(test)]
mod tests;
