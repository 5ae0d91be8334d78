//! Which IAM action each read needs, and the least policy statement that would permit one that was refused.
//!
//! Implements <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>, whose action
//! names are not those of the operations, and the same pages for KMS, IAM and STS.

use serde_json::json;

use crate::arn::KeyReference;
use crate::observed::{Observed, ReadFailure};

/// An operation that reads AWS. The list is complete: whoever makes the function's own policy can go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    /// s3:ListBuckets
    Buckets,
    /// s3:HeadBucket
    HeadBucket,
    /// s3:GetBucketReplication
    Replication,
    /// s3:GetBucketVersioning
    Versioning,
    /// s3:GetBucketEncryption
    Encryption,
    /// s3:GetBucketPolicy
    BucketPolicy,
    /// s3:GetBucketOwnershipControls
    Ownership,
    /// s3:GetObjectLockConfiguration
    ObjectLock,
    /// s3:GetBucketTagging
    BucketTags,
    /// s3:GetBucketRequestPayment
    Payer,
    /// s3:GetBucketNotificationConfiguration
    Notifications,
    /// s3:HeadObject of a version. S3 has no permission for HEAD alone: it costs that for reading the object.
    HeadObject,
    /// s3:ListObjectVersions
    ObjectVersions,
    /// kms:DescribeKey
    DescribeKey,
    /// kms:GetKeyPolicy
    KeyPolicy,
    /// kms:ListGrants
    Grants,
    /// kms:ListResourceTags
    KeyTags,
    /// iam:GetRole
    Role,
    /// iam:ListRolePolicies
    InlinePolicyNames,
    /// iam:GetRolePolicy
    InlinePolicy,
    /// iam:ListAttachedRolePolicies
    AttachedPolicies,
    /// iam:GetPolicy
    ManagedPolicy,
    /// iam:GetPolicyVersion
    ManagedPolicyVersion,
    /// sts:AssumeRole of the member role, before any read in a trusted account
    AssumeMemberRole,
}

impl Read {
    /// Every read there is.
    pub const ALL: [Self; 24] = [
        Self::Buckets,
        Self::HeadBucket,
        Self::Replication,
        Self::Versioning,
        Self::Encryption,
        Self::BucketPolicy,
        Self::Ownership,
        Self::ObjectLock,
        Self::BucketTags,
        Self::Payer,
        Self::Notifications,
        Self::HeadObject,
        Self::ObjectVersions,
        Self::DescribeKey,
        Self::KeyPolicy,
        Self::Grants,
        Self::KeyTags,
        Self::Role,
        Self::InlinePolicyNames,
        Self::InlinePolicy,
        Self::AttachedPolicies,
        Self::ManagedPolicy,
        Self::ManagedPolicyVersion,
        Self::AssumeMemberRole,
    ];

    /// The API operation, such as `s3:GetBucketReplication`.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Buckets => "s3:ListBuckets",
            Self::HeadBucket => "s3:HeadBucket",
            Self::Replication => "s3:GetBucketReplication",
            Self::Versioning => "s3:GetBucketVersioning",
            Self::Encryption => "s3:GetBucketEncryption",
            Self::BucketPolicy => "s3:GetBucketPolicy",
            Self::Ownership => "s3:GetBucketOwnershipControls",
            Self::ObjectLock => "s3:GetObjectLockConfiguration",
            Self::BucketTags => "s3:GetBucketTagging",
            Self::Payer => "s3:GetBucketRequestPayment",
            Self::Notifications => "s3:GetBucketNotificationConfiguration",
            Self::HeadObject => "s3:HeadObject",
            Self::ObjectVersions => "s3:ListObjectVersions",
            Self::DescribeKey => "kms:DescribeKey",
            Self::KeyPolicy => "kms:GetKeyPolicy",
            Self::Grants => "kms:ListGrants",
            Self::KeyTags => "kms:ListResourceTags",
            Self::Role => "iam:GetRole",
            Self::InlinePolicyNames => "iam:ListRolePolicies",
            Self::InlinePolicy => "iam:GetRolePolicy",
            Self::AttachedPolicies => "iam:ListAttachedRolePolicies",
            Self::ManagedPolicy => "iam:GetPolicy",
            Self::ManagedPolicyVersion => "iam:GetPolicyVersion",
            Self::AssumeMemberRole => "sts:AssumeRole",
        }
    }

    /// The IAM action that permits it, such as `s3:GetReplicationConfiguration`.
    pub fn action(self) -> &'static str {
        match self {
            Self::Buckets => "s3:ListAllMyBuckets",
            Self::HeadBucket => "s3:ListBucket",
            Self::Replication => "s3:GetReplicationConfiguration",
            Self::Encryption => "s3:GetEncryptionConfiguration",
            Self::ObjectLock => "s3:GetBucketObjectLockConfiguration",
            Self::Notifications => "s3:GetBucketNotification",
            Self::HeadObject => "s3:GetObjectVersion",
            Self::ObjectVersions => "s3:ListBucketVersions",
            Self::Versioning
            | Self::BucketPolicy
            | Self::Ownership
            | Self::BucketTags
            | Self::Payer
            | Self::DescribeKey
            | Self::KeyPolicy
            | Self::Grants
            | Self::KeyTags
            | Self::Role
            | Self::InlinePolicyNames
            | Self::InlinePolicy
            | Self::AttachedPolicies
            | Self::ManagedPolicy
            | Self::ManagedPolicyVersion
            | Self::AssumeMemberRole => self.operation(),
        }
    }

    /// The policy statement that permits this read of `resource` (an ARN) and nothing else, as compact JSON.
    pub fn permit(self, resource: &str) -> String {
        json!({"Effect": "Allow", "Action": self.action(), "Resource": resource}).to_string()
    }

    /// The statement that permits this read of a key.
    ///
    /// No policy can name an alias as its resource; `kms:RequestAlias` is how one is meant
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html>).
    pub fn permit_key(self, key: &KeyReference) -> String {
        match key {
            KeyReference::Key(key) => self.permit(&key.to_string()),
            KeyReference::Alias(alias) => {
                let any_key = alias.to_string().replace(&format!(":{}", alias.name()), ":key/*");
                json!({
                    "Effect": "Allow", "Action": self.action(), "Resource": any_key,
                    "Condition": {"StringEquals": {"kms:RequestAlias": alias.name()}},
                })
                .to_string()
            }
        }
    }

    /// A failure of this read that no permission would mend.
    pub fn failed(self, what: impl Into<String>, error_code: impl Into<String>) -> ReadFailure {
        ReadFailure {
            what: what.into(),
            operation: self.operation().to_owned(),
            error_code: error_code.into(),
            permit: String::new(),
        }
    }

    /// This read was not made because another one, whose answer it needs, brought none.
    pub fn not_attempted<T>(self, what: impl Into<String>) -> Observed<T> {
        Observed::Unreadable(self.failed(what, NOT_ATTEMPTED))
    }
}

