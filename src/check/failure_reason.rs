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
    Passing(&'static str, Left),
    /// A word that this program does not know.
    Unknown,
}

/// What is left to do about objects that failed for a reason, once that is mended.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html>: what a job does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// To replicate them with a Batch Replication job.
    Job,
    /// To let the role of such a job do it, and order it again.
    JobOfAnotherRole,
    /// No job replicates them: what there is to do in its place.
    NoJob(&'static str),
}

impl Left {
    /// Does a job replicate them?
    pub(super) fn is_for_a_job(self) -> bool {
        match self {
            Self::Job | Self::JobOfAnotherRole => true,
            Self::NoJob(_) => false,
        }
    }
}

/// What makes a replica again that was deleted with its version.
const COPY: &str = "S3 Batch Replication does not make such a replica again: to have it there, copy the source object \
                    onto itself, which makes a new version that is replicated";

/// What a reason can mean.
pub(super) fn meaning(reason: &str) -> Meaning {
    use CheckId as C;
    use Left::{Job, JobOfAnotherRole, NoJob};
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
        "SrcKeyNotFound" | "SrcVersionNotFound" | "SrcObjectNotFound" => Passing(
            "the source object or version was gone before S3 came to replicate it",
            NoJob("nothing is left to replicate, and nothing is to be done"),
        ),
        "DstVersionNotFound" => Passing(
            "the version whose metadata S3 wanted to replicate is gone at the destination",
            NoJob(COPY),
        ),
        "SrcObjectNotEligible" => Passing(
            "the object has a storage class that cannot be read, such as S3 Glacier Deep Archive, or tags that the rule \
             does not take",
            NoJob(
                "S3 Batch Replication takes neither: restore what is archived and copy it onto itself in a storage class \
                 that can be read; to objects with other tags no rule applies",
            ),
        ),
        "SrcReplicationNotPending" => Passing("the object was no longer waiting to be replicated", Job),
        "DstObjectHardDeleted" => Passing("the replica was deleted with its version", NoJob(COPY)),
        "SrcBucketNotFound" => Passing(
            "the source bucket was not there",
            NoJob("what was in it is gone with it, and nothing is left to replicate"),
        ),
        "DstBucketInvalidRegion" | "SrcBucketInvalidRegion" => Passing(
            "a Batch Replication job ran in another Region than that of the bucket",
            Job,
        ),
        "InitiateReplicationNotPermitted" => Passing(
            "the role of a Batch Replication job, which is not that of the rule, may not do it",
            JobOfAnotherRole,
        ),
        _ => Unknown,
    }
}
