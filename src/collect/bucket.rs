//! What is read of a bucket whether it is source or destination, and what proves who owns it.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>: S3 answers a
//! request that names another owner than the real one with AccessDenied, so that every answer is a proof.

use std::future::Future;

use futures_util::join;

use crate::observed::{Observed, ReadFailure};
use crate::policy::NamedPolicy;
use crate::snapshot::{Bucket, DefaultEncryption, ObjectOwnership, Payer, Versioning};
use crate::source::{BucketAt, BucketHead, Read, Source};

/// What a bucket is asked beside HeadBucket.
pub(super) struct Facts {
    versioning: Observed<Versioning>,
    encryption: Observed<DefaultEncryption>,
    policy: Observed<NamedPolicy>,
    ownership: Observed<ObjectOwnership>,
    object_lock: Observed<()>,
    payer: Observed<Payer>,
}

/// What a bucket is asked only where the answer can change a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions {
    /// Who owns objects that others write: of a source, and of a destination whose owner is to own the replicas.
    pub(super) ownership: bool,
    /// Is Object Lock on: of a source, and of a destination where it is on in the source.
    pub(super) object_lock: bool,
    /// Who pays: of a destination.
    pub(super) payer: bool,
}

impl Facts {
    /// Asks for all at once.
    pub(super) async fn read<S: Source>(source: &S, at: &BucketAt, questions: Questions) -> Self {
        let (versioning, encryption, policy, ownership, object_lock, payer) = join!(
            source.versioning(at),
            source.encryption(at),
            source.bucket_policy(at),
            asked(questions.ownership, Read::Ownership, at, source.ownership(at)),
            asked(
                questions.object_lock,
                Read::ObjectLock,
                at,
                source.object_lock(at)
            ),
            asked(questions.payer, Read::Payer, at, source.payer(at)),
        );
        Self {
            versioning,
            encryption,
            policy,
            ownership,
            object_lock,
            payer,
        }
    }

    /// Did S3 answer any of them? Only what was found counts: "there is none" proves as much, but takes more trust in
    /// how an error was understood.
    pub(super) fn prove_the_owner(&self) -> bool {
        let Self {
            versioning,
            encryption,
            policy,
            ownership,
            object_lock,
            payer,
        } = self;
        versioning.found().is_some()
            || encryption.found().is_some()
            || policy.found().is_some()
            || ownership.found().is_some()
            || object_lock.found().is_some()
            || payer.found().is_some()
    }

    /// The bucket that these facts and the answer to HeadBucket describe. It is the owner's at whom `at` asked if
    /// HeadBucket, any of these facts or a read made elsewhere (`proven`) says so.
    pub(super) fn into_bucket(self, at: &BucketAt, head: BucketHead, proven: bool) -> Bucket {
        let owner = match head.exists {
            Observed::Found(()) => Observed::Found(at.owner.clone()),
            Observed::Absent => Observed::Absent,
            Observed::Unreadable(_) if proven || self.prove_the_owner() => Observed::Found(at.owner.clone()),
            Observed::Unreadable(ref refusal) => Observed::Unreadable(ReadFailure {
                what: format!("owner of bucket `{}`", at.name),
                ..refusal.clone()
            }),
        };
        let region = match (head.region, head.exists) {
            (Some(region), _) => Observed::Found(region),
            (None, Observed::Absent) => Observed::Absent,
            (None, Observed::Found(())) => Observed::Unreadable(
                Read::HeadBucket.failed(format!("Region of bucket `{}`", at.name), "NoRegionInAnswer"),
            ),
            (None, Observed::Unreadable(refusal)) => Observed::Unreadable(ReadFailure {
                what: format!("Region of bucket `{}`", at.name),
                ..refusal
            }),
        };
        Bucket {
            name: at.name.clone(),
            owner,
            region,
            versioning: self.versioning,
            encryption: self.encryption,
            policy: self.policy,
            ownership: self.ownership,
            object_lock: self.object_lock,
            tags: Observed::Absent,
            payer: self.payer,
            failure_notifications: Observed::Absent,
        }
    }
}

/// What nobody asks for is not known: whoever should need it all the same must not take it for absent.
async fn asked<T>(
    is_asked: bool,
    read: Read,
    at: &BucketAt,
    answer: impl Future<Output = Observed<T>>,
) -> Observed<T> {
    match is_asked {
        true => answer.await,
        false => read.not_attempted(format!("{} of bucket `{}`", read.operation(), at.name)),
    }
}
