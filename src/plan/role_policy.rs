//! Decides what our policy in the role says: the permissions it gives, as the statements that IAM reads.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html> and
//! <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context>.
//!
//! A permission is one action on one resource, for a key under one encryption context. Statements are only how a set of
//! permissions is written: permissions are joined into one statement exactly where that gives nothing beyond them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::canonical::{sha256, short_hash};
use super::prefix::literal;
use crate::arn::{Arn, BucketName, KeyArn, Partition};
use crate::requirement::{Area, ContextForm, Requirement};
use crate::snapshot::{Rule, RulesById, Snapshot};

const NAME: &str = "s3-replication-remediator-";
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
const LONGEST_NAME: usize = 128;
pub(super) const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";
pub(super) const VIA_SERVICE: &str = "kms:ViaService";

/// The name of the one inline policy that we keep in a role for a source bucket.
///
/// No two buckets share it. Names that would be too long are cut and end in `=` and a hash, and so do those with
/// upper-case letters, because IAM does not tell such names apart everywhere; no bucket's name holds a `=`.
pub fn policy_name(bucket: &BucketName) -> String {
    let plain = format!("{NAME}{bucket}");
    if plain.len() <= LONGEST_NAME && !plain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return plain;
    }
    let hash = sha256(&json!(bucket.as_str()));
    let head: String = bucket
        .as_str()
        .to_ascii_lowercase()
        .chars()
        .take(LONGEST_NAME - NAME.len() - 1 - hash.len())
        .collect();
    format!("{NAME}{head}={hash}")
}

/// One thing that a role may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// On what: an ARN, or one with a final `*`.
    pub resource: String,
    /// For a key: through which service, and for which bucket or objects.
    pub context: Option<KeyContext>,
    /// `s3:ReplicateObject`, `kms:Encrypt`, …
    pub action: String,
}

/// What binds the use of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyContext {
    /// `s3.REGION.amazonaws.com`
    pub via_service: String,
    /// The encryption context `aws:s3:arn`: a bucket's ARN, or that of objects with a final `*`.
    pub arn: String,
}

impl Permission {
    /// The bucket or the objects that it is about: itself, or what binds the use of a key.
    pub fn target(&self) -> &str {
        self.context
            .as_ref()
            .map_or(&self.resource, |context| &context.arn)
    }

    /// The bucket that it is about.
    pub fn bucket(&self) -> Option<BucketName> {
        bucket_in(self.target())
    }

    /// The key that it is about.
    pub fn key(&self) -> Option<KeyArn> {
        self.resource.parse().ok()
    }
}

/// The bucket of a bucket's or an object's ARN.
pub fn bucket_in(arn: &str) -> Option<BucketName> {
    let arn: Arn = arn.parse().ok()?;
    if arn.service != "s3" {
        return None;
    }
    let (bucket, _) = arn.resource.split_once('/').unwrap_or((&arn.resource, ""));
    bucket.parse().ok()
}

/// The objects that a rule takes, as a pattern; none where its prefix cannot be written.
pub fn objects(bucket: &BucketName, partition: &Partition, rule: &Rule) -> Option<String> {
    Some(format!(
        "{}/{}*",
        bucket.arn(partition),
        literal(&rule.filter.prefix)?
    ))
}

/// One of the enabled rules that have the requirement. All of them agree in destination and prefix, as far as the
/// requirement depends on these.
pub fn rule_of<'a>(requirement: &Requirement, rules: &RulesById<'a>) -> Option<&'a Rule> {
    rules.named(&requirement.rule_ids).next()
}

/// What a requirement asks for could be written down, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// As this permission.
    Exactly(Permission),
    /// Not, because of the rule's prefix.
    PrefixNotWritable,
}

