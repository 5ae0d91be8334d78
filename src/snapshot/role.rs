//! What replication depends on in the role that S3 assumes.

use crate::arn::RoleArn;
use crate::observed::Observed;
use crate::policy::{NamedPolicy, PolicySet};
use crate::snapshot::Tags;

/// The replication role.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The role as IAM knows it now.
    pub arn: RoleArn,
    /// `AROA…`: a role that was deleted and made again under its old name has another one.
    pub id: String,
    /// Who may assume it.
    pub trust: Observed<NamedPolicy>,
    /// Tags.
    pub tags: Tags,
    /// The permissions boundary; `Absent` where it has none.
    pub boundary: Observed<NamedPolicy>,
    /// ARN of the permissions boundary.
    pub boundary_arn: Option<String>,
    /// Policies written into the role.
    pub inline: PolicySet,
    /// Policies attached to the role, by the ARN.
    pub managed: PolicySet,
}

/// GetRole: the role without its policies.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleRecord {
    /// The role as IAM knows it, with its path.
    pub arn: RoleArn,
    /// `AROA…`
    pub id: String,
    /// Who may assume it.
    pub trust: Observed<NamedPolicy>,
    /// Tags.
    pub tags: Tags,
    /// ARN of its permissions boundary.
    pub boundary: Option<String>,
}

impl Role {
    /// All policies that say what the role may do.
    pub fn identity_policies(&self) -> PolicySet {
        PolicySet {
            policies: self
                .inline
                .policies
                .iter()
                .chain(&self.managed.policies)
                .cloned()
                .collect(),
            unread: self
                .inline
                .unread
                .iter()
                .chain(&self.managed.unread)
                .cloned()
                .collect(),
        }
    }
}
