//! `encrypted-objects-not-selected`: a rule takes objects under KMS keys only where it says so; all others are passed
//! over without a word, unless another rule takes them to the same bucket.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html> (`SourceSelectionCriteria`)

use std::collections::{BTreeMap, BTreeSet};

use super::replica_key::{REPLICA_KEY_ID, places};
use super::rule_edit::rule_edit;
use super::{CheckId, Draft, Evidence, Examination, Facts, Severity, evidence, ids};
use crate::arn::KeyArn;
use crate::assessment::assess;
use crate::observed::Observed;
use crate::requirement::{Area, Necessity, are_taken_by_another, passed_over};
use crate::snapshot::{EncryptionType, InspectedObject, Rule};

/// Keys that are named of those that S3 is denied: the next look tells of all.
const NAMED: usize = 3;

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
    if let Some(algorithm) = default.and_then(EncryptionType::kms_algorithm) {
        let says = format!("SSEAlgorithm {algorithm}");
        proof.extend(evidence("s3:GetBucketEncryption", &bucket, says));
    }
    let by_default = !proof.is_empty();
    let mut passing_over: Vec<&Rule> = Vec::new();
    let candidates = snapshot
        .enabled_rules()
        .filter(|rule| !rule.sse_kms_objects && !are_taken_by_another(snapshot, rule));
    for rule in candidates {
        let passed_over = passed_over(snapshot, rule);
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
    let remedy = select(facts, &passing_over);
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
        .propose(facts.own_account(), remedy),
    );
}

/// How to have the rules take such objects: where they name no key for the replicas, one for each Region.
fn select(facts: &Facts<'_>, rules: &[&Rule]) -> String {
    const SELECTED: (&str, &str) = ("SourceSelectionCriteria.SseKmsEncryptedObjects.Status", "Enabled");
    const MAY: &str =
        "let the role use it (kms:Encrypt, kms:GenerateDataKey, kms:Decrypt) and decrypt with the source key";
    let bucket = &facts.snapshot.source.name;
    let (named, nameless): (Vec<&Rule>, Vec<&Rule>) = rules
        .iter()
        .copied()
        .partition(|rule| matches!(rule.replica_key(), Ok(Some(_))));
    let mut steps: Vec<String> = places(facts, &nameless)
        .iter()
        .map(|place| {
            let elements = [SELECTED, (REPLICA_KEY_ID, "KEY_ARN")];
            format!(
                "choose a symmetric customer managed key of {place}, {MAY}, and with the ARN of the key in place of \
                 KEY_ARN:\n{}",
                rule_edit(bucket, place.rules.iter().copied(), &elements)
            )
        })
        .collect();
    if !named.is_empty() {
        steps.push(format!(
            "the rule names a key for the replicas; {MAY}, and select the objects:\n{}",
            rule_edit(bucket, named, &[SELECTED])
        ));
    }
    steps.extend(then_denied(facts, rules));
    steps.join("\n")
}

/// What S3 would be denied of the keys that are known as soon as the rules select such objects, evaluated as if they did.
/// Nothing is granted before: a rule that does not ask for such objects needs none of it.
fn then_denied(facts: &Facts<'_>, rules: &[&Rule]) -> Option<String> {
    let mut selecting = facts.snapshot.clone();
    if let Observed::Found(replication) = &mut selecting.replication {
        let ids = ids(rules.iter().copied());
        for rule in &mut replication.rules {
            rule.sse_kms_objects |= ids.contains(&rule.id);
        }
    }
    let assessments = assess(&selecting, false);
    let mut denied: BTreeMap<&KeyArn, BTreeSet<&str>> = BTreeMap::new();
    for one in &assessments {
        let requirement = &one.requirement;
        if let Area::SourceKey(key) | Area::ReplicaKey(key) = &requirement.area
            && requirement.necessity == Necessity::Required
            && one.is_denied()
        {
            let actions = denied.entry(key).or_default();
            actions.insert(requirement.request.action.as_str());
        }
    }
    let mut named: Vec<String> = denied
        .iter()
        .take(NAMED)
        .map(|(key, actions)| {
            let actions: Vec<&str> = actions.iter().copied().collect();
            format!("{} on {key}", actions.join(", "))
        })
        .collect();
    let others = denied.len().saturating_sub(NAMED);
    if others > 0 {
        named.push(format!("the same on {others} more"));
    }
    (!named.is_empty()).then(|| {
        format!(
            "as things stand, role `{}` is then denied {}; the next look says by what, and how to repair it",
            facts
                .snapshot
                .replication
                .found()
                .map_or("", |found| found.role.name()),
            named.join(", and ")
        )
    })
}
