//! What each rule needs of the keys that source objects and replicas are encrypted with.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>. That page asks for
//! `kms:Encrypt` and `kms:Decrypt`; for replicas with a Bucket Key also for `kms:Decrypt` on their key. On
//! `kms:GenerateDataKey` AWS's pages differ, so it is required only where data keys are certain to be made: with a Bucket
//! Key.

use super::encryption::{InUse, form, looked_at, of_plaintext};
use super::needs::{Need, Needs, Permission};
use super::{Area, BUCKET_KEY_PAGE, ContextForm, KMS_PAGE, Necessity, PLAINTEXT_PAGE};
use crate::arn::{BucketName, KeyArn, KeyReference};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Key, KeyManager, Rule, Snapshot};

impl Needs<'_> {
    /// Every known key of source objects: the bucket's default, and those of objects that were looked at.
    pub(super) fn source_keys(&mut self, rule: &Rule) {
        let snapshot = self.snapshot;
        let default = snapshot.source.encryption.found();
        let by_default = default.and_then(|default| {
            let in_use = form(default.kind, default.bucket_key);
            Some((default.key.as_ref()?, in_use, Necessity::Required))
        });
        let seen = looked_at(snapshot, rule).filter_map(|(head, needed)| {
            let in_use = form(head.encryption, head.bucket_key);
            Some((head.kms_key.as_ref()?, in_use, needed))
        });
        for (reference, in_use, needed) in by_default.into_iter().chain(seen) {
            let Some((key, arn)) = usable(snapshot, reference, Some(&snapshot.source)) else {
                continue;
            };
            for form in [ContextForm::Object, ContextForm::Bucket] {
                let necessity = if form == in_use {
                    needed.clone()
                } else {
                    Necessity::Advised
                };
                let permission = ("kms:Decrypt", necessity, "to decrypt source objects", page(form));
                self.add_kms(
                    rule,
                    Area::SourceKey(arn.clone()),
                    form,
                    permission,
                    &snapshot.source.name,
                    key,
                    arn,
                );
            }
        }
    }

    pub(super) fn replica_key(&mut self, rule: &Rule) {
        let snapshot = self.snapshot;
        let Ok(Some(reference)) = rule.replica_key() else {
            return;
        };
        let destination = snapshot.destination(&rule.destination).and_then(Observed::found);
        let Some((key, arn)) = usable(snapshot, &reference, destination) else {
            return;
        };
        let is_aws_managed = key
            .metadata
            .found()
            .is_some_and(|found| found.manager == KeyManager::Aws);
        let crosses_accounts = arn.account() != self.role.arn.account()
            || destination
                .and_then(|bucket| bucket.owner.found())
                .is_some_and(|owner| owner != arn.account());
        if is_aws_managed && crosses_accounts {
            return;
        }
        let in_use = InUse::by_replicas(snapshot, rule);
        for form in [ContextForm::Object, ContextForm::Bucket] {
            let with_bucket_key = match form {
                ContextForm::Object => Necessity::Advised,
                ContextForm::Bucket => in_use.of(form),
            };
            for (action, necessity, purpose) in [
                ("kms:Encrypt", in_use.of(form), "to encrypt replicas"),
                (
                    "kms:GenerateDataKey",
                    with_bucket_key.clone(),
                    "to make the data keys of replicas",
                ),
                (
                    "kms:Decrypt",
                    with_bucket_key,
                    "to verify the Bucket Key of replicas",
                ),
            ] {
                let permission = (action, necessity, purpose, page(form));
                self.add_kms(
                    rule,
                    Area::ReplicaKey(arn.clone()),
                    form,
                    permission,
                    &rule.destination,
                    key,
                    arn,
                );
            }
        }
    }

    /// The key by which the destination bucket encrypts what comes to it without encryption, which is the only case in
    /// which its default counts. The page asks for `kms:GenerateDataKey`, and with a Bucket Key for `kms:Decrypt`.
    ///
    /// Where a bucket names no key, its default is the one that AWS manages, which lets in whoever its account lets into S3.
    pub(super) fn default_key(&mut self, rule: &Rule) {
        let snapshot = self.snapshot;
        let destination = snapshot.destination(&rule.destination).and_then(Observed::found);
        let Some(default) = destination.and_then(|bucket| bucket.encryption.found()) else {
            return;
        };
        let Some((key, arn)) = default
            .key
            .as_ref()
            .and_then(|reference| usable(snapshot, reference, destination))
        else {
            return;
        };
        let necessity = of_plaintext(snapshot, rule);
        let form = form(default.kind, default.bucket_key);
        let mut needed: Vec<Permission> = vec![(
            "kms:GenerateDataKey",
            necessity.clone(),
            "to encrypt replicas of objects that are not encrypted",
            PLAINTEXT_PAGE,
        )];
        if form == ContextForm::Bucket {
            needed.push((
                "kms:Decrypt",
                necessity,
                "to verify the Bucket Key of replicas",
                BUCKET_KEY_PAGE,
            ));
        }
        for permission in needed {
            let area = Area::ReplicaKey(arn.clone());
            self.add_kms(rule, area, form, permission, &rule.destination, key, arn);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a request has that many independent parts"
    )]
    fn add_kms(
        &mut self,
        rule: &Rule,
        area: Area,
        form: ContextForm,
        (action, necessity, purpose, page): Permission,
        bucket: &BucketName,
        key: &Key,
        arn: &KeyArn,
    ) {
        let bucket = bucket.arn(self.partition());
        let encryption_context = match form {
            ContextForm::Bucket => bucket,
            ContextForm::Object => format!("{bucket}/{}", rule.sample_key()),
        };
        let need = Need {
            area,
            action,
            resource: arn.as_str().into(),
            owner: arn.account().clone(),
            necessity,
            purpose,
            page,
        };
        let differs = encryption_context.as_str().into();
        self.add(rule, Some(form), need, differs, |contexts| {
            contexts.kms(arn, key, &encryption_context)
        });
    }
}

fn page(form: ContextForm) -> &'static str {
    match form {
        ContextForm::Bucket => BUCKET_KEY_PAGE,
        ContextForm::Object => KMS_PAGE,
    }
}

/// A key, and the ARN that permissions on it are judged by, unless S3 could not use it for objects of this bucket whatever
/// they say.
fn usable<'a>(
    snapshot: &'a Snapshot,
    reference: &KeyReference,
    bucket: Option<&Bucket>,
) -> Option<(&'a Key, &'a KeyArn)> {
    let key = snapshot.key(reference)?;
    let arn = usable_arn(key)?;
    let lies_elsewhere = bucket.is_some_and(|bucket| bucket.lies_outside(arn.region()).is_some());
    (!lies_elsewhere).then_some((key, arn))
}

/// The ARN that permissions on a key are judged by, unless the key is one that nobody could use.
fn usable_arn(key: &Key) -> Option<&KeyArn> {
    match (&key.metadata, &key.reference) {
        (Observed::Found(metadata), _) => metadata.is_symmetric().then_some(&metadata.arn),
        (Observed::Absent, _) => None,
        (Observed::Unreadable(_), KeyReference::Key(arn)) => (!key.is_gone()).then_some(arn),
        // Which key an alias means is not known, so nothing can be judged.
        (Observed::Unreadable(_), KeyReference::Alias(_)) => None,
    }
}
