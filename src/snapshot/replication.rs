//! A bucket's replication configuration, as GetBucketReplication returns it.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html>.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, BucketName, InvalidName, KeyReference, RoleArn};

/// How the object is called that stands for all objects of a rule.
pub const SAMPLE_NAME: &str = "s3-replication-remediator-sample";

/// The replication configuration of a source bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// The role that S3 assumes to replicate.
    pub role: RoleArn,
    /// All rules, disabled ones included, in S3's order.
    pub rules: Vec<Rule>,
}

/// Which generation of the rule's form is used. They differ in what they mean, not only in how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No `Filter`: the prefix stands in the rule, and users' delete markers are replicated.
    V1,
    /// With `Filter`, `Priority` and `DeleteMarkerReplication`.
    V2,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The id, which S3 makes up where the author gave none. Author's text: escape it wherever it is shown.
    pub id: String,
    /// Disabled rules do nothing.
    pub enabled: bool,
    /// Form of the rule.
    pub schema: Schema,
    /// Which objects it takes.
    pub filter: RuleFilter,
    /// Where replicas go.
    pub destination: BucketName,
    /// The account that the author says owns the destination. Nobody checks it: it proves nothing.
    pub claimed_account: Option<AccountId>,
    /// Are replicas to be owned by the destination's owner (`AccessControlTranslation`)?
    pub owner_override: bool,
    /// Are objects under KMS keys replicated (`SseKmsEncryptedObjects`)?
    pub sse_kms_objects: bool,
    /// Are changes of metadata on replicas replicated back?
    pub replica_modifications: bool,
    /// `ReplicaKmsKeyID` as it stands in the rule; S3 does not check that there is such a key.
    pub replica_key: Option<String>,
    /// Are delete markers replicated?
    pub delete_markers: bool,
    /// Without metrics S3 reports no failure of this rule to anyone.
    pub metrics: bool,
}

impl Rule {
    /// The key that replicas are to be encrypted with, as a checked name.
    ///
    /// # Errors
    /// The rule names something that is neither a key ARN nor an alias ARN.
    pub fn replica_key(&self) -> Result<Option<KeyReference>, InvalidName> {
        self.replica_key.as_deref().map(str::parse).transpose()
    }

    /// An object key that the rule takes, for evaluating permissions with: policies are matched against one object.
    pub fn sample_key(&self) -> String {
        format!("{}{SAMPLE_NAME}", self.filter.prefix)
    }
}

/// Rules, to be found by their ids: a thousand of them have ten thousand requirements, each of which names its rules.
///
/// S3 takes no two rules of one id. If there were two, both would be found.
#[derive(Debug)]
pub struct RulesById<'a>(BTreeMap<&'a str, Vec<&'a Rule>>);

impl<'a> RulesById<'a> {
    pub(super) fn of(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut by_id: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
        for rule in rules {
            by_id.entry(&rule.id).or_default().push(rule);
        }
        Self(by_id)
    }

    /// The rules with these ids.
    pub fn named(&self, ids: &BTreeSet<String>) -> impl Iterator<Item = &'a Rule> {
        ids.iter()
            .filter_map(|id| self.0.get(id.as_str()))
            .flatten()
            .copied()
    }
}

/// Which objects a rule takes: those that have the prefix and all the tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Empty for the whole bucket.
    pub prefix: String,
    /// All must be on the object.
    pub tags: Vec<(String, String)>,
}
