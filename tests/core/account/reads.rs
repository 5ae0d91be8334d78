//! The reads, as AWS answers them.

use s3_replication_remediator::arn::{AccountId, KeyArn, KeyReference, Partition, Region, RoleArn};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{self, GrantConstraints, NamedPolicy, PolicyDocument};
use s3_replication_remediator::snapshot::{
    DefaultEncryption, EncryptionType, KeyManager, KeyMetadata, KeyState, NotificationTarget, ObjectHead,
    ObjectOwnership, Payer, Replication, Tags, Versioning,
};
use s3_replication_remediator::source::{
    AttachedPolicy, BucketAt, BucketHead, BucketPage, ListedBucket, ObjectVersion, Read, Reader, RoleRecord,
    Source,
};
use serde_json::Value;

use super::model::{Bucket, Encryption, Grant, Key, Role, State};
use super::{World, failure, unreadable};

/// What the program asks for.
const BUCKETS_OF_A_PAGE: usize = 1_000;

impl State {
    fn bucket_region(&self, bucket: &Bucket) -> Region {
        bucket
            .region
            .clone()
            .unwrap_or_else(|| self.identity.region.clone())
    }

    fn bucket_owner(&self, bucket: &Bucket) -> AccountId {
        bucket
            .owner
            .clone()
            .unwrap_or_else(|| self.identity.account.clone())
    }
}

impl World {
    /// One read of a bucket. S3 names the bucket's Region in every refusal; whoever asked elsewhere asks again.
    async fn read_bucket<T>(
        &self,
        read: Read,
        at: &BucketAt,
        answer: impl FnOnce(&State, &Bucket) -> Observed<T>,
    ) -> Observed<T> {
        let arn = at.name.arn(&Partition::aws());
        let what = format!("{} of bucket `{}`", read.operation(), at.name);
        let reading = match self.reading_account(&at.reader) {
            Ok(account) => account,
            Err(failure) => return Observed::Unreadable(failure),
        };
        self.call(read.operation(), &arn).await;
        let lies_elsewhere = self
            .state()
            .buckets
            .get(&at.name)
            .is_some_and(|bucket| self.state().bucket_region(bucket) != at.region);
        if lies_elsewhere {
            self.wait().await;
        }
        if let Some(code) = self.switched(read.operation(), &arn) {
            return unreadable(read, what, &code, &arn);
        }
        let state = self.state();
        let Some(bucket) = state.buckets.get(&at.name) else {
            return Observed::Absent;
        };
        let owner = state.bucket_owner(bucket);
        if owner != at.owner || (owner != reading && !bucket.shared_reads) {
            return unreadable(read, what, "AccessDenied", &arn);
        }
        answer(&state, bucket)
    }

    /// One read of a key. To strangers KMS denies what they may not see.
    async fn read_key<T>(
        &self,
        read: Read,
        key: &KeyArn,
        reader: &Reader,
        answer: impl FnOnce(&Key) -> Observed<T>,
    ) -> Observed<T> {
        let arn = key.to_string();
        let what = format!("{} of {arn}", read.operation());
        let reading = match self.reading_account(reader) {
            Ok(account) => account,
            Err(failure) => return Observed::Unreadable(failure),
        };
        self.call(read.operation(), &arn).await;
        if let Some(code) = self.switched(read.operation(), &arn) {
            return unreadable(read, what, &code, &arn);
        }
        let is_foreign = reading != *key.account();
        let crosses_accounts = matches!(read, Read::DescribeKey | Read::Grants);
        let state = self.state();
        match state.keys.get(key) {
            Some(key) if !is_foreign || (crosses_accounts && key.shared_reads) => answer(key),
            None if !is_foreign => Observed::Absent,
            Some(_) | None => unreadable(read, what, "AccessDeniedException", &arn),
        }
    }

    async fn read_role<T>(
        &self,
        read: Read,
        role: &RoleArn,
        answer: impl FnOnce(&RoleArn, &Role) -> Observed<T>,
    ) -> Observed<T> {
        let arn = role.to_string();
        self.call(read.operation(), &arn).await;
        if let Some(code) = self.switched(read.operation(), &arn) {
            return unreadable(read, format!("{} of {arn}", read.operation()), &code, &arn);
        }
        // IAM is asked for the name; it is unique in an account whatever the path.
        let state = self.state();
        let found = state
            .roles
            .iter()
            .find(|(known, _)| known.account() == &state.identity.account && known.name() == role.name());
        match found {
            Some((arn, role)) => answer(arn, role),
            None => Observed::Absent,
        }
    }
}

