//! `replica-key-missing`: a rule for objects under KMS keys must name a key for the replicas, by its ARN.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html>

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::ReplicaKeyMissing],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for rule in facts.snapshot.enabled_rules().filter(|rule| rule.sse_kms_objects) {
        let found = match rule.replica_key() {
            Ok(Some(_)) => continue,
            Ok(None) => "no ReplicaKmsKeyID".to_owned(),
            Err(error) => error.to_string(),
        };
        outcome.finding(
            Found {
                check: CheckId::ReplicaKeyMissing,
                severity: Severity::Error,
                rule_ids: ids([rule]),
                subject: facts.source_arn(),
                summary: "the rule replicates objects under KMS keys and names no key for the replicas".to_owned(),
                expected: "the ARN of a symmetric customer managed key in the destination bucket's Region".to_owned(),
                found: found.clone(),
                evidence: evidence("s3:GetBucketReplication", facts.source_arn(), found),
            }
            .propose(
                facts.own_account(),
                "in the rule, set Destination.EncryptionConfiguration.ReplicaKmsKeyID to the ARN of such a key",
            ),
        );
    }
}
