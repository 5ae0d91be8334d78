//! What the role needs and may not do: shared by the five access checks.
//!
//! [`crate::requirement`] has what is needed, [`crate::assessment`] what the policies say about it. Denials that one
//! change in one place would lift are one finding, with everything that is missing there: a person can repair it
//! without reading the others.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

mod denying;
mod found;
mod managed;
mod part;
mod statement;
mod unknown;
mod where_used;
mod why;
mod wide;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{CheckId, Examination, Facts, Finding, RootCause, Severity};
use crate::assessment::{Assessment, Repair, by_area, denied_for};
use crate::policy::{Answer, Decision, Layer, StatementRef};
use crate::requirement::{Area, Necessity};
use crate::snapshot::{ObjectHead, Rule};

pub(super) use unknown::doubts;

/// Failed objects that are judged by themselves, and rules for which that is done: those that failed together mostly
/// failed for the same reason.
const MOST_OBJECTS: usize = 10;

/// Statements that single out parts of the objects of one bucket or key and are told one by one.
const MOST_PARTS: usize = 5;

/// What stands in the way, and therefore where a change would help.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// This statement denies.
    Denied(StatementRef),
    /// No policy of the role allows.
    Role,
    /// The role's permissions boundary does not allow.
    Boundary,
    /// The policy of the bucket or key does not allow.
    Resource,
}

/// Denials that are told together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    area: &'a Area,
    check: CheckId,
    severity: Severity,
    cause: Cause,
    /// Which objects it is about.
    about: About,
}

/// Which objects of the rules a denial is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    /// All of them.
    All,
    /// Single ones that failed, where the others do not.
    Failed,
    /// Those that a Deny singles out.
    Part,
}

/// What this program could do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    Policy,
    Grant,
    Nothing,
}

/// Tells what one check has to say.
pub(super) fn tell(check: CheckId, facts: &Facts<'_>, examination: &mut Examination) {
    let areas = by_area(facts.assessments);
    let mut groups: BTreeMap<Group<'_>, Vec<&Assessment>> = BTreeMap::new();
    // The first check that a denying statement is told by; the others follow from it.
    let mut first_told: BTreeMap<StatementRef, (CheckId, &Area)> = BTreeMap::new();
    for (area, assessments) in &areas {
        if main_check(area) == check {
            unknown::tell(facts, area, assessments, examination);
            where_used::tell(facts, area, assessments, examination);
        }
        let is_broken = assessments
            .iter()
            .any(|one| severity(one) == Some(Severity::Error));
        if main_check(area) == check && !is_broken {
            wide::tell(facts, area, check, assessments, examination);
        }
        for assessment in assessments {
            let Some(severity) = severity(assessment) else {
                continue;
            };
            // What is advised for a key or bucket that is repaired anyhow would only lengthen the list.
            if severity != Severity::Error && is_broken {
                continue;
            }
            for cause in causes(assessment) {
                let teller = teller(area, &cause);
                if let (Cause::Denied(statement), Severity::Error) = (&cause, severity) {
                    let first = first_told.entry(statement.clone()).or_insert((teller, area));
                    if teller < first.0 {
                        *first = (teller, area);
                    }
                }
                if teller == check {
                    let group = Group {
                        area,
                        check,
                        severity,
                        cause,
                        about: About::All,
                    };
                    groups.entry(group).or_default().push(assessment);
                }
            }
        }
    }
    let failed = of_failed_objects(facts);
    let part = part::denied(check, facts, &areas, examination);
    let failed = failed.iter().map(|one| (one, Severity::Error, About::Failed));
    let part = part.iter().map(|one| (one, Severity::Warning, About::Part));
    for (assessment, severity, about) in failed.chain(part) {
        let area = &assessment.requirement.area;
        for cause in causes(assessment) {
            if teller(area, &cause) == check {
                let group = Group {
                    area,
                    check,
                    severity,
                    cause,
                    about,
                };
                groups.entry(group).or_default().push(assessment);
            }
        }
    }
    let mut parts: BTreeMap<&Area, Parts<'_>> = BTreeMap::new();
    for (group, denied) in &groups {
        // What is told of all objects, or of those that failed, is told.
        let is_told = |about| {
            let other = Group {
                about,
                severity: Severity::Error,
                cause: group.cause.clone(),
                ..*group
            };
            groups.contains_key(&other)
        };
        if group.about == About::Part {
            if is_told(About::All) || is_told(About::Failed) {
                continue;
            }
            let parts = parts.entry(group.area).or_default();
            if parts.told.len() >= MOST_PARTS {
                parts.further.push((&group.cause, denied.as_slice()));
                continue;
            }
        }
        let of_area = areas.get(group.area).map_or(&[][..], Vec::as_slice);
        let mut finding = found::finding(facts, group, denied, of_area);
        if let Cause::Denied(statement) = &group.cause
            && let Some((first, area)) = first_told.get(statement)
            && (*first, *area) != (check, group.area)
        {
            finding.root_cause = RootCause::ConsequenceOf(*first);
        }
        match parts.get_mut(group.area).filter(|_| group.about == About::Part) {
            Some(parts) => parts.told.push(finding),
            None => examination.finding(finding),
        }
    }
    for finding in parts.into_values().flat_map(Parts::findings) {
        examination.finding(finding);
    }
}

