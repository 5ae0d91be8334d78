//! Every check, and the verdict that their findings add up to.
//!
//! A check is a function of the facts. It reads nothing from AWS, and says of each fact either what is wrong with it or
//! that it is missing. To add one: a file in `check/`, and a line in [`CHECKS`].

mod access;
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
mod metrics_disabled;
mod object_ownership;
mod key_state;
mod replica_key;
mod put_refused;
mod replica_key_alias;
mod replica_key_aws_managed;
mod replica_key_missing;
mod replica_key_not_found;
mod replica_key_not_usable;
mod replica_key_wrong_region;
mod replica_key_wrong_type;
mod replication_not_configured;
mod rule_edit;
mod failure_reason;
mod role_not_assumable;
mod role_not_found;
mod role_replica_key_access;
mod role_source_access;
mod role_source_key_access;
mod role_destination_access;
mod source_key;
mod source_key_not_found;
mod source_key_not_usable;
mod source_not_versioned;
mod superseded_rules;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::arn::BucketName;
use crate::assessment::Assessment;
use crate::finding::{CheckId, Evidence, Finding, Remedy, RemedyKind, RootCause, Severity, Unread};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Rule, Snapshot};
use crate::subject::Subject;

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
pub struct Outcome {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Which facts would have been needed.
    pub unread: Vec<Unread>,
    /// What nobody here can see.
    pub not_evaluated: BTreeSet<String>,
}

/// A check: one question, one id, one file.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What it reports.
    pub id: CheckId,
    /// The check itself.
    pub run: fn(&Facts<'_>, &mut Outcome),
}

/// All checks, in the order in which their findings are told.
pub const CHECKS: &[Check] = &[
    put_refused::CHECK,
    replication_not_configured::CHECK,
    source_not_versioned::CHECK,
    encrypted_objects_not_selected::CHECK,
    replica_key_missing::CHECK,
    replica_key_not_found::CHECK,
    replica_key_wrong_region::CHECK,
    replica_key_wrong_type::CHECK,
    replica_key_not_usable::CHECK,
    replica_key_aws_managed::CHECK,
    replica_key_alias::CHECK,
    source_key_not_found::CHECK,
    source_key_not_usable::CHECK,
    role_not_found::CHECK,
    role_not_assumable::CHECK,
    role_source_access::CHECK,
    role_destination_access::CHECK,
    role_source_key_access::CHECK,
    role_replica_key_access::CHECK,
    destination_not_found::CHECK,
    destination_not_versioned::CHECK,
    destination_object_lock::CHECK,
    destination_foreign::CHECK,
    destination_policy::CHECK,
    destination_requester_pays::CHECK,
    object_ownership::CHECK,
    metrics_disabled::CHECK,
    failure_events_not_routed::CHECK,
    failed_objects::CHECK,
];

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
pub fn examine(facts: &Facts<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for check in CHECKS {
        (check.run)(facts, &mut outcome);
    }
    outcome.not_evaluated.extend(superseded_rules::note(facts));
    outcome.not_evaluated.extend(NOBODY_CAN_SEE.map(str::to_owned));
    outcome
        .findings
        .sort_by_key(|finding| (finding.severity, finding.check));
    outcome
}

impl Outcome {
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
struct Found {
    check: CheckId,
    severity: Severity,
    rule_ids: BTreeSet<String>,
    subject: String,
    summary: String,
    expected: String,
    found: String,
    evidence: Vec<Evidence>,
}

impl Found {
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
    fn every_check_id_is_reported_by_exactly_one_check() {
        let mut reported: Vec<CheckId> = CHECKS.iter().map(|check| check.id).collect();
        reported.sort_unstable();
        let mut all = CheckId::ALL.to_vec();
        all.sort_unstable();
        assert_eq!(reported, all);
    }
}
