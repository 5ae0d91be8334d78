//! What the replication role must be able to do: every action, resource and context that a rule needs, and whether its
//! absence breaks replication.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.
//!
//! S3 calls KMS and S3 as a session of the role, so each requirement is a [`Request`] that the policy evaluator can
//! answer. Policies are matched against one object, so a sample key stands for the objects of a rule.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, BucketName, KeyArn, KeyReference, Partition, Region};
use crate::observed::{Observed, ReadFailure};
use crate::policy::{Caller, Context, Request};
use crate::snapshot::{Bucket, EncryptionType, Key, ObjectOwnership, Role, Rule, Snapshot};

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

/// All that the role needs for the enabled rules, each once.
///
/// Nothing is required of a key that is missing, of the wrong type or in the wrong Region: whether the role may use it
/// cannot matter before that is mended.
pub fn requirements(snapshot: &Snapshot, role: &Role) -> Vec<Requirement> {
    let mut needs = Needs {
        snapshot,
        role,
        found: BTreeMap::new(),
    };
    for rule in snapshot.enabled_rules() {
        needs.source(rule);
        needs.destination(rule);
        needs.source_keys(rule);
        needs.replica_key(rule);
    }
    needs.found.into_values().collect()
}

/// Does Object Lock of the source bucket make it a matter of replication? None where that could not be read.
fn object_lock(bucket: &Bucket) -> Result<bool, &ReadFailure> {
    match &bucket.object_lock {
        Observed::Found(()) => Ok(true),
        Observed::Absent => Ok(false),
        Observed::Unreadable(failure) => Err(failure),
    }
}

type RequirementKey = (Area, String, String, Option<ContextForm>, String);

struct Needs<'a> {
    snapshot: &'a Snapshot,
    role: &'a Role,
    found: BTreeMap<RequirementKey, Requirement>,
}

