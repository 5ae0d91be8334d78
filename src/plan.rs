//! Decides what to change so that replication works: the least change that is allowed, and what is withheld.
//!
//! The plan is complete, so that nothing is left to decide when it is applied, and it is made of the snapshot alone.
//! [`review`] checks it with code that did not make it; only a reviewed plan can be told or applied.

pub mod canonical;
pub mod command;
pub mod diff;
mod former;
mod keep;
pub mod key_grant;
mod make;
mod need;
mod offer;
mod our_policy;
pub mod prefix;
pub mod review;
pub mod role_policy;
pub mod size;
pub mod undo;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::arn::{BucketName, RoleArn};
use crate::assessment::Assessment;
use crate::event::PlanDigest;
use crate::guard::{Guard, GuardSettings, Protected, Refusal, refusals};
use crate::policy::{Grant, PolicyDocument};
use crate::requirement::Requirement;
use crate::snapshot::{Key, KeyMetadata, Role, Snapshot, Tags};
use crate::source::RoleRecord;
use crate::target::GrantRequest;

pub use offer::{Offer, offer};

/// One change, and all that there is to know to make it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Our inline policy in a role is written or, with nothing to follow, deleted.
    PutRolePolicy(RolePolicyChange),
    /// A grant is made.
    CreateGrant(GrantRequest),
    /// A grant of ours is revoked.
    RevokeGrant(Box<GrantRevocation>),
}

/// A change of our inline policy in a role.
#[derive(Debug, Clone, PartialEq)]
pub struct RolePolicyChange {
    /// The role.
    pub role: RoleArn,
    /// The policy's name.
    pub name: String,
    /// What it says now; none where there is none.
    pub before: Option<PolicyDocument>,
    /// What it is to say; none to delete it.
    pub after: Option<PolicyDocument>,
}

/// The end of a grant of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantRevocation {
    /// The grant as it is.
    pub grant: Grant,
    /// What would make it again.
    pub again: GrantRequest,
}

/// What a change was made from, and what must therefore still be so when it is applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Basis {
    /// The role: who may assume it, how it is tagged, what bounds it. The `id` tells it from a later namesake.
    Role(RoleRecord),
    /// The key.
    Key {
        /// What it is.
        metadata: KeyMetadata,
        /// How it is tagged, where that can be read.
        tags: Option<Tags>,
    },
    /// No more than the change itself says.
    Nothing,
}

/// A change that may be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The change.
    pub change: Change,
    /// What it was made from.
    pub basis: Basis,
    /// What it meets that is not met now.
    pub meets: Vec<Requirement>,
}

/// A change that would help, and that may not be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Withheld {
    /// The change.
    pub change: Change,
    /// Why not; never empty.
    pub refusals: Vec<Refusal>,
    /// What it would meet.
    pub meets: Vec<Requirement>,
}

/// What may be changed, and what may not.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What may be changed, in the order in which it is done: what allows comes before what takes away.
    pub changes: Vec<Planned>,
    /// What would help and may not be changed. No part of the digest.
    pub withheld: Vec<Withheld>,
    /// How many characters the role's inline policies can still take once the plan is applied; none where that is not
    /// known.
    pub characters_left: Option<usize>,
    /// Names the changes and what they were made from: a person who approves it approves these and no others.
    pub digest: PlanDigest,
}

/// The plan for a snapshot. `assessments` are those of the snapshot.
pub fn plan(snapshot: &Snapshot, assessments: &[Assessment], settings: &GuardSettings) -> Plan {
    let against_taking = refusals(Protected::Rules, snapshot, settings);
    plan_unless(&against_taking, snapshot, assessments, settings)
}

/// The same, where `against_taking` stands against everything that would take away what the rules do not need.
fn plan_unless(
    against_taking: &[Refusal],
    snapshot: &Snapshot,
    assessments: &[Assessment],
    settings: &GuardSettings,
) -> Plan {
    let replication = snapshot.replication.found();
    let of_rules = match snapshot.role.found() {
        // Nothing was judged of a role that S3 cannot assume under the path that the configuration gives it.
        Some(role) if replication.is_some_and(|replication| replication.role == role.arn) => {
            make::plan(snapshot, role, assessments, settings, against_taking)
        }
        Some(_) | None => Plan::new(&snapshot.source.name, Vec::new(), Vec::new(), None),
    };
    let (removals, withheld) = former::removals(snapshot, settings, against_taking);
    if removals.is_empty() && withheld.is_empty() {
        return of_rules;
    }
    Plan::new(
        &snapshot.source.name,
        // Removals last, because they take away.
        [of_rules.changes, removals].concat(),
        [of_rules.withheld, withheld].concat(),
        of_rules.characters_left,
    )
}

impl Plan {
    pub(crate) fn new(
        source: &BucketName,
        changes: Vec<Planned>,
        withheld: Vec<Withheld>,
        characters_left: Option<usize>,
    ) -> Self {
        Self {
            digest: digest(source, &changes),
            changes,
            withheld,
            characters_left,
        }
    }

    /// A digest of what would be taken back and waits until the rules have settled; none where nothing waits.
    pub fn waiting(&self) -> Option<String> {
        let waits = |refusal: &Refusal| refusal.guard == Guard::RulesUnsettled;
        let waiting: Vec<Vec<Value>> = self
            .withheld
            .iter()
            .filter(|withheld| withheld.refusals.iter().any(waits))
            .map(|withheld| named(&withheld.change))
            .collect();
        (!waiting.is_empty()).then(|| canonical::sha256(&json!(waiting)))
    }

    /// Is there neither a change nor a withheld one?
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.withheld.is_empty()
    }
}

