//! What a check may say: a finding with its evidence and its remedy, and a fact that would have been needed.
//!
//! The JSON form of these types is part of Report v1.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::observed::ReadFailure;

/// Declares the check ids: the id is the file name of the check and its anchor in docs/CHECKS.md.
macro_rules! check_ids {
    ($($(#[$doc:meta])* $variant:ident = $id:literal,)*) => {
        /// The name of a check: stable, since people script against it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CheckId {
            $($(#[$doc])* $variant,)*
        }

        impl CheckId {
            /// All ids, in the order in which findings are told.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The id as text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)*
                }
            }
        }
    };
}

check_ids! {
    /// S3 refused a configuration that somebody put.
    PutRefused = "put-refused",
    /// There is no replication configuration, or none that is enabled.
    ReplicationNotConfigured = "replication-not-configured",
    /// The source bucket does not keep versions.
    SourceNotVersioned = "source-not-versioned",
    /// Objects are encrypted with KMS, and the rule does not select such objects.
    EncryptedObjectsNotSelected = "encrypted-objects-not-selected",
    /// The rule replicates KMS objects and names no usable name of a key for the replicas.
    ReplicaKeyMissing = "replica-key-missing",
    /// There is no such replica key.
    ReplicaKeyNotFound = "replica-key-not-found",
    /// The replica key lies in another Region than the destination bucket.
    ReplicaKeyWrongRegion = "replica-key-wrong-region",
    /// S3 can only use symmetric encryption keys.
    ReplicaKeyWrongType = "replica-key-wrong-type",
    /// The replica key is disabled, about to be deleted, without material or disconnected.
    ReplicaKeyNotUsable = "replica-key-not-usable",
    /// The replica key is managed by AWS.
    ReplicaKeyAwsManaged = "replica-key-aws-managed",
    /// The replica key is named by an alias.
    ReplicaKeyAlias = "replica-key-alias",
    /// There is no such source key.
    SourceKeyNotFound = "source-key-not-found",
    /// The source key is disabled, about to be deleted, without material or disconnected.
    SourceKeyNotUsable = "source-key-not-usable",
    /// There is no such role.
    RoleNotFound = "role-not-found",
    /// S3 may not assume the role.
    RoleNotAssumable = "role-not-assumable",
    /// The role may not read the source bucket as replication needs it.
    RoleSourceAccess = "role-source-access",
    /// The role may not write to the destination bucket as replication needs it.
    RoleDestinationAccess = "role-destination-access",
    /// The role may not decrypt with the source key.
    RoleSourceKeyAccess = "role-source-key-access",
    /// The role may not encrypt with the replica key.
    RoleReplicaKeyAccess = "role-replica-key-access",
    /// There is no such destination bucket.
    DestinationNotFound = "destination-not-found",
    /// The destination bucket does not keep versions.
    DestinationNotVersioned = "destination-not-versioned",
    /// The source uses Object Lock and the destination does not.
    DestinationObjectLock = "destination-object-lock",
    /// The destination is not proven to be ours.
    DestinationForeign = "destination-foreign",
    /// The destination's bucket policy denies replication.
    DestinationPolicy = "destination-policy",
    /// Whoever asks pays at the destination: S3 does not replicate into such buckets.
    DestinationRequesterPays = "destination-requester-pays",
    /// Objects of other accounts in the source bucket cannot be replicated.
    ObjectOwnership = "object-ownership",
    /// The rule has no metrics, so S3 reports no failure of it.
    MetricsDisabled = "metrics-disabled",
    /// Nothing receives the bucket's replication failure notifications.
    FailureEventsNotRouted = "failure-events-not-routed",
    /// Objects failed to replicate, and stay so until they are replicated again by hand.
    FailedObjects = "failed-objects",
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How bad it is. The order is that of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Replication does not work for objects that the rule takes.
    Error,
    /// It works today and will not, or nobody will hear of it when it fails.
    Warning,
    /// Better done otherwise; nothing is wrong today.
    Advice,
}

/// Where a statement of ours comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The AWS call and the resource: `kms:DescribeKey arn:…`.
    pub source: String,
    /// What it said.
    pub detail: String,
}

/// What can be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// Can this program do it?
    pub kind: RemedyKind,
    /// Who can: the account, or whoever owns the resource.
    pub owner: String,
    /// What to do, ready to paste where it is a command or a statement.
    pub text: String,
}

/// Can this program repair it?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RemedyKind {
    /// A policy of ours on the role, or a grant, closes it. Whether it may is for the guards to say.
    Automatic,
    /// A person must do it.
    Propose,
    /// Nothing can be done.
    None,
}

/// Is this a cause of its own?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootCause {
    /// It is.
    Itself,
    /// It follows from the finding of another check.
    ConsequenceOf(CheckId),
}

impl Serialize for RootCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Itself => serializer.serialize_bool(true),
            Self::ConsequenceOf(check) => check.serialize(serializer),
        }
    }
}

/// One thing that is wrong, told so that a person can act on it without reading another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which check says so.
    pub check: CheckId,
    /// How bad it is.
    pub severity: Severity,
    /// The rules that are affected.
    pub rule_ids: BTreeSet<String>,
    /// ARN of what is wrong.
    pub subject: String,
    /// One sentence.
    pub summary: String,
    /// What replication needs.
    pub expected: String,
    /// What there is.
    pub found: String,
    /// Why we believe it; never empty.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub remedy: Remedy,
    /// `true`, or the check of which this is a consequence.
    pub root_cause: RootCause,
}

/// A fact that a verdict would have needed and that could not be read or understood.
pub type Unread = ReadFailure;
