//! Defects that are injected into a healthy account, several at a time: all of them must be told, each once.
//!
//! What one defect hides for good is written down in [`HIDING`]; nothing else may be missing, and nothing more be told.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::subsequence;
use s3_replication_remediator::check::{CheckId, Severity};
use serde_json::{Value, json};

use super::patch;
use super::story::{Story, described};

const ROLE: &str = "arn:aws:iam::111122223333:role/crr";
const SOURCE: &str = "arn:aws:s3:::invoices";
const DESTINATION: &str = "arn:aws:s3:::invoices-replica";
const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/source";
const REPLICA_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/replica";
const ALIAS: &str = "arn:aws:kms:eu-central-1:111122223333:alias/replicas";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

/// Where a change is needed. Two defects in one place are one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Rule,
    Bucket,
    Key,
    Role,
    Trust,
    Boundary,
    Deny(&'static str),
    Policy,
}

type Told = (CheckId, &'static str, Place);

#[derive(Debug, Clone)]
struct Defect {
    name: &'static str,
    change: Value,
    tells: Vec<Told>,
    /// Defects of one kind cannot be in one account together: they change the same thing.
    kind: &'static str,
}

fn defect(name: &'static str, kind: &'static str, change: Value, tells: &[Told]) -> Defect {
    Defect {
        name,
        change,
        tells: tells.to_vec(),
        kind,
    }
}

fn of_source(change: Value) -> Value {
    json!({"buckets": {"invoices": change}})
}

fn of_destination(change: Value) -> Value {
    json!({"buckets": {"invoices-replica": change}})
}

fn of_rule(change: Value) -> Value {
    of_source(json!({"replication": {"Rules": {"all": change}}}))
}

fn of_role(change: Value) -> Value {
    json!({"roles": {ROLE: change}})
}

fn of_policy(change: Value) -> Value {
    of_role(json!({"inline": {"replicate": {"Statement": change}}}))
}

fn of_key(key: &str, change: Value) -> Value {
    json!({"keys": {key: change}})
}

fn only(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn shut() -> Value {
    let admin = json!({"AWS": "arn:aws:iam::111122223333:role/key-admin"});
    json!({"policy": only(json!({"Effect": "Allow", "Principal": admin, "Action": "kms:*", "Resource": "*"}))})
}

fn denying(actions: &str, bucket: &str) -> Value {
    json!({"policy": only(json!({
        "Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": actions,
        "Resource": [bucket, format!("{bucket}/*")],
    }))})
}

fn defects() -> Vec<Defect> {
    use CheckId as C;
    let kms_boundary = json!({
        "roles": {ROLE: {"boundary": BOUNDARY}},
        "policies": {BOUNDARY: only(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))},
    });
    let trust = only(json!({
        "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
    }));
    let override_owner = json!({"buckets": {
        "invoices": {"replication": {"Rules": {"all": {"Destination": {
            "Account": "111122223333", "AccessControlTranslation": {"Owner": "Destination"},
        }}}}},
        "invoices-replica": {"ownership": "BucketOwnerPreferred"},
    }});
    let mut aliased =
        of_rule(json!({"Destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": ALIAS}}}));
    patch::apply(&mut aliased, &json!({"aliases": {ALIAS: REPLICA_KEY}}));
    vec![
        defect(
            "source versioning suspended",
            "source versioning",
            of_source(json!({"versioning": "Suspended"})),
            &[(C::SourceNotVersioned, SOURCE, Place::Bucket)],
        ),
        defect(
            "rule passes KMS objects over",
            "named key",
            of_rule(
                json!({"SourceSelectionCriteria": null, "Destination": {"EncryptionConfiguration": null}}),
            ),
            &[(C::EncryptedObjectsNotSelected, SOURCE, Place::Rule)],
        ),
        defect(
            "rule names the source key",
            "named key",
            of_rule(json!({"Destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": SOURCE_KEY}}})),
            &[(C::ReplicaKeyWrongRegion, SOURCE_KEY, Place::Rule)],
        ),
        defect(
            "rule names an alias",
            "named key",
            aliased,
            &[(C::ReplicaKeyAlias, ALIAS, Place::Rule)],
        ),
        defect(
            "replica key gone",
            "replica key",
            of_key(REPLICA_KEY, Value::Null),
            &[(C::ReplicaKeyNotFound, REPLICA_KEY, Place::Key)],
        ),
        defect(
            "replica key asymmetric",
            "replica key type",
            of_key(REPLICA_KEY, json!({"spec": "RSA_2048"})),
            &[(C::ReplicaKeyWrongType, REPLICA_KEY, Place::Key)],
        ),
        defect(
            "replica key disabled",
            "replica key state",
            of_key(REPLICA_KEY, json!({"state": "Disabled"})),
            &[(C::ReplicaKeyNotUsable, REPLICA_KEY, Place::Key)],
        ),
        defect(
            "source key gone",
            "source key",
            of_key(SOURCE_KEY, Value::Null),
            &[(C::SourceKeyNotFound, SOURCE_KEY, Place::Key)],
        ),
        defect(
            "source key disabled",
            "source key state",
            of_key(SOURCE_KEY, json!({"state": "Disabled"})),
            &[(C::SourceKeyNotUsable, SOURCE_KEY, Place::Key)],
        ),
        defect(
            "role gone",
            "role",
            json!({"roles": {ROLE: null}}),
            &[(C::RoleNotFound, ROLE, Place::Role)],
        ),
        defect(
            "trust for another service",
            "trust",
            of_role(json!({"trust": trust})),
            &[(C::RoleNotAssumable, ROLE, Place::Trust)],
        ),
        defect(
            "role may not read objects",
            "ReadObjects",
            of_policy(json!({"ReadObjects": null})),
            &[(C::RoleSourceAccess, SOURCE, Place::Role)],
        ),
        defect(
            "role may not write replicas",
            "WriteReplicas",
            of_policy(json!({"WriteReplicas": null})),
            &[(C::RoleDestinationAccess, DESTINATION, Place::Role)],
        ),
        defect(
            "role may not decrypt",
            "DecryptSource",
            of_policy(json!({"DecryptSource": null})),
            &[(C::RoleSourceKeyAccess, SOURCE_KEY, Place::Role)],
        ),
        defect(
            "role decrypts for another bucket",
            "DecryptSource",
            of_policy(json!({"DecryptSource": {"Condition": {"StringLike": {
                "kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::wages", "arn:aws:s3:::wages/*"],
            }}}})),
            &[(C::RoleSourceKeyAccess, SOURCE_KEY, Place::Role)],
        ),
        defect(
            "role may not encrypt",
            "EncryptReplicas",
            of_policy(json!({"EncryptReplicas": null})),
            &[(C::RoleReplicaKeyAccess, REPLICA_KEY, Place::Role)],
        ),
        defect(
            "role denies itself KMS",
            "own denial",
            of_policy(json!({"+": {"Sid": "NoKms", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}})),
            &[
                (C::RoleSourceKeyAccess, SOURCE_KEY, Place::Deny("role")),
                (C::RoleReplicaKeyAccess, REPLICA_KEY, Place::Deny("role")),
            ],
        ),
        defect(
            "boundary without KMS",
            "boundary",
            kms_boundary,
            &[
                (C::RoleSourceKeyAccess, SOURCE_KEY, Place::Boundary),
                (C::RoleReplicaKeyAccess, REPLICA_KEY, Place::Boundary),
            ],
        ),
        defect(
            "source key policy shut",
            "source key policy",
            of_key(SOURCE_KEY, shut()),
            &[(C::RoleSourceKeyAccess, SOURCE_KEY, Place::Policy)],
        ),
        defect(
            "replica key policy shut",
            "replica key policy",
            of_key(REPLICA_KEY, shut()),
            &[(C::RoleReplicaKeyAccess, REPLICA_KEY, Place::Policy)],
        ),
        defect(
            "source policy denies reading",
            "source policy",
            of_source(denying("s3:GetObject*", SOURCE)),
            &[(C::RoleSourceAccess, SOURCE, Place::Deny("source"))],
        ),
        defect(
            "destination policy denies writing",
            "destination policy",
            of_destination(denying("s3:Replicate*", DESTINATION)),
            &[(C::DestinationPolicy, DESTINATION, Place::Deny("destination"))],
        ),
        defect(
            "destination gone",
            "destination",
            json!({"buckets": {"invoices-replica": null}}),
            &[(C::DestinationNotFound, DESTINATION, Place::Bucket)],
        ),
        defect(
            "destination versioning suspended",
            "destination versioning",
            of_destination(json!({"versioning": "Suspended"})),
            &[(C::DestinationNotVersioned, DESTINATION, Place::Bucket)],
        ),
        defect(
            "destination requester pays",
            "payer",
            of_destination(json!({"requesterPays": true})),
            &[(C::DestinationRequesterPays, DESTINATION, Place::Bucket)],
        ),
        defect(
            "owner override not allowed",
            "override",
            override_owner,
            &[(C::RoleDestinationAccess, DESTINATION, Place::Role)],
        ),
        defect(
            "metrics off",
            "metrics",
            of_rule(json!({"Destination": {"Metrics": null}})),
            &[(C::MetricsDisabled, SOURCE, Place::Rule)],
        ),
    ]
}

