//! Decides the changes: what is missing, joined into one policy of ours and into grants, and what of ours may go.
//!
//! The account is first judged as if nothing of ours were in it. So the policy that is planned says what is needed now,
//! whatever it said before, and planning again after it was applied plans nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{BucketName, KeyArn};
use crate::assessment::{Assessment, answer_with, assess, key_of};
use crate::guard::{Guard, GuardSettings, Refusal};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy, PolicyDocument, PolicySet, Verdict};
use crate::requirement::{Area, Requirement};
use crate::snapshot::{Role, Snapshot};
use crate::target::GrantRequest;

use super::canonical::canonical;
use super::keep::{is_named, stays};
use super::key_grant;
use super::lookup::Lookup;
use super::need::{Means, Need, needs, standing, unread_policies};
use super::role_policy::{KeyContext, OurPolicy, Permission, policy_name};
use super::size;
use super::{Basis, Change, GrantRevocation, Plan, Planned, RolePolicyChange, Withheld, record};

/// The plan for a snapshot with a role.
pub(super) fn plan(
    snapshot: &Snapshot,
    role: &Role,
    assessments: &[Assessment],
    settings: &GuardSettings,
) -> Plan {
    let planner = Planner::new(snapshot, role, assessments, settings);
    let (mut changes, mut withheld) = planner.grants();
    let (statement_changes, statements_withheld, characters_left) = planner.policy();
    let after = planner.account_after(&statement_changes, &changes);
    let (revocations, revocations_withheld) = planner.revocations(&after);
    changes.extend(statement_changes);
    changes.extend(revocations);
    // What allows comes first, so that nothing stops working in between.
    changes.sort_by_key(|planned| planned.change.only_takes_away());
    withheld.extend(statements_withheld);
    withheld.extend(revocations_withheld);
    Plan::new(&snapshot.source.name, changes, withheld, characters_left)
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    role: &'a Role,
    settings: &'a GuardSettings,
    assessments: &'a [Assessment],
    answers: Lookup<'a, &'a Assessment>,
    /// The account without anything of ours, and what it lacks.
    bare: Snapshot,
    bare_assessments: Cow<'a, [Assessment]>,
    needs: Vec<Need>,
    name: String,
    /// ARN of the source bucket.
    source: String,
    before: Option<PolicyDocument>,
    ours: OurPolicy,
}

/// The account as it would be.
struct After {
    identity: PolicySet,
    created: Vec<GrantRequest>,
}

impl<'a> Planner<'a> {
    fn new(
        snapshot: &'a Snapshot,
        role: &'a Role,
        assessments: &'a [Assessment],
        settings: &'a GuardSettings,
    ) -> Self {
        let name = policy_name(&snapshot.source.name);
        let source = snapshot.source.name.arn(role.arn.partition());
        let before = role
            .inline
            .policies
            .iter()
            .find(|policy| policy.name == name)
            .map(|policy| policy.document.clone());
        let ours = before
            .as_ref()
            .map_or_else(OurPolicy::default, |document| OurPolicy::read(document, &source));
        let bare = without_ours(snapshot, &name, &ours, &source);
        let bare_role = bare.role.found().unwrap_or(role);
        // Where nothing is ours there is nothing to judge anew, and judging a thousand rules takes its time.
        let strict = match settings.unconstrained_grants {
            false if bare == *snapshot => Cow::Borrowed(assessments),
            false | true => Cow::Owned(assess(&bare, false)),
        };
        let generous = match settings.unconstrained_grants {
            true => Cow::Owned(assess(&bare, true)),
            false => Cow::Borrowed(&*strict),
        };
        let needs = needs(&bare, bare_role, &strict, &generous, settings);
        drop(generous);
        Self {
            snapshot,
            role,
            settings,
            assessments,
            answers: Lookup::of_assessments(assessments),
            bare_assessments: strict,
            needs,
            bare,
            name,
            source,
            before,
            ours,
        }
    }

    /// Is it met as things are?
    fn is_met(&self, requirement: &Requirement) -> bool {
        self.answers
            .get(requirement)
            .is_some_and(|assessment| assessment.answer.is_allowed())
    }

