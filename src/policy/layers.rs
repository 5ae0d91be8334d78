//! Decides which documents stand around a request, and what is known of them.
//!
//! The kinds of policy are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#access_policy-types>.

use serde::{Deserialize, Serialize};

use crate::observed::{Observed, ReadFailure};

use super::document::PolicyDocument;
use super::grant::Grant;

/// A policy with the name by which people know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedPolicy {
    /// The name of an inline policy, the ARN or name of a managed one, `key policy of …`, ….
    pub name: String,
    /// The document.
    pub document: PolicyDocument,
}

impl NamedPolicy {
    /// A policy with its name.
    #[must_use]
    pub fn new(name: impl Into<String>, document: PolicyDocument) -> Self {
        Self {
            name: name.into(),
            document,
        }
    }
}

/// Policies that count together, such as all of a role's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySet {
    /// Those that were read.
    pub policies: Vec<NamedPolicy>,
    /// Reads that failed. Each may hide any number of further policies that allow or deny anything.
    #[serde(default)]
    pub unread: Vec<ReadFailure>,
}

impl PolicySet {
    /// A set of which nothing is hidden.
    #[must_use]
    pub fn complete(policies: Vec<NamedPolicy>) -> Self {
        Self {
            policies,
            unread: Vec::new(),
        }
    }

    /// Is everything of it known?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }
}

/// The policies at one level of an organisation: the root, an organisational unit or the account. They are united.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyLevel {
    /// What the level is called.
    pub name: String,
    /// Its policies.
    pub policies: PolicySet,
}

/// Everything that has a say in a request.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The caller's own policies, inline and managed alike.
    pub identity: &'a PolicySet,
    /// The caller's permissions boundary.
    pub boundary: &'a Observed<NamedPolicy>,
    /// The policy of the resource: key policy, bucket policy or trust policy.
    pub resource: &'a Observed<NamedPolicy>,
    /// The service control policies of the caller's account from the root down; empty where none apply (no
    /// organisation, the management account).
    pub scps: &'a [PolicyLevel],
    /// The resource control policies of the resource's account from the root down; empty where none apply.
    pub rcps: &'a [PolicyLevel],
    /// The grants of the key; absent for other resources.
    pub grants: &'a Observed<Vec<Grant>>,
}
