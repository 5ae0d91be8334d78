//! Every requirement, evaluated; and for each that is not met, everything that blocks it, and what kind of change would
//! meet it.
//!
//! The question "would a policy on the role help?" is not answered by reasoning about layers but by asking the evaluator
//! again with that policy added. So this file knows nothing of how policies combine.
//!
//! What allows what: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

mod lacks;
mod repair;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{KeyArn, KeyReference};
use crate::observed::Observed;
use crate::policy::{
    Answer, Decision, Grant, Layers, Mistake, NamedPolicy, NearMiss, PolicySet, Request, decision, evaluate,
    judge, mistakes,
};
use crate::requirement::{Area, Necessity, Requirement, of_s3_encryption, requirements};
use crate::snapshot::{Key, Role, Rule, Snapshot};
use crate::source::read::NOT_AVAILABLE_ACROSS_ACCOUNTS;

use lacks::Allowing;
pub use lacks::Lacks;

/// A requirement and what the policies say to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What is needed.
    pub requirement: Requirement,
    /// What the policies say.
    pub answer: Answer,
    /// Where an Allow is missing, denials aside.
    pub lacks: Lacks,
    /// What would meet it.
    pub repair: Repair,
}

impl Assessment {
    /// Is the requirement certainly not met?
    pub fn is_denied(&self) -> bool {
        self.answer.is_denied()
    }
}

/// The kind of change that would meet a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// None: it is met, or nobody can tell.
    None,
    /// A statement in a policy of ours on the role.
    RolePolicy,
    /// A KMS grant that is bound to one encryption context.
    ConstrainedGrant,
    /// A KMS grant for every encryption context; made only where the owner allows that.
    UnconstrainedGrant,
    /// Something that only a person may change.
    Person(Obstacle),
}

/// Why no change of ours helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Some policy denies it in so many words.
    ExplicitDeny,
    /// The role's permissions boundary does not include it.
    Boundary,
    /// The bucket's or key's own policy must be changed by its owner.
    ResourcePolicy,
}

/// Answers every requirement of the enabled rules, sorted by what they are about. Empty where there is no role to judge:
/// none at all, or one under another path, which S3 cannot assume.
pub fn assess(snapshot: &Snapshot, unconstrained_grants: bool) -> Vec<Assessment> {
    one_by_one(snapshot, unconstrained_grants).collect()
}

/// The same for those who have something else to do in between: whoever writes rules and policies chooses how long it takes.
pub fn one_by_one(
    snapshot: &Snapshot,
    unconstrained_grants: bool,
) -> impl Iterator<Item = Assessment> + use<'_> {
    let role = snapshot.role.found().filter(|role| {
        let replication = snapshot.replication.found();
        replication.is_some_and(|replication| replication.role == role.arn)
    });
    role.into_iter().flat_map(move |role| {
        let judge = Judge::of(snapshot, role, unconstrained_grants);
        requirements(snapshot, role)
            .map(move |requirement| judge.with_the_older_action(judge.assess(requirement)))
    })
}

/// What of all this is denied for one object, although it is allowed for the object that stands for all of the rule.
pub fn denied_for(
    snapshot: &Snapshot,
    assessments: &[Assessment],
    rule: &Rule,
    object: &str,
) -> Vec<Assessment> {
    let of_rule = assessments
        .iter()
        .filter(|one| one.requirement.rule_ids.contains(&rule.id))
        .map(|one| (one, rule, object.to_owned()));
    let mut not_allowed = not_allowed_for(snapshot, of_rule);
    not_allowed.retain(Assessment::is_denied);
    not_allowed
}

/// Which of these requirements, that are allowed for the object that stands for all of a rule, are not allowed, or not known
/// to be, for another object.
pub fn not_allowed_for<'a>(
    snapshot: &Snapshot,
    asked: impl Iterator<Item = (&'a Assessment, &'a Rule, String)>,
) -> Vec<Assessment> {
    let Some(role) = snapshot.role.found() else {
        return Vec::new();
    };
    let judge = Judge::of(snapshot, role, false);
    asked
        .filter(|(one, ..)| one.answer.is_allowed() && one.requirement.necessity == Necessity::Required)
        .filter_map(|(one, rule, object)| one.requirement.about(&rule.sample_key(), &object))
        .map(|requirement| Assessment {
            // What a single object lacks is for a person to judge: we add what a rule needs as a whole.
            repair: Repair::None,
            ..judge.assess(requirement)
        })
        .filter(|one| !one.answer.is_allowed())
        .collect()
}

