//! Decides whether a plan may be told or applied. None of this code made the plan.
//!
//! The account is judged again as it would stand after the changes: what they claim to meet must be met, nothing that
//! works may stop working, and nothing may become allowed that no requirement needs. A plan that fails is a mistake of
//! this program: it is reported as such, and never offered.

mod effect;
mod excess;
mod form;
mod former;
mod universe;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::arn::{BucketName, KeyArn};
use crate::assessment::{Assessment, key_of};
use crate::event::PlanDigest;
use crate::guard::{GuardSettings, Protected, Refusal, refusals};
use crate::policy::Grant;
use crate::requirement::Requirement;
use crate::snapshot::{Identity, Role, RulesById, Snapshot};

use super::key_grant;
use super::role_policy::{bucket_in, policy_name};
use super::{Basis, Change, Plan, Planned, key_basis, record};

/// A plan that passed its review. Only a review makes one, and only such a plan can be told or applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewedPlan(Plan);

impl ReviewedPlan {
    /// The plan, for reading.
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// The plan's digest.
    pub fn digest(&self) -> &PlanDigest {
        &self.0.digest
    }

    /// Is there a change that may be made?
    pub fn has_changes(&self) -> bool {
        !self.0.changes.is_empty()
    }
}

impl Serialize for ReviewedPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The digest does not name the changes.
    Digest,
    /// It touches something that is not ours by name.
    NotOurs,
    /// It was made from something else than the snapshot.
    Basis,
    /// A guard refuses it.
    Guarded,
    /// A document or grant is not of the form that we write.
    Form,
    /// It leaves open what it claims to meet, or forgets what could be repaired.
    NotMet,
    /// It takes away what is needed.
    Lost,
    /// It allows what nothing needs.
    TooMuch,
    /// It answers an explicit denial.
    AnswersDenial,
    /// It is larger than AWS takes.
    TooLarge,
}

/// One objection to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Of which kind.
    pub fault: Fault,
    /// What exactly.
    pub detail: String,
}

impl Objection {
    pub(super) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self {
            fault,
            detail: detail.into(),
        }
    }
}

/// A plan that may be neither told nor applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ReviewFailure {
    /// Every objection; never empty.
    pub objections: Vec<Objection>,
}

impl fmt::Display for ReviewFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the plan failed its review")?;
        for (index, objection) in self.objections.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{}", objection.detail)?;
        }
        Ok(())
    }
}

/// Reviews the plan that was made for a snapshot. `assessments` are those of the snapshot as it is.
///
/// # Errors
/// The plan is wrong, in the ways that are listed.
pub fn review(
    snapshot: &Snapshot,
    assessments: &[Assessment],
    plan: Plan,
    settings: &GuardSettings,
) -> Result<ReviewedPlan, ReviewFailure> {
    let mut objections = Vec::new();
    if super::digest(&snapshot.source.name, &plan.changes) != plan.digest {
        objections.push(Objection::new(
            Fault::Digest,
            "the digest does not name the changes",
        ));
    }
    let (of_rules, removals) = former::apart(&plan, snapshot);
    former::review(&removals, snapshot, settings, &mut objections);
    match snapshot.role.found() {
        Some(role) => {
            let reviewer = Reviewer {
                snapshot,
                rules: snapshot.rules_by_id(),
                role,
                assessments,
                settings,
            };
            reviewer.review(&of_rules, &mut objections);
        }
        None if of_rules.changes.is_empty() => {}
        None => objections.push(Objection::new(Fault::NotOurs, "there is no role to change")),
    }
    if objections.is_empty() {
        Ok(ReviewedPlan(plan))
    } else {
        Err(ReviewFailure { objections })
    }
}

/// Reviews a plan that takes back what is ours: every change must take away, and only from what is ours by name in our
/// own account. No guard stands against that.
///
/// # Errors
/// The plan does something else.
pub(super) fn review_removal(
    identity: &Identity,
    source: &BucketName,
    plan: Plan,
) -> Result<ReviewedPlan, ReviewFailure> {
    let mut objections = Vec::new();
    for planned in &plan.changes {
        let is_ours = match &planned.change {
            Change::PutRolePolicy(change) => {
                form::only_takes_away(change)
                    && change.name == policy_name(source)
                    && *change.role.account() == identity.account
            }
            Change::RevokeGrant(revocation) => {
                key_grant::is_ours(&revocation.grant, source)
                    && *revocation.grant.key.account() == identity.account
            }
            Change::CreateGrant(_) => false,
        };
        if !is_ours {
            let detail = format!(
                "`{}` is not ours to take away",
                planned.change.name().escape_debug()
            );
            objections.push(Objection::new(Fault::NotOurs, detail));
        }
    }
    if super::digest(source, &plan.changes) != plan.digest || !plan.withheld.is_empty() {
        objections.push(Objection::new(
            Fault::Digest,
            "the digest does not name the changes",
        ));
    }
    if objections.is_empty() {
        Ok(ReviewedPlan(plan))
    } else {
        Err(ReviewFailure { objections })
    }
}

