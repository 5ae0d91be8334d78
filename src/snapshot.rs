//! Everything that was learnt about one source bucket, in one immutable value: what all later stages decide upon.
//!
//! Nothing here reads AWS or the clock. The same snapshot always gives the same report.

pub mod bucket;
pub mod former;
pub mod key;
pub mod replication;
pub mod role;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::arn::{AccountId, BucketName, KeyReference, Partition, RoleArn};
use crate::observed::Observed;

pub use bucket::{
    Bucket, DefaultEncryption, EncryptionType, NotificationTarget, ObjectOwnership, Payer, Versioning,
};
pub use former::{Former, FormerKey, FormerRole};
pub use key::{Key, KeyManager, KeyMetadata, KeyState};
pub use replication::{Replication, Rule, RuleFilter, RulesById, SAMPLE_NAME, Schema};
pub use role::{Role, RoleRecord};

/// Tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// Who we are: the account, and the role that this program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The partition that we run in.
    pub partition: Partition,
    /// The account that we run in; what it owns is "ours".
    pub account: AccountId,
    /// Our own role, without its path (STS does not tell it); unknown when we run as a user.
    pub role: Option<RoleArn>,
}

impl Identity {
    /// Is `role` the role that we run as? Role names are unique in an account whatever their path.
    pub fn is(&self, role: &RoleArn) -> bool {
        self.role
            .as_ref()
            .is_some_and(|own| own.account() == role.account() && own.name() == role.name())
    }
}

/// One source bucket, and all that its replication depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Who looked.
    pub identity: Identity,
    /// When it was looked.
    pub taken_at: Timestamp,
    /// The accounts that are read with a role of theirs.
    pub member_accounts: BTreeSet<AccountId>,
    /// The source bucket.
    pub source: Bucket,
    /// Its replication configuration.
    pub replication: Observed<Replication>,
    /// The role that the configuration names; `Absent` also where there is no configuration.
    pub role: Observed<Role>,
    /// The destination buckets of enabled rules.
    pub destinations: BTreeMap<BucketName, Observed<Bucket>>,
    /// The keys that rules, default encryption on both sides and inspected objects name, by the name they use.
    pub keys: BTreeMap<KeyReference, Key>,
    /// Object versions that were looked at themselves.
    pub objects: Vec<InspectedObject>,
    /// What there may be of ours beside what the rules name.
    pub former: Former,
}

impl Snapshot {
    /// The rules that S3 acts upon; none where the configuration is absent or unread.
    pub fn enabled_rules(&self) -> impl Iterator<Item = &Rule> {
        self.replication
            .found()
            .into_iter()
            .flat_map(|replication| &replication.rules)
            .filter(|rule| rule.enabled && rule.superseded_by.is_none())
    }

    /// The same, by their ids.
    pub fn rules_by_id(&self) -> RulesById<'_> {
        RulesById::of(self.enabled_rules())
    }

    /// The destination bucket, as far as it is known.
    pub fn destination(&self, name: &BucketName) -> Option<&Observed<Bucket>> {
        self.destinations.get(name)
    }

    /// The key behind a reference, if it was looked at.
    pub fn key(&self, reference: &KeyReference) -> Option<&Key> {
        self.keys.get(reference)
    }

    /// The key that encrypts new objects of the source bucket by default, where that is a KMS key.
    pub fn default_source_key(&self) -> Option<&KeyReference> {
        self.source
            .encryption
            .found()
            .and_then(|encryption| encryption.key.as_ref())
    }
}

/// One object version that was looked at with HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedObject {
    /// The object's key.
    pub key: String,
    /// The version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// What HEAD said.
    pub head: Observed<ObjectHead>,
}

impl ObjectHead {
    /// Has S3 nothing left to replicate of it? What is replicated is done with, and what is a replica itself goes no further:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html>.
    pub fn is_done_with(&self) -> bool {
        matches!(
            self.replication_status.as_deref(),
            Some("COMPLETED" | "COMPLETE" | "REPLICA")
        )
    }

    /// Has S3 given up on it? It does not try again by itself.
    pub fn has_failed(&self) -> bool {
        self.replication_status.as_deref() == Some("FAILED")
    }
}

/// What HEAD tells about an object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// How it is encrypted.
    pub encryption: EncryptionType,
    /// The KMS key, where there is one.
    pub kms_key: Option<KeyReference>,
    /// Was it written with an S3 Bucket Key?
    pub bucket_key: bool,
    /// `PENDING`, `COMPLETED`, `FAILED`, `REPLICA`; absent where the version was never up for replication.
    pub replication_status: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_of_s3_for_a_replicated_version_mean_the_same() {
        for (status, is_done) in [
            ("COMPLETED", true),
            ("COMPLETE", true),
            ("REPLICA", true),
            ("PENDING", false),
            ("FAILED", false),
        ] {
            let head = ObjectHead {
                encryption: EncryptionType::S3,
                kms_key: None,
                bucket_key: false,
                replication_status: Some(status.to_owned()),
            };
            assert_eq!(head.is_done_with(), is_done, "{status}");
        }
    }
}