/// The digest of changes out of `source`.
pub(crate) fn digest(source: &BucketName, changes: &[Planned]) -> PlanDigest {
    let all: Vec<Value> = changes
        .iter()
        .map(|planned| {
            let basis = match &planned.basis {
                Basis::Role(role) => json!([role.arn, role.id]),
                Basis::Key { metadata, .. } => json!(metadata.arn),
                Basis::Nothing => Value::Null,
            };
            let mut all = named(&planned.change);
            all.push(basis);
            json!(all)
        })
        .collect();
    PlanDigest::of(canonical::canonical(&json!([source.as_str(), all])))
}

/// All that tells a change from others.
fn named(change: &Change) -> Vec<Value> {
    vec![
        json!(change.kind()),
        json!(change.target()),
        json!(change.name()),
        change.before(),
        change.after(),
    ]
}

impl Change {
    /// `put-role-policy`, `delete-role-policy`, `create-grant` or `revoke-grant`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PutRolePolicy(RolePolicyChange {
                before: Some(_),
                after: None,
                ..
            }) => "delete-role-policy",
            // With neither, it is one that is withheld because it cannot be written.
            Self::PutRolePolicy(_) => "put-role-policy",
            Self::CreateGrant(_) => "create-grant",
            Self::RevokeGrant(_) => "revoke-grant",
        }
    }

    /// Does it only take away?
    pub fn only_takes_away(&self) -> bool {
        match self {
            Self::PutRolePolicy(change) => change.after.is_none(),
            Self::CreateGrant(_) => false,
            Self::RevokeGrant(_) => true,
        }
    }

    /// ARN of the role or key that is changed.
    pub fn target(&self) -> String {
        match self {
            Self::PutRolePolicy(change) => change.role.to_string(),
            Self::CreateGrant(grant) => grant.key.to_string(),
            Self::RevokeGrant(revocation) => revocation.grant.key.to_string(),
        }
    }

    /// Name of the policy or grant.
    pub fn name(&self) -> &str {
        match self {
            Self::PutRolePolicy(change) => &change.name,
            Self::CreateGrant(grant) => &grant.name,
            Self::RevokeGrant(revocation) => &revocation.again.name,
        }
    }

    /// What is there now, as JSON; null where nothing is.
    pub fn before(&self) -> Value {
        match self {
            Self::PutRolePolicy(change) => raw(change.before.as_ref()),
            Self::CreateGrant(_) => Value::Null,
            Self::RevokeGrant(revocation) => {
                let mut grant = key_grant::parameters(&revocation.again);
                if let Value::Object(grant) = &mut grant {
                    grant.insert("grantId".to_owned(), json!(revocation.grant.id));
                }
                grant
            }
        }
    }

    /// What is to be there, as JSON; null where nothing is.
    pub fn after(&self) -> Value {
        match self {
            Self::PutRolePolicy(change) => raw(change.after.as_ref()),
            Self::CreateGrant(grant) => key_grant::parameters(grant),
            Self::RevokeGrant(_) => Value::Null,
        }
    }

    /// The command that takes the change back, ready to paste.
    pub fn undo(&self) -> String {
        match self {
            Self::PutRolePolicy(change) => match &change.before {
                Some(document) => command::put_role_policy(&change.role, &change.name, document),
                None => command::delete_role_policy(&change.role, &change.name),
            },
            Self::CreateGrant(grant) => command::revoke_grant_by_name(grant),
            Self::RevokeGrant(revocation) => command::create_grant(&revocation.again),
        }
    }
}

fn raw(document: Option<&PolicyDocument>) -> Value {
    document.map_or(Value::Null, |document| document.raw().clone())
}

/// What tells requirements apart well enough to find one among many.
pub(crate) type Slot<'a> = (&'a str, &'a str, &'a std::collections::BTreeSet<String>);

pub(crate) fn slot(requirement: &Requirement) -> Slot<'_> {
    let request = &requirement.request;
    (&request.action, &request.resource, &requirement.rule_ids)
}

/// The role without its policies, as GetRole tells it.
pub(crate) fn record(role: &Role) -> RoleRecord {
    RoleRecord {
        arn: role.arn.clone(),
        id: role.id.clone(),
        trust: role.trust.clone(),
        tags: role.tags.clone(),
        boundary: role.boundary_arn.clone(),
    }
}

/// What a grant on the key is made from; none where the key could not be read.
pub(crate) fn key_basis(key: &Key) -> Option<Basis> {
    Some(Basis::Key {
        metadata: key.metadata.found()?.clone(),
        tags: key.tags.found().cloned(),
    })
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (before, after) = (self.before(), self.after());
        json!({
            "kind": self.kind(),
            "target": self.target(),
            "name": self.name(),
            "diff": diff::diff(&before, &after),
            "before": before,
            "after": after,
            "undo": self.undo(),
        })
        .serialize(serializer)
    }
}

/// The plan as Report v1 shows it: null where there is neither a change nor a withheld one.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return serializer.serialize_none();
        }
        let withheld: Vec<Value> = self
            .withheld
            .iter()
            .flat_map(|withheld| withheld.refusals.iter().map(move |refusal| (withheld, refusal)))
            .map(|(withheld, refusal)| {
                json!({
                    "change": withheld.change,
                    "guard": refusal.guard,
                    "reason": refusal.reason,
                    "permit": refusal.permit,
                })
            })
            .collect();
        json!({
            "digest": self.digest,
            "changes": self.changes.iter().map(|planned| &planned.change).collect::<Vec<_>>(),
            "withheld": withheld,
            "charactersLeft": self.characters_left,
        })
        .serialize(serializer)
    }
}