/// A document as the program reads it; what is no policy is unreadable for it, not absent.
fn document(read: Read, name: String, value: &Value) -> Observed<NamedPolicy> {
    match PolicyDocument::from_value(value.clone()) {
        Ok(document) => Observed::Found(NamedPolicy { name, document }),
        Err(_) => Observed::Unreadable(read.failed(name, "MalformedPolicy")),
    }
}

fn encryption_type(text: &str) -> EncryptionType {
    match text {
        "AES256" => EncryptionType::S3,
        "aws:kms" => EncryptionType::Kms,
        "aws:kms:dsse" => EncryptionType::KmsDualLayer,
        "SSE-C" => EncryptionType::Customer,
        "none" => EncryptionType::Plaintext,
        other => panic!("`{other}` is no encryption"),
    }
}

/// The key that an encryption names, seen from its bucket.
fn encryption_key(state: &State, bucket: &Bucket, encryption: &Encryption) -> Option<KeyReference> {
    encryption.key.as_deref().map(|key| {
        KeyReference::in_bucket(
            key,
            &Partition::aws(),
            &state.bucket_region(bucket),
            &state.bucket_owner(bucket),
        )
        .unwrap()
    })
}

fn some_tags(tags: &Tags) -> Observed<Tags> {
    if tags.is_empty() {
        Observed::Absent
    } else {
        Observed::Found(tags.clone())
    }
}

impl Grant {
    pub(super) fn to_policy(&self, key: &KeyArn) -> policy::Grant {
        policy::Grant {
            id: self.id.clone(),
            name: self.name.clone(),
            key: key.clone(),
            grantee: self.grantee.clone(),
            retiring_principal: self.retiring_principal.clone(),
            operations: self.operations.clone(),
            constraints: GrantConstraints {
                equals: self.context_equals.clone(),
                subset: self.context_subset.clone(),
                ..GrantConstraints::default()
            },
        }
    }
}

impl Source for World {
    async fn buckets(&self, token: Option<&str>) -> Observed<BucketPage> {
        self.call(Read::Buckets.operation(), "*").await;
        if let Some(code) = self.switched(Read::Buckets.operation(), "*") {
            return unreadable(Read::Buckets, "buckets".to_owned(), &code, "*");
        }
        // The token is S3's secret; here it is the last name of the page before.
        let last = match token.map(|token| token.strip_prefix("after-")) {
            None => "",
            Some(Some(name)) => name,
            Some(None) => return unreadable(Read::Buckets, "buckets".to_owned(), "InvalidArgument", "*"),
        };
        let state = self.state();
        let mut own = state
            .buckets
            .iter()
            .filter(|(name, bucket)| {
                name.as_str() > last && state.bucket_owner(bucket) == state.identity.account
            })
            .map(|(name, bucket)| ListedBucket {
                name: name.clone(),
                region: Some(state.bucket_region(bucket)),
            });
        let buckets: Vec<ListedBucket> = own.by_ref().take(BUCKETS_OF_A_PAGE).collect();
        let next = own
            .next()
            .and(buckets.last().map(|last| format!("after-{}", last.name)));
        Observed::Found(BucketPage { buckets, next })
    }

    /// HeadBucket names the Region even when it refuses (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>).
    async fn head_bucket(&self, at: &BucketAt) -> BucketHead {
        let exists = self
            .read_bucket(Read::HeadBucket, at, |_, _| Observed::Found(()))
            .await;
        let state = self.state();
        let is_refused = exists
            .failure()
            .is_none_or(|failure| failure.operation == "s3:HeadBucket");
        BucketHead {
            region: state
                .buckets
                .get(&at.name)
                .filter(|_| is_refused)
                .map(|bucket| state.bucket_region(bucket)),
            exists,
        }
    }

    async fn replication(&self, at: &BucketAt) -> Observed<Replication> {
        let answer = self
            .read_bucket(Read::Replication, at, |_, bucket| match &bucket.replication {
                Some(_) if bucket.replication_hidden > 0 => Observed::Absent,
                Some(replication) => Observed::Found(replication.to_snapshot()),
                None => Observed::Absent,
            })
            .await;
        self.edit(|state| {
            if let Some(bucket) = state.buckets.get_mut(&at.name) {
                bucket.replication_hidden = bucket.replication_hidden.saturating_sub(1);
            }
        });
        answer
    }