/// How the account would answer requests of the role with `identity` and `grants` in place of the real ones.
///
/// The plan is reviewed with it.
pub fn answer_with(
    snapshot: &Snapshot,
    role: &Role,
    area: &Area,
    request: &Request,
    identity: &PolicySet,
    grants: &Observed<Vec<Grant>>,
) -> Decision {
    let resource = resource_policy(snapshot, area);
    decision(request, &layers(role, identity, &resource, grants))
}

/// All that has a say in what the role asks for.
fn layers<'a>(
    role: &'a Role,
    identity: &'a PolicySet,
    resource: &'a Observed<NamedPolicy>,
    grants: &'a Observed<Vec<Grant>>,
) -> Layers<'a> {
    Layers {
        identity,
        boundary: &role.boundary,
        resource,
        scps: &[],
        rcps: &[],
        grants,
    }
}

/// The statements that come nearest to allowing what is denied, the nearest first.
pub fn near_misses_of(snapshot: &Snapshot, assessment: &Assessment) -> Vec<NearMiss> {
    let Some(role) = snapshot.role.found() else {
        return Vec::new();
    };
    let Requirement { area, request, .. } = &assessment.requirement;
    let resource = resource_policy(snapshot, area);
    let grants = grants_of(snapshot, area);
    evaluate(
        request,
        &layers(role, &role.identity_policies(), &resource, &grants),
    )
    .near_misses
}

/// The frequent mistakes that bear on what was answered.
pub fn mistakes_of(snapshot: &Snapshot, assessment: &Assessment) -> Vec<Mistake> {
    let Some(role) = snapshot.role.found() else {
        return Vec::new();
    };
    let Requirement { area, request, .. } = &assessment.requirement;
    let layers = Layers {
        identity: &role.identity_policies(),
        boundary: &role.boundary,
        resource: &resource_policy(snapshot, area),
        scps: &[],
        rcps: &[],
        grants: &grants_of(snapshot, area),
    };
    mistakes(request, &layers, &assessment.answer)
}

/// The policy of the bucket or key itself; none where there is no such thing.
pub(crate) fn resource_policy<'a>(snapshot: &'a Snapshot, area: &Area) -> Cow<'a, Observed<NamedPolicy>> {
    let policy = match area {
        Area::Source => Some(&snapshot.source.policy),
        Area::Destination(bucket) => {
            let bucket = snapshot.destination(bucket).and_then(Observed::found);
            // That a bucket has no policy is only to be believed of its owner's word.
            if let Some(failure) = bucket.and_then(|bucket| bucket.owner.failure())
                && bucket.is_some_and(|bucket| bucket.policy.is_absent())
            {
                return Cow::Owned(Observed::Unreadable(failure.clone()));
            }
            bucket.map(|bucket| &bucket.policy)
        }
        Area::SourceKey(arn) | Area::ReplicaKey(arn) => key_of(snapshot, arn).map(|key| &key.policy),
    };
    policy.map_or(Cow::Owned(Observed::Absent), Cow::Borrowed)
}

/// The key with this ARN, however it is named.
pub fn key_of<'a>(snapshot: &'a Snapshot, arn: &KeyArn) -> Option<&'a Key> {
    if let Some(key) = snapshot.keys.get(&KeyReference::Key(arn.clone())) {
        return Some(key);
    }
    snapshot
        .keys
        .values()
        .find(|key| key.metadata.found().is_some_and(|metadata| metadata.arn == *arn))
}

/// The grants on what an area is about: none where it is no key.
///
/// Nor any of another account's key whose grants that account does not show us: its own grants do not stand in for the
/// role's policies, so what these lack is told all the same
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>).
pub fn grants_of<'a>(snapshot: &'a Snapshot, area: &Area) -> Cow<'a, Observed<Vec<Grant>>> {
    let key = match area {
        Area::Source | Area::Destination(_) => None,
        Area::SourceKey(arn) | Area::ReplicaKey(arn) => key_of(snapshot, arn),
    };
    match key {
        Some(key) if !(key.grants.failure().is_some() && is_shut(key)) => Cow::Borrowed(&key.grants),
        Some(_) | None => Cow::Owned(Observed::Found(Vec::new())),
    }
}

