//! `source-key-not-found` and `source-key-not-usable`: objects whose key is gone or off cannot be read, by S3 neither.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`SrcKmsKeyInvalidState`)

use std::collections::BTreeMap;

use super::key_state::fault;
use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::arn::KeyReference;
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;
use crate::snapshot::Rule;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::SourceKeyNotFound, CheckId::SourceKeyNotUsable],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let snapshot = facts.snapshot;
    // Objects that no rule selects are told as such; their key does not matter before they are selected.
    let rules: Vec<&Rule> = snapshot
        .enabled_rules()
        .filter(|rule| rule.sse_kms_objects)
        .collect();
    let mut named: BTreeMap<&KeyReference, String> = BTreeMap::new();
    for object in &snapshot.objects {
        let taken = rules
            .iter()
            .any(|rule| object.key.starts_with(&rule.filter.prefix));
        if taken && let Some(key) = outcome.needs(&object.head).and_then(|head| head.kms_key.as_ref()) {
            named.insert(key, format!("object `{}`", object.key.escape_debug()));
        }
    }
    if let Some(key) = snapshot.default_source_key() {
        named.insert(key, "the bucket's default encryption".to_owned());
    }
    if rules.is_empty() {
        return;
    }
    for (reference, user) in named {
        let Some(key) = snapshot.key(reference) else {
            continue;
        };
        let (check, severity, found, remedy) = match &key.metadata {
            Observed::Unreadable(failure) => {
                outcome.unread(failure);
                continue;
            }
            Observed::Absent => (
                CheckId::SourceKeyNotFound,
                Severity::Error,
                "NotFoundException".to_owned(),
                "set the bucket's default encryption to an existing key; objects encrypted with a deleted key are lost"
                    .to_owned(),
            ),
            Observed::Found(metadata) => match fault(metadata, snapshot.taken_at, outcome) {
                Some(fault) => (CheckId::SourceKeyNotUsable, fault.severity, fault.found, fault.remedy),
                None => continue,
            },
        };
        let summary = match (check, severity) {
            (CheckId::SourceKeyNotFound, _) => format!("the KMS key of {user} does not exist"),
            (_, Severity::Error) => {
                format!("S3 cannot decrypt source objects: the key of {user} cannot be used")
            }
            (_, Severity::Warning | Severity::Advice) => format!("the key of {user} will soon be unusable"),
        };
        outcome.finding(
            Found {
                check,
                severity,
                rule_ids: ids(rules.iter().copied()),
                subject: reference.to_string(),
                summary,
                expected: "KeyState Enabled".to_owned(),
                found: found.clone(),
                evidence: evidence("kms:DescribeKey", reference, found),
            }
            .propose(reference.account().to_string(), remedy),
        );
    }
}
