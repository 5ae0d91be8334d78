//! What replication depends on in a KMS key.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.

use jiff::Timestamp;

use crate::arn::{KeyArn, KeyReference};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::Tags;

/// A key, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// How the rule or the bucket names it.
    pub reference: KeyReference,
    /// DescribeKey.
    pub metadata: Observed<KeyMetadata>,
    /// The key policy. Every key has one; KMS does not show it to other accounts.
    pub policy: Observed<NamedPolicy>,
    /// The grants of this key for the replication role.
    pub grants: Observed<Vec<Grant>>,
    /// Tags.
    pub tags: Observed<Tags>,
}

impl Key {
    /// Does AWS say that there is no such key? Every key has a policy, so one without is none.
    pub fn is_gone(&self) -> bool {
        self.metadata.is_absent() || (self.metadata.found().is_none() && self.policy.is_absent())
    }
}

/// What DescribeKey says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// The key itself, also where an alias was asked for.
    pub arn: KeyArn,
    /// Whether it can be used now.
    pub state: KeyState,
    /// `SYMMETRIC_DEFAULT` is the only one that S3 can use.
    pub spec: String,
    /// `ENCRYPT_DECRYPT` is the only one that S3 can use.
    pub usage: String,
    /// Who may change its policy.
    pub manager: KeyManager,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM` or `EXTERNAL_KEY_STORE`.
    pub origin: String,
    /// When it will be deleted, if that is scheduled.
    pub deletion_date: Option<Timestamp>,
    /// When imported key material expires, if it does.
    pub material_expires: Option<Timestamp>,
    /// The related multi-Region keys, this one included; empty for a single-Region key.
    pub related: Vec<KeyArn>,
    /// Of these the one that the others are copies of, which alone can be copied to another Region:
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-replicate.html>.
    pub primary: Option<KeyArn>,
}

impl KeyMetadata {
    /// Can S3 use a key of this kind at all?
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>
    pub fn is_symmetric(&self) -> bool {
        self.spec == "SYMMETRIC_DEFAULT" && self.usage == "ENCRYPT_DECRYPT"
    }
}

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyManager {
    /// AWS: its policy cannot be changed and no other account can use it.
    Aws,
    /// The customer.
    Customer,
}

/// Whether a key can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Usable; the primary of multi-Region keys is being moved.
    Updating,
    /// Switched off.
    Disabled,
    /// Will be deleted.
    PendingDeletion,
    /// A multi-Region primary that will be deleted once its replicas are gone.
    PendingReplicaDeletion,
    /// Has no key material yet, or no more.
    PendingImport,
    /// Its custom key store is disconnected.
    Unavailable,
    /// Being made.
    Creating,
    /// A state that this program does not know.
    Other(String),
}

impl KeyState {
    /// Can S3 encrypt and decrypt with a key in this state? None where the state is not known.
    pub fn is_usable(&self) -> Option<bool> {
        match self {
            Self::Enabled | Self::Updating => Some(true),
            Self::Disabled
            | Self::PendingDeletion
            | Self::PendingReplicaDeletion
            | Self::PendingImport
            | Self::Unavailable
            | Self::Creating => Some(false),
            Self::Other(_) => None,
        }
    }

    /// The state as AWS writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Enabled => "Enabled",
            Self::Updating => "Updating",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingReplicaDeletion => "PendingReplicaDeletion",
            Self::PendingImport => "PendingImport",
            Self::Unavailable => "Unavailable",
            Self::Creating => "Creating",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for KeyState {
    fn from(text: &str) -> Self {
        match text {
            "Enabled" => Self::Enabled,
            "Updating" => Self::Updating,
            "Disabled" => Self::Disabled,
            "PendingDeletion" => Self::PendingDeletion,
            "PendingReplicaDeletion" => Self::PendingReplicaDeletion,
            "PendingImport" => Self::PendingImport,
            "Unavailable" => Self::Unavailable,
            "Creating" => Self::Creating,
            other => Self::Other(other.to_owned()),
        }
    }
}
