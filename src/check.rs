//! Every check, and the verdict that their findings add up to.
//!
//! A check is a function of the facts. It reads nothing from AWS, and says of each fact either what is wrong with it or
//! that it is missing. To add one: a file in `check/`, and here its `mod` and its row in `checks!`.

mod access;
mod default_encryption;
mod default_key;
mod destination_foreign;
mod destination_not_found;
mod destination_not_versioned;
mod destination_object_lock;
mod destination_policy;
mod destination_requester_pays;
mod encrypted_objects_not_selected;
mod failed_objects;
mod failure_events_not_routed;
mod failure_reason;
mod finding;
mod key_state;
mod metrics_disabled;
mod object_ownership;
mod permit;
mod put_refused;
mod replica_key;
mod replica_key_alias;
mod replica_key_aws_managed;
mod replica_key_missing;
mod replica_key_not_found;
mod replica_key_not_usable;
mod replica_key_wrong_region;
mod replica_key_wrong_type;
mod replication_not_configured;
mod role_destination_access;
mod role_not_assumable;
mod role_not_found;
mod role_replica_key_access;
mod role_source_access;
mod role_source_key_access;
mod rule_edit;
mod source_key;
mod source_key_not_found;
mod source_key_not_usable;
mod source_not_versioned;
mod superseded_rules;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, Serializer};

use crate::arn::{BucketName, KeyReference};
use crate::assessment::Assessment;
use crate::observed::Observed;
use crate::snapshot::{Bucket, Rule, Snapshot};
use crate::subject::Subject;

pub use finding::{Evidence, Finding, Reach, Remedy, RemedyKind, RootCause, Severity, Unread};

/// What checks look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The account as it was read.
    pub snapshot: &'a Snapshot,
    /// Why we look.
    pub subject: &'a Subject,
    /// What the role may do.
    pub assessments: &'a [Assessment],
}

/// What checks say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examination {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Which facts would have been needed.
    pub unread: Vec<Unread>,
    /// What nobody here can see.
    pub not_evaluated: BTreeSet<String>,
}

