//! Collecting: what is read, how often, in how many rounds, and who is proven to own what.

use std::collections::BTreeMap;
use std::time::Duration;

use s3_replication_remediator::arn::{AccountId, KeyReference};
use s3_replication_remediator::collect::{self, Scope, Shared, Wanted, WantedObject};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::snapshot::{Bucket, Snapshot, Versioning};
use serde_json::{Value, json};

use crate::account::World;

const OWN: &str = "111122223333";
const TRUSTED: &str = "444455556666";
const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/source";
const REPLICA_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/replica";
const ROLE: &str = "arn:aws:iam::111122223333:role/service-role/crr";
const MANAGED: &str = "arn:aws:iam::111122223333:policy/crr";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

fn nothing() -> Value {
    json!({"Version": "2012-10-17", "Statement": []})
}

fn rule(id: &str, destination: &str, key: &str) -> Value {
    json!({
        "ID": id,
        "Filter": {"Prefix": ""},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": format!("arn:aws:s3:::{destination}"),
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
        },
    })
}

/// One rule in one account, from eu-west-1 to eu-central-1, with policies of every kind.
fn usual() -> Value {
    json!({
        "buckets": {
            "source": {
                "encryption": {"type": "aws:kms", "key": SOURCE_KEY, "bucketKey": true},
                "tags": {"team": "tax"},
                "replication": {"Role": ROLE, "Rules": [rule("r1", "replica", REPLICA_KEY)]},
                "objects": [
                    {"key": "a", "encryption": {"type": "aws:kms", "key": "arn:aws:kms:eu-west-1:111122223333:key/older"}},
                    {"key": "b", "encryption": {"type": "aws:kms", "key": SOURCE_KEY}},
                ],
            },
            "replica": {"region": "eu-central-1"},
        },
        "roles": {ROLE: {"inline": {"one": nothing(), "two": nothing()}, "managed": [MANAGED], "boundary": BOUNDARY}},
        "policies": {MANAGED: nothing(), BOUNDARY: nothing()},
        "keys": {SOURCE_KEY: {}, REPLICA_KEY: {}, "arn:aws:kms:eu-west-1:111122223333:key/older": {}},
    })
}

/// The same, but the destination and its key are another account's.
fn cross_account() -> Value {
    let mut world = usual();
    world["buckets"]["replica"]["owner"] = json!(TRUSTED);
    let key = foreign_key();
    world["buckets"]["source"]["replication"]["Rules"][0] = rule("r1", "replica", &key);
    world["keys"][&key] = json!({});
    world
}

fn foreign_key() -> String {
    REPLICA_KEY.replace(OWN, TRUSTED)
}

fn world(json: &Value) -> World {
    World::new(&json.to_string())
}

