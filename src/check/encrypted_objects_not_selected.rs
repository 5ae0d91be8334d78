//! `encrypted-objects-not-selected`: a rule takes objects under KMS keys only where it says so; all others are passed
//! over without a word.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>

use std::collections::BTreeSet;

use super::{Check, Facts, Found, Outcome, evidence};
use crate::finding::{CheckId, Evidence, Severity};
use crate::snapshot::Rule;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::EncryptedObjectsNotSelected],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let snapshot = facts.snapshot;
    if snapshot.enabled_rules().next().is_none() {
        return;
    }
    let source = &snapshot.source;
    // Which objects there are decides, for every rule, what must be selected and which source key must be usable.
    let by_default = outcome
        .needs(&source.encryption)
        .is_some_and(|encryption| encryption.kind.uses_kms());
    let mut seen: Vec<Evidence> = Vec::new();
    if by_default {
        seen.extend(evidence(
            "s3:GetBucketEncryption",
            facts.source_arn(),
            "objects are encrypted with KMS by default",
        ));
    }
    let passed_over: Vec<&Rule> = snapshot
        .enabled_rules()
        .filter(|rule| !rule.sse_kms_objects)
        .collect();
    let looked_at = |rule: &Rule| {
        snapshot.objects.iter().find(|object| {
            object.key.starts_with(&rule.filter.prefix)
                && object.head.found().is_some_and(|head| head.encryption.uses_kms())
        })
    };
    let mut rule_ids = BTreeSet::new();
    for rule in passed_over {
        match looked_at(rule) {
            Some(object) => {
                let resource = format!("{}/{}", facts.source_arn(), object.key);
                seen.extend(evidence(
                    "s3:HeadObject",
                    resource,
                    "the object is encrypted with KMS",
                ));
            }
            None if by_default => {}
            None => continue,
        }
        rule_ids.insert(rule.id.clone());
    }
    if rule_ids.is_empty() {
        return;
    }
    seen.extend(evidence(
        "s3:GetBucketReplication",
        facts.source_arn(),
        "the rule has no SourceSelectionCriteria.SseKmsEncryptedObjects with Status Enabled",
    ));
    outcome.finding(
        Found {
            check: CheckId::EncryptedObjectsNotSelected,
            severity: Severity::Error,
            rule_ids,
            subject: facts.source_arn(),
            summary: format!(
                "objects in `{}` are encrypted with KMS, and the rule does not select such objects: S3 passes them \
                 over in silence",
                source.name
            ),
            expected: "SseKmsEncryptedObjects `Enabled` and a ReplicaKmsKeyID".to_owned(),
            found: "SseKmsEncryptedObjects not enabled".to_owned(),
            evidence: seen,
        }
        .propose(
            facts.own_account(),
            "in the rule, set \"SourceSelectionCriteria\": {\"SseKmsEncryptedObjects\": {\"Status\": \"Enabled\"}} and \
             \"Destination\": {\"EncryptionConfiguration\": {\"ReplicaKmsKeyID\": \"ARN of a symmetric key in the \
             destination bucket's Region\"}}",
        ),
    );
}
