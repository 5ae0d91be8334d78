//! Decides whether a grant on a key fits a request.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html> and, for constraints,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>. A grant only allows: it needs neither
//! an identity policy nor delegation by the key policy, and it lifts no denial.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::arn::KeyArn;

use super::answer::DoubtReason;
use super::matching::{PreparedCaller, PreparedRequest};
use super::principal::Principal;
use super::request::Context;
use super::truth::Truth;

/// A grant, as `kms:ListGrants` returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The grant's id.
    pub id: String,
    /// The name that its maker gave it.
    pub name: Option<String>,
    /// The key that it is for.
    pub key: KeyArn,
    /// Who may use the key: the ARN of a role or of a session.
    pub grantee: String,
    /// Who may retire the grant.
    pub retiring_principal: Option<String>,
    /// What the grantee may do, without the prefix `kms:`. `Encrypt` does not include `GenerateDataKey`.
    pub operations: BTreeSet<String>,
    /// Under which conditions.
    #[serde(default)]
    pub constraints: GrantConstraints,
}

/// When a grant applies. Both forms compare exactly, letter case included, and know no wildcards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantConstraints {
    /// The encryption context must be this one.
    pub equals: Option<BTreeMap<String, String>>,
    /// The encryption context must contain these pairs.
    pub subset: Option<BTreeMap<String, String>>,
    /// Names of constraints of a kind that we do not model.
    #[serde(default)]
    pub unknown: Vec<String>,
}

impl Grant {
    /// Does the grant allow the request? The reason is why it cannot be known.
    pub(super) fn fits(&self, subject: &PreparedRequest<'_>) -> (Truth, Option<DoubtReason>) {
        let names_operation = self
            .operations
            .iter()
            .any(|operation| operation.eq_ignore_ascii_case(subject.name));
        if !names_operation || self.key.to_string() != subject.resource {
            return (Truth::No, None);
        }
        let constraints = self.constraints.hold(subject.context);
        let (to_caller, doubt) = self.is_to(subject);
        let fits = constraints.and(to_caller);
        let doubt = match (constraints, self.constraints.unknown.first()) {
            (Truth::Unknown, Some(kind)) => Some(DoubtReason::GrantConstraint(kind.clone())),
            (_, _) => doubt,
        };
        (fits, doubt.filter(|_| fits.is_unknown()))
    }

    fn is_to(&self, subject: &PreparedRequest<'_>) -> (Truth, Option<DoubtReason>) {
        let PreparedCaller::Role {
            arn,
            session,
            account,
            ..
        } = &subject.caller
        else {
            return (Truth::No, None);
        };
        if self.grantee == *arn || self.grantee == *session {
            return (Truth::Yes, None);
        }
        match Principal::read("AWS", &self.grantee) {
            Principal::Account { id, .. } if id == account.as_str() => {
                (Truth::Unknown, Some(DoubtReason::GrantToAccount))
            }
            Principal::Anyone
            | Principal::Account { .. }
            | Principal::Arn(_)
            | Principal::Deleted(_)
            | Principal::Service(_)
            | Principal::Federated(_)
            | Principal::Other { .. } => (Truth::No, None),
        }
    }
}

impl GrantConstraints {
    fn hold(&self, context: &Context) -> Truth {
        let has = |(key, value): (&String, &String)| {
            context
                .encryption_context()
                .any(|(found_key, found)| found_key == key && found == value)
        };
        let equal = self.equals.as_ref().is_none_or(|wanted| {
            wanted.len() == context.encryption_context().count() && wanted.iter().all(has)
        });
        let contained = self.subset.as_ref().is_none_or(|wanted| wanted.iter().all(has));
        let constrains = self.equals.is_some() || self.subset.is_some();
        let known = if constrains && context.has_unknown_encryption_context() {
            Truth::Unknown
        } else {
            Truth::from(equal && contained)
        };
        if self.unknown.is_empty() {
            known
        } else {
            known.and(Truth::Unknown)
        }
    }
}