/// What cannot be in one account together, beside what is of one kind: a thing that is gone has no properties.
const IMPOSSIBLE: &[(&str, &[&str])] = &[
    (
        "replica key gone",
        &[
            "replica key asymmetric",
            "replica key disabled",
            "replica key policy shut",
            "rule names an alias",
        ],
    ),
    (
        "source key gone",
        &["source key disabled", "source key policy shut"],
    ),
    (
        "role gone",
        &[
            "trust for another service",
            "role may not read objects",
            "role may not write replicas",
            "role may not decrypt",
            "role decrypts for another bucket",
            "role may not encrypt",
            "role denies itself KMS",
            "boundary without KMS",
        ],
    ),
    (
        "destination gone",
        &[
            "destination policy denies writing",
            "destination versioning suspended",
            "destination requester pays",
            "owner override not allowed",
            // Which Region would be the right one is then not known.
            "rule names the source key",
        ],
    ),
];

/// Which findings a defect hides for good, and why.
const HIDING: &[(&str, &[CheckId], Option<Place>, &str)] = &[
    (
        "rule passes KMS objects over",
        &[
            CheckId::ReplicaKeyNotFound,
            CheckId::ReplicaKeyWrongType,
            CheckId::ReplicaKeyNotUsable,
            CheckId::RoleSourceKeyAccess,
            CheckId::RoleReplicaKeyAccess,
        ],
        None,
        "the rule names no other key, and one that takes no object under a KMS key needs no right to any",
    ),
    (
        "rule names the source key",
        &[
            CheckId::ReplicaKeyNotFound,
            CheckId::ReplicaKeyWrongType,
            CheckId::ReplicaKeyNotUsable,
            CheckId::RoleReplicaKeyAccess,
        ],
        None,
        "no rule names the other key, and the key that is named must be replaced",
    ),
    (
        "replica key gone",
        &[CheckId::RoleReplicaKeyAccess],
        None,
        "nobody can use a key that is gone",
    ),
    (
        "replica key asymmetric",
        &[CheckId::ReplicaKeyNotUsable, CheckId::RoleReplicaKeyAccess],
        None,
        "a key of the wrong type must be replaced, whatever else is wrong with it",
    ),
    (
        "source key gone",
        &[CheckId::RoleSourceKeyAccess],
        None,
        "nobody can use a key that is gone",
    ),
    (
        "role gone",
        &[
            CheckId::RoleSourceAccess,
            CheckId::RoleDestinationAccess,
            CheckId::RoleSourceKeyAccess,
            CheckId::RoleReplicaKeyAccess,
            CheckId::DestinationPolicy,
        ],
        None,
        "there is nobody whose access could be judged",
    ),
    (
        "destination gone",
        &[CheckId::RoleDestinationAccess],
        None,
        "there is nothing to write to",
    ),
    (
        "source key policy shut",
        &[CheckId::RoleSourceKeyAccess],
        Some(Place::Role),
        "a key policy that names the role, which is what is proposed, makes its policies superfluous",
    ),
    (
        "replica key policy shut",
        &[CheckId::RoleReplicaKeyAccess],
        Some(Place::Role),
        "a key policy that names the role, which is what is proposed, makes its policies superfluous",
    ),
];

