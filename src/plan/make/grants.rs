//! Decides which grants are made and which of ours are revoked: as few as do, each bound to one bucket where it can be.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>: a grant needs neither the key policy's
//! delegation nor the role's policies, so it is what is left where these cannot help.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::arn::{BucketName, KeyArn};
use crate::assessment::{answer_with, key_of};
use crate::guard::Refusal;
use crate::observed::Observed;
use crate::plan::former::may_be_named;
use crate::plan::key_grant;
use crate::plan::need::{Means, Need, standing};
use crate::plan::{Basis, Change, GrantRevocation, Planned, Withheld, key_basis};
use crate::policy::{Grant, PolicySet};
use crate::requirement::Area;
use crate::target::GrantRequest;

/// The account as it would be.
pub(super) struct After {
    identity: PolicySet,
    created: Vec<GrantRequest>,
}

impl Planner<'_> {
    /// The grants that should be there and are not, and those that may not be made.
    pub(super) fn grants(&self) -> (Vec<Planned>, Vec<Withheld>) {
        let mut changes = Vec::new();
        let mut withheld = Vec::new();
        for (request, needs) in self.wanted_grants() {
            let Some(key) = key_of(self.snapshot, &request.key) else {
                continue;
            };
            let is_there = key
                .grants
                .found()
                .is_some_and(|grants| grants.iter().any(|grant| key_grant::is(grant, &request)));
            if is_there {
                continue;
            }
            let meets = self.unmet(needs.iter().copied());
            let refusals: BTreeSet<Refusal> = needs
                .iter()
                .flat_map(|need| need.refusals.iter().cloned())
                .collect();
            let change = Change::CreateGrant(request);
            match key_basis(key) {
                Some(basis) if refusals.is_empty() => changes.push(Planned { change, basis, meets }),
                Some(_) | None => withheld.push(Withheld {
                    change,
                    refusals: refusals.into_iter().collect(),
                    meets,
                }),
            }
        }
        (changes, withheld)
    }

    /// One grant per key, purpose and bucket that it is bound to.
    fn wanted_grants(&self) -> Vec<(GrantRequest, Vec<&Need>)> {
        let mut wanted: BTreeMap<(&KeyArn, bool, Option<&BucketName>), Vec<&Need>> = BTreeMap::new();
        for need in &self.needs {
            if let Means::Grant {
                key,
                bound_to,
                is_source_key,
                ..
            } = &need.means
            {
                wanted
                    .entry((key, *is_source_key, bound_to.as_ref()))
                    .or_default()
                    .push(need);
            }
        }
        wanted
            .into_iter()
            .map(|((key, _, bound_to), needs)| {
                let operations = needs
                    .iter()
                    .filter_map(|need| match &need.means {
                        Means::Grant { operation, .. } => Some(operation.clone()),
                        Means::Statement(_) | Means::NoStatement => None,
                    })
                    .collect();
                let request = key_grant::grant(
                    &self.snapshot.identity,
                    &self.snapshot.source.name,
                    &self.role.arn,
                    key,
                    operations,
                    bound_to,
                );
                (request, needs)
            })
            .collect()
    }

    pub(super) fn account_after(&self, policy: &[Planned], grants: &[Planned]) -> After {
        let mut document = self.before.clone();
        for planned in policy {
            if let Change::PutRolePolicy(change) = &planned.change {
                document = change.after.clone();
            }
        }
        let identity = self.identity_with(document);
        let created = grants.iter().filter_map(|planned| match &planned.change {
            Change::CreateGrant(request) => Some(request.clone()),
            Change::PutRolePolicy(_) | Change::RevokeGrant(_) => None,
        });
        After {
            identity,
            created: created.collect(),
        }
    }

    /// Grants of ours that nothing needs any more.
    pub(super) fn revocations(&self, after: &After) -> (Vec<Planned>, Vec<Withheld>) {
        let wanted: Vec<GrantRequest> = self
            .wanted_grants()
            .into_iter()
            .map(|(request, _)| request)
            .collect();
        let mut standing = standing(self.snapshot, self.settings);
        standing.extend_from_slice(self.against_taking);
        let mut changes = Vec::new();
        let mut withheld = Vec::new();
        let mut seen = BTreeSet::new();
        for grant in self
            .snapshot
            .keys
            .values()
            .filter_map(|key| key.grants.found())
            .flatten()
        {
            let is_superfluous = key_grant::is_ours(grant, &self.snapshot.source.name)
                && *grant.key.account() == self.snapshot.identity.account
                && !wanted.iter().any(|request| key_grant::is(grant, request))
                && seen.insert(grant.id.clone())
                && self.nothing_needs(grant, after);
            if !is_superfluous {
                continue;
            }
            let change = Change::RevokeGrant(Box::new(GrantRevocation {
                again: key_grant::as_request(grant, &self.role.arn, &self.snapshot.identity),
                grant: grant.clone(),
            }));
            if standing.is_empty() {
                changes.push(Planned {
                    change,
                    basis: Basis::Nothing,
                    meets: Vec::new(),
                });
            } else {
                withheld.push(Withheld {
                    change,
                    refusals: standing.clone(),
                    meets: Vec::new(),
                });
            }
        }
        (changes, withheld)
    }

    fn nothing_needs(&self, grant: &Grant, after: &After) -> bool {
        if may_be_named(grant, self.role, self.snapshot, self.settings) {
            return false;
        }
        let mut grants: Vec<Grant> = key_of(self.snapshot, &grant.key)
            .and_then(|key| key.grants.found())
            .map(|grants| {
                grants
                    .iter()
                    .filter(|other| other.id != grant.id)
                    .cloned()
                    .collect()
            })
            .unwrap_or_default();
        grants.extend(
            after
                .created
                .iter()
                .filter(|request| request.key == grant.key)
                .map(key_grant::as_granted),
        );
        let grants = Observed::Found(grants);
        self.assessments
            .iter()
            .filter(|assessment| match &assessment.requirement.area {
                Area::SourceKey(key) | Area::ReplicaKey(key) => *key == grant.key,
                Area::Source | Area::Destination(_) => false,
            })
            .filter(|assessment| !assessment.is_denied())
            .all(|assessment| {
                let requirement = &assessment.requirement;
                let answer = answer_with(
                    self.snapshot,
                    self.role,
                    &requirement.area,
                    &requirement.request,
                    &after.identity,
                    &grants,
                );
                answer.is_allowed()
            })
    }
}
