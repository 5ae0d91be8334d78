//! Every requirement, answered; and for each that is not met, what kind of change would meet it.
//!
//! The question "would a policy on the role help?" is not answered by reasoning about layers but by asking the evaluator
//! again with that policy added. So this file knows nothing of how policies combine.
//!
//! Grants: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>.

use std::collections::BTreeMap;

use serde_json::json;

use crate::arn::{KeyArn, KeyReference};
use crate::observed::Observed;
use crate::policy::{
    Answer, Caller, Context, Grant, KeyTrust, Layers, NamedPolicy, PolicyDocument, PolicySet, Request,
    Verdict, evaluate, key_trust,
};
use crate::requirement::{Area, ContextForm, Requirement, requirements};
use crate::snapshot::{EncryptionType, Key, KeyManager, Role, Snapshot};

/// A requirement and what the policies say to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What is needed.
    pub requirement: Requirement,
    /// What the policies say.
    pub answer: Answer,
    /// What would meet it.
    pub repair: Repair,
}

impl Assessment {
    /// Is the requirement certainly not met?
    pub fn is_denied(&self) -> bool {
        match self.answer.verdict {
            Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => true,
            Verdict::Allowed | Verdict::Undetermined => false,
        }
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

/// Answers every requirement of the enabled rules. Empty where there is no role to judge.
pub fn assess(snapshot: &Snapshot, unconstrained_grants: bool) -> Vec<Assessment> {
    let Some(role) = snapshot.role.found() else {
        return Vec::new();
    };
    let judge = Judge {
        snapshot,
        role,
        identity: role.identity_policies(),
        unconstrained_grants,
    };
    requirements(snapshot, role)
        .into_iter()
        .map(|requirement| judge.assess(requirement))
        .collect()
}

/// Answers requests of the role as the account would stand with `identity` and `grants` in place of the real ones.
///
/// The plan is reviewed with it.
pub fn answer_with(
    snapshot: &Snapshot,
    role: &Role,
    area: &Area,
    request: &Request,
    identity: &PolicySet,
    grants: &Observed<Vec<Grant>>,
) -> Answer {
    let nothing = Observed::Absent;
    let resource = match area {
        Area::Source => &snapshot.source.policy,
        Area::Destination(bucket) => match snapshot.destination(bucket) {
            Some(Observed::Found(bucket)) => &bucket.policy,
            Some(Observed::Absent | Observed::Unreadable(_)) | None => &nothing,
        },
        Area::SourceKey(arn) | Area::ReplicaKey(arn) => {
            key_of(snapshot, arn).map_or(&nothing, |key| &key.policy)
        }
    };
    let layers = Layers {
        identity,
        boundary: &role.boundary,
        resource,
        scps: &[],
        rcps: &[],
        grants,
    };
    evaluate(request, &layers)
}

/// The key with this ARN, however it is named.
pub fn key_of<'a>(snapshot: &'a Snapshot, arn: &KeyArn) -> Option<&'a Key> {
    snapshot
        .keys
        .values()
        .find(|key| match (&key.metadata, &key.reference) {
            (Observed::Found(metadata), _) => metadata.arn == *arn,
            (Observed::Absent | Observed::Unreadable(_), KeyReference::Key(reference)) => reference == arn,
            (Observed::Absent | Observed::Unreadable(_), KeyReference::Alias(_)) => false,
        })
}

/// The grants on what an area is about: none where it is no key.
pub fn grants_of(snapshot: &Snapshot, area: &Area) -> Observed<Vec<Grant>> {
    match area {
        Area::Source | Area::Destination(_) => Observed::Found(Vec::new()),
        Area::SourceKey(arn) | Area::ReplicaKey(arn) => {
            key_of(snapshot, arn).map_or(Observed::Found(Vec::new()), |key| key.grants.clone())
        }
    }
}

struct Judge<'a> {
    snapshot: &'a Snapshot,
    role: &'a Role,
    identity: PolicySet,
    unconstrained_grants: bool,
}

