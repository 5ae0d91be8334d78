//! Which kind of change would meet a requirement, and whether it is within our means.
//!
//! Grants: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>.

use super::{Judge, Lacks, Obstacle, Repair, key_of};
use crate::arn::KeyArn;
use crate::observed::Observed;
use crate::policy::{Caller, Context, KeyTrust, Request, key_trust};
use crate::requirement::{Area, ContextForm, Requirement};
use crate::snapshot::{EncryptionType, Key, KeyManager};

impl Judge<'_> {
    pub(super) fn repair(&self, requirement: &Requirement, lacks: Lacks) -> Repair {
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
