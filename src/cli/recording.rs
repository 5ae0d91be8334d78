//! AWS as one look at a bucket sees it: with a configuration that is not in force yet, if there is one, and with what was
//! seen kept for the picture.
//!
//! Every read but those of the pictured facts goes through as it is, and so do all writes: what the core may do is
//! decided there.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::arn::{BucketName, KeyArn, KeyReference, Region, RoleArn};
use crate::mode::WriteAccess;
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{
    DefaultEncryption, KeyMetadata, NotificationTarget, ObjectHead, ObjectOwnership, Payer, Replication,
    Tags, Versioning,
};
use crate::source::{
    AttachedPolicy, BucketAt, BucketHead, BucketPage, ObjectVersion, Reader, RoleRecord, Source,
};
use crate::target::{Jobs, Target, Writable};

/// What was seen of one source bucket and of what its replication names.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The replication configuration.
    pub replication: Option<Replication>,
    /// The source's default encryption.
    pub encryption: Option<DefaultEncryption>,
    /// Where buckets lie.
    pub regions: BTreeMap<BucketName, Region>,
    /// The keys behind their names.
    pub keys: BTreeMap<KeyReference, KeyArn>,
}

/// AWS as one look at a bucket sees it.
#[derive(Debug)]
pub struct RecordingSource<'a, A> {
    aws: &'a A,
    bucket: &'a BucketName,
    planned: Option<&'a Replication>,
    seen: Mutex<Seen>,
}

impl<'a, A> RecordingSource<'a, A> {
    /// A look at a bucket, as if `planned` were its replication configuration.
    pub fn new(aws: &'a A, bucket: &'a BucketName, planned: Option<&'a Replication>) -> Self {
        Self {
            aws,
            bucket,
            planned,
            seen: Mutex::default(),
        }
    }

    /// What was seen.
    pub fn into_seen(self) -> Seen {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<A: Writable> Writable for RecordingSource<'_, A> {
    fn writer(&self, permission: &WriteAccess) -> impl Target {
        self.aws.writer(permission)
    }

    fn jobs(&self, permission: &WriteAccess) -> impl Jobs {
        self.aws.jobs(permission)
    }
}

impl<A: Source> Source for RecordingSource<'_, A> {
    async fn buckets(&self, token: Option<&str>) -> Observed<BucketPage> {
        self.aws.buckets(token).await
    }

    async fn head_bucket(&self, at: &BucketAt) -> BucketHead {
        let head = self.aws.head_bucket(at).await;
        if let Some(region) = &head.region {
            self.note(|seen| {
                seen.regions.insert(at.name.clone(), region.clone());
            });
        }
        head
    }

    async fn replication(&self, at: &BucketAt) -> Observed<Replication> {
        let is_source = at.name == *self.bucket;
        let answer = match self.planned {
            Some(planned) if is_source => Observed::Found(planned.clone()),
            Some(_) | None => self.aws.replication(at).await,
        };
        if is_source {
            self.note(|seen| seen.replication = answer.found().cloned());
        }
        answer
    }

    async fn versioning(&self, at: &BucketAt) -> Observed<Versioning> {
        self.aws.versioning(at).await
    }

    async fn encryption(&self, at: &BucketAt) -> Observed<DefaultEncryption> {
        let answer = self.aws.encryption(at).await;
        if at.name == *self.bucket {
            self.note(|seen| seen.encryption = answer.found().cloned());
        }
        answer
    }

    async fn bucket_policy(&self, at: &BucketAt) -> Observed<NamedPolicy> {
        self.aws.bucket_policy(at).await
    }

    async fn ownership(&self, at: &BucketAt) -> Observed<ObjectOwnership> {
        self.aws.ownership(at).await
    }

    async fn object_lock(&self, at: &BucketAt) -> Observed<()> {
        self.aws.object_lock(at).await
    }

    async fn bucket_tags(&self, at: &BucketAt) -> Observed<Tags> {
        self.aws.bucket_tags(at).await
    }

    async fn payer(&self, at: &BucketAt) -> Observed<Payer> {
        self.aws.payer(at).await
    }

    async fn failure_notifications(&self, at: &BucketAt) -> Observed<Vec<NotificationTarget>> {
        self.aws.failure_notifications(at).await
    }

    async fn head_object(&self, at: &BucketAt, key: &str, version_id: &str) -> Observed<ObjectHead> {
        self.aws.head_object(at, key, version_id).await
    }

    async fn recent_versions(
        &self,
        at: &BucketAt,
        prefix: &str,
        limit: usize,
    ) -> Observed<Vec<ObjectVersion>> {
        self.aws.recent_versions(at, prefix, limit).await
    }

    async fn describe_key(&self, key: &KeyReference, reader: &Reader) -> Observed<KeyMetadata> {
        let answer = self.aws.describe_key(key, reader).await;
        if let Some(metadata) = answer.found() {
            self.note(|seen| {
                seen.keys.insert(key.clone(), metadata.arn.clone());
            });
        }
        answer
    }

    async fn key_policy(&self, key: &KeyArn, reader: &Reader) -> Observed<NamedPolicy> {
        self.aws.key_policy(key, reader).await
    }

    async fn grants(&self, key: &KeyArn, grantee: &RoleArn, reader: &Reader) -> Observed<Vec<Grant>> {
        self.aws.grants(key, grantee, reader).await
    }

    async fn key_tags(&self, key: &KeyArn, reader: &Reader) -> Observed<Tags> {
        self.aws.key_tags(key, reader).await
    }

    async fn role(&self, role: &RoleArn) -> Observed<RoleRecord> {
        self.aws.role(role).await
    }

    async fn inline_policy_names(&self, role: &RoleArn) -> Observed<Vec<String>> {
        self.aws.inline_policy_names(role).await
    }

    async fn inline_policy(&self, role: &RoleArn, name: &str) -> Observed<NamedPolicy> {
        self.aws.inline_policy(role, name).await
    }

    async fn attached_policies(&self, role: &RoleArn) -> Observed<Vec<AttachedPolicy>> {
        self.aws.attached_policies(role).await
    }

    async fn managed_policy(&self, arn: &str) -> Observed<NamedPolicy> {
        self.aws.managed_policy(arn).await
    }
}