impl Judge<'_> {
    fn assess(&self, requirement: Requirement) -> Assessment {
        let grants = grants_of(self.snapshot, &requirement.area);
        let answer = self.answer(&requirement, &self.identity, &grants);
        let repair = match answer.verdict {
            Verdict::Allowed | Verdict::Undetermined => Repair::None,
            Verdict::ExplicitlyDenied => Repair::Person(Obstacle::ExplicitDeny),
            Verdict::ImplicitlyDenied => self.repair(&requirement, &grants),
        };
        Assessment {
            requirement,
            answer,
            repair,
        }
    }

    fn answer(
        &self,
        requirement: &Requirement,
        identity: &PolicySet,
        grants: &Observed<Vec<Grant>>,
    ) -> Answer {
        answer_with(
            self.snapshot,
            self.role,
            &requirement.area,
            &requirement.request,
            identity,
            grants,
        )
    }

    fn repair(&self, requirement: &Requirement, grants: &Observed<Vec<Grant>>) -> Repair {
        let mut identity = self.identity.clone();
        identity.policies.extend(exact_allow(&requirement.request));
        match self.answer(requirement, &identity, grants).verdict {
            Verdict::Allowed => return Repair::RolePolicy,
            // A layer that could not be read may still stand in the way. The role's own policies lack it all the same;
            // whether the change may be made is for the guards to say.
            Verdict::Undetermined => return Repair::RolePolicy,
            Verdict::ExplicitlyDenied => return Repair::Person(Obstacle::ExplicitDeny),
            Verdict::ImplicitlyDenied => {}
        }
        if let Some(repair) = self.grant(requirement) {
            return repair;
        }
        let unbounded = Role {
            boundary: Observed::Absent,
            ..self.role.clone()
        };
        let without_boundary = answer_with(
            self.snapshot,
            &unbounded,
            &requirement.area,
            &requirement.request,
            &identity,
            grants,
        );
        match without_boundary.verdict {
            Verdict::Allowed | Verdict::Undetermined => Repair::Person(Obstacle::Boundary),
            Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => Repair::Person(Obstacle::ResourcePolicy),
        }
    }

    /// A grant helps where the key policy does not delegate to the account: if we may make it, and if it fits what S3
    /// will ask.
    fn grant(&self, requirement: &Requirement) -> Option<Repair> {
        let (Area::SourceKey(arn) | Area::ReplicaKey(arn)) = &requirement.area else {
            return None;
        };
        let key = key_of(self.snapshot, arn)?;
        let metadata = key.metadata.found()?;
        let ours =
            *arn.account() == self.snapshot.identity.account && metadata.manager == KeyManager::Customer;
        if !ours
            || !["kms:CreateGrant", "kms:RevokeGrant"]
                .into_iter()
                .all(|action| self.may_manage(key, arn, action))
        {
            return None;
        }
        if self.role.boundary != Observed::Absent {
            // Whether a boundary limits what a grant gives is not documented: nothing is built on it.
            return None;
        }
        if self.unconstrained_grants {
            return Some(Repair::UnconstrainedGrant);
        }
        (requirement.form == Some(ContextForm::Bucket) && self.bucket_key_is_certain())
            .then_some(Repair::ConstrainedGrant)
    }

    /// Grant constraints match exactly, so they fit only objects with a Bucket Key, which share one context.
    fn bucket_key_is_certain(&self) -> bool {
        let default = self.snapshot.source.encryption.found();
        default.is_some_and(|default| default.bucket_key && default.kind == EncryptionType::Kms)
            && self
                .snapshot
                .objects
                .iter()
                .all(|object| object.head.found().is_none_or(|head| head.bucket_key))
    }

    /// Does the key policy, on its own, let our account or our role manage grants?
    fn may_manage(&self, key: &Key, arn: &KeyArn, action: &str) -> bool {
        let identity = &self.snapshot.identity;
        let Some(role) = &identity.role else { return false };
        let request = Request {
            caller: Caller::Role {
                role: role.clone(),
                session: role.session("s3-replication-remediator"),
            },
            action: action.to_owned(),
            resource: arn.to_string(),
            resource_account: arn.account().clone(),
            context: Context::new()
                .with("aws:PrincipalArn", role.to_string())
                .with("aws:PrincipalAccount", role.account().as_str())
                .with("aws:PrincipalType", "AssumedRole")
                .with("kms:CallerAccount", role.account().as_str())
                .with("kms:GranteePrincipal", self.role.arn.to_string())
                .with("aws:ResourceAccount", arn.account().as_str())
                .with("aws:RequestedRegion", arn.region().as_str())
                .with("aws:SecureTransport", "true")
                .with("aws:CurrentTime", self.snapshot.taken_at.to_string()),
        };
        match key_trust(&request, &key.policy) {
            KeyTrust::Account | KeyTrust::Role | KeyTrust::AccountAndRole => true,
            KeyTrust::Nobody | KeyTrust::Denied | KeyTrust::Unknown => false,
        }
    }
}

/// A policy that allows exactly one request, for asking "and if it were allowed?".
fn exact_allow(request: &Request) -> Option<NamedPolicy> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": request.action, "Resource": request.resource}],
    });
    PolicyDocument::from_value(document)
        .ok()
        .map(|document| NamedPolicy {
            name: "what would be needed".to_owned(),
            document,
        })
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