    fn meets<'n>(&self, needs: impl IntoIterator<Item = &'n Need>) -> Vec<Requirement> {
        needs
            .into_iter()
            .map(|need| &need.requirement)
            .filter(|requirement| !self.is_met(requirement))
            .cloned()
            .collect()
    }

    /// Our policy as it should be, and the parts of it that may not be written.
    fn policy(&self) -> (Vec<Planned>, Vec<Withheld>, Option<usize>) {
        let mut allowed: Vec<&Need> = Vec::new();
        let mut refused: BTreeMap<&[Refusal], Vec<&Need>> = BTreeMap::new();
        for need in &self.needs {
            match &need.means {
                Means::Grant { .. } => {}
                Means::Statement(_) | Means::NoStatement if need.refusals.is_empty() => allowed.push(need),
                Means::Statement(_) | Means::NoStatement => {
                    refused.entry(&need.refusals).or_default().push(need);
                }
            }
        }
        let wanted = permissions(&allowed);
        let kept: BTreeSet<Permission> = self
            .ours
            .permissions
            .difference(&wanted)
            .filter(|given| stays(given, &self.bare, &self.bare_assessments, self.settings))
            .cloned()
            .collect();
        let mut withheld = Vec::new();
        for (refusals, needs) in refused {
            let missing = permissions(&needs);
            let is_given = !missing.is_empty() && missing.is_subset(&kept);
            if !is_given {
                // Beside what is there, so that it shows what this part would add.
                let all = self.ours.permissions.union(&missing).cloned().collect();
                withheld.push(self.withhold(&all, refusals.to_vec(), self.meets(needs)));
            }
        }
        let permissions: BTreeSet<Permission> = wanted.union(&kept).cloned().collect();
        let change = self.change(&permissions);
        let is_changed = fingerprint(change.before.as_ref()) != fingerprint(change.after.as_ref());
        let mut changes = Vec::new();
        let mut applied = change.before.as_ref();
        if is_changed && !(self.ours.is_foreign && permissions.is_empty()) {
            let refusals = self.policy_refusals(&change, &permissions);
            if refusals.is_empty() {
                changes.push(Planned {
                    change: Change::PutRolePolicy(change.clone()),
                    basis: Basis::Role(record(self.role)),
                    meets: self.meets(allowed),
                });
                applied = change.after.as_ref();
            } else {
                withheld.push(self.withhold(&permissions, refusals, self.meets(allowed)));
            }
        }
        let left = size::LIMIT.saturating_sub(self.others() + applied.map_or(0, size::characters));
        let characters_left = self.role.inline.is_complete().then_some(left);
        (changes, withheld, characters_left)
    }

    /// What stands against the document as a whole.
    fn policy_refusals(&self, change: &RolePolicyChange, permissions: &BTreeSet<Permission>) -> Vec<Refusal> {
        let mut refusals = standing(self.snapshot, self.settings);
        refusals.extend(unread_policies(self.role));
        let size = change.after.as_ref().map_or(0, size::characters);
        let room = size::LIMIT.saturating_sub(self.others());
        if size > room {
            refusals.push(Refusal::unless(
                Guard::InlinePolicySize,
                format!(
                    "IAM takes {} characters in all inline policies of a role; {room} are left and {size} are needed",
                    size::LIMIT
                ),
                "move other inline policies of the role into managed policies",
            ));
        }
        let clash = self.ours.clash(permissions, &self.source);
        if self.ours.is_foreign || clash.is_some() {
            let what = clash.map_or_else(
                || "as a whole".to_owned(),
                |sid| format!("in statement `{}`", sid.escape_debug()),
            );
            refusals.push(Refusal::unless(
                Guard::PolicyEdited,
                format!("our policy `{}` was edited by someone else {what}", self.name),
                "move what was written into it to a policy of another name",
            ));
        }
        refusals
    }

    /// The characters of the role's other inline policies.
    fn others(&self) -> usize {
        let others = self.role.inline.policies.iter();
        others
            .filter(|policy| policy.name != self.name)
            .map(|policy| size::characters(&policy.document))
            .sum()
    }

    fn change(&self, permissions: &BTreeSet<Permission>) -> RolePolicyChange {
        RolePolicyChange {
            role: self.role.arn.clone(),
            name: self.name.clone(),
            before: self.before.clone(),
            after: self.ours.with(permissions, &self.source),
        }
    }

    fn withhold(
        &self,
        permissions: &BTreeSet<Permission>,
        refusals: Vec<Refusal>,
        meets: Vec<Requirement>,
    ) -> Withheld {
        Withheld {
            change: Change::PutRolePolicy(self.change(permissions)),
            refusals,
            meets,
        }
    }

    /// The grants that should be there and are not, and those that may not be made.
    fn grants(&self) -> (Vec<Planned>, Vec<Withheld>) {
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
            let meets = self.meets(needs.iter().copied());
            let refusals: BTreeSet<Refusal> = needs
                .iter()
                .flat_map(|need| need.refusals.iter().cloned())
                .collect();
            let change = Change::CreateGrant(request);
            match key.metadata.found() {
                Some(metadata) if refusals.is_empty() => changes.push(Planned {
                    change,
                    basis: Basis::Key(metadata.clone()),
                    meets,
                }),
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

    fn account_after(&self, policy: &[Planned], grants: &[Planned]) -> After {
        let mut document = self.before.clone();
        for planned in policy {
            if let Change::PutRolePolicy(change) = &planned.change {
                document = change.after.clone();
            }
        }
        let mut identity = self.role.identity_policies();
        identity.policies.retain(|policy| policy.name != self.name);
        identity
            .policies
            .extend(document.map(|document| NamedPolicy::new(self.name.clone(), document)));
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
    fn revocations(&self, after: &After) -> (Vec<Planned>, Vec<Withheld>) {
        let wanted: Vec<GrantRequest> = self
            .wanted_grants()
            .into_iter()
            .map(|(request, _)| request)
            .collect();
        let standing = standing(self.snapshot, self.settings);
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
        let Observed::Found(replication) = &self.snapshot.replication else {
            return false;
        };
        let partition = self.role.arn.partition();
        let given: Vec<Permission> = std::iter::once(&self.snapshot.source.name)
            .chain(replication.rules.iter().map(|rule| &rule.destination))
            .map(|bucket| bucket.arn(partition))
            .filter(|bucket| {
                key_grant::bound_to(&grant.constraints.equals.clone().unwrap_or_default(), partition)
                    .is_none_or(|bound_to| bound_to == bucket)
            })
            .map(|bucket| Permission {
                resource: grant.key.to_string(),
                context: Some(KeyContext {
                    via_service: String::new(),
                    arn: bucket,
                }),
                action: String::new(),
            })
            .collect();
        let is_named = given.iter().any(|given| {
            replication
                .rules
                .iter()
                .any(|rule| is_named(given, rule, self.snapshot, self.settings))
        });
        if is_named {
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
                answer.verdict == Verdict::Allowed
            })
    }
}

fn permissions(needs: &[&Need]) -> BTreeSet<Permission> {
    needs
        .iter()
        .filter_map(|need| match &need.means {
            Means::Statement(permission) => Some(permission.clone()),
            Means::NoStatement | Means::Grant { .. } => None,
        })
        .collect()
}

fn fingerprint(document: Option<&PolicyDocument>) -> Option<String> {
    document.map(|document| canonical(document.raw()))
}

/// The account as if nothing of ours were in it. What others wrote into our policy stays: it is theirs.
fn without_ours(snapshot: &Snapshot, name: &str, ours: &OurPolicy, source: &str) -> Snapshot {
    let mut bare = snapshot.clone();
    if let Observed::Found(role) = &mut bare.role
        && !ours.is_foreign
    {
        role.inline.policies.retain(|policy| policy.name != name);
        if let Some(document) = ours.with(&BTreeSet::new(), source) {
            role.inline.policies.push(NamedPolicy::new(name, document));
        }
    }
    for key in bare.keys.values_mut() {
        if let Observed::Found(grants) = &mut key.grants {
            grants.retain(|grant| !key_grant::is_ours(grant, &snapshot.source.name));
        }
    }
    bare
}