/// Those that can be in one account together.
fn possible(chosen: Vec<Defect>) -> Vec<Defect> {
    let mut together: Vec<Defect> = Vec::new();
    for defect in chosen {
        let excludes = |one: &str, other: &str| {
            IMPOSSIBLE
                .iter()
                .any(|(gone, of_it)| *gone == one && of_it.contains(&other))
        };
        let clashes = together.iter().any(|known| {
            known.kind == defect.kind
                || excludes(known.name, defect.name)
                || excludes(defect.name, known.name)
        });
        if !clashes {
            together.push(defect);
        }
    }
    together
}

/// What must be told: how many findings of each check about each thing.
fn expected(defects: &[Defect]) -> BTreeMap<(CheckId, String), usize> {
    let is_hidden = |(check, _, place): &Told| {
        HIDING.iter().any(|(hider, hidden, only, _)| {
            defects.iter().any(|defect| defect.name == *hider)
                && hidden.contains(check)
                && only.is_none_or(|only| only == *place)
        })
    };
    let told: BTreeSet<Told> = defects
        .iter()
        .flat_map(|defect| defect.tells.iter().copied())
        .filter(|told| !is_hidden(told))
        .collect();
    let mut counted = BTreeMap::new();
    for (check, subject, _) in told {
        *counted.entry((check, subject.to_owned())).or_default() += 1;
    }
    counted
}

