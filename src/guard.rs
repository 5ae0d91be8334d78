//! The guards: what must hold before any change may be planned. This list decides, and nothing overrides it.
//!
//! Whoever wrote the replication rule may be an attacker: `s3:PutReplicationConfiguration` is a known way to carry data
//! off (<https://attack.mitre.org/techniques/T1537/>), and the rule's author chooses role, destination and key. Writing
//! a policy into a role can give it anything
//! (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>), and `kms:CreateGrant` is as strong as
//! the key (<https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>). So each resource that a change touches
//! must have earned it on its own: by lying in the own account, and by its owner having said so.
//!
//! What could not be read has not earned anything. An allow-list stands in for the opt-in tag and for nothing else.
//!
//! The unit of refusal is the need, not the rule set: a need is refused where every rule that has it leads to a
//! destination that is not proven to be ours. Refusing what an honest rule needs because a foreign one stands beside it
//! would protect nothing (its author could write the two one after the other) and would let anyone switch repairs off.
//!
//! Revoking what we granted makes nobody stronger, so neither the role's trust policy nor the destination nor the key's
//! state blocks it. A role or key that its owner no longer opts in does.

mod allowed_arn;
mod bucket;
mod key;
mod role;
mod trust;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

pub use self::allowed_arn::AllowedArn;
use crate::arn::{AccountId, BucketName, KeyArn, RoleArn};
use crate::observed::Observed;
use crate::snapshot::{FormerKey, FormerRole, Snapshot, Tags};

/// What the operator permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// Roles that may be changed without a tag.
    pub allowed_roles: Vec<AllowedArn>,
    /// Keys that may be used in changes without a tag.
    pub allowed_keys: Vec<AllowedArn>,
    /// A role or key that carries it may be changed.
    pub opt_in: Option<Tag>,
    /// A bucket that carries it is left alone.
    pub opt_out: Option<Tag>,
    /// The permissions boundary that a role must have to be changed.
    pub required_boundary: Option<String>,
    /// Accounts whose buckets and keys count as ours beside the own account.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// May a grant be made that is bound to no encryption context?
    pub unconstrained_grants: bool,
    /// The role that jobs of S3 Batch Replication may be ordered for; without one none is.
    pub batch_role: Option<RoleArn>,
}

impl Default for GuardSettings {
    /// What holds where nothing is set.
    fn default() -> Self {
        Self {
            allowed_roles: Vec::new(),
            allowed_keys: Vec::new(),
            opt_in: Some(Tag::new("s3-replication-remediator", "allow")),
            opt_out: Some(Tag::new("s3-replication-remediator", "ignore")),
            required_boundary: None,
            trusted_accounts: BTreeSet::new(),
            unconstrained_grants: false,
            batch_role: None,
        }
    }
}

/// A tag that means something to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its key; letter case counts.
    pub key: String,
    /// Its value; letter case counts.
    pub value: String,
}

impl Tag {
    /// A tag.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }

    /// Is it among these tags?
    pub fn is_in(&self, tags: &Tags) -> bool {
        tags.get(&self.key).is_some_and(|value| *value == self.value)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key.escape_debug(), self.value.escape_debug())
    }
}

