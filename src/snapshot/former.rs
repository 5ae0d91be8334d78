//! Policies and grants of ours in roles and on keys that the rules may have named once: candidates for revocation.
//!
//! Which roles and keys these are is hearsay, from records or from a person. What stands there is read like everything
//! else, and nothing but that counts.

use crate::arn::{KeyArn, RoleArn};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{RoleRecord, Tags};

/// What was read beside what the rules name now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Former {
    /// Roles of our account.
    pub roles: Vec<FormerRole>,
    /// Keys of our account, once for each role that may have grants of ours on them.
    pub keys: Vec<FormerKey>,
    /// What was not read: it lies in another account, or there were too many to look at. For people.
    pub passed_over: Vec<String>,
    /// Has what the rules do not need been superfluous for long enough to believe that it will stay so?
    pub is_settled: bool,
}

/// A role that may hold our policy for the bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct FormerRole {
    /// The role.
    pub arn: RoleArn,
    /// What it is now.
    pub record: Observed<RoleRecord>,
    /// What it holds under the name of our policy for the bucket.
    pub policy: Observed<NamedPolicy>,
}

/// A key that may carry grants of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct FormerKey {
    /// The key.
    pub arn: KeyArn,
    /// Whose grants were listed.
    pub grantee: RoleArn,
    /// Tags.
    pub tags: Observed<Tags>,
    /// That role's grants.
    pub grants: Observed<Vec<Grant>>,
}