fn told(base: &Story, defects: &[Defect]) -> (BTreeMap<(CheckId, String), usize>, Vec<String>) {
    let mut story = base.clone();
    for defect in defects {
        patch::apply(&mut story.account, &defect.change);
    }
    let findings = story.tell().outcome.findings;
    let mut counted = BTreeMap::new();
    for finding in findings
        .iter()
        .filter(|finding| finding.severity != Severity::Advice)
    {
        *counted
            .entry((finding.check, finding.subject.clone()))
            .or_default() += 1;
    }
    (counted, findings.iter().map(described).collect())
}

fn bases() -> Vec<Story> {
    const BASES: [&str; 3] = [
        "healthy/aws-two-keys-with-bucket-keys",
        "healthy/no-bucket-key",
        "healthy/dual-layer-encryption",
    ];
    BASES.iter().map(|name| Story::named(name)).collect()
}

#[test]
fn every_defect_alone_is_told_and_nothing_else() {
    for base in bases() {
        for defect in defects() {
            let defects = [defect];
            let (told, lines) = told(&base, &defects);
            assert_eq!(
                told,
                expected(&defects),
                "{}: {}\n{}",
                base.name,
                defects[0].name,
                lines.join("\n")
            );
        }
    }
}

#[test]
fn every_pair_of_defects_is_told_together() {
    let base = &bases()[0];
    let all = defects();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            let pair = possible(vec![one.clone(), other.clone()]);
            let (told, lines) = told(base, &pair);
            assert_eq!(
                told,
                expected(&pair),
                "{} and {}\n{}",
                one.name,
                other.name,
                lines.join("\n")
            );
        }
    }
}

#[test]
fn every_defect_and_hiding_pair_is_named_as_it_is() {
    let names: BTreeSet<&str> = defects().iter().map(|defect| defect.name).collect();
    let of_impossible = IMPOSSIBLE
        .iter()
        .flat_map(|(one, others)| others.iter().chain([one]));
    for name in of_impossible.chain(HIDING.iter().map(|(hider, ..)| hider)) {
        assert!(names.contains(name), "no defect `{name}`");
    }
}

fn names() -> Vec<&'static str> {
    defects().iter().map(|defect| defect.name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_defects_are_all_told_at_once(
        chosen in subsequence(names(), 1..=4).prop_shuffle(),
        base in 0_usize..3,
    ) {
        let base = &bases()[base];
        let all = defects();
        let named = |name: &&str| all.iter().find(|defect| defect.name == *name).unwrap().clone();
        let defects = possible(chosen.iter().map(named).collect());
        let (told, lines) = told(base, &defects);
        prop_assert_eq!(told, expected(&defects), "{}\n{}", base.name, lines.join("\n"));
    }
}