/// Registers the checks: what each asks, its name, its file and its id, in the order in which findings are told.
macro_rules! checks {
    ($($(#[$question:meta])* $name:ident, $file:ident, $id:literal;)*) => {
        /// A check: one question, one file, and one id, which is stable since people script against it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CheckId {
            $($(#[$question])* $name,)*
        }

        impl CheckId {
            /// All checks, in the order in which their findings are told.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id: that of its file, with `-` for `_`, and of its section in docs/CHECKS.md.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            #[cfg(test)]
            const FILES: &[&str] = &[$(stringify!($file),)*];

            fn run(self, facts: &Facts<'_>, examination: &mut Examination) {
                match self {
                    $(Self::$name => $file::run(facts, examination),)*
                }
            }
        }
    };
}

checks! {
    /// S3 refused a configuration that somebody put.
    PutRefused, put_refused, "put-refused";
    /// There is no replication configuration, or none that is enabled.
    ReplicationNotConfigured, replication_not_configured, "replication-not-configured";
    /// The source bucket does not keep versions.
    SourceNotVersioned, source_not_versioned, "source-not-versioned";
    /// Objects are encrypted with KMS, and the rule does not select such objects.
    EncryptedObjectsNotSelected, encrypted_objects_not_selected, "encrypted-objects-not-selected";
    /// The rule replicates KMS objects and names no valid key for the replicas.
    ReplicaKeyMissing, replica_key_missing, "replica-key-missing";
    /// There is no such replica key.
    ReplicaKeyNotFound, replica_key_not_found, "replica-key-not-found";
    /// The replica key lies in another Region than the destination bucket.
    ReplicaKeyWrongRegion, replica_key_wrong_region, "replica-key-wrong-region";
    /// S3 can only use symmetric encryption keys.
    ReplicaKeyWrongType, replica_key_wrong_type, "replica-key-wrong-type";
    /// The replica key is disabled, about to be deleted, without material or disconnected.
    ReplicaKeyNotUsable, replica_key_not_usable, "replica-key-not-usable";
    /// The replica key is managed by AWS.
    ReplicaKeyAwsManaged, replica_key_aws_managed, "replica-key-aws-managed";
    /// The replica key is named by an alias.
    ReplicaKeyAlias, replica_key_alias, "replica-key-alias";
    /// There is no such source key.
    SourceKeyNotFound, source_key_not_found, "source-key-not-found";
    /// The source key is disabled, about to be deleted, without material or disconnected.
    SourceKeyNotUsable, source_key_not_usable, "source-key-not-usable";
    /// There is no such role.
    RoleNotFound, role_not_found, "role-not-found";
    /// S3 may not assume the role.
    RoleNotAssumable, role_not_assumable, "role-not-assumable";
    /// The role may not read the source bucket as replication needs it.
    RoleSourceAccess, role_source_access, "role-source-access";
    /// The role may not write to the destination bucket as replication needs it.
    RoleDestinationAccess, role_destination_access, "role-destination-access";
    /// The role may not decrypt with the source key.
    RoleSourceKeyAccess, role_source_key_access, "role-source-key-access";
    /// The role may not encrypt with the replica key.
    RoleReplicaKeyAccess, role_replica_key_access, "role-replica-key-access";
    /// There is no such destination bucket.
    DestinationNotFound, destination_not_found, "destination-not-found";
    /// The destination bucket does not keep versions.
    DestinationNotVersioned, destination_not_versioned, "destination-not-versioned";
    /// The source uses Object Lock and the destination does not.
    DestinationObjectLock, destination_object_lock, "destination-object-lock";
    /// The destination is not proven to be ours.
    DestinationForeign, destination_foreign, "destination-foreign";
    /// The destination's bucket policy denies replication.
    DestinationPolicy, destination_policy, "destination-policy";
    /// The destination uses Requester Pays, which S3 does not replicate into.
    DestinationRequesterPays, destination_requester_pays, "destination-requester-pays";
    /// Objects of other accounts in the source bucket cannot be replicated.
    ObjectOwnership, object_ownership, "object-ownership";
    /// The rule has no metrics, so S3 reports no failure of it.
    MetricsDisabled, metrics_disabled, "metrics-disabled";
    /// Nothing receives the bucket's replication failure notifications.
    FailureEventsNotRouted, failure_events_not_routed, "failure-events-not-routed";
    /// Objects failed to replicate, and stay so until they are replicated again by hand.
    FailedObjects, failed_objects, "failed-objects";
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What no check can look at, in any account.
pub const NOBODY_CAN_SEE: [&str; 2] = [
    "service and resource control policies of the organisation: no API shows an account which of them apply to it",
    "VPC endpoint policies: S3 replicates over its own network, so they apply only where a policy demands an endpoint",
];

/// Is replication of the bucket well?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong, and everything that matters was read.
    Healthy,
    /// It replicates today, and will not for long, or not everything, or nobody would hear of a failure.
    AtRisk,
    /// Something that matters could not be read.
    Undetermined,
    /// Objects are not replicated.
    Broken,
}

impl Verdict {
    /// The verdict as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::AtRisk => "at-risk",
            Self::Undetermined => "undetermined",
            Self::Broken => "broken",
        }
    }
}

/// Runs every check.
pub fn examine(facts: &Facts<'_>) -> Examination {
    let mut examination = Examination::default();
    for check in CheckId::ALL {
        check.run(facts, &mut examination);
    }
    let unread = std::mem::take(&mut examination.unread);
    examination.unread = unread
        .into_iter()
        .map(|failure| facts.addressed(failure))
        .collect();
    for finding in &mut examination.findings {
        if facts.is_of_single_objects(finding) {
            finding.reach = Reach::Some;
        }
        // What was encrypted with a deleted key is read by no job.
        finding.is_for_a_job &= !failed_objects::is_deleted_key(finding);
    }
    examination.not_evaluated.extend(superseded_rules::note(facts));
    examination
        .not_evaluated
        .extend(NOBODY_CAN_SEE.map(str::to_owned));
    examination
        .findings
        .sort_by_key(|finding| (finding.severity, finding.check));
    examination
}

impl Examination {
    /// An error breaks replication, whatever else is unread; what is unread can hide an error, whatever else is well.
    pub fn verdict(&self) -> Verdict {
        let worst = self.findings.iter().map(|finding| finding.severity).min();
        match worst {
            Some(Severity::Error) => Verdict::Broken,
            _ if !self.unread.is_empty() => Verdict::Undetermined,
            Some(Severity::Warning) => Verdict::AtRisk,
            Some(Severity::Advice) | None => Verdict::Healthy,
        }
    }

    fn unread(&mut self, failure: &Unread) {
        if !self.unread.contains(failure) {
            self.unread.push(failure.clone());
        }
    }

    /// The fact, if it was read; a fact that should be there and is not readable is noted.
    fn needs<'a, T>(&mut self, fact: &'a Observed<T>) -> Option<&'a T> {
        if let Observed::Unreadable(failure) = fact {
            self.unread(failure);
        }
        fact.found()
    }

    fn not_evaluated(&mut self, text: impl Into<String>) {
        self.not_evaluated.insert(text.into());
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// A finding in the making: the parts that every one has.
struct Draft {
    check: CheckId,
    severity: Severity,
    rule_ids: BTreeSet<String>,
    subject: String,
    summary: String,
    expected: String,
    found: String,
    evidence: Vec<Evidence>,
}

impl Draft {
    /// A person must do `text`.
    fn propose(self, owner: impl Into<String>, text: impl Into<String>) -> Finding {
        self.remedy(Remedy {
            kind: RemedyKind::Propose,
            owner: owner.into(),
            text: text.into(),
        })
    }

    fn remedy(self, remedy: Remedy) -> Finding {
        Finding {
            check: self.check,
            severity: self.severity,
            rule_ids: self.rule_ids,
            subject: self.subject,
            summary: self.summary,
            expected: self.expected,
            found: self.found,
            evidence: self.evidence,
            remedy,
            root_cause: RootCause::Itself,
            reach: Reach::All,
            is_for_a_job: true,
        }
    }
}

/// One piece of evidence: `operation resource` said `detail`.
fn evidence(operation: &str, resource: impl std::fmt::Display, detail: impl Into<String>) -> Vec<Evidence> {
    vec![Evidence {
        source: format!("{operation} {resource}"),
        detail: detail.into(),
    }]
}

/// The ids of rules.
fn ids<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> BTreeSet<String> {
    rules.into_iter().map(|rule| rule.id.clone()).collect()
}

impl<'a> Facts<'a> {
    fn own_account(&self) -> String {
        self.snapshot.identity.account.to_string()
    }

    fn arn(&self, bucket: &BucketName) -> String {
        bucket.arn(&self.snapshot.identity.partition)
    }

    fn source_arn(&self) -> String {
        self.arn(&self.snapshot.source.name)
    }

    /// Each destination of enabled rules, with the rules that name it.
    fn destinations(&self) -> Vec<(&'a BucketName, &'a Observed<Bucket>, Vec<&'a Rule>)> {
        let snapshot: &'a Snapshot = self.snapshot;
        let mut rules: BTreeMap<&BucketName, Vec<&Rule>> = BTreeMap::new();
        for rule in snapshot.enabled_rules() {
            rules.entry(&rule.destination).or_default().push(rule);
        }
        snapshot
            .destinations
            .iter()
            .map(|(name, bucket)| (name, bucket, rules.remove(name).unwrap_or_default()))
            .collect()
    }

    /// Is it about the key of objects that were looked at, which is not that of new ones?
    fn is_of_single_objects(&self, finding: &Finding) -> bool {
        let is_of_source_key = matches!(
            finding.check,
            CheckId::SourceKeyNotFound | CheckId::SourceKeyNotUsable | CheckId::RoleSourceKeyAccess
        );
        let snapshot = self.snapshot;
        let is_default = |key: &KeyReference| {
            let behind = snapshot.key(key).and_then(|key| key.metadata.found());
            key.to_string() == finding.subject
                || behind.is_some_and(|metadata| metadata.arn.to_string() == finding.subject)
        };
        is_of_source_key
            && snapshot.source.encryption.failure().is_none()
            && !snapshot.default_source_key().is_some_and(is_default)
    }

    /// Who can change a destination bucket.
    fn owner_of(&self, bucket: &BucketName) -> String {
        self.snapshot
            .destination(bucket)
            .and_then(|found| found.found()?.owner.found())
            .map_or_else(|| format!("owner of `{bucket}`"), ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_that_of_its_file() {
        for (id, file) in CheckId::ALL.iter().zip(CheckId::FILES) {
            assert_eq!(id.as_str(), file.replace('_', "-"));
        }
    }
}