struct Reviewer<'a> {
    snapshot: &'a Snapshot,
    rules: RulesById<'a>,
    role: &'a Role,
    assessments: &'a [Assessment],
    settings: &'a GuardSettings,
}

impl Reviewer<'_> {
    fn review(&self, plan: &Plan, objections: &mut Vec<Objection>) {
        for planned in &plan.changes {
            self.ours_and_as_it_is(planned, objections);
            self.guards(&planned.change, objections);
            form::of(&planned.change, self, objections);
        }
        let policies = plan
            .changes
            .iter()
            .filter(|planned| matches!(planned.change, Change::PutRolePolicy(_)));
        if policies.count() > 1 {
            objections.push(Objection::new(Fault::Form, "two changes of one policy"));
        }
        self.nothing_is_taken_too_early(plan, objections);
        effect::of(plan, self, objections);
        excess::explore(plan, self, objections);
    }

    fn nothing_is_taken_too_early(&self, plan: &Plan, objections: &mut Vec<Objection>) {
        let against = refusals(Protected::Rules, self.snapshot, self.settings);
        let takes = |planned: &Planned| match &planned.change {
            Change::PutRolePolicy(change) => excess::takes(change, self),
            Change::RevokeGrant(_) => true,
            Change::CreateGrant(_) => false,
        };
        if !against.is_empty() && plan.changes.iter().any(takes) {
            objections.extend(against.into_iter().map(objection));
        }
    }

    /// Only what is ours by name is touched, and only as it was seen.
    fn ours_and_as_it_is(&self, planned: &Planned, objections: &mut Vec<Objection>) {
        let mut object = |fault, detail: String| objections.push(Objection::new(fault, detail));
        let source = &self.snapshot.source.name;
        match &planned.change {
            Change::PutRolePolicy(change) => {
                if change.role != self.role.arn || change.name != policy_name(source) {
                    object(
                        Fault::NotOurs,
                        format!("policy `{}` of `{}` is not ours", change.name, change.role),
                    );
                }
                let inline = &self.role.inline.policies;
                let now = inline.iter().find(|policy| policy.name == change.name);
                if now.map(|policy| &policy.document) != change.before.as_ref()
                    || planned.basis != Basis::Role(record(self.role))
                {
                    object(Fault::Basis, format!("`{}` is not as the plan says", change.role));
                }
            }
            Change::CreateGrant(request) => {
                let grant = key_grant::as_granted(request);
                let identity = &self.snapshot.identity;
                if request.grantee != self.role.arn
                    || !key_grant::is_ours(&grant, source)
                    || request.retiring_principal != key_grant::retiring_principal(identity)
                {
                    object(
                        Fault::NotOurs,
                        format!("grant `{}` is not one of ours", request.name),
                    );
                }
                let basis = key_of(self.snapshot, &request.key).and_then(key_basis);
                if basis.as_ref() != Some(&planned.basis) {
                    object(Fault::Basis, format!("`{}` is not as the plan says", request.key));
                }
            }
            Change::RevokeGrant(revocation) => {
                let grant = &revocation.grant;
                let is_own = *grant.key.account() == self.snapshot.identity.account;
                if !is_own || !key_grant::is_ours(grant, source) {
                    object(Fault::NotOurs, format!("grant `{}` is not ours", grant.id));
                }
                if !self.grants(&grant.key).contains(grant) {
                    object(
                        Fault::Basis,
                        format!("grant `{}` is not as the plan says", grant.id),
                    );
                }
            }
        }
    }

    /// Does a rule have the requirement whose destination is proven to be ours?
    fn serves_us(&self, requirement: &Requirement) -> bool {
        self.rules.named(&requirement.rule_ids).any(|rule| {
            let destination = Protected::Destination(&rule.destination);
            refusals(destination, self.snapshot, self.settings).is_empty()
        })
    }

    fn grants(&self, key: &KeyArn) -> Vec<Grant> {
        key_of(self.snapshot, key)
            .and_then(|key| key.grants.found())
            .cloned()
            .unwrap_or_default()
    }

    /// Every role, bucket and key that is named by what comes in addition must be cleared by its guard.
    fn guards(&self, change: &Change, objections: &mut Vec<Objection>) {
        let ask = |subject: Protected<'_>| refusals(subject, self.snapshot, self.settings);
        let mut refused: Vec<Refusal> = ask(Protected::Role);
        refused.extend(ask(Protected::Source));
        let mut buckets = Vec::new();
        match change {
            Change::PutRolePolicy(change) => {
                let (keys, touched) = excess::touched(change, self);
                refused.extend(keys.iter().flat_map(|key| ask(Protected::KeyInPolicy(key))));
                buckets.extend(touched);
            }
            Change::CreateGrant(request) => {
                refused.extend(ask(Protected::KeyForGrant(&request.key)));
                buckets.extend(request.context_equals.values().filter_map(|arn| bucket_in(arn)));
            }
            Change::RevokeGrant(_) => {}
        }
        for bucket in buckets
            .iter()
            .filter(|bucket| **bucket != self.snapshot.source.name)
        {
            refused.extend(ask(Protected::Destination(bucket)));
        }
        objections.extend(refused.into_iter().map(objection));
    }
}

