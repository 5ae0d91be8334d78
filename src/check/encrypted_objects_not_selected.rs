//! `encrypted-objects-not-selected`: a rule takes objects under KMS keys only where it says so; all others are passed
//! over without a word.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>

use super::rule_edit::rule_edit;
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, evidence, ids};
use crate::requirement::must_be_replicated;
use crate::snapshot::{EncryptionType, InspectedObject, Rule};

/// Is it an object under a KMS key, which only its tags could keep from the rule?
fn may_be_taken(rule: &Rule, object: &InspectedObject) -> bool {
    object.key.starts_with(&rule.filter.prefix)
        && object
            .head
            .found()
            .is_some_and(|head| head.encryption.uses_kms() && !head.is_done_with())
}

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let snapshot = facts.snapshot;
    if snapshot.enabled_rules().next().is_none() {
        return;
    }
    let source = &snapshot.source;
    let bucket = facts.source_arn();
    // For every rule, this decides which objects must be selected and which source key must be usable.
    let default = examination
        .needs(&source.encryption)
        .map(|encryption| encryption.kind);
    let mut proof: Vec<Evidence> = Vec::new();
    match default {
        Some(EncryptionType::Kms) => {
            proof.extend(evidence(
                "s3:GetBucketEncryption",
                &bucket,
                "SSEAlgorithm aws:kms",
            ));
        }
        Some(EncryptionType::KmsDualLayer) => {
            proof.extend(evidence(
                "s3:GetBucketEncryption",
                &bucket,
                "SSEAlgorithm aws:kms:dsse",
            ));
        }
        Some(EncryptionType::S3 | EncryptionType::Customer | EncryptionType::Plaintext) | None => {}
    }
    let by_default = !proof.is_empty();
    let mut passing_over: Vec<&Rule> = Vec::new();
    for rule in snapshot.enabled_rules().filter(|rule| !rule.sse_kms_objects) {
        let passed_over = snapshot.objects.iter().find(|object| {
            must_be_replicated(snapshot, rule, object)
                && object.head.found().is_some_and(|head| head.encryption.uses_kms())
        });
        if let Some(object) = passed_over {
            let resource = format!("{bucket}/{}", object.key.escape_debug());
            let seen = evidence(
                "s3:HeadObject",
                resource,
                "the object is encrypted with a KMS key",
            );
            proof.extend(
                seen.into_iter()
                    .filter(|new| !proof.contains(new))
                    .collect::<Vec<_>>(),
            );
        }
        if passed_over.is_none() && !by_default {
            // One of those that could not be looked at may be encrypted with KMS.
            for object in snapshot
                .objects
                .iter()
                .filter(|object| object.key.starts_with(&rule.filter.prefix))
            {
                examination.needs(&object.head);
            }
        }
        if passed_over.is_some() || by_default {
            passing_over.push(rule);
        } else if !rule.filter.tags.is_empty()
            && snapshot.objects.iter().any(|object| may_be_taken(rule, object))
        {
            examination.not_evaluated(format!(
                "whether rule `{}` takes objects that are encrypted with KMS, which it would pass over: it filters by tags, \
                 and HEAD shows none",
                rule.id.escape_debug()
            ));
        }
    }
    if passing_over.is_empty() {
        return;
    }
    proof.extend(evidence(
        "s3:GetBucketReplication",
        &bucket,
        "SourceSelectionCriteria.SseKmsEncryptedObjects is absent or not Enabled",
    ));
    let remedy = rule_edit(
        &source.name,
        passing_over.iter().copied(),
        &[
            ("SourceSelectionCriteria.SseKmsEncryptedObjects.Status", "Enabled"),
            ("Destination.EncryptionConfiguration.ReplicaKmsKeyID", "KEY_ARN"),
        ],
    );
    examination.finding(
        Draft {
            check: CheckId::EncryptedObjectsNotSelected,
            severity: Severity::Error,
            rule_ids: ids(passing_over),
            subject: bucket,
            summary: format!(
                "objects in `{}` are encrypted with KMS, and the rule does not select such objects: S3 passes them \
                 over in silence",
                source.name
            ),
            expected: "SseKmsEncryptedObjects `Enabled`, and a ReplicaKmsKeyID".to_owned(),
            found: "SseKmsEncryptedObjects not enabled".to_owned(),
            evidence: proof,
        }
        .propose(
            facts.own_account(),
            format!(
                "choose a symmetric customer managed key in the Region of the destination bucket, let the role use it \
                 (kms:Encrypt, kms:GenerateDataKey, kms:Decrypt) and decrypt with the source key, and with the ARN of \
                 the key in place of KEY_ARN:\n{remedy}"
            ),
        ),
    );
}
