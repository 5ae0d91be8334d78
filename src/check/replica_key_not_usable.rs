//! `replica-key-not-usable`: S3 fails objects with `DstKmsKeyInvalidState` where the replica key is not enabled.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use super::key_state::fault;
use super::replica_key::replica_keys;
use super::{CheckId, Draft, Examination, Facts, Severity, default_key, evidence, ids};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for replica in replica_keys(facts) {
        let Some(metadata) = replica.judged() else {
            continue;
        };
        let Some(fault) = fault(metadata, facts.snapshot.taken_at, examination) else {
            continue;
        };
        let short = fault.short;
        let destination = replica.destination;
        let summary = match fault.severity {
            Severity::Error => {
                format!("S3 cannot encrypt replicas for `{destination}`: the replica key {short}")
            }
            Severity::Warning | Severity::Advice => format!("the replica key for `{destination}` {short}"),
        };
        examination.finding(
            Draft {
                check: CheckId::ReplicaKeyNotUsable,
                severity: fault.severity,
                rule_ids: ids(replica.rules.iter().copied()),
                subject: metadata.arn.to_string(),
                summary,
                expected: fault.expected,
                found: fault.found.clone(),
                evidence: evidence("kms:DescribeKey", &metadata.arn, fault.found),
            }
            .propose(replica.owner(), fault.remedy),
        );
    }
    default_key::not_usable(facts, examination);
}