impl Needs<'_> {
    fn source(&mut self, rule: &Rule) {
        let source = &self.snapshot.source;
        let bucket = source.name.arn(self.partition());
        let object = format!("{bucket}/{}", rule.sample_key());
        let owner = self.snapshot.identity.account.clone();
        let region = source.region.found().cloned();
        let locked = object_lock(source).map_err(Clone::clone);
        for (action, resource, purpose) in [
            (
                "s3:GetReplicationConfiguration",
                &bucket,
                "to read the replication rules",
            ),
            ("s3:ListBucket", &bucket, "to list what is to be replicated"),
            ("s3:GetObjectVersionForReplication", &object, "to read objects"),
            (
                "s3:GetObjectVersionAcl",
                &object,
                "to read access control lists, which S3 does even where they are off",
            ),
            ("s3:GetObjectVersionTagging", &object, "to read tags"),
        ] {
            let context = self.s3_context(Some(&owner), region.as_ref());
            self.add(
                rule,
                Area::Source,
                Necessity::Required,
                action,
                resource,
                &owner,
                context,
                purpose,
                PERMISSIONS_PAGE,
            );
        }
        let necessity = match locked {
            Ok(true) => Some(Necessity::Required),
            Ok(false) => None,
            Err(failure) => Some(Necessity::RequiredUnless(failure)),
        };
        if let Some(necessity) = necessity {
            for (action, purpose) in [
                ("s3:GetObjectRetention", "to read Object Lock retention"),
                ("s3:GetObjectLegalHold", "to read Object Lock legal holds"),
            ] {
                let context = self.s3_context(Some(&owner), region.as_ref());
                self.add(
                    rule,
                    Area::Source,
                    necessity.clone(),
                    action,
                    &object,
                    &owner,
                    context,
                    purpose,
                    OBJECT_LOCK_PAGE,
                );
            }
        }
    }

    fn destination(&mut self, rule: &Rule) {
        let Some(destination) = self
            .snapshot
            .destination(&rule.destination)
            .and_then(Observed::found)
        else {
            return;
        };
        let object = format!("{}/{}", rule.destination.arn(self.partition()), rule.sample_key());
        let owner = destination.owner.found().cloned();
        let region = destination.region.found().cloned();
        let deletes = if rule.delete_markers {
            Necessity::Required
        } else {
            Necessity::Advised
        };
        let area = Area::Destination(rule.destination.clone());
        let mut needed = vec![
            (
                "s3:ReplicateObject",
                Necessity::Required,
                "to write replicas",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:ReplicateTags",
                Necessity::Required,
                "to write tags",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:ReplicateDelete",
                deletes,
                "to write delete markers",
                PERMISSIONS_PAGE,
            ),
        ];
        if rule.owner_override {
            let necessity = match &destination.ownership {
                Observed::Found(ObjectOwnership::BucketOwnerEnforced) => None,
                Observed::Unreadable(failure) => Some(Necessity::RequiredUnless(failure.clone())),
                Observed::Found(ObjectOwnership::BucketOwnerPreferred | ObjectOwnership::ObjectWriter)
                | Observed::Absent => Some(Necessity::Required),
            };
            if let Some(necessity) = necessity {
                needed.push((
                    "s3:ObjectOwnerOverrideToBucketOwner",
                    necessity,
                    "to make the destination's owner the owner of replicas",
                    OWNER_PAGE,
                ));
            }
        }
        if object_lock(&self.snapshot.source) == Ok(true) {
            needed.push((
                "s3:PutObjectRetention",
                Necessity::Advised,
                "to write Object Lock retention",
                OBJECT_LOCK_PAGE,
            ));
            needed.push((
                "s3:PutObjectLegalHold",
                Necessity::Advised,
                "to write Object Lock legal holds",
                OBJECT_LOCK_PAGE,
            ));
        }
        for (action, necessity, purpose, page) in needed {
            let context = self.replica_context(rule, self.s3_context(owner.as_ref(), region.as_ref()));
            let resource_account = owner
                .clone()
                .unwrap_or_else(|| AccountId::other_than(self.role.arn.account()));
            self.add(
                rule,
                area.clone(),
                necessity,
                action,
                &object,
                &resource_account,
                context,
                purpose,
                page,
            );
        }
    }

    /// Every known key of source objects: the bucket's default, and those of objects that were looked at.
    fn source_keys(&mut self, rule: &Rule) {
        if !rule.sse_kms_objects {
            return;
        }
        let snapshot = self.snapshot;
        let encryption = snapshot.source.encryption.found();
        if let Some(encryption) = encryption
            && let Some(key) = encryption.key.as_ref().and_then(|key| snapshot.key(key))
        {
            self.source_key(rule, key, encryption.kind, encryption.bucket_key);
        }
        for object in &snapshot.objects {
            if let Some(head) = object.head.found()
                && object.key.starts_with(&rule.filter.prefix)
                && let Some(key) = head.kms_key.as_ref().and_then(|key| snapshot.key(key))
            {
                self.source_key(rule, key, head.encryption, head.bucket_key);
            }
        }
    }

    fn source_key(&mut self, rule: &Rule, key: &Key, kind: EncryptionType, bucket_key: bool) {
        let Some(arn) = usable_arn(key) else { return };
        let today = form(kind, bucket_key);
        for form in [ContextForm::Object, ContextForm::Bucket] {
            let necessity = if form == today {
                Necessity::Required
            } else {
                Necessity::Advised
            };
            self.add_key(
                rule,
                Area::SourceKey(arn.clone()),
                form,
                necessity,
                "kms:Decrypt",
                &self.snapshot.source.name,
                key,
                "to decrypt source objects",
            );
        }
    }

    fn replica_key(&mut self, rule: &Rule) {
        if !rule.sse_kms_objects {
            return;
        }
        let Ok(Some(reference)) = rule.replica_key() else {
            return;
        };
        let Some(key) = self.snapshot.key(&reference) else {
            return;
        };
        let Some(arn) = usable_arn(key) else { return };
        let region = self
            .snapshot
            .destination(&rule.destination)
            .and_then(Observed::found);
        if region
            .and_then(|bucket| bucket.region.found())
            .is_some_and(|region| region != arn.region())
        {
            return;
        }
        // A replica has a Bucket Key where its source object has one, whatever the destination's default is.
        let today = match self.snapshot.source.encryption.found() {
            Some(encryption) => form(encryption.kind, encryption.bucket_key),
            None => ContextForm::Object,
        };
        for form in [ContextForm::Object, ContextForm::Bucket] {
            for (action, purpose) in [
                ("kms:Encrypt", "to encrypt replicas"),
                ("kms:GenerateDataKey", "to make the data keys of replicas"),
                (
                    "kms:Decrypt",
                    "to verify replicas that are written with a Bucket Key",
                ),
            ] {
                let necessary = form == today && (action == "kms:Encrypt" || form == ContextForm::Bucket);
                self.add_key(
                    rule,
                    Area::ReplicaKey(arn.clone()),
                    form,
                    if necessary {
                        Necessity::Required
                    } else {
                        Necessity::Advised
                    },
                    action,
                    &rule.destination,
                    key,
                    purpose,
                );
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a requirement has that many independent parts"
    )]
    fn add_key(
        &mut self,
        rule: &Rule,
        area: Area,
        form: ContextForm,
        necessity: Necessity,
        action: &'static str,
        bucket: &BucketName,
        key: &Key,
        purpose: &'static str,
    ) {
        let (Area::SourceKey(arn) | Area::ReplicaKey(arn)) = &area else {
            return;
        };
        let bucket_arn = bucket.arn(self.partition());
        let encryption_context = match form {
            ContextForm::Bucket => bucket_arn,
            ContextForm::Object => format!("{bucket_arn}/{}", rule.sample_key()),
        };
        let context = self.kms_context(arn, key, &encryption_context);
        let page = match form {
            ContextForm::Bucket => BUCKET_KEY_PAGE,
            ContextForm::Object => KMS_PAGE,
        };
        let resource = arn.to_string();
        let owner = arn.account().clone();
        let slot = (
            area.clone(),
            action.to_owned(),
            resource.clone(),
            Some(form),
            encryption_context,
        );
        let request = self.request(action, &resource, &owner, context);
        self.merge(slot, rule, area, Some(form), necessity, request, purpose, page);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a requirement has that many independent parts"
    )]
    fn add(
        &mut self,
        rule: &Rule,
        area: Area,
        necessity: Necessity,
        action: &'static str,
        resource: &str,
        owner: &AccountId,
        context: Context,
        purpose: &'static str,
        page: &'static str,
    ) {
        let sse = format!("{}{:?}", rule.sse_kms_objects, rule.replica_key);
        let slot = (area.clone(), action.to_owned(), resource.to_owned(), None, sse);
        let request = self.request(action, resource, owner, context);
        self.merge(slot, rule, area, None, necessity, request, purpose, page);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a requirement has that many independent parts"
    )]
    fn merge(
        &mut self,
        slot: RequirementKey,
        rule: &Rule,
        area: Area,
        form: Option<ContextForm>,
        necessity: Necessity,
        request: Request,
        purpose: &'static str,
        page: &'static str,
    ) {
        let requirement = self.found.entry(slot).or_insert_with(|| Requirement {
            rule_ids: BTreeSet::new(),
            area,
            form,
            necessity: necessity.clone(),
            request,
            purpose,
            page,
        });
        requirement.rule_ids.insert(rule.id.clone());
        // Of two rules that share a requirement, the one that needs it more decides.
        if matches!(requirement.necessity, Necessity::Advised) || matches!(necessity, Necessity::Required) {
            requirement.necessity = necessity;
        }
    }

    fn request(&self, action: &str, resource: &str, owner: &AccountId, context: Context) -> Request {
        let role = self.role.arn.clone();
        let session = role.session("s3-replication");
        Request {
            caller: Caller::Role { role, session },
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_account: owner.clone(),
            context,
        }
    }

    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    fn base_context(&self, owner: Option<&AccountId>, region: Option<&Region>) -> Context {
        let role = &self.role.arn;
        let mut context = Context::new()
            .with("aws:PrincipalArn", role.to_string())
            .with("aws:PrincipalAccount", role.account().as_str())
            .with("aws:PrincipalType", "AssumedRole")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:userid", format!("{}:s3-replication", self.role.id))
            .with("aws:SecureTransport", "true")
            .with("aws:CurrentTime", self.snapshot.taken_at.to_string())
            .with("aws:EpochTime", self.snapshot.taken_at.as_second().to_string());
        for (key, value) in &self.role.tags {
            context = context.with(&format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        context = match owner {
            Some(owner) => context.with("aws:ResourceAccount", owner.as_str()),
            None => context.with_unknown("aws:ResourceAccount"),
        };
        match region {
            Some(region) => context.with("aws:RequestedRegion", region.as_str()),
            None => context.with_unknown("aws:RequestedRegion"),
        }
        // Present where the account is in an organisation; nothing here reads which.
        .with_unknown("aws:PrincipalOrgID")
        .with_unknown("aws:PrincipalOrgPaths")
        .with_unknown("aws:ResourceOrgID")
        .with_unknown("aws:ResourceOrgPaths")
    }

    fn s3_context(&self, owner: Option<&AccountId>, region: Option<&Region>) -> Context {
        let context = self.base_context(owner, region);
        match owner {
            Some(owner) => context.with("s3:ResourceAccount", owner.as_str()),
            None => context.with_unknown("s3:ResourceAccount"),
        }
    }

    /// What a write of a replica says of its encryption:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.
    fn replica_context(&self, rule: &Rule, context: Context) -> Context {
        let kind = self
            .snapshot
            .source
            .encryption
            .found()
            .map(|encryption| encryption.kind);
        match (
            kind,
            rule.sse_kms_objects
                .then_some(rule.replica_key.as_deref())
                .flatten(),
        ) {
            (Some(EncryptionType::Kms), Some(key)) => context
                .with("s3:x-amz-server-side-encryption", "aws:kms")
                .with("s3:x-amz-server-side-encryption-aws-kms-key-id", key),
            (Some(EncryptionType::KmsDualLayer), Some(key)) => context
                .with("s3:x-amz-server-side-encryption", "aws:kms:dsse")
                .with("s3:x-amz-server-side-encryption-aws-kms-key-id", key),
            // Whether S3 says AES256 or nothing for replicas under its own keys is not documented.
            (Some(EncryptionType::S3 | EncryptionType::Customer) | None, _) | (Some(_), None) => context
                .with_unknown("s3:x-amz-server-side-encryption")
                .with_unknown("s3:x-amz-server-side-encryption-aws-kms-key-id"),
        }
    }

    fn kms_context(&self, arn: &KeyArn, key: &Key, encryption_context: &str) -> Context {
        let mut context = self
            .base_context(Some(arn.account()), Some(arn.region()))
            .with("kms:CallerAccount", self.role.arn.account().as_str())
            .with("kms:EncryptionContext:aws:s3:arn", encryption_context)
            .with_set("kms:EncryptionContextKeys", ["aws:s3:arn".to_owned()])
            .with("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")
            .with_unknown("kms:ResourceAliases");
        let via = format!("s3.{}.amazonaws.com", arn.region());
        // Whether S3 in China and the isolated partitions sends this suffix is not documented.
        context = if *arn.partition() == Partition::aws() {
            context.with("kms:ViaService", via)
        } else {
            context.with_unknown("kms:ViaService")
        };
        if let Some(metadata) = key.metadata.found() {
            context = context
                .with("kms:KeySpec", metadata.spec.as_str())
                .with("kms:KeyUsage", metadata.usage.as_str())
                .with("kms:KeyOrigin", metadata.origin.as_str())
                .with("kms:MultiRegion", (!metadata.related.is_empty()).to_string());
        }
        if let Observed::Found(tags) = &key.tags {
            for (name, value) in tags {
                context = context.with(&format!("aws:ResourceTag/{name}"), value.as_str());
            }
        }
        context
    }

    fn partition(&self) -> &Partition {
        self.role.arn.partition()
    }
}

fn form(kind: EncryptionType, bucket_key: bool) -> ContextForm {
    if bucket_key && kind == EncryptionType::Kms {
        ContextForm::Bucket
    } else {
        ContextForm::Object
    }
}

/// The ARN that permissions on a key are judged by, unless the key is one that nobody could use.
fn usable_arn(key: &Key) -> Option<&KeyArn> {
    match (&key.metadata, &key.reference) {
        (Observed::Found(metadata), _) => metadata.is_symmetric().then_some(&metadata.arn),
        (Observed::Absent, _) => None,
        (Observed::Unreadable(_), KeyReference::Key(arn)) => Some(arn),
        // Which key an alias means is not known, so nothing can be judged.
        (Observed::Unreadable(_), KeyReference::Alias(_)) => None,
    }
}
