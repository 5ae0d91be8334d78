//! Every requirement, answered; and for each that is not met, all that stands in the way, and what kind of change would
//! meet it.
//!
//! The question "would a policy on the role help?" is not answered by reasoning about layers but by asking the evaluator
//! again with that policy added. So this file knows nothing of how policies combine.
//!
//! Grants: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>.

mod lacks;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::arn::{KeyArn, KeyReference};
use crate::observed::Observed;
use crate::policy::{
    Answer, Caller, Context, Grant, KeyTrust, Layers, Mistake, NamedPolicy, PolicySet, Request, Verdict,
    evaluate, key_trust, mistakes,
};
use crate::requirement::{Area, ContextForm, Requirement, requirements};
use crate::snapshot::{EncryptionType, Key, KeyManager, Role, Snapshot};
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
    let (Some(role), Some(replication)) = (snapshot.role.found(), snapshot.replication.found()) else {
        return Vec::new();
    };
    if role.arn != replication.role {
        return Vec::new();
    }
    let judge = Judge {
        snapshot,
        role,
        identity: role.identity_policies(),
        allowing: Allowing::of(snapshot, role),
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
    let layers = Layers {
        identity,
        boundary: &role.boundary,
        resource: &resource_policy(snapshot, area),
        scps: &[],
        rcps: &[],
        grants,
    };
    evaluate(request, &layers)
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
pub fn grants_of(snapshot: &Snapshot, area: &Area) -> Observed<Vec<Grant>> {
    let key = match area {
        Area::Source | Area::Destination(_) => None,
        Area::SourceKey(arn) | Area::ReplicaKey(arn) => key_of(snapshot, arn),
    };
    match key {
        Some(key) if !(key.grants.failure().is_some() && is_shut(key)) => key.grants.clone(),
        Some(_) | None => Observed::Found(Vec::new()),
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
}

impl Judge<'_> {
    fn assess(&self, requirement: Requirement) -> Assessment {
        let Requirement { area, request, .. } = &requirement;
        let grants = grants_of(self.snapshot, area);
        let answer = answer_with(self.snapshot, self.role, area, request, &self.identity, &grants);
        let lacks = match answer.verdict {
            Verdict::Allowed | Verdict::Undetermined => Lacks::default(),
            Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => {
                self.allowing.lacks(area, request, &grants)
            }
        };
        let repair = match answer.verdict {
            Verdict::Allowed | Verdict::Undetermined => Repair::None,
            Verdict::ExplicitlyDenied => Repair::Person(Obstacle::ExplicitDeny),
            Verdict::ImplicitlyDenied => self.repair(&requirement, lacks),
        };
        Assessment {
            requirement,
            answer,
            lacks,
            repair,
        }
    }

    fn repair(&self, requirement: &Requirement, lacks: Lacks) -> Repair {
        match lacks {
            Lacks { boundary: true, .. } => Repair::Person(Obstacle::Boundary),
            // A layer that could not be read may still stand in the way. The role's own policies lack it all the same;
            // whether the change may be made is for the guards to say.
            Lacks {
                role: true,
                resource: false,
                ..
            } => Repair::RolePolicy,
            Lacks {
                role: true,
                resource: true,
                ..
            } => Repair::Person(Obstacle::ResourcePolicy),
            Lacks { role: false, .. } => self
                .grant(requirement)
                .unwrap_or(Repair::Person(Obstacle::ResourcePolicy)),
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
            caller: Caller::session_of(role, "s3-replication-remediator"),
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
