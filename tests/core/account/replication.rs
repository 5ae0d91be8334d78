//! A replication configuration as `aws s3api get-bucket-replication` prints it, so that real ones can be pasted.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>

use s3_replication_remediator::arn::{AccountId, BucketName, RoleArn};
use s3_replication_remediator::snapshot::{self, Replication, RuleFilter, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ReplicationConfiguration {
    pub(crate) role: RoleArn,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(default = "enabled")]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) priority: Option<i32>,
    /// First generation only.
    #[serde(default)]
    pub(crate) prefix: Option<String>,
    #[serde(default)]
    pub(crate) filter: Option<Filter>,
    pub(crate) destination: Destination,
    #[serde(default)]
    pub(crate) source_selection_criteria: Option<SourceSelectionCriteria>,
    #[serde(default)]
    pub(crate) delete_marker_replication: Option<Status>,
    #[serde(default)]
    pub(crate) existing_object_replication: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct Filter {
    pub(crate) prefix: Option<String>,
    pub(crate) tag: Option<Tag>,
    pub(crate) and: Option<And>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct And {
    pub(crate) prefix: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Destination {
    /// ARN of the bucket.
    pub(crate) bucket: String,
    #[serde(default)]
    pub(crate) account: Option<AccountId>,
    #[serde(default)]
    pub(crate) storage_class: Option<String>,
    #[serde(default)]
    pub(crate) access_control_translation: Option<Value>,
    #[serde(default)]
    pub(crate) encryption_configuration: Option<EncryptionConfiguration>,
    #[serde(default)]
    pub(crate) replication_time: Option<Value>,
    #[serde(default)]
    pub(crate) metrics: Option<Metrics>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionConfiguration {
    #[serde(rename = "ReplicaKmsKeyID")]
    pub(crate) replica_kms_key_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) event_threshold: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SourceSelectionCriteria {
    #[serde(default)]
    pub(crate) sse_kms_encrypted_objects: Option<Status>,
    #[serde(default)]
    pub(crate) replica_modifications: Option<Status>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) status: String,
}

fn enabled() -> String {
    "Enabled".to_owned()
}

fn is_on(status: Option<&Status>) -> bool {
    status.is_some_and(|status| status.status == "Enabled")
}

impl ReplicationConfiguration {
    /// The same as the program knows it.
    pub(crate) fn to_snapshot(&self) -> Replication {
        let rules = self.rules.iter().map(Rule::to_snapshot).collect();
        Replication::new(self.role.clone(), rules)
    }
}

impl Rule {
    fn to_snapshot(&self) -> snapshot::Rule {
        let criteria = self.source_selection_criteria.as_ref();
        let schema = if self.filter.is_some() {
            Schema::V2
        } else {
            Schema::V1
        };
        snapshot::Rule {
            id: self.id.clone(),
            enabled: self.status == "Enabled",
            priority: self.priority,
            superseded_by: None,
            schema,
            filter: match &self.filter {
                Some(filter) => filter.to_snapshot(),
                None => RuleFilter {
                    prefix: self.prefix.clone().unwrap_or_default(),
                    tags: Vec::new(),
                },
            },
            destination: BucketName::from_arn(&self.destination.bucket).expect("ARN of a destination bucket"),
            claimed_account: self.destination.account.clone(),
            owner_override: self.destination.access_control_translation.is_some(),
            sse_kms_objects: is_on(criteria.and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref())),
            replica_modifications: is_on(
                criteria.and_then(|criteria| criteria.replica_modifications.as_ref()),
            ),
            replica_key: self
                .destination
                .encryption_configuration
                .as_ref()
                .and_then(|encryption| encryption.replica_kms_key_id.clone()),
            delete_markers: match schema {
                Schema::V1 => true,
                Schema::V2 => is_on(self.delete_marker_replication.as_ref()),
            },
            metrics: self
                .destination
                .metrics
                .as_ref()
                .is_some_and(|metrics| metrics.status == "Enabled"),
        }
    }
}

impl Filter {
    fn to_snapshot(&self) -> RuleFilter {
        let and = self.and.clone().unwrap_or_default();
        RuleFilter {
            prefix: self.prefix.clone().or(and.prefix).unwrap_or_default(),
            tags: and
                .tags
                .into_iter()
                .chain(self.tag.clone())
                .map(|tag| (tag.key, tag.value))
                .collect(),
        }
    }
}