    async fn versioning(&self, at: &BucketAt) -> Observed<Versioning> {
        self.read_bucket(Read::Versioning, at, |_, bucket| {
            Observed::Found(match bucket.versioning.as_str() {
                "Enabled" => Versioning::Enabled,
                "Suspended" => Versioning::Suspended,
                "Never" => Versioning::Never,
                other => panic!("`{other}` is no versioning"),
            })
        })
        .await
    }

    async fn encryption(&self, at: &BucketAt) -> Observed<DefaultEncryption> {
        self.read_bucket(Read::Encryption, at, |state, bucket| {
            Observed::Found(DefaultEncryption {
                kind: encryption_type(&bucket.encryption.kind),
                key: encryption_key(state, bucket, &bucket.encryption),
                bucket_key: bucket.encryption.bucket_key,
            })
        })
        .await
    }

    async fn bucket_policy(&self, at: &BucketAt) -> Observed<NamedPolicy> {
        let name = format!("bucket policy of {}", at.name);
        self.read_bucket(Read::BucketPolicy, at, |_, bucket| match &bucket.policy {
            Some(policy) => document(Read::BucketPolicy, name, policy),
            None => Observed::Absent,
        })
        .await
    }

    async fn ownership(&self, at: &BucketAt) -> Observed<ObjectOwnership> {
        self.read_bucket(Read::Ownership, at, |_, bucket| {
            Observed::Found(match bucket.ownership.as_str() {
                "BucketOwnerEnforced" => ObjectOwnership::BucketOwnerEnforced,
                "BucketOwnerPreferred" => ObjectOwnership::BucketOwnerPreferred,
                "ObjectWriter" => ObjectOwnership::ObjectWriter,
                other => panic!("`{other}` is no object ownership"),
            })
        })
        .await
    }

    async fn object_lock(&self, at: &BucketAt) -> Observed<()> {
        self.read_bucket(Read::ObjectLock, at, |_, bucket| {
            if bucket.object_lock {
                Observed::Found(())
            } else {
                Observed::Absent
            }
        })
        .await
    }

    async fn bucket_tags(&self, at: &BucketAt) -> Observed<Tags> {
        self.read_bucket(Read::BucketTags, at, |_, bucket| some_tags(&bucket.tags))
            .await
    }

    async fn payer(&self, at: &BucketAt) -> Observed<Payer> {
        self.read_bucket(Read::Payer, at, |_, bucket| {
            Observed::Found(if bucket.requester_pays {
                Payer::Requester
            } else {
                Payer::BucketOwner
            })
        })
        .await
    }

    async fn failure_notifications(&self, at: &BucketAt) -> Observed<Vec<NotificationTarget>> {
        self.read_bucket(Read::Notifications, at, |_, bucket| {
            let targets = bucket.notifications.iter().map(|target| NotificationTarget {
                arn: target.arn.clone(),
                events: target.events.clone(),
            });
            Observed::Found(targets.collect())
        })
        .await
    }

    async fn head_object(&self, at: &BucketAt, key: &str, version_id: &str) -> Observed<ObjectHead> {
        self.read_bucket(Read::HeadObject, at, |state, bucket| {
            let object = bucket
                .objects
                .iter()
                .find(|object| object.key == key && object.version_id == version_id);
            match object {
                Some(object) => Observed::Found(ObjectHead {
                    encryption: encryption_type(&object.encryption.kind),
                    kms_key: encryption_key(state, bucket, &object.encryption),
                    bucket_key: object.encryption.bucket_key,
                    replication_status: object.replication_status.clone(),
                }),
                None => Observed::Absent,
            }
        })
        .await
    }

    async fn recent_versions(
        &self,
        at: &BucketAt,
        prefix: &str,
        limit: usize,
    ) -> Observed<Vec<ObjectVersion>> {
        self.read_bucket(Read::ObjectVersions, at, |_, bucket| {
            let versions = bucket
                .objects
                .iter()
                .filter(|object| object.key.starts_with(prefix))
                .take(limit)
                .map(|object| ObjectVersion {
                    key: object.key.clone(),
                    version_id: object.version_id.clone(),
                });
            Observed::Found(versions.collect())
        })
        .await
    }

