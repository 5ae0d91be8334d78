//! What holds for every story, whatever it is about.

use std::collections::{BTreeMap, BTreeSet};

use s3_replication_remediator::check::{CheckId, Finding, Severity, Verdict};
use serde_json::Value;

use super::story::{Story, described};
use crate::account::Call;

/// Reads without which a bucket may still be called healthy, and why.
const CANNOT_MATTER: &[(&str, &str)] = &[
    (
        "s3:GetBucketTagging",
        "tags say whether events about the bucket are to be looked at, not how it is",
    ),
    (
        "s3:GetBucketNotificationConfiguration",
        "where failures are announced is worth an advice, no more",
    ),
    (
        "kms:ListResourceTags",
        "tags say whether we may change the key; where a policy tests them, they are needed",
    ),
    (
        "kms:ListGrants",
        "a grant only allows: it is needed where nothing else does",
    ),
    (
        "s3:HeadBucket",
        "any other answer of S3 proves the owner as well, and the refusal names the Region",
    ),
    (
        "s3:GetBucketOwnershipControls",
        "that of the source is needed only where an object failed that another account may own",
    ),
    (
        "s3:GetBucketEncryption",
        "the destination's default: replicas are encrypted as the rule says",
    ),
    (
        "s3:GetObjectLockConfiguration",
        "that of the destination matters only where the source has Object Lock",
    ),
    (
        "iam:ListRolePolicies",
        "only where buckets and keys let the role in by themselves",
    ),
];

/// In stories, the key by which a destination encrypts by default where rules name another: it serves objects without
/// encryption alone, and of those only such as wait to be replicated, or failed, make a bucket anything but healthy.
const ONLY_BY_DEFAULT: &str = ":key/default";
/// In stories, the key of an object that perhaps no rule takes.
const PERHAPS: &str = ":key/perhaps";

#[test]
fn what_could_not_be_read_is_never_called_healthy_and_never_the_reason_of_a_finding() {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for story in Story::all() {
        let world = story.world();
        let full = story.tell_of(&world);
        for Call { operation, resource } in world.calls().into_iter().collect::<BTreeSet<_>>() {
            let crippled = story.world();
            crippled.deny(&operation, &resource);
            let told = story.tell_of(&crippled);
            let name = format!("{} without {operation} {resource}", story.name);
            if told.outcome.verdict() == Verdict::Healthy {
                if CANNOT_MATTER.iter().any(|(known, _)| *known == operation) {
                    excused.insert(operation.clone());
                } else if resource.ends_with(ONLY_BY_DEFAULT) || resource.ends_with(PERHAPS) {
                    // Nothing needs it.
                } else if !full.outcome.unread.is_empty() || story_needs_nothing(&full.outcome.findings) {
                    // There is no enabled rule: nothing is needed.
                } else {
                    wrong.push(format!("{name}: healthy"));
                }
            }
            let mut known = counted(&full.outcome.findings);
            for (finding, count) in counted(&told.outcome.findings) {
                let in_full = known.remove(&finding).unwrap_or_default();
                if count > in_full {
                    let lines: Vec<String> = told.outcome.findings.iter().map(described).collect();
                    wrong.push(format!(
                        "{name}: {finding:?} is new, among\n    {}",
                        lines.join("\n    ")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let unused: Vec<_> = CANNOT_MATTER
        .iter()
        .filter(|(known, _)| !excused.contains(*known))
        .collect();
    assert!(unused.is_empty(), "these excuses are not needed: {unused:?}");
}

fn story_needs_nothing(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.check == CheckId::ReplicationNotConfigured)
}

/// Findings by what they are about; in which words is left aside. What is only advised may take another form.
fn counted(findings: &[Finding]) -> BTreeMap<(CheckId, Severity, String), usize> {
    let mut counted = BTreeMap::new();
    for finding in findings
        .iter()
        .filter(|finding| finding.severity != Severity::Advice)
    {
        *counted
            .entry((finding.check, finding.severity, finding.subject.clone()))
            .or_default() += 1;
    }
    counted
}

/// Reads that mostly do not matter, in accounts in which they do.
const MATTERS_HERE: &[(&str, &str, &str)] = &[
    (
        "healthy/keys-by-their-own-tags",
        "kms:ListResourceTags",
        "arn:aws:kms:eu-west-1:111122223333:key/source",
    ),
    (
        "healthy/grants-in-place-of-policies",
        "kms:ListGrants",
        "arn:aws:kms:eu-west-1:111122223333:key/source",
    ),
    (
        "healthy/owner-override-into-a-bucket-without-acls",
        "s3:GetBucketOwnershipControls",
        "arn:aws:s3:::invoices-replica",
    ),
    (
        "healthy/object-lock-on-both-sides",
        "s3:GetObjectLockConfiguration",
        "arn:aws:s3:::invoices-replica",
    ),
    (
        "healthy/no-bucket-key",
        "s3:GetObjectLockConfiguration",
        "arn:aws:s3:::invoices",
    ),
    (
        "healthy/no-bucket-key",
        "s3:GetBucketEncryption",
        "arn:aws:s3:::invoices",
    ),
    (
        "healthy/no-bucket-key",
        "s3:GetBucketRequestPayment",
        "arn:aws:s3:::invoices-replica",
    ),
    (
        "healthy/managed-policies",
        "iam:ListRolePolicies",
        "arn:aws:iam::111122223333:role/crr",
    ),
];

#[test]
fn a_read_that_mostly_does_not_matter_is_missed_where_it_does() {
    for (name, operation, resource) in MATTERS_HERE {
        let story = Story::named(name);
        let world = story.world();
        world.deny(operation, resource);
        let told = story.tell_of(&world);
        assert_eq!(
            told.verdict(),
            "undetermined",
            "{name} without {operation} {resource}"
        );
        assert!(
            told.outcome
                .unread
                .iter()
                .any(|unread| unread.operation == *operation),
            "{name}"
        );
    }
}

#[test]
fn the_order_of_the_rules_changes_nothing() {
    for story in Story::all() {
        let mut turned = story.clone();
        let mut rules = 0;
        for bucket in turned.account["buckets"].as_object_mut().unwrap().values_mut() {
            if let Some(list) = bucket
                .pointer_mut("/replication/Rules")
                .and_then(Value::as_array_mut)
            {
                rules += list.len();
                list.reverse();
            }
        }
        if rules > 1 {
            assert_eq!(turned.tell(), story.tell(), "{}", story.name);
        }
    }
}

#[test]
fn the_same_story_is_told_the_same_way_twice() {
    for story in Story::all() {
        assert_eq!(story.tell(), story.tell(), "{}", story.name);
    }
}
