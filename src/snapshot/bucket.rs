//! What replication depends on in a bucket, source or destination.

use crate::arn::{AccountId, BucketName, KeyReference, Region};
use crate::observed::Observed;
use crate::policy::NamedPolicy;
use crate::snapshot::Tags;

/// A bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// The owner, proven by a read that S3 answers for no other owner (`ExpectedBucketOwner`).
    pub owner: Observed<AccountId>,
    /// The Region that it lies in.
    pub region: Observed<Region>,
    /// Versioning; replication needs it on both sides.
    pub versioning: Observed<Versioning>,
    /// How objects are encrypted whose writer does not say.
    pub encryption: Observed<DefaultEncryption>,
    /// The bucket policy; `Absent` where there is none.
    pub policy: Observed<NamedPolicy>,
    /// Who owns objects that others write. Read of destinations only where a rule gives replicas away.
    pub ownership: Observed<ObjectOwnership>,
    /// Is Object Lock on? `Absent` means off. Read of destinations only where it is on in the source.
    pub object_lock: Observed<()>,
    /// Tags; `Absent` where there are none.
    pub tags: Observed<Tags>,
    /// Who pays for requests; read of destinations only.
    pub payer: Observed<Payer>,
    /// Where the bucket sends notifications about replication and annotations; read for source buckets only.
    pub failure_notifications: Observed<Vec<NotificationTarget>>,
}

impl Bucket {
    /// The bucket's Region, where this one is another. S3 uses no key of another Region, related multi-Region keys included:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>.
    pub fn lies_outside(&self, region: &Region) -> Option<&Region> {
        self.region.found().filter(|own| *own != region)
    }

    /// Does AWS say, to a read that no existing bucket answers so, that there is no such bucket?
    pub fn is_gone(&self) -> bool {
        self.owner.found().is_none() && self.versioning.is_absent()
    }
}

/// Versioning of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// On.
    Enabled,
    /// Was on.
    Suspended,
    /// Was never on.
    Never,
}

/// How a bucket encrypts objects whose writer does not say how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultEncryption {
    /// Which kind.
    pub kind: EncryptionType,
    /// The key, for the KMS kinds. None there means the AWS managed key `aws/s3`.
    pub key: Option<KeyReference>,
    /// Is an S3 Bucket Key used? Then KMS sees the bucket's ARN as encryption context in place of the object's.
    pub bucket_key: bool,
}

/// Kinds of server-side encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionType {
    /// S3's own keys (SSE-S3).
    S3,
    /// A KMS key (SSE-KMS).
    Kms,
    /// A KMS key, two layers (DSSE-KMS). S3 Bucket Keys do not apply.
    KmsDualLayer,
    /// The customer's key, sent with each request (SSE-C).
    Customer,
    /// None, as objects may have that were written before S3 began to encrypt every upload, in January 2023.
    Plaintext,
}

impl EncryptionType {
    /// What S3 calls it as a bucket's default, where that names a KMS key.
    pub fn kms_algorithm(self) -> Option<&'static str> {
        match self {
            Self::Kms => Some("aws:kms"),
            Self::KmsDualLayer => Some("aws:kms:dsse"),
            Self::S3 | Self::Customer | Self::Plaintext => None,
        }
    }

    /// Does a KMS key encrypt the object?
    pub fn uses_kms(self) -> bool {
        match self {
            Self::Kms | Self::KmsDualLayer => true,
            Self::S3 | Self::Customer | Self::Plaintext => false,
        }
    }
}

/// Who owns objects that others write into the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// The bucket's owner, always; ACLs are off.
    BucketOwnerEnforced,
    /// The bucket's owner, if the writer asks for it.
    BucketOwnerPreferred,
    /// Whoever wrote the object.
    ObjectWriter,
}

/// Who pays for requests and transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The usual.
    BucketOwner,
    /// Replication into such a bucket is not possible.
    Requester,
}

/// Somewhere that a bucket sends notifications to, about replication or about annotations of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationTarget {
    /// ARN of the queue, topic or function.
    pub arn: String,
    /// The events sent there, such as `s3:Replication:*` and `s3:ObjectAnnotation:Put`; no others.
    pub events: Vec<String>,
}