/// Does this error code say that permission is lacking? S3 answers HEAD without a body: there the status is the code.
pub fn is_refusal(error_code: &str) -> bool {
    matches!(
        error_code,
        "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "Forbidden"
            | "403"
            | "UnauthorizedOperation"
    )
}

/// Does this error code say that the same call may succeed if it is made again? Ours stand beside AWS's: `Timeout` and
/// `NoConnection` where no answer came.
pub fn is_temporary(error_code: &str) -> bool {
    matches!(
        error_code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "SlowDown"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "ServiceFailure"
            | "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServerException"
            | "KMSInternalException"
            | "DependencyTimeoutException"
            | "ConcurrentModification"
            | "OperationAborted"
            | "408"
            | "429"
            | "500"
            | "502"
            | "503"
            | "504"
            | "Timeout"
            | "NoConnection"
    )
}

/// The error code of a read that was not made because another one failed, which has a failure of its own.
pub const NOT_ATTEMPTED: &str = "NotAttempted";

/// The error code of a read that AWS answers to the owning account alone, such as that of a foreign key's policy
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>).
pub const NOT_AVAILABLE_ACROSS_ACCOUNTS: &str = "NotAvailableAcrossAccounts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_read_is_listed_once_and_its_action_is_of_the_same_service() {
        let operations: std::collections::BTreeSet<_> =
            Read::ALL.iter().map(|read| read.operation()).collect();
        assert_eq!(operations.len(), Read::ALL.len());
        for read in Read::ALL {
            assert_eq!(
                read.action().split(':').next(),
                read.operation().split(':').next(),
                "{read:?}"
            );
        }
    }

    #[test]
    fn a_refusal_is_nothing_temporary() {
        for code in ["AccessDenied", "AccessDeniedException", "Forbidden"] {
            assert!(is_refusal(code) && !is_temporary(code), "{code}");
        }
        for code in ["SlowDown", "ThrottlingException", "Timeout", "503"] {
            assert!(is_temporary(code) && !is_refusal(code), "{code}");
        }
        assert!(!is_temporary(NOT_ATTEMPTED) && !is_refusal(NOT_ATTEMPTED));
    }

    #[test]
    fn the_permit_names_the_action_and_not_the_operation() {
        assert_eq!(
            Read::Replication.permit("arn:aws:s3:::logs"),
            r#"{"Effect":"Allow","Action":"s3:GetReplicationConfiguration","Resource":"arn:aws:s3:::logs"}"#
        );
    }

    #[test]
    fn the_permit_for_an_alias_never_names_the_alias_as_resource() {
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/tax".parse().unwrap();
        assert_eq!(
            Read::DescribeKey.permit_key(&alias),
            concat!(
                r#"{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"arn:aws:kms:eu-west-1:111122223333:key/*","#,
                r#""Condition":{"StringEquals":{"kms:RequestAlias":"alias/tax"}}}"#
            )
        );
    }
}
