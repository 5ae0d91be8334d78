//! What the replication role must be able to do: every action, resource and context that a rule needs, and whether its
//! absence breaks replication.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.
//!
//! S3 calls KMS and S3 as a session of the role, so each requirement is a [`Request`] that the policy evaluator can
//! answer. Policies are matched against one object, so a sample key stands for the objects of a rule.

mod context;
mod encryption;
mod keys;
mod needs;
mod tested;

use std::collections::BTreeSet;

use crate::arn::{BucketName, KeyArn};
use crate::observed::ReadFailure;
use crate::policy::Request;
use crate::snapshot::{Role, Snapshot};

pub(crate) use context::{of_s3_encryption, via_s3};
pub(crate) use encryption::{
    are_taken_by_another, must_be_replicated, of_plaintext, passed_over, passes_over,
};

/// The permissions of a replication role.
pub const PERMISSIONS_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html";
/// What replication of objects under KMS keys needs.
pub const KMS_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html";
/// How S3 Bucket Keys change the encryption context.
pub const BUCKET_KEY_PAGE: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html";
/// Replication of Object Lock settings.
pub const OBJECT_LOCK_PAGE: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication";
/// Replication of annotations.
pub const ANNOTATIONS_PAGE: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-example-walkthroughs.html#replication-annotations";
/// How objects without encryption become encrypted replicas.
pub const PLAINTEXT_PAGE: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html#replication-default-encryption";
/// Owner override.
pub const OWNER_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-change-owner.html";

/// Which of the four things a role works on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The source bucket and its objects.
    Source,
    /// A destination bucket and its objects.
    Destination(BucketName),
    /// A key that source objects are encrypted with.
    SourceKey(KeyArn),
    /// The key that replicas are encrypted with.
    ReplicaKey(KeyArn),
}

/// Which encryption context S3 sends: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContextForm {
    /// Without a Bucket Key: the object's ARN.
    Object,
    /// With a Bucket Key: the bucket's ARN.
    Bucket,
}

/// Does replication break without it?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Necessity {
    /// It does.
    Required,
    /// It does, if the fact that could not be read is as usual.
    RequiredUnless(ReadFailure),
    /// It does not today.
    Advised,
    /// It does not, but of some objects something is missing: if there are such objects, which no read tells.
    WhereUsed(Feature),
}

/// What objects may have or lack without any read of the account telling so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Annotations: no list and no HEAD shows whether an object has any.
    Annotations,
    /// No encryption: only objects from before January 2023 can be so, and none was looked at that is.
    Plaintext,
}

impl Necessity {
    /// Does replication break without it, as far as is known?
    pub(crate) fn is_certain_or_likely(&self) -> bool {
        match self {
            Self::Required | Self::RequiredUnless(_) => true,
            Self::Advised | Self::WhereUsed(_) => false,
        }
    }

    /// How much it is needed, the most the highest.
    fn rank(&self) -> u8 {
        match self {
            Self::WhereUsed(_) => 0,
            Self::Advised => 1,
            Self::RequiredUnless(_) => 2,
            Self::Required => 3,
        }
    }
}

/// One thing that the role must, or had better, be able to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// The rules that need it.
    pub rule_ids: BTreeSet<String>,
    /// What it is about.
    pub area: Area,
    /// Which encryption context it is about, for keys.
    pub form: Option<ContextForm>,
    /// How much it is needed.
    pub necessity: Necessity,
    /// The request that S3 will make.
    pub request: Request,
    /// What for.
    pub purpose: &'static str,
    /// The AWS page that says so.
    pub page: &'static str,
}

impl Requirement {
    /// Is it certain that the request has no such condition key? A delete marker has no content that could be encrypted.
    pub fn surely_lacks(&self, key: &str) -> bool {
        let is_of_encryption = key
            .to_ascii_lowercase()
            .starts_with("s3:x-amz-server-side-encryption");
        is_of_encryption && self.request.action == "s3:ReplicateDelete"
    }

    /// The same of another object; `None` where it is not about objects.
    pub(crate) fn about(&self, object: &str, other: &str) -> Option<Self> {
        const CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";
        let with_other = |text: &str| {
            let (bucket, named) = text.split_once('/')?;
            (named == object).then(|| format!("{bucket}/{other}"))
        };
        let mut requirement = self.clone();
        let request = &mut requirement.request;
        let context = request
            .context
            .get(CONTEXT)
            .and_then(|values| values.as_slice().first());
        match (self.form, context.and_then(|context| with_other(context))) {
            (Some(_), Some(context)) => request.context = request.context.clone().with(CONTEXT, context),
            (Some(_), None) => return None,
            (None, _) => request.resource = with_other(&request.resource)?,
        }
        Some(requirement)
    }
}

/// All that the role needs for the enabled rules, each once, sorted by what it is about.
///
/// Nothing is required of a key that is missing, of the wrong type, in the wrong Region, or managed by AWS for another
/// account: whether the role may use it cannot matter before that is mended.
pub fn requirements(snapshot: &Snapshot, role: &Role) -> impl Iterator<Item = Requirement> + use<> {
    needs::Needs::of(snapshot, role).found()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_or_may_be_required_breaks_replication_and_the_rest_is_needed_less() {
        let unread = crate::source::Read::Encryption.failed("default encryption", "AccessDenied");
        let rising = [
            (Necessity::WhereUsed(Feature::Plaintext), false),
            (Necessity::Advised, false),
            (Necessity::RequiredUnless(unread), true),
            (Necessity::Required, true),
        ];
        for (necessity, breaks) in &rising {
            assert_eq!(necessity.is_certain_or_likely(), *breaks, "{necessity:?}");
        }
        assert!(rising.is_sorted_by(|(less, _), (more, _)| less.rank() < more.rank()));
    }
}
