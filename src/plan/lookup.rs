//! Finds the answer to a requirement among thousands, as a thousand rules have them.

use std::collections::BTreeMap;

use crate::assessment::Assessment;
use crate::requirement::{ContextForm, Requirement};

/// What most often tells two requirements apart; what it does not tell apart is compared whole.
type Key<'a> = (&'a str, &'a str, bool, Option<&'a str>);

fn key(requirement: &Requirement) -> Key<'_> {
    (
        &requirement.request.resource,
        &requirement.request.action,
        requirement.form == Some(ContextForm::Bucket),
        requirement.rule_ids.first().map(String::as_str),
    )
}

/// Requirements by what most often tells them apart, each with something that goes with it.
#[derive(Debug)]
pub(in crate::plan) struct Lookup<'a, T>(BTreeMap<Key<'a>, Vec<(&'a Requirement, T)>>);

impl<'a, T> Lookup<'a, T> {
    pub(in crate::plan) fn of(all: impl IntoIterator<Item = (&'a Requirement, T)>) -> Self {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (requirement, with) in all {
            by_key
                .entry(key(requirement))
                .or_default()
                .push((requirement, with));
        }
        Self(by_key)
    }

    /// What goes with the requirement; the first, where it stands there twice.
    pub(in crate::plan) fn get<'b>(&'b self, requirement: &'b Requirement) -> Option<&'b T> {
        let alike = self.0.get(&key(requirement))?;
        let mut same = alike.iter().filter(|(other, _)| *other == requirement);
        same.next().map(|(_, with)| with)
    }
}

impl<'a> Lookup<'a, &'a Assessment> {
    pub(in crate::plan) fn of_assessments(assessments: &'a [Assessment]) -> Self {
        Self::of(
            assessments
                .iter()
                .map(|assessment| (&assessment.requirement, assessment)),
        )
    }
}