fn wanted() -> Wanted {
    Wanted {
        bucket: "source".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        expects_configuration: false,
        objects: Vec::new(),
        former: collect::Places::default(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn trusting(member_role: bool) -> Scope {
    Scope {
        trusted_accounts: [TRUSTED, "777788889999"]
            .iter()
            .map(|account| account.parse().unwrap())
            .collect(),
        member_role,
        ..Scope::default()
    }
}

async fn collect(world: &World, scope: &Scope) -> Snapshot {
    collect::collect(&Shared::new(world), &world.identity(), scope, &wanted()).await
}

fn destination(snapshot: &Snapshot) -> &Bucket {
    snapshot
        .destination(&"replica".parse().unwrap())
        .expect("the rule names it")
        .found()
        .expect("the bucket exists")
}

fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn key_of<'a>(snapshot: &'a Snapshot, key: &str) -> &'a s3_replication_remediator::snapshot::Key {
    let reference: KeyReference = key.parse().unwrap();
    snapshot.key(&reference).expect("the key was read")
}

/// How many waits for AWS one look takes.
async fn rounds(world: World, scope: &Scope, wanted: &Wanted) -> u128 {
    let latency = Duration::from_millis(50);
    let world = world.with_latency(latency);
    let start = tokio::time::Instant::now();
    collect::collect(&Shared::new(&world), &world.identity(), scope, wanted).await;
    start.elapsed().as_millis() / latency.as_millis()
}

#[tokio::test(start_paused = true)]
async fn one_rule_in_one_account_takes_four_rounds() {
    assert_eq!(rounds(world(&usual()), &Scope::default(), &wanted()).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_destination_in_a_trusted_account_takes_four_rounds() {
    let mut json = cross_account();
    json["memberRoles"] = json!([TRUSTED]);
    assert_eq!(rounds(world(&json), &trusting(true), &wanted()).await, 4);
}

#[tokio::test(start_paused = true)]
async fn sampling_and_aliases_cost_no_further_round() {
    let mut json = usual();
    json["aliases"] = json!({"arn:aws:kms:eu-central-1:111122223333:alias/replica": REPLICA_KEY});
    json["buckets"]["source"]["replication"]["Rules"][0] = rule(
        "r1",
        "replica",
        "arn:aws:kms:eu-central-1:111122223333:alias/replica",
    );
    let scope = Scope {
        inspect_objects: true,
        sample_objects: 5,
        ..Scope::default()
    };
    assert_eq!(rounds(world(&json), &scope, &wanted()).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_without_configuration_takes_one_round() {
    let mut json = usual();
    json["buckets"]["source"]["replication"] = Value::Null;
    assert_eq!(rounds(world(&json), &Scope::default(), &wanted()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_rules_with_as_many_keys_stay_within_a_few_rounds() {
    let mut json = usual();
    let key = |n: usize| format!("arn:aws:kms:eu-central-1:111122223333:key/{n}");
    let rules: Vec<Value> = (0..100)
        .map(|n| rule(&n.to_string(), "replica", &key(n)))
        .collect();
    json["buckets"]["source"]["replication"]["Rules"] = json!(rules);
    for n in 0..100 {
        json["keys"][key(n)] = json!({});
    }
    assert!(rounds(world(&json), &Scope::default(), &wanted()).await <= 8);
}

#[tokio::test]
async fn everything_is_read_once_and_nothing_that_is_not_needed() {
    let mut json = usual();
    let again = rule("r2", "replica", REPLICA_KEY);
    let mut disabled = rule("r3", "elsewhere", "arn:aws:kms:eu-west-3:111122223333:key/unused");
    disabled["Status"] = json!("Disabled");
    let rules = json["buckets"]["source"]["replication"]["Rules"]
        .as_array_mut()
        .unwrap();
    rules.extend([again, disabled]);
    let world = world(&json);
    let snapshot = collect(&world, &Scope::default()).await;

    assert!(
        world
            .calls()
            .iter()
            .all(|call| world.called(&call.operation, &call.resource) <= 2)
    );
    let counts: BTreeMap<String, usize> = world.call_counts();
    let expected = [
        ("iam:GetPolicy", 2),
        ("iam:GetPolicyVersion", 2),
        ("iam:GetRole", 1),
        ("iam:GetRolePolicy", 2),
        ("iam:ListAttachedRolePolicies", 1),
        ("iam:ListRolePolicies", 1),
        ("kms:DescribeKey", 2),
        ("kms:GetKeyPolicy", 2),
        ("kms:ListGrants", 2),
        ("kms:ListResourceTags", 2),
        ("s3:GetBucketEncryption", 2),
        ("s3:GetBucketNotificationConfiguration", 1),
        ("s3:GetBucketOwnershipControls", 1),
        ("s3:GetBucketPolicy", 2),
        ("s3:GetBucketReplication", 1),
        ("s3:GetBucketRequestPayment", 1),
        ("s3:GetBucketTagging", 1),
        ("s3:GetBucketVersioning", 2),
        ("s3:GetObjectLockConfiguration", 1),
        ("s3:HeadBucket", 2),
    ];
    assert_eq!(
        counts,
        expected.map(|(name, count)| (name.to_owned(), count)).into()
    );

    assert_eq!(snapshot.source.owner, Observed::Found(account(OWN)));
    assert_eq!(
        snapshot.source.region,
        Observed::Found("eu-west-1".parse().unwrap())
    );
    assert_eq!(snapshot.source.tags.found().unwrap()["team"], "tax");
    assert_eq!(
        destination(&snapshot).region,
        Observed::Found("eu-central-1".parse().unwrap())
    );
    let role = snapshot.role.found().unwrap();
    assert_eq!((role.inline.policies.len(), role.managed.policies.len()), (2, 1));
    assert!(role.boundary.found().is_some());
    assert_eq!(snapshot.keys.len(), 2);
    assert!(snapshot.objects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_form_of_account_takes_so_many_calls_and_rounds_and_no_more() {
    let mut unconfigured = usual();
    unconfigured["buckets"]["source"]["replication"] = Value::Null;
    let mut locked = usual();
    locked["buckets"]["source"]["objectLock"] = json!(true);
    let mut given_away = usual();
    given_away["buckets"]["source"]["replication"]["Rules"][0]["Destination"]["AccessControlTranslation"] =
        json!({"Owner": "Destination"});
    let mut member = cross_account();
    member["memberRoles"] = json!([TRUSTED]);
    let mut refused = usual();
    refused["failing"] = json!([{"operation": "s3:HeadBucket", "resource": "*"}]);
    let forms = [
        ("no configuration", unconfigured, Scope::default(), 1, 9),
        ("one rule", usual(), Scope::default(), 4, 31),
        ("Object Lock", locked, Scope::default(), 4, 32),
        ("replicas given away", given_away, Scope::default(), 4, 32),
        (
            "a stranger's destination",
            cross_account(),
            Scope::default(),
            4,
            29,
        ),
        (
            "a trusted account's, with a member role",
            member,
            trusting(true),
            4,
            32,
        ),
        (
            "a trusted account's, without",
            cross_account(),
            trusting(false),
            4,
            39,
        ),
        ("HeadBucket denied", refused, Scope::default(), 4, 31),
    ];
    for (form, json, scope, rounds, calls) in forms {
        let latency = Duration::from_millis(50);
        let world = world(&json).with_latency(latency);
        let start = tokio::time::Instant::now();
        collect(&world, &scope).await;
        let waited = start.elapsed().as_millis() / latency.as_millis();
        assert_eq!((waited, world.calls().len()), (rounds, calls), "{form}");
    }
}

#[tokio::test]
async fn the_default_key_of_a_destination_is_read_once_and_only_where_it_is_another() {
    let keys_read = async |default: Value| {
        let mut json = usual();
        json["keys"]["arn:aws:kms:eu-central-1:111122223333:key/default"] = json!({});
        json["buckets"]["replica"]["encryption"] = default;
        let again = rule("r2", "second", REPLICA_KEY);
        json["buckets"]["source"]["replication"]["Rules"]
            .as_array_mut()
            .unwrap()
            .push(again);
        json["buckets"]["second"] = json["buckets"]["replica"].clone();
        let world = world(&json);
        let snapshot = collect(&world, &Scope::default()).await;
        let counts = world.call_counts();
        let calls = ["DescribeKey", "GetKeyPolicy", "ListGrants", "ListResourceTags"]
            .map(|name| counts[&format!("kms:{name}")]);
        assert!(
            calls.iter().all(|count| *count == snapshot.keys.len()),
            "{calls:?}"
        );
        snapshot.keys.len()
    };
    let key = |name: &str| json!({"type": "aws:kms", "key": name, "bucketKey": true});
    assert_eq!(keys_read(json!({})).await, 2);
    assert_eq!(keys_read(json!({"type": "aws:kms"})).await, 2, "that of AWS");
    assert_eq!(keys_read(key(REPLICA_KEY)).await, 2);
    assert_eq!(keys_read(key("default")).await, 3);
}

#[tokio::test(start_paused = true)]
async fn the_default_key_of_a_destination_costs_no_further_round() {
    let mut json = usual();
    json["keys"]["arn:aws:kms:eu-central-1:111122223333:key/default"] = json!({});
    json["buckets"]["replica"]["encryption"] = json!({"type": "aws:kms", "key": "default"});
    assert_eq!(rounds(world(&json), &Scope::default(), &wanted()).await, 4);
}

#[tokio::test]
async fn a_wrong_hint_of_the_region_is_corrected() {
    let world = world(&usual());
    let hint = Wanted {
        region: "us-east-1".parse().unwrap(),
        ..wanted()
    };
    let snapshot = collect::collect(&Shared::new(&world), &world.identity(), &Scope::default(), &hint).await;
    assert_eq!(
        snapshot.source.region,
        Observed::Found("eu-west-1".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn an_absence_that_the_event_contradicts_is_believed_only_when_it_lasts() {
    let expecting = Wanted {
        expects_configuration: true,
        ..wanted()
    };
    let mut json = usual();
    for (hidden, tries, found) in [(0, 1, true), (1, 2, true), (2, 3, true), (3, 3, false)] {
        json["buckets"]["source"]["replicationHidden"] = json!(hidden);
        let world = world(&json);
        let start = tokio::time::Instant::now();
        let snapshot = collect::collect(
            &Shared::new(&world),
            &world.identity(),
            &Scope::default(),
            &expecting,
        )
        .await;
        assert_eq!(
            snapshot.replication.found().is_some(),
            found,
            "hidden {hidden} times"
        );
        assert_eq!(
            world.called("s3:GetBucketReplication", "arn:aws:s3:::source"),
            tries
        );
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn an_absence_that_nothing_contradicts_is_believed_at_once() {
    let mut json = usual();
    json["buckets"]["source"]["replicationHidden"] = json!(1);
    let world = world(&json);
    let snapshot = collect(&world, &Scope::default()).await;
    assert!(snapshot.replication.is_absent() && snapshot.role.is_absent());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_leaves_the_role_unread_and_says_what_to_permit() {
    let world = world(&usual());
    world.deny("s3:GetBucketReplication", "*");
    let snapshot = collect(&world, &Scope::default()).await;
    assert_eq!(
        snapshot.replication.failure().unwrap().permit,
        r#"{"Effect":"Allow","Action":"s3:GetReplicationConfiguration","Resource":"arn:aws:s3:::source"}"#
    );
    assert_eq!(snapshot.role.failure().unwrap().error_code, "NotAttempted");
    assert_eq!(snapshot.source.versioning, Observed::Found(Versioning::Enabled));
}

#[tokio::test]
async fn a_source_that_does_not_exist_is_absent_throughout() {
    let world = world(&json!({}));
    let snapshot = collect(&world, &Scope::default()).await;
    assert!(snapshot.source.owner.is_absent() && snapshot.source.region.is_absent());
    assert!(snapshot.replication.is_absent());
}

#[tokio::test]
async fn any_answered_read_proves_the_owner_although_head_bucket_is_denied() {
    let world = world(&usual());
    world.deny("s3:HeadBucket", "*");
    let snapshot = collect(&world, &trusting(false)).await;
    assert_eq!(snapshot.source.owner, Observed::Found(account(OWN)));
    assert_eq!(destination(&snapshot).owner, Observed::Found(account(OWN)));
    // S3 names the Region even in its refusal.
    assert!(destination(&snapshot).region.found().is_some());
}

#[tokio::test]
async fn a_destination_of_an_account_that_is_not_trusted_has_no_proven_owner() {
    let world = world(&cross_account());
    let snapshot = collect(&world, &Scope::default()).await;
    let bucket = destination(&snapshot);
    let failure = bucket.owner.failure().unwrap();
    assert_eq!(failure.what, "owner of bucket `replica`");
    assert_eq!(failure.error_code, "AccessDenied");
    assert!(bucket.policy.failure().is_some());
    assert!(bucket.region.found().is_some());
}

#[tokio::test]
async fn the_account_that_a_rule_claims_proves_nothing() {
    let mut json = cross_account();
    json["buckets"]["replica"]["owner"] = json!("000011112222");
    json["buckets"]["source"]["replication"]["Rules"][0]["Destination"]["Account"] = json!(TRUSTED);
    json["memberRoles"] = json!([TRUSTED]);
    let snapshot = collect(&world(&json), &trusting(true)).await;
    assert!(destination(&snapshot).owner.failure().is_some());
}

#[tokio::test]
async fn a_destination_of_a_trusted_account_is_read_through_its_member_role() {
    let mut json = cross_account();
    json["memberRoles"] = json!([TRUSTED]);
    let snapshot = collect(&world(&json), &trusting(true)).await;
    let bucket = destination(&snapshot);
    assert_eq!(bucket.owner, Observed::Found(account(TRUSTED)));
    assert_eq!(bucket.versioning, Observed::Found(Versioning::Enabled));
    let key = foreign_key();
    assert!(key_of(&snapshot, &key).policy.found().is_some());
}

#[tokio::test]
async fn without_a_member_role_our_own_credentials_are_tried_in_the_name_of_the_trusted_account() {
    let mut json = cross_account();
    json["buckets"]["replica"]["sharedReads"] = json!(true);
    let snapshot = collect(&world(&json), &trusting(false)).await;
    assert_eq!(destination(&snapshot).owner, Observed::Found(account(TRUSTED)));
}

#[tokio::test]
async fn a_trusted_accounts_denied_head_bucket_does_not_hide_that_it_owns_the_destination() {
    let mut json = cross_account();
    json["memberRoles"] = json!([TRUSTED]);
    let world = world(&json);
    world.deny("s3:HeadBucket", "arn:aws:s3:::replica");
    let snapshot = collect(&world, &trusting(true)).await;
    assert_eq!(destination(&snapshot).owner, Observed::Found(account(TRUSTED)));
}

#[tokio::test]
async fn a_member_role_that_cannot_be_assumed_is_asked_for_nothing_more() {
    let world = world(&cross_account());
    let snapshot = collect(&world, &trusting(true)).await;
    assert!(destination(&snapshot).owner.failure().is_some());
    assert_eq!(world.called("s3:GetBucketVersioning", "arn:aws:s3:::replica"), 1);
    let key = foreign_key();
    let failure = key_of(&snapshot, &key).metadata.failure().unwrap();
    assert_eq!(failure.operation, "sts:AssumeRole");
}

#[tokio::test]
async fn a_destination_that_does_not_exist_is_absent() {
    let mut json = usual();
    json["buckets"].as_object_mut().unwrap().remove("replica");
    let snapshot = collect(&world(&json), &trusting(false)).await;
    assert!(
        snapshot
            .destination(&"replica".parse().unwrap())
            .unwrap()
            .is_absent()
    );
}

#[tokio::test]
async fn the_policy_of_a_foreign_key_is_not_even_asked_for() {
    let world = world(&cross_account());
    let snapshot = collect(&world, &trusting(false)).await;
    let key = foreign_key();
    let policy = key_of(&snapshot, &key).policy.failure().unwrap();
    assert_eq!(policy.operation, "kms:GetKeyPolicy");
    assert_eq!(policy.error_code, "NotAvailableAcrossAccounts");
    assert_eq!(
        policy.permit,
        format!(r#"{{"Effect":"Allow","Action":"kms:GetKeyPolicy","Resource":"{key}"}}"#)
    );
    assert_eq!(world.called("kms:GetKeyPolicy", &key), 0);
    assert_eq!(world.called("kms:ListGrants", &key), 1);
    assert!(key_of(&snapshot, &key).metadata.failure().is_some());
}

#[tokio::test]
async fn a_key_of_ours_that_does_not_exist_is_absent() {
    let mut json = usual();
    json["keys"].as_object_mut().unwrap().remove(REPLICA_KEY);
    let snapshot = collect(&world(&json), &Scope::default()).await;
    assert!(key_of(&snapshot, REPLICA_KEY).metadata.is_absent());
}

#[tokio::test]
async fn an_alias_is_resolved_and_its_key_read_once_even_if_it_is_named_directly_too() {
    let alias = "arn:aws:kms:eu-central-1:111122223333:alias/replica";
    let mut json = usual();
    json["aliases"] = json!({alias: REPLICA_KEY});
    let rules = json["buckets"]["source"]["replication"]["Rules"]
        .as_array_mut()
        .unwrap();
    rules.push(rule("r2", "replica", alias));
    let world = world(&json);
    let snapshot = collect(&world, &Scope::default()).await;
    let key = key_of(&snapshot, alias);
    assert_eq!(key.metadata.found().unwrap().arn.to_string(), REPLICA_KEY);
    assert_eq!(key.policy, key_of(&snapshot, REPLICA_KEY).policy);
    assert_eq!(world.called("kms:GetKeyPolicy", REPLICA_KEY), 1);
}

#[tokio::test]
async fn an_alias_that_points_nowhere_has_no_key_behind_it() {
    let alias = "arn:aws:kms:eu-central-1:111122223333:alias/nowhere";
    let mut json = usual();
    json["buckets"]["source"]["replication"]["Rules"][0] = rule("r1", "replica", alias);
    let snapshot = collect(&world(&json), &Scope::default()).await;
    let key = key_of(&snapshot, alias);
    assert!(key.metadata.is_absent() && key.policy.is_absent());
}

#[tokio::test]
async fn a_role_of_another_account_is_never_mistaken_for_ours_of_the_same_name() {
    let mut json = usual();
    json["buckets"]["source"]["replication"]["Role"] = json!(ROLE.replace(OWN, TRUSTED));
    let world = world(&json);
    let snapshot = collect(&world, &Scope::default()).await;
    assert_eq!(
        snapshot.role.failure().unwrap().error_code,
        "NotAvailableAcrossAccounts"
    );
    assert_eq!(world.call_counts().get("iam:GetRole"), None);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_stands_beside_those_that_were() {
    let world = world(&usual());
    world.deny("iam:GetPolicyVersion", MANAGED);
    world.deny("iam:ListRolePolicies", "*");
    let snapshot = collect(&world, &Scope::default()).await;
    let role = snapshot.role.found().unwrap();
    assert_eq!(role.managed.unread[0].operation, "iam:GetPolicyVersion");
    assert_eq!(role.inline.unread[0].operation, "iam:ListRolePolicies");
    assert!(role.boundary.found().is_some());
}

#[tokio::test]
async fn a_boundary_that_is_gone_is_never_taken_for_no_boundary() {
    let mut json = usual();
    json["policies"].as_object_mut().unwrap().remove(BOUNDARY);
    let snapshot = collect(&world(&json), &Scope::default()).await;
    let role = snapshot.role.found().unwrap();
    assert_eq!(role.boundary.failure().unwrap().error_code, "NoSuchEntity");
}

fn failed_object(key: &str, version: Option<&str>) -> WantedObject {
    WantedObject {
        key: key.to_owned(),
        version_id: version.map(str::to_owned),
    }
}

#[tokio::test]
async fn failed_objects_are_looked_at_only_where_that_is_allowed() {
    let world = world(&usual());
    let failed = Wanted {
        objects: vec![failed_object("a", Some("v1")), failed_object("b", None)],
        ..wanted()
    };
    let identity = world.identity();
    let snapshot = collect::collect(&Shared::new(&world), &identity, &Scope::default(), &failed).await;
    assert!(snapshot.objects.is_empty());
    assert_eq!(world.call_counts().get("s3:HeadObject"), None);

    let scope = Scope {
        inspect_objects: true,
        ..Scope::default()
    };
    let snapshot = collect::collect(&Shared::new(&world), &identity, &scope, &failed).await;
    let head = snapshot.objects[0].head.found().unwrap();
    let key = head.kms_key.as_ref().unwrap();
    assert!(
        snapshot.key(key).unwrap().metadata.found().is_some(),
        "its key is looked at too"
    );
    assert_eq!(
        snapshot.objects[1].head.failure().unwrap().error_code,
        "NotAttempted"
    );
    assert_eq!(world.call_counts()["s3:HeadObject"], 1);
}

#[tokio::test]
async fn at_most_ten_failed_objects_are_looked_at() {
    let world = world(&usual());
    let failed = Wanted {
        objects: (0..50)
            .map(|n| failed_object(&n.to_string(), Some("v1")))
            .collect(),
        ..wanted()
    };
    let scope = Scope {
        inspect_objects: true,
        ..Scope::default()
    };
    let snapshot = collect::collect(&Shared::new(&world), &world.identity(), &scope, &failed).await;
    assert_eq!(snapshot.objects.len(), 10);
}

#[tokio::test]
async fn sampling_looks_at_the_newest_versions_and_their_keys() {
    let world = world(&usual());
    let scope = Scope {
        inspect_objects: true,
        sample_objects: 1,
        ..Scope::default()
    };
    let snapshot = collect(&world, &scope).await;
    assert_eq!(snapshot.objects.len(), 1);
    assert_eq!(snapshot.objects[0].key, "a");
    assert_eq!(snapshot.keys.len(), 3);
}

#[tokio::test]
async fn a_prefix_that_cannot_be_listed_is_a_fact_of_its_own() {
    let world = world(&usual());
    world.deny("s3:ListObjectVersions", "*");
    let scope = Scope {
        inspect_objects: true,
        sample_objects: 3,
        ..Scope::default()
    };
    let snapshot = collect(&world, &scope).await;
    assert_eq!(
        snapshot.objects[0].head.failure().unwrap().operation,
        "s3:ListObjectVersions"
    );
}