    async fn describe_key(&self, reference: &KeyReference, reader: &Reader) -> Observed<KeyMetadata> {
        let key = match reference {
            KeyReference::Key(key) => Some(key.clone()),
            KeyReference::Alias(alias) => self.state().aliases.get(&alias.to_string()).cloned(),
        };
        let Some(key) = key else {
            self.call(Read::DescribeKey.operation(), &reference.to_string())
                .await;
            return match self.reading_account(reader) {
                Err(failure) => Observed::Unreadable(failure),
                Ok(reading) if reading == *reference.account() => Observed::Absent,
                Ok(_) => Observed::Unreadable(failure(
                    Read::DescribeKey,
                    format!("key behind {reference}"),
                    "NotFoundException",
                    "",
                )),
            };
        };
        let arn = key.clone();
        self.read_key(Read::DescribeKey, &key, reader, |key| {
            Observed::Found(KeyMetadata {
                arn,
                state: KeyState::from(key.state.as_str()),
                spec: key.spec.clone(),
                usage: key.usage.clone(),
                manager: if key.manager == "AWS" {
                    KeyManager::Aws
                } else {
                    KeyManager::Customer
                },
                origin: key.origin.clone(),
                deletion_date: key.deletion_date.as_deref().map(|date| date.parse().unwrap()),
                material_expires: key.material_expires.as_deref().map(|date| date.parse().unwrap()),
                related: key.related.clone(),
                primary: key.primary.clone(),
            })
        })
        .await
    }

    async fn key_policy(&self, key: &KeyArn, reader: &Reader) -> Observed<NamedPolicy> {
        let name = format!("key policy of {key}");
        self.read_key(Read::KeyPolicy, key, reader, |found| {
            document(Read::KeyPolicy, name, &found.policy(key))
        })
        .await
    }

    async fn grants(&self, key: &KeyArn, grantee: &RoleArn, reader: &Reader) -> Observed<Vec<policy::Grant>> {
        self.read_key(Read::Grants, key, reader, |found| {
            let grants = found
                .grants
                .iter()
                .filter(|grant| grant.grantee == grantee.to_string())
                .map(|grant| grant.to_policy(key));
            Observed::Found(grants.collect())
        })
        .await
    }

    async fn key_tags(&self, key: &KeyArn, reader: &Reader) -> Observed<Tags> {
        self.read_key(Read::KeyTags, key, reader, |found| {
            Observed::Found(found.tags.clone())
        })
        .await
    }

    async fn role(&self, role: &RoleArn) -> Observed<RoleRecord> {
        self.read_role(Read::Role, role, |arn, found| {
            Observed::Found(RoleRecord {
                arn: arn.clone(),
                id: found.id.clone(),
                trust: document(Read::Role, format!("trust policy of {arn}"), &found.trust),
                tags: found.tags.clone(),
                boundary: found.boundary.clone(),
            })
        })
        .await
    }

    async fn inline_policy_names(&self, role: &RoleArn) -> Observed<Vec<String>> {
        self.read_role(Read::InlinePolicyNames, role, |_, found| {
            Observed::Found(found.inline.keys().cloned().collect())
        })
        .await
    }

    async fn inline_policy(&self, role: &RoleArn, name: &str) -> Observed<NamedPolicy> {
        self.read_role(Read::InlinePolicy, role, |_, found| {
            match found.inline.get(name) {
                Some(policy) => document(Read::InlinePolicy, name.to_owned(), policy),
                None => Observed::Absent,
            }
        })
        .await
    }

    async fn attached_policies(&self, role: &RoleArn) -> Observed<Vec<AttachedPolicy>> {
        self.read_role(Read::AttachedPolicies, role, |_, found| {
            let policies = found.managed.iter().map(|arn| AttachedPolicy {
                name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
                arn: arn.clone(),
            });
            Observed::Found(policies.collect())
        })
        .await
    }

    async fn managed_policy(&self, arn: &str) -> Observed<NamedPolicy> {
        for read in [Read::ManagedPolicy, Read::ManagedPolicyVersion] {
            self.call(read.operation(), arn).await;
            if let Some(code) = self.switched(read.operation(), arn) {
                return unreadable(read, format!("managed policy {arn}"), &code, arn);
            }
            if !self.state().policies.contains_key(arn) {
                return Observed::Absent;
            }
        }
        let state = self.state();
        document(Read::ManagedPolicyVersion, arn.to_owned(), &state.policies[arn])
    }
}
