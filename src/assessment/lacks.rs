//! Where an Allow is missing: in the role's policies, in its boundary, in the policy of the bucket or key, or in several
//! of these at once. Denials are left aside, so that what they hide is told together with them.
//!
//! Which of them must have it is not for this file to know
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>): the evaluator is asked
//! what would help, the least first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::resource_policy;
use crate::arn::RoleArn;
use crate::observed::Observed;
use crate::policy::{Grant, Layers, NamedPolicy, PolicyDocument, PolicySet, Request, decision};
use crate::requirement::Area;
use crate::snapshot::{Role, Snapshot};

/// Where an Allow is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Lacks {
    /// In the role's policies.
    pub role: bool,
    /// In the role's permissions boundary.
    pub boundary: bool,
    /// In the policy of the bucket or key.
    pub resource: bool,
}

impl Lacks {
    /// What may be missing, the least first: our own side before another's, one place before two.
    const ORDER: [Self; 7] = [
        Self::places(true, false, false),
        Self::places(false, true, false),
        Self::places(false, false, true),
        Self::places(true, true, false),
        Self::places(true, false, true),
        Self::places(false, true, true),
        Self::places(true, true, true),
    ];

    const fn places(role: bool, boundary: bool, resource: bool) -> Self {
        Self {
            role,
            boundary,
            resource,
        }
    }
}

/// What allows anything, without the statements that deny.
#[derive(Debug)]
pub(super) struct Allowing<'a> {
    snapshot: &'a Snapshot,
    identity: PolicySet,
    boundary: Observed<NamedPolicy>,
    /// The policies of buckets and keys that deny anything, by name.
    stripped: BTreeMap<&'a str, Observed<NamedPolicy>>,
    /// What a role and a resource would say that lack nothing, for asking "and if it were allowed?".
    role_allows: PolicySet,
    resource_allows: Observed<NamedPolicy>,
}

impl<'a> Allowing<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, role: &Role) -> Self {
        let of_buckets = snapshot
            .destinations
            .values()
            .filter_map(Observed::found)
            .chain([&snapshot.source])
            .filter_map(|bucket| bucket.policy.found());
        let of_keys = snapshot.keys.values().filter_map(|key| key.policy.found());
        let identity = role.identity_policies();
        Self {
            snapshot,
            identity: PolicySet {
                policies: identity
                    .policies
                    .iter()
                    .map(|policy| stripped(policy).unwrap_or(policy.clone()))
                    .collect(),
                unread: identity.unread,
            },
            boundary: role
                .boundary
                .clone()
                .map(|policy| stripped(&policy).unwrap_or(policy)),
            stripped: of_buckets
                .chain(of_keys)
                .filter_map(|policy| Some((policy.name.as_str(), Observed::Found(stripped(policy)?))))
                .collect(),
            role_allows: PolicySet::complete(allowing(None).into_iter().collect()),
            resource_allows: allowing(Some(&role.arn)).map_or(Observed::Absent, Observed::Found),
        }
    }

    /// What a request lacks that is not allowed. Nothing, where an Allow is there or may be.
    pub(super) fn lacks(&self, area: &Area, request: &Request, grants: &Observed<Vec<Grant>>) -> Lacks {
        let policy = &*resource_policy(self.snapshot, area);
        let as_it_is = Layers {
            identity: &self.identity,
            boundary: &self.boundary,
            resource: policy
                .found()
                .and_then(|policy| self.stripped.get(policy.name.as_str()))
                .unwrap_or(policy),
            scps: &[],
            rcps: &[],
            grants,
        };
        if !decision(request, &as_it_is).is_denied() {
            return Lacks::default();
        }
        let helps = |lacks: &Lacks| {
            let mut given = as_it_is;
            if lacks.role {
                given.identity = &self.role_allows;
            }
            if lacks.boundary {
                given.boundary = &Observed::Absent;
            }
            if lacks.resource {
                given.resource = &self.resource_allows;
            }
            !decision(request, &given).is_denied()
        };
        Lacks::ORDER.into_iter().find(helps).unwrap_or_default()
    }
}

/// A policy that allows everything: of a role, or of something that lets the role in by its name.
fn allowing(principal: Option<&RoleArn>) -> Option<NamedPolicy> {
    let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if let Some(role) = principal {
        statement
            .as_object_mut()?
            .insert("Principal".to_owned(), json!({"AWS": role.as_str()}));
    }
    let document = PolicyDocument::from_value(json!({"Statement": [statement]})).ok()?;
    Some(NamedPolicy::new("what would be needed", document))
}

/// The policy without the statements that deny; `None` where there is none of these.
fn stripped(policy: &NamedPolicy) -> Option<NamedPolicy> {
    let mut raw = policy.document.raw().clone();
    let statements = raw.get_mut("Statement")?;
    if statements.is_object() {
        *statements = Value::Array(vec![statements.take()]);
    }
    let list = statements.as_array_mut()?;
    let before = list.len();
    list.retain(|statement| statement.get("Effect").and_then(Value::as_str) != Some("Deny"));
    if list.len() == before {
        return None;
    }
    Some(NamedPolicy::new(
        policy.name.clone(),
        PolicyDocument::from_value(raw).ok()?,
    ))
}
