//! The port through which facts are read: one method for one AWS read, and nothing that could change anything.
//!
//! The AWS SDK implements it for the function, an in-memory account for the tests. Every method answers
//! [`Observed`]: a failed read is a fact of its own, never an error that ends the check.

pub mod read;

use std::future::Future;

use crate::arn::{AccountId, BucketName, KeyArn, KeyReference, Region, RoleArn};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{
    DefaultEncryption, KeyMetadata, NotificationTarget, ObjectHead, ObjectOwnership, Payer, Replication,
    Tags, Versioning,
};

pub use crate::snapshot::RoleRecord;
pub use read::Read;

/// Whose credentials a read uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Our own.
    Own,
    /// Those of the member role in a trusted account.
    Member(AccountId),
}

/// A bucket to read from. S3 answers only if `owner` owns it, so that every answer proves the owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketAt {
    /// The bucket.
    pub name: BucketName,
    /// Where it is believed to lie. The implementation follows S3's redirect if it lies elsewhere.
    pub region: Region,
    /// Who must own it (`ExpectedBucketOwner`).
    pub owner: AccountId,
    /// Whose credentials are used.
    pub reader: Reader,
}

/// HeadBucket tells the Region even to those whom it tells nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketHead {
    /// `Found` where the bucket is there and the expected owner owns it.
    pub exists: Observed<()>,
    /// The Region, from the answer or from the refusal.
    pub region: Option<Region>,
}

/// A managed policy that is attached to a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

/// Some of the account's buckets, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPage {
    /// The buckets, of all Regions.
    pub buckets: Vec<ListedBucket>,
    /// What to ask for the next page with; none where this is the last.
    pub next: Option<String>,
}

/// A bucket as the account's list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBucket {
    /// Its name.
    pub name: BucketName,
    /// Where it lies.
    pub region: Option<Region>,
}

/// An object version that was found by listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The object's key.
    pub key: String,
    /// The version.
    pub version_id: String,
}

/// Reads of AWS.
///
/// A policy's name is what people know it by: an inline policy's own name, a managed policy's ARN, and for those that
/// have none `bucket policy of NAME`, `key policy of ARN`, `trust policy of ARN`.
///
/// Absent means that AWS says so in so many words. NotFound and AccessDenied about a resource of another account, read
/// with our own credentials, mean Unreadable: AWS does not tell strangers the difference.
pub trait Source {
    /// s3:ListBuckets (`s3:ListAllMyBuckets`): a page of our own account's buckets, the first without a token.
    fn buckets(&self, token: Option<&str>) -> impl Future<Output = Observed<BucketPage>>;
    /// s3:HeadBucket (`s3:ListBucket`)
    fn head_bucket(&self, at: &BucketAt) -> impl Future<Output = BucketHead>;
    /// s3:GetBucketReplication
    fn replication(&self, at: &BucketAt) -> impl Future<Output = Observed<Replication>>;
    /// s3:GetBucketVersioning
    fn versioning(&self, at: &BucketAt) -> impl Future<Output = Observed<Versioning>>;
    /// s3:GetBucketEncryption. A bare key id or alias name means the bucket's own account and Region.
    fn encryption(&self, at: &BucketAt) -> impl Future<Output = Observed<DefaultEncryption>>;
    /// s3:GetBucketPolicy
    fn bucket_policy(&self, at: &BucketAt) -> impl Future<Output = Observed<NamedPolicy>>;
    /// s3:GetBucketOwnershipControls. A bucket without them has `ObjectWriter`.
    fn ownership(&self, at: &BucketAt) -> impl Future<Output = Observed<ObjectOwnership>>;
    /// s3:GetObjectLockConfiguration. `Absent` where Object Lock is off.
    fn object_lock(&self, at: &BucketAt) -> impl Future<Output = Observed<()>>;
    /// s3:GetBucketTagging
    fn bucket_tags(&self, at: &BucketAt) -> impl Future<Output = Observed<Tags>>;
    /// s3:GetBucketRequestPayment
    fn payer(&self, at: &BucketAt) -> impl Future<Output = Observed<Payer>>;
    /// s3:GetBucketNotificationConfiguration, those parts that carry replication events.
    fn failure_notifications(&self, at: &BucketAt)
    -> impl Future<Output = Observed<Vec<NotificationTarget>>>;
    /// s3:HeadObject of one version; `null` is the version of an object that was written without versioning.
    fn head_object(
        &self,
        at: &BucketAt,
        key: &str,
        version_id: &str,
    ) -> impl Future<Output = Observed<ObjectHead>>;
    /// s3:ListObjectVersions: versions under a prefix that are no delete markers, the newest first, at most `limit`.
    /// Newest among those that one answer holds: S3 lists by name, so that the newest of all would take the whole list.
    fn recent_versions(
        &self,
        at: &BucketAt,
        prefix: &str,
        limit: usize,
    ) -> impl Future<Output = Observed<Vec<ObjectVersion>>>;

    /// kms:DescribeKey in the reference's Region
    fn describe_key(
        &self,
        key: &KeyReference,
        reader: &Reader,
    ) -> impl Future<Output = Observed<KeyMetadata>>;
    /// kms:GetKeyPolicy
    fn key_policy(&self, key: &KeyArn, reader: &Reader) -> impl Future<Output = Observed<NamedPolicy>>;
    /// kms:ListGrants of this key for one grantee, all pages
    fn grants(
        &self,
        key: &KeyArn,
        grantee: &RoleArn,
        reader: &Reader,
    ) -> impl Future<Output = Observed<Vec<Grant>>>;
    /// kms:ListResourceTags
    fn key_tags(&self, key: &KeyArn, reader: &Reader) -> impl Future<Output = Observed<Tags>>;

    /// iam:GetRole. IAM takes only a name, so the caller must not ask for another account's role.
    fn role(&self, role: &RoleArn) -> impl Future<Output = Observed<RoleRecord>>;
    /// iam:ListRolePolicies, all pages
    fn inline_policy_names(&self, role: &RoleArn) -> impl Future<Output = Observed<Vec<String>>>;
    /// iam:GetRolePolicy
    fn inline_policy(&self, role: &RoleArn, name: &str) -> impl Future<Output = Observed<NamedPolicy>>;
    /// iam:ListAttachedRolePolicies, all pages
    fn attached_policies(&self, role: &RoleArn) -> impl Future<Output = Observed<Vec<AttachedPolicy>>>;
    /// iam:GetPolicy and iam:GetPolicyVersion of the default version. The boundary is read so too.
    fn managed_policy(&self, arn: &str) -> impl Future<Output = Observed<NamedPolicy>>;
}