/// The permission that meets a requirement and gives no more. None where no rule has it.
pub fn permission(requirement: &Requirement, rules: &RulesById<'_>, snapshot: &Snapshot) -> Option<Written> {
    let rule = rule_of(requirement, rules)?;
    let partition = snapshot.role.found()?.arn.partition();
    let bucket = match &requirement.area {
        Area::Source | Area::SourceKey(_) => &snapshot.source.name,
        Area::Destination(_) | Area::ReplicaKey(_) => &rule.destination,
    };
    let request = &requirement.request;
    let bucket_arn = bucket.arn(partition);
    let of_bucket = match requirement.form {
        Some(form) => form == ContextForm::Bucket,
        None => request.resource == bucket_arn,
    };
    let target = if of_bucket {
        bucket_arn
    } else {
        match objects(bucket, partition, rule) {
            Some(objects) => objects,
            None => return Some(Written::PrefixNotWritable),
        }
    };
    Some(Written::Exactly(match &requirement.area {
        Area::Source | Area::Destination(_) => Permission {
            resource: target,
            context: None,
            action: request.action.clone(),
        },
        Area::SourceKey(key) | Area::ReplicaKey(key) => Permission {
            resource: key.to_string(),
            context: Some(KeyContext {
                via_service: format!("s3.{}.amazonaws.com", key.region()),
                arn: target,
            }),
            action: request.action.clone(),
        },
    }))
}

/// What one statement is about, and how people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    title: &'static str,
    /// Key and service, for keys.
    key: Option<(String, String)>,
    bucket: String,
}

impl Scope {
    fn of(permission: &Permission, source: &str) -> Self {
        let target = permission.target();
        let bucket = target.split_once('/').map_or(target, |(bucket, _)| bucket);
        let is_object = target.contains('/');
        let title = match (&permission.context, bucket == source) {
            (Some(_), true) => "DecryptSourceObjects",
            (Some(_), false) => "EncryptReplicas",
            (None, true) if is_object => "ReadSourceObjects",
            (None, true) => "ReadSourceBucket",
            (None, false) => "WriteReplicas",
        };
        Self {
            title,
            key: permission
                .context
                .as_ref()
                .map(|context| (permission.resource.clone(), context.via_service.clone())),
            bucket: bucket.to_owned(),
        }
    }
}

/// The statements that give exactly these permissions.
pub fn statements(permissions: &BTreeSet<Permission>, source: &str) -> Vec<Value> {
    // Per scope and action, the targets; then the actions that share all their targets stand together.
    let mut targets: BTreeMap<(Scope, &str), BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        targets
            .entry((Scope::of(permission, source), &permission.action))
            .or_default()
            .insert(permission.target());
    }
    let mut grouped: BTreeMap<(Scope, BTreeSet<&str>), BTreeSet<&str>> = BTreeMap::new();
    for ((scope, action), targets) in targets {
        let stems: BTreeSet<&str> = targets
            .iter()
            .filter_map(|target| target.strip_suffix('*'))
            .collect();
        let widest = targets
            .iter()
            .copied()
            .filter(|target| !is_covered(target, &stems))
            .collect();
        grouped.entry((scope, widest)).or_default().insert(action);
    }
    grouped
        .into_iter()
        .map(|((scope, targets), actions)| statement(&scope, &targets, &actions))
        .collect()
}

/// Does a pattern that ends in `*` after one of the stems match all that the target does, and more?
fn is_covered(target: &str, stems: &BTreeSet<&str>) -> bool {
    let own = target.strip_suffix('*').unwrap_or(target);
    let is_wider = |stem: &str| stem != own || target == own;
    target
        .char_indices()
        .map(|(end, _)| end)
        .chain([target.len()])
        .filter_map(|end| target.get(..end))
        .any(|stem| stems.contains(stem) && is_wider(stem))
}

fn statement(scope: &Scope, targets: &BTreeSet<&str>, actions: &BTreeSet<&str>) -> Value {
    let sid = format!("{}{}", scope.title, short_hash(&json!([scope.key, targets])));
    match &scope.key {
        None => json!({
            "Sid": sid,
            "Effect": "Allow",
            "Action": actions,
            "Resource": targets,
        }),
        Some((key, via_service)) => json!({
            "Sid": sid,
            "Effect": "Allow",
            "Action": actions,
            "Resource": [key],
            "Condition": {
                "StringEquals": {VIA_SERVICE: via_service},
                "StringLike": {ENCRYPTION_CONTEXT: targets},
            },
        }),
    }
}
