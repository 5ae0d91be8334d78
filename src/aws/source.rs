//! The port for reading, call by call.
//!
//! The SDK's futures are large, and collecting joins dozens of them: each is boxed, or they would overflow the stack.

use crate::arn::{KeyArn, KeyReference, RoleArn};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{
    DefaultEncryption, KeyMetadata, NotificationTarget, ObjectHead, ObjectOwnership, Payer, Replication,
    Tags, Versioning,
};
use crate::source::{
    AttachedPolicy, BucketAt, BucketHead, BucketPage, ObjectVersion, Reader, RoleRecord, Source,
};

use super::{Aws, iam, kms, s3};

impl Source for Aws {
    async fn buckets(&self, token: Option<&str>) -> Observed<BucketPage> {
        Box::pin(s3::buckets(self, token)).await
    }

    async fn head_bucket(&self, at: &BucketAt) -> BucketHead {
        Box::pin(s3::head_bucket(self, at)).await
    }

    async fn replication(&self, at: &BucketAt) -> Observed<Replication> {
        Box::pin(s3::replication(self, at)).await
    }

    async fn versioning(&self, at: &BucketAt) -> Observed<Versioning> {
        Box::pin(s3::versioning(self, at)).await
    }

    async fn encryption(&self, at: &BucketAt) -> Observed<DefaultEncryption> {
        Box::pin(s3::encryption(self, at)).await
    }

    async fn bucket_policy(&self, at: &BucketAt) -> Observed<NamedPolicy> {
        Box::pin(s3::bucket_policy(self, at)).await
    }

    async fn ownership(&self, at: &BucketAt) -> Observed<ObjectOwnership> {
        Box::pin(s3::ownership(self, at)).await
    }

    async fn object_lock(&self, at: &BucketAt) -> Observed<()> {
        Box::pin(s3::object_lock(self, at)).await
    }

    async fn bucket_tags(&self, at: &BucketAt) -> Observed<Tags> {
        Box::pin(s3::bucket_tags(self, at)).await
    }

    async fn payer(&self, at: &BucketAt) -> Observed<Payer> {
        Box::pin(s3::payer(self, at)).await
    }

    async fn failure_notifications(&self, at: &BucketAt) -> Observed<Vec<NotificationTarget>> {
        Box::pin(s3::failure_notifications(self, at)).await
    }

    async fn head_object(&self, at: &BucketAt, key: &str, version_id: &str) -> Observed<ObjectHead> {
        Box::pin(s3::head_object(self, at, key, version_id)).await
    }

    async fn recent_versions(
        &self,
        at: &BucketAt,
        prefix: &str,
        limit: usize,
    ) -> Observed<Vec<ObjectVersion>> {
        Box::pin(s3::recent_versions(self, at, prefix, limit)).await
    }

    async fn describe_key(&self, key: &KeyReference, reader: &Reader) -> Observed<KeyMetadata> {
        Box::pin(kms::describe(self, key, reader)).await
    }

    async fn key_policy(&self, key: &KeyArn, reader: &Reader) -> Observed<NamedPolicy> {
        Box::pin(kms::policy(self, key, reader)).await
    }

    async fn grants(&self, key: &KeyArn, grantee: &RoleArn, reader: &Reader) -> Observed<Vec<Grant>> {
        Box::pin(kms::grants(self, key, grantee, reader)).await
    }

    async fn key_tags(&self, key: &KeyArn, reader: &Reader) -> Observed<Tags> {
        Box::pin(kms::tags(self, key, reader)).await
    }

    async fn role(&self, role: &RoleArn) -> Observed<RoleRecord> {
        Box::pin(iam::role(self, role)).await
    }

    async fn inline_policy_names(&self, role: &RoleArn) -> Observed<Vec<String>> {
        Box::pin(iam::inline_policy_names(self, role)).await
    }

    async fn inline_policy(&self, role: &RoleArn, name: &str) -> Observed<NamedPolicy> {
        Box::pin(iam::inline_policy(self, role, name)).await
    }

    async fn attached_policies(&self, role: &RoleArn) -> Observed<Vec<AttachedPolicy>> {
        Box::pin(iam::attached_policies(self, role)).await
    }

    async fn managed_policy(&self, arn: &str) -> Observed<NamedPolicy> {
        Box::pin(iam::managed_policy(self, arn)).await
    }
}
