//! Decides the changes: what is missing, joined into one policy of ours and into grants, and what of ours can be
//! removed.
//!
//! The account is first judged as if nothing of ours were in it. So the policy that is planned says what is needed now,
//! whatever it said before, and planning again after it was applied plans nothing.

mod grants;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::assessment::{Assessment, answer_with, assess, grants_of};
use crate::guard::{Guard, GuardSettings, Refusal};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy, PolicyDocument, PolicySet};
use crate::requirement::Requirement;
use crate::snapshot::{Role, RulesById, Snapshot};

use super::canonical::canonical;
use super::keep::{asked, matters, stays};
use super::key_grant;
use super::need::{Means, Need, needs, standing, unread_policies};
use super::our_policy::OurPolicy;
use super::role_policy::{Permission, policy_name};
use super::size;
use super::{Basis, Change, Plan, Planned, RolePolicyChange, Slot, Withheld, record, slot};

/// The plan for a snapshot with a role.
pub(super) fn plan(
    snapshot: &Snapshot,
    role: &Role,
    assessments: &[Assessment],
    settings: &GuardSettings,
    against_taking: &[Refusal],
) -> Plan {
    let planner = Planner::new(snapshot, role, assessments, settings, against_taking);
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
    /// What is met as things are; grouped, because there may be ten thousand of them.
    met: BTreeMap<Slot<'a>, Vec<&'a Requirement>>,
    snapshot: &'a Snapshot,
    rules: RulesById<'a>,
    role: &'a Role,
    settings: &'a GuardSettings,
    /// What stands against taking anything away.
    against_taking: &'a [Refusal],
    assessments: &'a [Assessment],
    /// The account without anything of ours, and what it lacks.
    bare: Cow<'a, Snapshot>,
    bare_assessments: Cow<'a, [Assessment]>,
    needs: Vec<Need>,
    name: String,
    /// ARN of the source bucket.
    source: String,
    before: Option<PolicyDocument>,
    ours: OurPolicy,
}

impl<'a> Planner<'a> {
    fn new(
        snapshot: &'a Snapshot,
        role: &'a Role,
        assessments: &'a [Assessment],
        settings: &'a GuardSettings,
        against_taking: &'a [Refusal],
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
        // Without unconstrained grants, which the assessments count where they are set. Where nothing is ours there is
        // nothing to judge anew, and judging a thousand rules takes its time.
        let strict = match settings.unconstrained_grants {
            false if matches!(bare, Cow::Borrowed(_)) => Cow::Borrowed(assessments),
            false | true => Cow::Owned(assess(&bare, false)),
        };
        let generous = match settings.unconstrained_grants {
            true => Cow::Owned(assess(&bare, true)),
            false => Cow::Borrowed(&*strict),
        };
        let bare_role = bare.role.found().unwrap_or(role);
        let rules = snapshot.rules_by_id();
        let needs = needs(&bare, &rules, bare_role, &strict, &generous, settings);
        drop(generous);
        let mut met: BTreeMap<Slot<'_>, Vec<&Requirement>> = BTreeMap::new();
        // Only what is to be repaired is ever looked up.
        for assessment in assessments
            .iter()
            .filter(|assessment| !needs.is_empty() && assessment.answer.is_allowed())
        {
            met.entry(slot(&assessment.requirement))
                .or_default()
                .push(&assessment.requirement);
        }
        Self {
            met,
            snapshot,
            rules,
            role,
            settings,
            against_taking,
            assessments,
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
        self.met
            .get(&slot(requirement))
            .is_some_and(|met| met.contains(&requirement))
    }

    /// The requirements of these needs that are not met yet.
    fn unmet<'n>(&self, needs: impl IntoIterator<Item = &'n Need>) -> Vec<Requirement> {
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
        let kept = self.kept(&wanted);
        let mut withheld = Vec::new();
        for (refusals, needs) in refused {
            let missing = permissions(&needs);
            let is_given = !missing.is_empty() && missing.is_subset(&kept);
            if !is_given {
                // Beside what is there, so that it shows what this part would add.
                let all = self.ours.permissions.union(&missing).cloned().collect();
                withheld.push(self.withhold(&all, refusals.to_vec(), self.unmet(needs)));
            }
        }
        let least: BTreeSet<Permission> = wanted.union(&kept).cloned().collect();
        let superfluous: BTreeSet<Permission> = self.ours.permissions.difference(&least).cloned().collect();
        // Giving does not wait; taking away may have to.
        let waits = !superfluous.is_empty() && !self.against_taking.is_empty();
        let whole: BTreeSet<Permission> = match waits {
            true => least.union(&superfluous).cloned().collect(),
            false => least.clone(),
        };
        let mut changes = Vec::new();
        let mut document = self.before.clone();
        let mut refusals = Vec::new();
        let change = self.change(&whole);
        let is_changed = fingerprint(change.before.as_ref()) != fingerprint(change.after.as_ref());
        if is_changed && !(self.ours.is_foreign && whole.is_empty()) {
            refusals = self.policy_refusals(&change, &whole);
            if refusals.is_empty() {
                document.clone_from(&change.after);
                changes.push(Planned {
                    change: Change::PutRolePolicy(change),
                    basis: Basis::Role(record(self.role)),
                    meets: self.unmet(allowed.iter().copied()),
                });
            }
        }
        let is_refused = !refusals.is_empty();
        if waits || is_refused {
            // What is left to do after what is done now. Where there is no room to give before something is taken away,
            // that is both.
            let change = RolePolicyChange {
                before: document.clone(),
                ..self.change(&least)
            };
            if waits {
                refusals = self.policy_refusals(&change, &least);
                refusals.extend_from_slice(self.against_taking);
            }
            withheld.push(Withheld {
                change: Change::PutRolePolicy(change),
                refusals,
                meets: match is_refused {
                    true => self.unmet(allowed),
                    false => Vec::new(),
                },
            });
        }
        let left = size::LIMIT.saturating_sub(self.others() + document.as_ref().map_or(0, size::characters));
        let characters_left = self.role.inline.is_complete().then_some(left);
        (changes, withheld, characters_left)
    }

