//! `put-refused`: S3 refused a replication configuration, so what was meant is not in force.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>
//!
//! Reached only where the settings ask for it. The refused configuration is stored nowhere and the event proves
//! nothing, so S3's answer is quoted and explained, and no conclusion is drawn from it.

use std::collections::BTreeSet;

use super::{CheckId, Draft, Examination, Facts, Severity, evidence};
use crate::event::{CallError, Change};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let trigger = &facts.subject.trigger;
    let (Some(Change::Refused), Some(refusal)) = (trigger.change, &trigger.refusal) else {
        return;
    };
    let bucket = facts.source_arn();
    let name = &facts.snapshot.source.name;
    let (reason, remedy) = explanation(refusal);
    let said = format!(
        "{}: {}",
        refusal.code.escape_debug(),
        refusal.message.escape_debug()
    );
    examination.finding(
        Draft {
            check: CheckId::PutRefused,
            severity: Severity::Advice,
            rule_ids: BTreeSet::new(),
            subject: bucket.clone(),
            summary: format!("S3 refused the replication configuration that was put for `{name}`: {reason}"),
            expected: "a configuration that S3 accepts".to_owned(),
            found: said.clone(),
            evidence: evidence("s3:PutBucketReplication", bucket, said),
        }
        .propose(
            facts.own_account(),
            format!("{remedy}. What was in force before still is"),
        ),
    );
}

/// What S3's words mean, and what to do.
fn explanation(refusal: &CallError) -> (&'static str, &'static str) {
    let says = |words: &str| refusal.message.to_ascii_lowercase().contains(words);
    if says("same region") {
        (
            "the replica key lies in another Region than the destination bucket",
            "name a symmetric customer managed key of the destination bucket's Region; of a multi-Region key, the related \
             key that lies there",
        )
    } else if says("replicakmskeyid") && says("arn") {
        (
            "the replica key is not named by its ARN",
            "name the key by its whole ARN, arn:aws:kms:REGION:ACCOUNT:key/ID: a bare key id or alias name is not enough",
        )
    } else if says("ssekmsencryptedobjects") || says("encryptionconfiguration") || says("replicakmskeyid") {
        (
            "the rule selects objects under KMS keys without naming a replica key, or the other way round",
            "give both SourceSelectionCriteria.SseKmsEncryptedObjects and \
             Destination.EncryptionConfiguration.ReplicaKmsKeyID, or neither",
        )
    } else if says("versioning") {
        (
            "the source or the destination bucket keeps no versions",
            "enable versioning on both buckets first",
        )
    } else if says("event threshold") || says("eventthreshold") {
        (
            "metrics have an event threshold, which belongs to Replication Time Control, and that is off",
            "leave out Metrics.EventThreshold, or enable ReplicationTime with 15 minutes",
        )
    } else if says("metrics") || says("replicationtime") {
        (
            "Replication Time Control was asked for without metrics",
            "with ReplicationTime give Metrics too, both with 15 minutes",
        )
    } else if refusal.code == "AccessDenied" {
        (
            "the caller may not do it, or the role lies in another account",
            "the caller needs s3:PutReplicationConfiguration on the bucket and iam:PassRole on the role, and the role must \
             lie in the bucket's account",
        )
    } else {
        (
            "S3 says why",
            "correct what S3 names and put the configuration again",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str, message: &str) -> &'static str {
        explanation(&CallError {
            code: code.to_owned(),
            message: message.to_owned(),
        })
        .0
    }

    #[test]
    fn what_s3_is_known_to_say_is_explained() {
        for (code, message, words) in [
            (
                "InvalidRequest",
                "KMS key must be in the same region as the destination bucket.",
                "another Region",
            ),
            (
                "InvalidArgument",
                "Invalid ReplicaKmsKeyID ARN.",
                "not named by its ARN",
            ),
            (
                "InvalidRequest",
                "SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.",
                "or the other way round",
            ),
            (
                "InvalidRequest",
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
                "keeps no versions",
            ),
            (
                "InvalidArgument",
                "Metrics cannot contain an event threshold when ReplicationTime is not specified or Disabled",
                "an event threshold",
            ),
            ("AccessDenied", "Access Denied", "may not do it"),
            ("SomethingNew", "of which nobody has heard", "S3 says why"),
        ] {
            assert!(reason(code, message).contains(words), "{message}");
        }
    }
}
