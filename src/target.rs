//! The ports through which anything is written: the four calls of repairs with a dry run of one, and the ordering of a job.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use crate::arn::{KeyArn, RoleArn};
use crate::backlog::ApprovedJob;
use crate::mode::WriteAccess;
use crate::policy::PolicyDocument;

/// The IAM actions that repairs and their undo need, all of them (jobs need [`crate::backlog::ACTIONS`]); they are named as the operations are.
pub const ACTIONS: [&str; 4] = [
    "iam:DeleteRolePolicy",
    "iam:PutRolePolicy",
    "kms:CreateGrant",
    "kms:RevokeGrant",
];

/// A grant that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRequest {
    /// The key.
    pub key: KeyArn,
    /// Who may use it.
    pub grantee: RoleArn,
    /// Who may retire it: our own account's root, so that it is never orphaned. A role would be: KMS replaces a deleted
    /// role by its unique id, which no new role can claim.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html#KMS-CreateGrant-request-RetiringPrincipal>
    pub retiring_principal: String,
    /// Deterministic, so that asking twice makes one grant.
    pub name: String,
    /// Operations, as KMS names them: `Decrypt`, `Encrypt`, `GenerateDataKey`.
    pub operations: BTreeSet<String>,
    /// The whole encryption context that a request must have; empty for an unconstrained grant.
    pub context_equals: BTreeMap<String, String>,
}

/// A write that AWS accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// AWS's request id, for CloudTrail.
    pub request_id: Option<String>,
    /// The grant, where one was made.
    pub grant_id: Option<String>,
}

/// A write that AWS refused or that got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} on `{resource}` failed with {code}: {message}")]
pub struct WriteFailure {
    /// `iam:PutRolePolicy`, …
    pub operation: &'static str,
    /// What was to be changed.
    pub resource: String,
    /// AWS's error code.
    pub code: String,
    /// AWS's message, control characters removed.
    pub message: String,
    /// Would it be worth trying again?
    pub retryable: bool,
}

/// Where writes can be had, by those who may write.
pub trait Writable {
    /// A way to write. Without the permission, which a dry run cannot make, there is none.
    fn writer(&self, permission: &WriteAccess) -> impl Target;
    /// A way to order jobs, for the same ones alone.
    fn jobs(&self, permission: &WriteAccess) -> impl Jobs;
}

/// Orders jobs of S3 Batch Operations.
pub trait Jobs {
    /// s3:CreateJob, to be confirmed by a person. The same order twice is one job, whose id is answered.
    fn create_job(&self, order: &ApprovedJob) -> impl Future<Output = Result<String, WriteFailure>>;
}

/// Writes to AWS.
pub trait Target {
    /// iam:PutRolePolicy
    fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &PolicyDocument,
    ) -> impl Future<Output = Result<Written, WriteFailure>>;
    /// iam:DeleteRolePolicy. A policy that is not there counts as deleted.
    fn delete_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
    ) -> impl Future<Output = Result<Written, WriteFailure>>;
    /// kms:CreateGrant with `DryRun`: would it be permitted and well formed?
    fn try_grant(&self, grant: &GrantRequest) -> impl Future<Output = Result<(), WriteFailure>>;
    /// kms:CreateGrant
    fn create_grant(&self, grant: &GrantRequest) -> impl Future<Output = Result<Written, WriteFailure>>;
    /// kms:RevokeGrant. A grant that is not there counts as revoked.
    fn revoke_grant(
        &self,
        key: &KeyArn,
        grant_id: &str,
    ) -> impl Future<Output = Result<Written, WriteFailure>>;
}
