//! The form in which accounts are written down: what is usual is left out.

use std::collections::{BTreeMap, BTreeSet};

use s3_replication_remediator::arn::{AccountId, BucketName, KeyArn, Region, RoleArn};
use s3_replication_remediator::snapshot::{Identity, Tags};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::replication::ReplicationConfiguration;

/// All that there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct State {
    /// Who we are.
    #[serde(default)]
    pub(crate) identity: Who,
    /// By name.
    #[serde(default)]
    pub(crate) buckets: BTreeMap<BucketName, Bucket>,
    /// By ARN; the path counts.
    #[serde(default)]
    pub(crate) roles: BTreeMap<RoleArn, Role>,
    /// Managed policies, AWS's own ones too, by ARN.
    #[serde(default)]
    pub(crate) policies: BTreeMap<String, Value>,
    /// By ARN.
    #[serde(default)]
    pub(crate) keys: BTreeMap<KeyArn, Key>,
    /// Which key each alias ARN points at.
    #[serde(default)]
    pub(crate) aliases: BTreeMap<String, KeyArn>,
    /// The accounts whose member role we can assume.
    #[serde(default)]
    pub(crate) member_roles: BTreeSet<AccountId>,
    /// Operations that fail.
    #[serde(default)]
    pub(crate) failing: Vec<Switch>,
}

/// Who we are: by default account 111122223333 in eu-west-1, as the role `remediator`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Who {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) role: RoleArn,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            account: "111122223333".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            role: "arn:aws:iam::111122223333:role/remediator".parse().unwrap(),
        }
    }
}

impl Who {
    pub(crate) fn to_identity(&self) -> Identity {
        Identity {
            partition: self.role.partition().clone(),
            account: self.account.clone(),
            role: Some(self.role.clone()),
        }
    }
}

/// An operation that fails, read or write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Switch {
    /// `s3:GetBucketPolicy`, `iam:PutRolePolicy`, …
    pub(crate) operation: String,
    /// ARN of what it fails on; `*` for everything.
    #[serde(default = "everything")]
    pub(crate) resource: String,
    #[serde(default = "access_denied")]
    pub(crate) code: String,
    /// How often it fails before it works; for ever where this is left out.
    #[serde(default)]
    pub(crate) times: Option<u32>,
}

fn everything() -> String {
    "*".to_owned()
}

fn access_denied() -> String {
    "AccessDenied".to_owned()
}

/// A bucket as AWS makes it today, but versioned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Bucket {
    /// Left out: our own account.
    pub(crate) owner: Option<AccountId>,
    /// Left out: our own Region.
    pub(crate) region: Option<Region>,
    /// `Enabled`, `Suspended` or `Never`.
    pub(crate) versioning: String,
    pub(crate) encryption: Encryption,
    /// The bucket policy.
    pub(crate) policy: Option<Value>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    pub(crate) ownership: String,
    pub(crate) object_lock: bool,
    pub(crate) tags: Tags,
    pub(crate) requester_pays: bool,
    /// Where replication failures are announced.
    pub(crate) notifications: Vec<Notification>,
    /// As `aws s3api get-bucket-replication` prints it.
    pub(crate) replication: Option<ReplicationConfiguration>,
    /// How many times GetBucketReplication still denies the configuration.
    pub(crate) replication_hidden: u32,
    /// Newest first.
    pub(crate) objects: Vec<Object>,
    /// May other accounts read it with their own credentials?
    pub(crate) shared_reads: bool,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            owner: None,
            region: None,
            versioning: "Enabled".to_owned(),
            encryption: Encryption::default(),
            policy: None,
            ownership: "BucketOwnerEnforced".to_owned(),
            object_lock: false,
            tags: Tags::new(),
            requester_pays: false,
            notifications: Vec::new(),
            replication: None,
            replication_hidden: 0,
            objects: Vec::new(),
            shared_reads: false,
        }
    }
}

/// Encryption by default, or of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Encryption {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`; for an object also `SSE-C`, or `none` as before 2023.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Key ARN, alias ARN, key id or alias name.
    pub(crate) key: Option<String>,
    pub(crate) bucket_key: bool,
}

impl Default for Encryption {
    fn default() -> Self {
        Self {
            kind: "AES256".to_owned(),
            key: None,
            bucket_key: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Notification {
    /// Queue, topic or function.
    pub(crate) arn: String,
    pub(crate) events: Vec<String>,
}

/// An object version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Object {
    pub(crate) key: String,
    #[serde(default = "first_version")]
    pub(crate) version_id: String,
    #[serde(default)]
    pub(crate) encryption: Encryption,
    #[serde(default)]
    pub(crate) replication_status: Option<String>,
}

fn first_version() -> String {
    "v1".to_owned()
}

/// A role that S3 may assume and that may do nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) trust: Value,
    /// Documents by policy name.
    pub(crate) inline: BTreeMap<String, Value>,
    /// ARNs of attached policies.
    pub(crate) managed: Vec<String>,
    pub(crate) tags: Tags,
    /// ARN of the permissions boundary.
    pub(crate) boundary: Option<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            id: "AROAEXAMPLEEXAMPLEEXA".to_owned(),
            trust: json!({
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                },
            }),
            inline: BTreeMap::new(),
            managed: Vec::new(),
            tags: Tags::new(),
            boundary: None,
        }
    }
}

/// A symmetric customer managed key whose policy delegates to its account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Key {
    pub(crate) state: String,
    /// Left out: the policy that KMS gives a key of whose policy nothing is said
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>).
    pub(crate) policy: Option<Value>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) tags: Tags,
    pub(crate) spec: String,
    pub(crate) usage: String,
    /// `CUSTOMER` or `AWS`.
    pub(crate) manager: String,
    pub(crate) origin: String,
    pub(crate) deletion_date: Option<String>,
    pub(crate) material_expires: Option<String>,
    pub(crate) related: Vec<KeyArn>,
    pub(crate) primary: Option<KeyArn>,
    /// May other accounts describe it and list its grants?
    pub(crate) shared_reads: bool,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            state: "Enabled".to_owned(),
            policy: None,
            grants: Vec::new(),
            tags: Tags::new(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
            manager: "CUSTOMER".to_owned(),
            origin: "AWS_KMS".to_owned(),
            deletion_date: None,
            material_expires: None,
            related: Vec::new(),
            primary: None,
            shared_reads: false,
        }
    }
}

impl Key {
    /// The key policy that is in force.
    pub(crate) fn policy(&self, key: &KeyArn) -> Value {
        self.policy.clone().unwrap_or_else(|| {
            json!({
                "Version": "2012-10-17",
                "Id": "key-default-1",
                "Statement": [{
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": format!("arn:{}:iam::{}:root", key.partition(), key.account())},
                    "Action": "kms:*",
                    "Resource": "*",
                }],
            })
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Grant {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) grantee: String,
    #[serde(default)]
    pub(crate) retiring_principal: Option<String>,
    pub(crate) operations: BTreeSet<String>,
    #[serde(default)]
    pub(crate) context_equals: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) context_subset: Option<BTreeMap<String, String>>,
}