fn objection(refusal: Refusal) -> Objection {
    Objection::new(
        Fault::Guarded,
        format!("{}: {}", refusal.guard.as_str(), refusal.reason),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::arn::Partition;
    use crate::plan::{GrantRevocation, RolePolicyChange};
    use crate::policy::PolicyDocument;

    const ROLE: &str = "arn:aws:iam::111122223333:role/replicate";
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/source";

    fn identity() -> Identity {
        Identity {
            partition: Partition::aws(),
            account: "111122223333".parse().unwrap(),
            role: None,
        }
    }

    fn source() -> BucketName {
        "source".parse().unwrap()
    }

    fn plan(change: Change) -> Plan {
        let planned = Planned {
            change,
            basis: Basis::Nothing,
            meets: Vec::new(),
        };
        Plan::new(&source(), vec![planned], Vec::new(), None)
    }

    fn ours(action: &str) -> Value {
        json!({"Sid": "Ours", "Effect": "Allow", "Action": [action], "Resource": ["arn:aws:s3:::source/*"]})
    }

    fn policy(role: &str, name: &str, before: &[&Value], after: &[&Value]) -> Change {
        let document = |statements: &[&Value]| {
            let document = json!({"Version": "2012-10-17", "Statement": statements});
            (!statements.is_empty()).then(|| PolicyDocument::from_value(document).unwrap())
        };
        Change::PutRolePolicy(RolePolicyChange {
            role: role.parse().unwrap(),
            name: name.to_owned(),
            before: document(before),
            after: document(after),
        })
    }

    fn grant(key: &str, edit: impl FnOnce(&mut Grant)) -> Change {
        let operations = ["Decrypt".to_owned()].into();
        let role = ROLE.parse().unwrap();
        let again = key_grant::grant(
            &identity(),
            &source(),
            &role,
            &key.parse().unwrap(),
            operations,
            None,
        );
        let mut grant = key_grant::as_granted(&again);
        edit(&mut grant);
        Change::RevokeGrant(Box::new(GrantRevocation { grant, again }))
    }

    #[test]
    fn what_is_taken_back_is_ours_by_name_and_by_form_and_in_our_account_and_nothing_is_given() {
        let acl = ours("s3:GetObjectVersionAcl");
        let denial = json!({"Sid": "Theirs", "Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]});
        let theirs = ours("s3:GetObject");
        let name = &policy_name(&source());
        let elsewhere = ROLE.replace("111122223333", "444455556666");
        let given = key_grant::grant(
            &identity(),
            &source(),
            &ROLE.parse().unwrap(),
            &KEY.parse().unwrap(),
            ["Decrypt".to_owned()].into(),
            None,
        );
        for (change, is_ours) in [
            (policy(ROLE, name, &[&acl], &[]), true),
            (policy(ROLE, name, &[&acl, &theirs], &[&theirs]), true),
            (policy(ROLE, name, &[&acl, &denial], &[]), false),
            (policy(ROLE, name, &[&acl, &theirs], &[]), false),
            (policy(ROLE, name, &[&acl], &[&theirs]), false),
            (policy(ROLE, "theirs", &[&acl], &[]), false),
            (policy(&elsewhere, name, &[&acl], &[]), false),
            (grant(KEY, |_| {}), true),
            (grant(KEY, |grant| grant.name = Some("theirs".to_owned())), false),
            (grant(&KEY.replace("111122223333", "444455556666"), |_| {}), false),
            (Change::CreateGrant(given), false),
        ] {
            let answer = review_removal(&identity(), &source(), plan(change.clone()));
            assert_eq!(answer.is_ok(), is_ours, "{change:?}");
        }
        let mut another = plan(grant(KEY, |_| {}));
        another.digest = PlanDigest::of("something else");
        assert!(review_removal(&identity(), &source(), another).is_err());
    }
}
