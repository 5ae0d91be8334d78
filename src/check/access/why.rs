//! Why a request is denied, as far as one place is concerned: the mistake that was made there, or else what comes
//! nearest to allowing it, or else that nothing does.
//!
//! The evaluator's own explanation tells the request's whole story; a finding is about one place in it, and whoever
//! repairs that place needs no more.

use super::denying::statement_of;
use super::{Cause, Group};
use crate::assessment::{Assessment, mistakes_of, near_misses_of};
use crate::check::Facts;
use crate::policy::{Layer, Mismatch, Mistake, NearMiss, StatementRef, principal_tag, spared};
use crate::requirement::Area;
use crate::snapshot::{Role, SAMPLE_NAME};

/// How many different reasons are told.
const TOLD: usize = 6;

/// How many policies of a role are named.
const NAMED: usize = 5;

/// Denials that have the same reason.
pub(super) struct Why<'a> {
    pub(super) actions: Vec<&'a str>,
    pub(super) text: String,
}

impl Why<'_> {
    pub(super) fn sentence(&self) -> String {
        format!("{}: {}", self.actions.join(", "), self.text)
    }
}

/// The reasons of these denials, the first that of the first.
pub(super) fn why<'a>(facts: &Facts<'_>, group: &Group<'_>, denied: &[&'a Assessment]) -> Vec<Why<'a>> {
    let mut all: Vec<Why<'a>> = Vec::new();
    for one in denied {
        let action = one.requirement.request.action.as_str();
        let text = reason(facts, group, one).replace(SAMPLE_NAME, "…");
        let is_full = all.len() >= TOLD;
        match all.iter_mut().find(|known| known.text == text) {
            Some(known) if known.actions.contains(&action) => {}
            Some(known) => known.actions.push(action),
            None if !is_full => all.push(Why {
                actions: vec![action],
                text,
            }),
            None => {}
        }
    }
    all
}

fn reason(facts: &Facts<'_>, group: &Group<'_>, one: &Assessment) -> String {
    let layer = match &group.cause {
        Cause::Denied(statement) => return denied(facts, one, statement),
        Cause::Role => Layer::Identity,
        Cause::Boundary => Layer::Boundary,
        Cause::Resource => Layer::Resource,
    };
    let mistakes: Vec<Mistake> = mistakes_of(facts.snapshot, one)
        .into_iter()
        .filter(|mistake| mistake.layer == layer)
        .collect();
    if !mistakes.is_empty() {
        return told(&mistakes);
    }
    let near = near_misses_of(facts.snapshot, one);
    let nearest = near
        .iter()
        .find(|miss| miss.statement.layer == layer && is_telling(miss));
    match nearest {
        Some(miss) => miss.to_string(),
        None => nothing(facts, group),
    }
}

/// The mistakes of each statement together; what is wrong with the policy as a whole, where no statement is wrong.
fn told(mistakes: &[Mistake]) -> String {
    let mut statements: Vec<(&StatementRef, Vec<String>)> = Vec::new();
    for mistake in mistakes {
        let Some(statement) = &mistake.statement else {
            continue;
        };
        let kind = mistake.kind.to_string();
        match statements.iter_mut().find(|(known, _)| *known == statement) {
            Some((_, kinds)) => kinds.push(kind),
            None => statements.push((statement, vec![kind])),
        }
    }
    if statements.is_empty() {
        let kinds: Vec<String> = mistakes.iter().map(|mistake| mistake.kind.to_string()).collect();
        return kinds.join("; ");
    }
    let statements: Vec<String> = statements
        .iter()
        .map(|(statement, kinds)| format!("{statement}: {}", kinds.join("; ")))
        .collect();
    statements.join("; ")
}

/// A statement about another resource that also has other conditions is about something else.
fn is_telling(miss: &NearMiss) -> bool {
    let about_another = |mismatch: &Mismatch| matches!(mismatch, Mismatch::Resource { .. });
    miss.mismatches.len() == 1 || !miss.mismatches.iter().any(about_another)
}

fn denied(facts: &Facts<'_>, one: &Assessment, statement: &StatementRef) -> String {
    let mistakes = mistakes_of(facts.snapshot, one);
    let mistake = mistakes
        .iter()
        .find(|mistake| mistake.statement.as_ref() == Some(statement));
    let area = &one.requirement.area;
    let because = mistake
        .map(|mistake| mistake.kind.to_string())
        .or_else(|| {
            let denying = statement_of(facts, area, statement)?;
            spared(denying, &one.requirement.request.context)
        })
        .map_or_else(String::new, |because| format!(": {because}"));
    let absent = one.answer.absent_keys.iter();
    let absent = absent.filter(|absent| absent.statement == *statement);
    // Tags of the role are known; what S3 sends beside them may not be.
    let (tags, keys): (Vec<&str>, Vec<&str>) = absent
        .map(|absent| absent.key.as_str())
        .partition(|key| principal_tag(key).is_some());
    let named = |names: &[&str]| {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("`{}`", name.escape_debug()))
            .collect();
        names.join(" or ")
    };
    let is_told = |tag: &&str| because.contains(&format!("the role has no tag `{}`", tag.escape_debug()));
    let tags: Vec<&str> = tags
        .into_iter()
        .filter_map(principal_tag)
        .filter(|tag| !is_told(tag))
        .collect();
    let mut rests = Vec::new();
    if let (false, Some(role)) = (tags.is_empty(), facts.snapshot.role.found()) {
        rests.push(format!("role `{}` has no tag {}", role.arn.name(), named(&tags)));
    }
    if !keys.is_empty() {
        rests.push(format!(
            "S3, when it replicates, is not known to send {}",
            named(&keys)
        ));
    }
    let rests = match rests.is_empty() {
        true => String::new(),
        false => format!("; it applies because {}", rests.join(", and because ")),
    };
    format!("{statement} denies it{because}{rests}")
}

fn nothing(facts: &Facts<'_>, group: &Group<'_>) -> String {
    match &group.cause {
        Cause::Role => match facts.snapshot.role.found() {
            Some(role) => format!(
                "no statement of the role's policies ({}) covers it",
                policies(role)
            ),
            None => "no statement of the role's policies covers it".to_owned(),
        },
        Cause::Boundary => "no statement of the permissions boundary covers it".to_owned(),
        Cause::Denied(_) | Cause::Resource => match group.area {
            Area::SourceKey(_) | Area::ReplicaKey(_) => {
                "the key policy neither names the role nor leaves it to the role's account".to_owned()
            }
            Area::Source | Area::Destination(_) => {
                "the bucket policy, of another account, names neither the role nor its account".to_owned()
            }
        },
    }
}

/// The names of a role's policies.
fn policies(role: &Role) -> String {
    let mut names: Vec<String> = role
        .inline
        .policies
        .iter()
        .chain(&role.managed.policies)
        .map(|policy| format!("`{}`", policy.name.escape_debug()))
        .collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), more) {
        (true, _) => "it has none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}
