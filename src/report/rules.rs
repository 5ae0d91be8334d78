//! What a report says of a replication rule: which objects it takes, and where their replicas go.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>

use serde::Serialize;

use crate::arn::BucketName;
use crate::snapshot;

/// Which objects a replication rule takes, and where their replicas go. All text but the destination is its author's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Disabled rules do nothing.
    pub enabled: bool,
    /// What the keys of its objects begin with; empty for the whole bucket.
    pub prefix: String,
    /// The tags that its objects must all have.
    pub tags: Vec<Tag>,
    /// The bucket that replicas go to.
    pub destination: BucketName,
}

/// A tag of an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Rule {
    pub(super) fn of(rule: &snapshot::Rule) -> Self {
        let tags = rule.filter.tags.iter().cloned();
        Self {
            id: rule.id.clone(),
            enabled: rule.enabled,
            prefix: rule.filter.prefix.clone(),
            tags: tags.map(|(key, value)| Tag { key, value }).collect(),
            destination: rule.destination.clone(),
        }
    }
}