/// Is it another account's key, of which nothing but that account can read the policy?
fn is_shut(key: &Key) -> bool {
    key.policy
        .failure()
        .is_some_and(|failure| failure.error_code == NOT_AVAILABLE_ACROSS_ACCOUNTS)
}

struct Judge<'a> {
    snapshot: &'a Snapshot,
    role: &'a Role,
    identity: PolicySet,
    allowing: Allowing<'a>,
    unconstrained_grants: bool,
    /// The ids of the rules that take objects under KMS keys.
    of_kms: BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    fn of(snapshot: &'a Snapshot, role: &'a Role, unconstrained_grants: bool) -> Self {
        Self {
            snapshot,
            role,
            identity: role.identity_policies(),
            allowing: Allowing::of(snapshot, role),
            unconstrained_grants,
            of_kms: snapshot
                .enabled_rules()
                .filter(|rule| rule.sse_kms_objects)
                .map(|rule| rule.id.as_str())
                .collect(),
        }
    }

    /// `s3:GetObjectVersion` reads all objects but those that are encrypted with KMS, which a rule may leave out
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>).
    fn with_the_older_action(&self, mut assessment: Assessment) -> Assessment {
        let Requirement {
            area,
            request,
            rule_ids,
            ..
        } = &assessment.requirement;
        if request.action != "s3:GetObjectVersionForReplication"
            || assessment.answer.decision != Decision::ImplicitlyDenied
            || rule_ids.iter().any(|id| self.of_kms.contains(id.as_str()))
        {
            return assessment;
        }
        let older = Request {
            action: "s3:GetObjectVersion".to_owned(),
            ..request.clone()
        };
        let resource = resource_policy(self.snapshot, area);
        let no_grants = Observed::Found(Vec::new());
        let answer = judge(&older, &layers(self.role, &self.identity, &resource, &no_grants));
        match answer.decision {
            Decision::Allowed => assessment.requirement.necessity = Necessity::Advised,
            // What may be enough is no proof that anything is missing.
            Decision::Undetermined => {
                assessment.answer = answer;
                assessment.lacks = Lacks::default();
                assessment.repair = Repair::None;
            }
            Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => {}
        }
        assessment
    }

    /// The same answer to every write of objects that no KMS key encrypts, if there is one, and the request it is to.
    fn whatever_s3_says(&self, requirement: &Requirement, layers: &Layers<'_>) -> Option<(Request, Answer)> {
        let takes_kms = requirement
            .rule_ids
            .iter()
            .any(|id| self.of_kms.contains(id.as_str()));
        let alternatives = of_s3_encryption(&requirement.request).filter(|_| !takes_kms)?;
        let [named, unnamed] = alternatives.map(|request| {
            let answer = judge(&request, layers);
            (request, answer)
        });
        let is_same = (named.1.is_allowed() && unnamed.1.is_allowed())
            || (named.1.is_denied() && unnamed.1.is_denied());
        is_same.then_some(named)
    }

    fn assess(&self, mut requirement: Requirement) -> Assessment {
        let grants = grants_of(self.snapshot, &requirement.area);
        let resource = resource_policy(self.snapshot, &requirement.area);
        let layers = layers(self.role, &self.identity, &resource, &grants);
        let mut answer = judge(&requirement.request, &layers);
        if answer.decision == Decision::Undetermined
            && let Some((request, certain)) = self.whatever_s3_says(&requirement, &layers)
        {
            (requirement.request, answer) = (request, certain);
        }
        let Requirement { area, request, .. } = &requirement;
        let lacks = match answer.decision {
            Decision::Allowed | Decision::Undetermined => Lacks::default(),
            Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => {
                self.allowing.lacks(area, request, &grants)
            }
        };
        let repair = match answer.decision {
            Decision::Allowed | Decision::Undetermined => Repair::None,
            Decision::ExplicitlyDenied => Repair::Person(Obstacle::ExplicitDeny),
            Decision::ImplicitlyDenied => self.repair(&requirement, lacks),
        };
        Assessment {
            requirement,
            answer,
            lacks,
            repair,
        }
    }
}

/// Groups assessments by what they are about.
pub fn by_area(assessments: &[Assessment]) -> BTreeMap<&Area, Vec<&Assessment>> {
    let mut areas: BTreeMap<&Area, Vec<&Assessment>> = BTreeMap::new();
    for assessment in assessments {
        areas
            .entry(&assessment.requirement.area)
            .or_default()
            .push(assessment);
    }
    areas
}
