//! Decides whether a plan allows anything that no requirement needs, by trying what a thief would try.
//!
//! What is added is asked about a broad list of actions, about names that look like the right ones, about other Regions,
//! services and encryption contexts, and about none. All that it then allows, and that our statements did not allow before,
//! must be the business of some rule. Trying proves nothing about what was not tried; that the statements are of a form
//! with one bucket or key, one service and one wildcard at most is checked beside this.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::form::{only_in, statement, statements};
use super::universe::{ENCRYPTION_CONTEXT, Place, SAMPLE, Universe, gives};
use super::{Fault, Objection, Reviewer};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::assessment::Assessment;
use crate::plan::role_policy::bucket_in;
use crate::plan::{Change, Plan, RolePolicyChange};
use crate::policy::{Caller, Context, NamedPolicy, PolicyDocument, PolicySet, Request};
use crate::requirement::{Area, ContextForm, Necessity, Requirement};
use crate::target::GrantRequest;

pub(super) fn explore(plan: &Plan, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    for planned in &plan.changes {
        match &planned.change {
            Change::PutRolePolicy(change) => policy(change, reviewer, objections),
            Change::CreateGrant(request) => grant(request, reviewer, objections),
            Change::RevokeGrant(_) => {}
        }
    }
}

/// Our statements only allow, so a document gives what its statements give, and each is tried by itself. That keeps the
/// trials as few as the document is short, however many rules there are.
fn policy(change: &RolePolicyChange, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let before = own(change.before.as_ref());
    let anywhere = anywhere(&reviewer.role.arn);
    let mut needed: BTreeMap<&str, Vec<&Requirement>> = BTreeMap::new();
    for assessment in reviewer
        .assessments
        .iter()
        .filter(|assessment| counts(assessment))
    {
        let requirement: &Requirement = &assessment.requirement;
        needed
            .entry(&requirement.request.action)
            .or_default()
            .push(requirement);
    }
    for statement in only_in(change.after.as_ref(), change.before.as_ref()) {
        let mut universe = Universe::around(&statement, reviewer);
        let added = set(vec![statement]);
        if added.policies.is_empty() {
            let detail = "what is added is no policy by itself";
            objections.push(Objection::new(Fault::Form, detail));
            return;
        }
        // A statement that is not about an action does not give it anywhere.
        let is_about = |action: &String| {
            added
                .policies
                .iter()
                .any(|policy| policy.document.is_about(action))
        };
        universe.own.actions.retain(is_about);
        universe.others.actions.retain(is_about);
        let mut gives_anything = false;
        universe.given(&added, &anywhere, |place, request| {
            gives_anything = true;
            let is_needed = || {
                let needed = needed.get(request.action.as_str());
                let serves = |one: &&Requirement| needs(one, place) && reviewer.serves_us(one);
                needed.is_some_and(|needed| needed.iter().any(serves))
            };
            if !gives(&before, request) && !is_needed() {
                let detail = format!(
                    "nothing needs {} on `{}` through {} in context {}",
                    request.action.escape_debug(),
                    place.resource.escape_debug(),
                    place.via_service.unwrap_or("no service"),
                    place.encryption_context.unwrap_or("none").escape_debug(),
                );
                objections.push(Objection::new(Fault::TooMuch, detail));
            }
        });
        // What gives none of what it names was not understood, so that nobody can say what it gives.
        if !gives_anything {
            let detail = "a statement gives nothing of what it names";
            objections.push(Objection::new(Fault::Form, detail));
        }
    }
}

/// Does the change take away anything that a statement of ours gives now?
pub(super) fn takes(change: &RolePolicyChange, reviewer: &Reviewer<'_>) -> bool {
    let mut takes = false;
    given_beside(change.before.as_ref(), change.after.as_ref(), reviewer, |_| {
        takes = true
    });
    takes
}

/// The keys and buckets of which the change gives more than our statements gave before.
pub(super) fn touched(
    change: &RolePolicyChange,
    reviewer: &Reviewer<'_>,
) -> (BTreeSet<KeyArn>, BTreeSet<BucketName>) {
    let (mut keys, mut buckets) = (BTreeSet::new(), BTreeSet::new());
    given_beside(change.after.as_ref(), change.before.as_ref(), reviewer, |place| {
        keys.extend(place.resource.parse::<KeyArn>());
        buckets.extend(bucket_in(place.resource));
        buckets.extend(place.encryption_context.and_then(bucket_in));
    });
    (keys, buckets)
}