/// Declares the guards with their names in the report.
macro_rules! guards {
    ($($(#[$doc:meta])* $variant:ident = $id:literal,)*) => {
        /// A condition that a change must meet. People look these names up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Guard {
            $($(#[$doc])* $variant,)*
        }

        impl Guard {
            /// All guards.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)*
                }
            }
        }
    };
}

guards! {
    /// What a change would be judged by could not be read.
    FactsUnread = "facts-unread",
    /// The role is the one that this program runs as.
    OwnRole = "own-role",
    /// The role belongs to an AWS service.
    ServiceLinkedRole = "service-linked-role",
    /// The role lies in another account.
    RoleAccount = "role-account",
    /// Someone besides S3 may assume the role, so that what it is given reaches further than replication.
    RoleTrust = "role-trust",
    /// The role lacks the permissions boundary that the settings require.
    RoleBoundary = "role-boundary",
    /// Nobody said that the role may be changed.
    RoleOptIn = "role-opt-in",
    /// The source bucket is not proven to be ours.
    SourceAccount = "source-account",
    /// The source bucket's owner wants no changes.
    SourceOptOut = "source-opt-out",
    /// The destination is not proven to be ours.
    DestinationAccount = "destination-account",
    /// The key lies in an account whose keys are not for us to hand out.
    KeyAccount = "key-account",
    /// The key is not managed by the customer.
    KeyManager = "key-manager",
    /// Nobody said that the key may be used in changes.
    KeyOptIn = "key-opt-in",
    /// KMS makes no grants on a key in this state.
    KeyState = "key-state",
    /// Which `kms:ViaService` S3 sends in this partition is not documented.
    Partition = "partition",
    /// The rule's prefix holds characters that a policy cannot name exactly.
    PrefixCharacters = "prefix-characters",
    /// The role's inline policies would be larger than IAM takes.
    InlinePolicySize = "inline-policy-size",
    /// Our policy was edited by someone else where we would have to write.
    PolicyEdited = "policy-edited",
    /// What the rules do not need now was needed a moment ago, and may be needed again.
    RulesUnsettled = "rules-unsettled",
    /// The review of a plan sees a use, or another owner, of what the plan would take away.
    RemovalDisputed = "removal-disputed",
}

impl Serialize for Guard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a change may not be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refusal {
    /// The guard that refuses.
    pub guard: Guard,
    /// Why, in a clause that names the resource.
    pub reason: String,
    /// The setting or tag that would permit it, or that nothing does.
    pub permit: String,
}

impl Refusal {
    /// A refusal that some setting or deed of the owner would lift.
    pub(crate) fn unless(guard: Guard, reason: impl Into<String>, permit: impl Into<String>) -> Self {
        Self {
            guard,
            reason: reason.into(),
            permit: permit.into(),
        }
    }

    /// A refusal that no setting lifts.
    pub(crate) fn always(guard: Guard, reason: impl Into<String>, instead: &str) -> Self {
        Self::unless(guard, reason, format!("no setting permits this; {instead}"))
    }

    fn unread(what: &str, failure: &crate::observed::ReadFailure) -> Self {
        let permit = if failure.permit.is_empty() {
            format!("`{}` must succeed", failure.operation.escape_debug())
        } else {
            format!("our role needs {}", failure.permit)
        };
        Self::unless(
            Guard::FactsUnread,
            format!("{what} could not be read ({})", failure.error_code.escape_debug()),
            permit,
        )
    }
}

/// What a change touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Protected<'a> {
    /// The replication role.
    Role,
    /// The source bucket.
    Source,
    /// A destination bucket.
    Destination(&'a BucketName),
    /// A key that a statement in the role's policy names.
    KeyInPolicy(&'a KeyArn),
    /// A key that a grant is made on.
    KeyForGrant(&'a KeyArn),
    /// A role that loses what we gave it.
    FormerRole(&'a FormerRole),
    /// A key that loses a grant of ours, though no rule names it.
    FormerKey(&'a FormerKey),
    /// The rules, which no longer need something.
    Rules,
}

/// Why `subject` may not be touched; empty where it may.
pub fn refusals(subject: Protected<'_>, snapshot: &Snapshot, settings: &GuardSettings) -> Vec<Refusal> {
    let guards = Guards { snapshot, settings };
    match subject {
        Protected::Role => match &snapshot.role {
            Observed::Found(role) => guards.role(role),
            Observed::Absent => vec![Refusal::always(
                Guard::FactsUnread,
                "there is no role",
                "make it first",
            )],
            Observed::Unreadable(failure) => vec![Refusal::unread("the role", failure)],
        },
        Protected::Source => guards.source(&snapshot.source),
        Protected::Destination(name) => guards.destination(name),
        Protected::KeyInPolicy(arn) => guards.key(arn, false),
        Protected::KeyForGrant(arn) => guards.key(arn, true),
        Protected::FormerRole(role) => guards.former_role(role),
        Protected::FormerKey(key) => guards.former_key(key),
        Protected::Rules => guards.rules(),
    }
}

struct Guards<'a> {
    snapshot: &'a Snapshot,
    settings: &'a GuardSettings,
}

impl Guards<'_> {
    fn is_own(&self, account: &AccountId) -> bool {
        *account == self.snapshot.identity.account
    }

    fn is_own_or_trusted(&self, account: &AccountId) -> bool {
        self.is_own(account) || self.settings.trusted_accounts.contains(account)
    }

    /// What is put anew within minutes, as tools do that replace a configuration, must not lose its access in between:
    /// S3 never repeats what failed meanwhile. And rules that go to and fro must not have us write each time.
    fn rules(&self) -> Vec<Refusal> {
        if self.snapshot.former.is_settled {
            return Vec::new();
        }
        vec![Refusal::unless(
            Guard::RulesUnsettled,
            format!(
                "the rules of `{}` needed it until a moment ago, and may be put as they were",
                self.snapshot.source.name
            ),
            "wait a quarter of an hour, or ask with the command `check`, which does not wait",
        )]
    }

    fn opt_in(&self, what: &str, setting: &str, arn: &str) -> String {
        match &self.settings.opt_in {
            Some(tag) => format!("tag the {what} `{tag}`, or set `{setting}={arn}`"),
            None => format!("`{setting}={arn}`"),
        }
    }

    fn has_opted_in(&self, tags: &Tags) -> bool {
        self.settings.opt_in.as_ref().is_some_and(|tag| tag.is_in(tags))
    }
}

/// Is the ARN on the list?
fn is_listed(list: &[AllowedArn], arn: &impl fmt::Display) -> bool {
    let arn = arn.to_string();
    list.iter().any(|pattern| pattern.matches(&arn))
}
