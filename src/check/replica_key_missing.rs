//! `replica-key-missing`: a rule for objects under KMS keys must name a key for the replicas, by its ARN.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use std::collections::BTreeMap;

use super::replica_key::set_replica_key;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::snapshot::Rule;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let mut nameless: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in facts.snapshot.enabled_rules().filter(|rule| rule.sse_kms_objects) {
        let found = match rule.replica_key() {
            Ok(Some(_)) => continue,
            Ok(None) => "no ReplicaKmsKeyID".to_owned(),
            Err(error) => format!("ReplicaKmsKeyID: {error}"),
        };
        nameless.entry(found).or_default().push(rule);
    }
    for (found, rules) in nameless {
        let remedy = set_replica_key(facts, &rules, None);
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyMissing,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: facts.source_arn(),
                summary: "the rule replicates objects under KMS keys and names no key for the replicas"
                    .to_owned(),
                expected: "the ARN of a symmetric customer managed key in the destination bucket's Region"
                    .to_owned(),
                found: found.clone(),
                evidence: evidence("s3:GetBucketReplication", facts.source_arn(), found),
            }
            .propose(facts.own_account(), remedy),
        );
    }
}