/// Finds what the statements that `one` alone has give, of all that they name, and ours in `other` do not.
fn given_beside(
    one: Option<&PolicyDocument>,
    other: Option<&PolicyDocument>,
    reviewer: &Reviewer<'_>,
    mut found: impl FnMut(Place<'_>),
) {
    let others = own(other);
    let anywhere = anywhere(&reviewer.role.arn);
    for statement in only_in(one, other) {
        let names = Universe::around(&statement, reviewer).own;
        names.given(&set(vec![statement]), &anywhere, |place, request| {
            if !gives(&others, request) {
                found(place);
            }
        });
    }
}

/// The statements of our form in a document. What somebody else wrote into it, perhaps under a condition, must not pass
/// for something that was given before.
fn own(document: Option<&PolicyDocument>) -> PolicySet {
    let mut own = statements(document);
    own.retain(|one| statement(one).is_ok());
    set(own)
}

/// A request of the role, whose action and resource are still to be filled in.
fn anywhere(role: &RoleArn) -> Request {
    Request {
        caller: Caller::session_of(role, "s3-replication"),
        action: String::new(),
        resource: String::new(),
        resource_account: role.account().clone(),
        context: Context::new()
            .with("aws:PrincipalArn", role.as_str())
            .with("aws:PrincipalAccount", role.account().as_str()),
    }
}

/// A grant must fit requirements operation by operation, and be bound unless the owner allows otherwise.
fn grant(request: &GrantRequest, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let is_needed = |operation: &String| {
        reviewer.assessments.iter().any(|assessment| {
            let requirement = &assessment.requirement;
            let fits = request.context_equals.values().all(|bucket| {
                requirement.form == Some(ContextForm::Bucket)
                    && encryption_context(requirement) == Some(bucket.as_str())
            });
            counts(assessment)
                && requirement.request.action == format!("kms:{operation}")
                && requirement.request.resource == request.key.to_string()
                && fits
                && reviewer.serves_us(requirement)
        })
    };
    let is_bound = !request.context_equals.is_empty() || reviewer.settings.unconstrained_grants;
    if !is_bound || !request.operations.iter().all(is_needed) {
        objections.push(Objection::new(
            Fault::TooMuch,
            format!("grant `{}` gives more than is needed", request.name),
        ));
    }
}

fn set(statements: Vec<Value>) -> PolicySet {
    let document = PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements}));
    PolicySet::complete(
        document
            .map(|document| NamedPolicy::new("under review", document))
            .into_iter()
            .collect(),
    )
}

fn encryption_context(requirement: &Requirement) -> Option<&str> {
    let values = requirement.request.context.get(ENCRYPTION_CONTEXT)?;
    values.as_slice().first().map(String::as_str)
}

/// Is it a need of objects that are known? What only others would need is nothing to give.
fn counts(assessment: &Assessment) -> bool {
    !matches!(assessment.requirement.necessity, Necessity::WhereUsed(_))
}

/// Is it the place that a requirement is about, or the same for another object of the rule?
fn needs(requirement: &Requirement, place: Place<'_>) -> bool {
    // A bucket may bear any name, that of the sample too: only behind a `/` is it an object.
    let same_objects = |needed: &str, tried: &str| match needed.strip_suffix(SAMPLE) {
        Some(beginning) if beginning.contains('/') => tried.starts_with(beginning),
        Some(_) | None => needed == tried,
    };
    match &requirement.area {
        Area::Source | Area::Destination(_) => same_objects(&requirement.request.resource, place.resource),
        // What tells most of them apart comes first.
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            let is_of_objects = match (encryption_context(requirement), place.encryption_context) {
                (Some(needed), Some(tried)) => same_objects(needed, tried),
                (None, _) | (_, None) => false,
            };
            is_of_objects
                && key.to_string() == place.resource
                && place.via_service == Some(format!("s3.{}.amazonaws.com", key.region()).as_str())
        }
    }
}
