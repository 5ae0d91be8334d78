//! What S3 gives as the reason why an object failed, and which checks can explain it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html>. Many causes share one word,
//! new words appear over time, and whoever can send us a message can invent one: a word narrows the search and proves
//! nothing.

use super::CheckId;

/// What one of S3's words can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One of these checks should find the cause.
    Caused(&'static [CheckId]),
    /// Nothing in the account's settings: why, in a sentence.
    Passing(&'static str),
    /// A word that this program does not know.
    Unknown,
}

/// What a reason can mean.
pub(super) fn meaning(reason: &str) -> Meaning {
    use CheckId as C;
    use Meaning::{Caused, Passing, Unknown};
    match reason {
        "AssumeRoleNotPermitted" => Caused(&[C::RoleNotFound, C::RoleNotAssumable]),
        "DstBucketNotFound" => Caused(&[C::DestinationNotFound, C::DestinationForeign]),
        "DstBucketObjectLockConfigMissing" => Caused(&[C::DestinationObjectLock]),
        "DstBucketUnversioned" => Caused(&[C::DestinationNotVersioned]),
        "DstDelObjNotPermitted"
        | "DstMultipartCompleteNotPermitted"
        | "DstMultipartInitNotPermitted"
        | "DstMultipartUploadNotPermitted"
        | "DstMultipartPartUploadNotPermitted"
        | "DstPutAclNotPermitted"
        | "DstPutLegalHoldNotPermitted"
        | "DstPutRetentionNotPermitted"
        | "DstPutTaggingNotPermitted" => Caused(&[C::RoleDestinationAccess, C::DestinationPolicy]),
        "DstKmsKeyInvalidState" => Caused(&[C::ReplicaKeyNotUsable]),
        "DstKmsKeyNotFound" => Caused(&[
            C::ReplicaKeyNotFound,
            C::ReplicaKeyWrongRegion,
            C::ReplicaKeyMissing,
            C::ReplicaKeyAlias,
        ]),
        // The one word for everything at the destination that is not allowed, KMS included.
        "DstPutObjectNotPermitted" => Caused(&[
            C::RoleDestinationAccess,
            C::DestinationPolicy,
            C::RoleReplicaKeyAccess,
            C::ReplicaKeyAwsManaged,
            C::ReplicaKeyWrongType,
            C::ReplicaKeyWrongRegion,
            C::DestinationRequesterPays,
            C::ReplicaKeyAlias,
            C::DestinationForeign,
        ]),
        "SrcBucketReplicationConfigMissing" => Caused(&[C::ReplicationNotConfigured]),
        "SrcGetAclNotPermitted" => Caused(&[C::RoleSourceAccess, C::ObjectOwnership]),
        "SrcGetLegalHoldNotPermitted"
        | "SrcGetRetentionNotPermitted"
        | "SrcGetTaggingNotPermitted"
        | "SrcHeadObjectNotPermitted" => Caused(&[C::RoleSourceAccess]),
        "SrcGetObjectNotPermitted" => Caused(&[
            C::RoleSourceAccess,
            C::RoleSourceKeyAccess,
            C::SourceKeyNotFound,
            C::ObjectOwnership,
        ]),
        "SrcKmsKeyInvalidState" => Caused(&[C::SourceKeyNotUsable, C::SourceKeyNotFound]),
        "SrcKeyNotFound" | "SrcVersionNotFound" | "SrcObjectNotFound" => {
            Passing("the source object or version was gone before S3 came to replicate it")
        }
        "DstVersionNotFound" => {
            Passing("the version whose metadata S3 wanted to replicate is gone at the destination")
        }
        "SrcObjectNotEligible" => Passing(
            "the object has a storage class that cannot be read, such as S3 Glacier Deep Archive, or tags that the rule \
             does not take",
        ),
        "SrcReplicationNotPending" => Passing("the object was no longer waiting to be replicated"),
        "DstObjectHardDeleted" => {
            Passing("the replica was deleted with its version, and S3 does not make it again")
        }
        "SrcBucketNotFound" => Passing("the source bucket was not there"),
        "DstBucketInvalidRegion" | "SrcBucketInvalidRegion" => {
            Passing("a Batch Replication job ran in another Region than that of the bucket")
        }
        "InitiateReplicationNotPermitted" => Passing(
            "the role of a Batch Replication job may not s3:InitiateReplication on the source objects",
        ),
        _ => Unknown,
    }
}