    /// What our policy gives now and is to give on, beside what is wanted.
    fn kept(&self, wanted: &BTreeSet<Permission>) -> BTreeSet<Permission> {
        if self.ours.permissions.is_empty() {
            return BTreeSet::new();
        }
        let asked = asked(&self.bare, &self.rules, &self.bare_assessments);
        let (mut kept, dropped): (BTreeSet<_>, BTreeSet<_>) = self
            .ours
            .permissions
            .difference(wanted)
            .cloned()
            .partition(|given| stays(given, &self.bare, &self.rules, &asked, self.settings));
        // A rule may live on what another one left, because its own prefix cannot be written.
        let left: BTreeSet<Permission> = wanted.union(&kept).cloned().collect();
        let identity = self.identity_with(self.ours.with(&left, &self.source));
        for assessment in self.assessments.iter().filter(|_| !dropped.is_empty()) {
            let requirement = &assessment.requirement;
            if !assessment.answer.is_allowed()
                || !matters(requirement, &self.rules, self.snapshot, self.settings)
            {
                continue;
            }
            let answer = answer_with(
                self.snapshot,
                self.role,
                &requirement.area,
                &requirement.request,
                &identity,
                &grants_of(self.snapshot, &requirement.area),
            );
            if !answer.is_allowed() {
                let same_action = |given: &&Permission| given.action == requirement.request.action;
                kept.extend(dropped.iter().filter(same_action).cloned());
            }
        }
        kept
    }

    /// The role's policies with another document in place of ours.
    fn identity_with(&self, document: Option<PolicyDocument>) -> PolicySet {
        let mut identity = self.role.identity_policies();
        identity.policies.retain(|policy| policy.name != self.name);
        identity
            .policies
            .extend(document.map(|document| NamedPolicy::new(self.name.clone(), document)));
        identity
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
                "move other inline policies of the role into managed policies, or give buckets that share it a role of \
                 their own",
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

/// The account as if nothing of ours were in it; borrowed where nothing is. What others wrote into our policy stays: it
/// is theirs.
fn without_ours<'a>(snapshot: &'a Snapshot, name: &str, ours: &OurPolicy, source: &str) -> Cow<'a, Snapshot> {
    let is_ours = |grant: &Grant| key_grant::is_ours(grant, &snapshot.source.name);
    let has_policy = !ours.is_foreign && !ours.permissions.is_empty();
    let mut grants = snapshot.keys.values().filter_map(|key| key.grants.found());
    if !has_policy && !grants.any(|grants| grants.iter().any(is_ours)) {
        return Cow::Borrowed(snapshot);
    }
    let mut bare = snapshot.clone();
    if let Observed::Found(role) = &mut bare.role
        && has_policy
    {
        role.inline.policies.retain(|policy| policy.name != name);
        if let Some(document) = ours.with(&BTreeSet::new(), source) {
            role.inline.policies.push(NamedPolicy::new(name, document));
        }
    }
    for key in bare.keys.values_mut() {
        if let Observed::Found(grants) = &mut key.grants {
            grants.retain(|grant| !is_ours(grant));
        }
    }
    Cow::Owned(bare)
}