/// What is told of the parts of the objects of one bucket or key: a policy may single out each of a hundred folders by a
/// statement of its own.
#[derive(Default)]
struct Parts<'a> {
    told: Vec<Finding>,
    further: Vec<(&'a Cause, &'a [&'a Assessment])>,
}

impl Parts<'_> {
    /// The findings; the last names how many further statements there are.
    fn findings(mut self) -> Vec<Finding> {
        if let (Some(last), Some((Cause::Denied(first), _))) = (self.told.last_mut(), self.further.first()) {
            let _ = write!(
                last.summary,
                "; {} further statements deny other parts, the first of them {first}",
                self.further.len()
            );
            let others = self.further.iter().flat_map(|(_, denied)| denied.iter());
            last.rule_ids
                .extend(others.flat_map(|one| one.requirement.rule_ids.iter().cloned()));
        }
        self.told
    }
}

/// What is denied for objects that failed and not for the object that stands for all: policies can single objects out.
fn of_failed_objects(facts: &Facts<'_>) -> Vec<Assessment> {
    let snapshot = facts.snapshot;
    let told = facts
        .subject
        .trigger
        .objects
        .iter()
        .map(|object| (object.key.as_str(), object.rule_id.as_deref()));
    let seen = snapshot.objects.iter().filter_map(|object| {
        let has_failed = object.head.found().is_some_and(ObjectHead::has_failed);
        has_failed.then_some((object.key.as_str(), None))
    });
    let failed: BTreeSet<(&str, Option<&str>)> = told.chain(seen).take(MOST_OBJECTS).collect();
    let mut denied: Vec<Assessment> = Vec::new();
    for (key, rule_id) in failed {
        let takes = |rule: &&Rule| {
            key.starts_with(&rule.filter.prefix) && rule_id.is_none_or(|rule_id| rule_id == rule.id)
        };
        for rule in snapshot.enabled_rules().filter(takes).take(MOST_OBJECTS) {
            denied.extend(denied_for(snapshot, facts.assessments, rule, key));
        }
    }
    denied
}

/// How bad it is that a requirement is not met; `None` where it is met or that is not known.
fn severity(assessment: &Assessment) -> Option<Severity> {
    match (assessment.answer.decision, &assessment.requirement.necessity) {
        (Decision::Allowed | Decision::Undetermined, _) => None,
        // Told as unread: whether it is needed turns on that. Or only where something speaks for it.
        (_, Necessity::RequiredUnless(_) | Necessity::WhereUsed(_)) => None,
        (Decision::ExplicitlyDenied | Decision::ImplicitlyDenied, Necessity::Required) => {
            Some(Severity::Error)
        }
        (Decision::ExplicitlyDenied | Decision::ImplicitlyDenied, Necessity::Advised) => {
            Some(Severity::Advice)
        }
    }
}

fn causes(assessment: &Assessment) -> BTreeSet<Cause> {
    let Assessment { answer, lacks, .. } = assessment;
    let mut causes: BTreeSet<Cause> = denying(answer).cloned().map(Cause::Denied).collect();
    let lacking = [
        (lacks.role, Cause::Role),
        (lacks.boundary, Cause::Boundary),
        (lacks.resource, Cause::Resource),
    ];
    causes.extend(
        lacking
            .into_iter()
            .filter_map(|(is_lacking, cause)| is_lacking.then_some(cause)),
    );
    causes
}

/// The statements that deny a request.
fn denying(answer: &Answer) -> impl Iterator<Item = &StatementRef> {
    let denied = answer.decision == Decision::ExplicitlyDenied;
    answer.deciding.iter().filter(move |_| denied)
}

/// The check that is about the role's own side of something.
fn main_check(area: &Area) -> CheckId {
    match area {
        Area::Source => CheckId::RoleSourceAccess,
        Area::Destination(_) => CheckId::RoleDestinationAccess,
        Area::SourceKey(_) => CheckId::RoleSourceKeyAccess,
        Area::ReplicaKey(_) => CheckId::RoleReplicaKeyAccess,
    }
}

/// The check that tells a cause: what stands in a destination's bucket policy has a check of its own, because it has an
/// owner of its own.
fn teller(area: &Area, cause: &Cause) -> CheckId {
    let in_resource_policy = match cause {
        Cause::Denied(statement) => statement.layer == Layer::Resource,
        Cause::Resource => true,
        Cause::Role | Cause::Boundary => false,
    };
    match area {
        Area::Destination(_) if in_resource_policy => CheckId::DestinationPolicy,
        Area::Source | Area::Destination(_) | Area::SourceKey(_) | Area::ReplicaKey(_) => main_check(area),
    }
}

/// What would meet all of these. Where one of them needs a person, a person is told of all.
fn means(cause: &Cause, denied: &[&Assessment]) -> Means {
    let all = |wanted: &[Repair]| denied.iter().all(|one| wanted.contains(&one.repair));
    match cause {
        Cause::Role if all(&[Repair::RolePolicy]) => Means::Policy,
        // The two kinds of grant close the same hole.
        Cause::Resource if all(&[Repair::ConstrainedGrant, Repair::UnconstrainedGrant]) => Means::Grant,
        Cause::Denied(_) | Cause::Role | Cause::Boundary | Cause::Resource => Means::Nothing,
    }
}
