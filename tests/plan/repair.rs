//! What the plan says: what is missing, as narrow as it can be written, and nothing else.

use s3_replication_remediator::plan::role_policy::policy_name;
use s3_replication_remediator::plan::size;
use serde_json::{Value, json};

use crate::world::*;

fn inline(world: Value, name: &str, statements: &Value) -> Value {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    let mut world = world;
    world["roles"][ROLE]["inline"][name] = document;
    world
}

#[tokio::test]
async fn a_role_that_may_do_nothing_gets_exactly_what_the_rule_needs() {
    let checked = check_json(&bare()).await;
    checked.reviewed();
    insta::assert_snapshot!(serde_json::to_string(&checked.document().unwrap()).unwrap());
    assert_eq!(checked.plan.withheld, []);
}

#[tokio::test]
async fn the_plan_is_shown_as_a_diff_with_the_command_that_takes_it_back() {
    let checked = check_json(&with_s3_access(with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({}),
    )))
    .await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&checked.reviewed()).unwrap());
}

#[tokio::test]
async fn what_is_allowed_already_is_not_repeated() {
    let checked = check_json(&with_s3_access(bare())).await;
    checked.reviewed();
    let document = checked.document().unwrap().to_string();
    assert!(!document.contains("\"s3:"), "{document}");
}

#[tokio::test]
async fn a_role_that_lacks_only_advice_gets_no_plan() {
    let statements = json!([{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
        "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn":
            ["arn:aws:s3:::source", "arn:aws:s3:::replica"]}}}]);
    let checked = check_json(&inline(with_s3_access(bare()), "keys", &statements)).await;
    assert!(checked.plan.is_empty(), "{}", json!(checked.plan));
    assert_eq!(json!(checked.reviewed()), Value::Null);
}

#[tokio::test]
async fn a_key_that_is_repaired_is_repaired_in_both_forms_of_the_context() {
    // The usual mistake: the context of objects only, while a Bucket Key sends the bucket's ARN.
    let statements = json!([
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": SOURCE_KEY,
         "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::source/*"}}},
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": REPLICA_KEY,
         "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::replica/*"}}},
    ]);
    let checked = check_json(&inline(with_s3_access(bare()), "keys", &statements)).await;
    checked.reviewed();
    let statements = checked.document().unwrap()["Statement"].clone();
    let given: Vec<(Value, Value)> = statements
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| {
            let contexts = &statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"];
            (statement["Action"].clone(), contexts.clone())
        })
        .collect();
    assert_eq!(
        given,
        [
            (
                json!(["kms:Decrypt"]),
                json!(["arn:aws:s3:::source", "arn:aws:s3:::source/*"])
            ),
            (
                json!(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]),
                json!(["arn:aws:s3:::replica", "arn:aws:s3:::replica/*"])
            ),
        ]
    );
}

#[tokio::test]
async fn a_prefix_narrows_every_resource_and_context() {
    let rules = json!([
        rule("a", "tax/", "replica", REPLICA_KEY),
        rule("b", "tax/2026/", "replica", REPLICA_KEY),
        rule("c", "hr/", "replica", REPLICA_KEY),
    ]);
    let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules)).await;
    checked.reviewed();
    let document = checked.document().unwrap();
    for statement in document["Statement"].as_array().unwrap() {
        let text = statement.to_string();
        assert!(
            !text.contains("source/*") && !text.contains("replica/*"),
            "{text}"
        );
        assert!(
            !text.contains("2026"),
            "what is covered already is not repeated: {text}"
        );
    }
}

#[tokio::test]
async fn characters_that_mean_something_to_iam_mean_nothing_in_a_prefix() {
    for prefix in [
        "*",
        "?",
        "$",
        "a*b?c$",
        "\"},{\"Effect\":\"Allow\"",
        "it's $(reboot)`id`;",
        "\\",
    ] {
        let rules = json!([rule("r", prefix, "replica", REPLICA_KEY)]);
        let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules)).await;
        checked.reviewed();
        let after = checked.document().unwrap();
        assert_eq!(after["Statement"].as_array().unwrap().len(), 5, "{prefix}");
    }
}

#[tokio::test]
async fn a_prefix_that_no_policy_can_name_is_told_and_never_widened() {
    for prefix in ["日本/", "a\u{7}b", "x\u{202e}y", "\n"] {
        let rules = json!([rule("r", prefix, "replica", REPLICA_KEY)]);
        let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules)).await;
        checked.reviewed();
        assert_eq!(checked.guards(), ["prefix-characters"], "{prefix}");
        assert_eq!(checked.plan.withheld[0].change.kind(), "put-role-policy");
        let document = checked.document().unwrap().to_string();
        assert!(!document.contains("/*"), "{document}");
    }
}

#[tokio::test]
async fn what_the_rule_no_longer_needs_is_taken_out_again() {
    let both = json!([
        rule("a", "a/", "replica", REPLICA_KEY),
        rule("b", "b/", "second", REPLICA_KEY),
    ]);
    let two = with(
        with(bare(), "/buckets/second", json!({"region": "eu-west-2"})),
        "/buckets/source/replication/Rules",
        both,
    );
    let ours = check_json(&two).await.document().unwrap();
    let one = json!([rule("a", "a/", "replica", REPLICA_KEY)]);
    let fewer = with(two, "/buckets/source/replication/Rules", one);
    let fewer = with(fewer, &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    let checked = check_json(&fewer).await;
    checked.reviewed();
    let document = checked.document().unwrap().to_string();
    assert!(
        !document.contains("second") && !document.contains("/b/"),
        "{document}"
    );
    assert!(document.contains("replica/a/*"), "{document}");
}

#[tokio::test]
async fn when_the_roles_owner_has_repaired_it_himself_our_policy_goes() {
    let ours = check_json(&bare()).await.document().unwrap();
    let everything = json!([{"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}]);
    let repaired = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    let checked = check_json(&inline(repaired, "theirs", &everything)).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["delete-role-policy"]);
}

#[tokio::test]
async fn what_could_not_be_read_or_is_switched_off_takes_nothing_away() {
    let ours = check_json(&bare()).await.document().unwrap();
    let repaired = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    for (operation, resource) in [
        ("s3:HeadBucket", "arn:aws:s3:::replica"),
        ("s3:GetEncryptionConfiguration", "arn:aws:s3:::source"),
        ("s3:GetBucketObjectLockConfiguration", "arn:aws:s3:::source"),
        ("kms:DescribeKey", SOURCE_KEY),
        ("kms:DescribeKey", REPLICA_KEY),
        ("kms:GetKeyPolicy", SOURCE_KEY),
        ("kms:ListGrants", REPLICA_KEY),
        ("iam:ListRolePolicies", ROLE),
        ("iam:ListAttachedRolePolicies", ROLE),
        ("s3:GetBucketPolicy", "arn:aws:s3:::replica"),
        ("s3:GetReplicationConfiguration", "arn:aws:s3:::source"),
    ] {
        let world = world(&repaired);
        world.deny(operation, resource);
        let checked = check(&world).await;
        checked.reviewed();
        assert_eq!(checked.kinds(), [] as [&str; 0], "{operation} on {resource}");
    }
    let mut disabled = repaired.clone();
    disabled["buckets"]["source"]["replication"]["Rules"][0]["Status"] = json!("Disabled");
    assert_eq!(check_json(&disabled).await.kinds(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_key_that_a_failed_object_named_stays_when_the_object_is_out_of_sight() {
    let older = "arn:aws:kms:eu-west-1:111122223333:key/older";
    let mut seen = bare();
    seen["keys"][older] = json!({"tags": opted_in()});
    seen["buckets"]["source"]["objects"] =
        json!([{"key": "old", "encryption": {"type": "aws:kms", "key": older}}]);
    let checked = check_json(&seen).await;
    checked.reviewed();
    let ours = checked.document().unwrap();
    assert!(ours.to_string().contains(older));
    seen["roles"][ROLE]["inline"][POLICY] = ours;
    seen["buckets"]["source"]["objects"] = json!([]);
    assert_eq!(check_json(&seen).await.kinds(), [] as [&str; 0]);
}

const DEFAULT_KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/default";

/// A role that may do all that rules name, and an object without encryption that failed at a destination which encrypts
/// with another key by default.
fn unencrypted(bucket_key: bool) -> Value {
    let keys = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": [SOURCE_KEY, REPLICA_KEY]}]);
    let mut world = inline(with_s3_access(bare()), "keys", &keys);
    world["keys"][DEFAULT_KEY] = json!({"tags": opted_in()});
    world["buckets"]["replica"]["encryption"] =
        json!({"type": "aws:kms", "key": DEFAULT_KEY, "bucketKey": bucket_key});
    world["buckets"]["source"]["objects"] =
        json!([{"key": "old", "encryption": {"type": "none"}, "replicationStatus": "FAILED"}]);
    world
}

#[tokio::test]
async fn an_object_without_encryption_gets_what_it_needs_of_the_default_key_and_no_more() {
    for (bucket_key, actions, context) in [
        (
            true,
            json!(["kms:Decrypt", "kms:GenerateDataKey"]),
            "arn:aws:s3:::replica",
        ),
        (false, json!(["kms:GenerateDataKey"]), "arn:aws:s3:::replica/*"),
    ] {
        let checked = check_json(&unencrypted(bucket_key)).await;
        checked.reviewed();
        assert_eq!(
            checked.document().unwrap()["Statement"],
            json!([{
                "Sid": checked.document().unwrap()["Statement"][0]["Sid"],
                "Effect": "Allow",
                "Action": actions,
                "Resource": [DEFAULT_KEY],
                "Condition": {
                    "StringEquals": {"kms:ViaService": "s3.eu-west-2.amazonaws.com"},
                    "StringLike": {"kms:EncryptionContext:aws:s3:arn": [context]},
                },
            }])
        );
    }
}

#[tokio::test]
async fn what_an_object_without_encryption_needed_stays_until_the_destination_has_another_default() {
    let mut world = unencrypted(true);
    let ours = check_json(&world).await.document().unwrap();
    world["roles"][ROLE]["inline"][POLICY] = ours;
    assert_eq!(check_json(&world).await.kinds(), [] as [&str; 0]);
    world["buckets"]["source"]["objects"] = json!([]);
    assert_eq!(check_json(&world).await.kinds(), [] as [&str; 0], "out of sight");
    let unread = crate::world::world(&world);
    unread.deny("s3:GetBucketEncryption", "arn:aws:s3:::replica");
    assert_eq!(check(&unread).await.kinds(), [] as [&str; 0], "unread");
    world["buckets"]["source"]["replication"]["Rules"][0]["Status"] = json!("Disabled");
    assert_eq!(check_json(&world).await.kinds(), [] as [&str; 0], "switched off");
    world["buckets"]["source"]["replication"]["Rules"][0]["Status"] = json!("Enabled");
    world["buckets"]["replica"]["encryption"]["key"] = json!(REPLICA_KEY);
    let checked = check_json(&world).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["delete-role-policy"], "it goes");
}

#[tokio::test]
async fn what_is_needed_only_where_it_is_used_is_in_no_plan() {
    // The second rule leads objects of S3's own encryption to where the replica key is the default.
    let mut plain = rule("r2", "b/", "replica", REPLICA_KEY);
    plain["SourceSelectionCriteria"] = Value::Null;
    plain["Destination"]["EncryptionConfiguration"] = Value::Null;
    let mut world = with_s3_access(bare());
    world["buckets"]["source"]["replication"]["Rules"] =
        json!([rule("r1", "a/", "replica", REPLICA_KEY), plain]);
    world["buckets"]["replica"]["encryption"] = json!({"type": "aws:kms", "key": REPLICA_KEY});
    let checked = check_json(&world).await;
    checked.reviewed();
    let document = checked.document().unwrap().to_string();
    assert!(document.contains("replica/a/*"), "{document}");
    assert!(!document.contains("replica/b/*"), "{document}");
    let all = check_json(&bare()).await.document().unwrap().to_string();
    assert!(!all.contains("Annotation"), "{all}");
}

#[tokio::test]
async fn statements_that_others_wrote_into_our_policy_stay_word_by_word() {
    let theirs =
        json!({"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"});
    let checked = check_json(&inline(bare(), POLICY, &json!([theirs]))).await;
    checked.reviewed();
    let statements = checked.document().unwrap()["Statement"].clone();
    assert!(statements.as_array().unwrap().contains(&theirs), "{statements}");
}

#[tokio::test]
async fn where_somebody_changed_a_statement_of_ours_we_do_not_write_over_it() {
    let mut ours = check_json(&bare()).await.document().unwrap();
    ours["Statement"][0]["Condition"]["StringEquals"]["kms:ViaService"] = json!("s3.us-east-1.amazonaws.com");
    let edited = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    let checked = check_json(&edited).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);
    assert_eq!(checked.guards(), ["policy-edited"]);
}

#[tokio::test]
async fn a_plan_that_would_not_fit_is_withheld_and_what_is_left_is_said() {
    let padding = json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}", "x".repeat(9_000))}]);
    let checked = check_json(&inline(bare(), "theirs", &padding)).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);
    assert_eq!(checked.guards(), ["inline-policy-size"]);
    let theirs = json!({"Version": "2012-10-17", "Statement": padding})
        .to_string()
        .len();
    assert_eq!(checked.plan.characters_left, Some(size::LIMIT - theirs));
}

#[tokio::test]
async fn an_explicit_denial_is_never_answered_with_an_allow() {
    let deny = json!([{"Effect": "Deny", "Action": "kms:Encrypt", "Resource": REPLICA_KEY}]);
    let checked = check_json(&inline(bare(), "denial", &deny)).await;
    checked.reviewed();
    let document = checked.document().unwrap().to_string();
    assert!(!document.contains("\"kms:Encrypt\""), "{document}");
}

#[test]
fn two_buckets_never_share_the_name_of_a_policy() {
    let name = |bucket: &str| policy_name(&bucket.parse().unwrap());
    assert_eq!(name("logs"), "s3-replication-remediator-logs");
    let long = "a".repeat(200);
    let longer = format!("{long}b");
    for bucket in [long.as_str(), &longer, "Logs", "LOGS", &"L".repeat(255)] {
        let name = name(bucket);
        assert!(name.len() <= 128 && name.contains('='), "{name}");
    }
    assert_ne!(name(&long), name(&longer));
    assert_ne!(
        name("Logs").to_ascii_lowercase(),
        name("LOGS").to_ascii_lowercase()
    );
    assert_ne!(name("Logs").to_ascii_lowercase(), name("logs"));
}

#[tokio::test]
async fn the_digest_is_that_of_the_changes_and_of_what_they_were_made_from() {
    let digest = async |world: &Value| check_json(world).await.plan.digest;
    let first = digest(&bare()).await;
    assert!(
        first.as_str().starts_with("sha256:") && first.as_str().len() == 71,
        "{first}"
    );
    assert_eq!(first, digest(&bare()).await);
    let recreated = with(bare(), &at("roles", ROLE, "id"), json!("AROAANOTHERANOTHERAAA"));
    assert_ne!(first, digest(&recreated).await);
    let ours_edited = inline(
        bare(),
        POLICY,
        &json!([{"Sid": "X", "Effect": "Deny", "Action": "*", "Resource": "*"}]),
    );
    assert_ne!(first, digest(&ours_edited).await);
    assert_ne!(first, digest(&with_s3_access(bare())).await);
}

#[tokio::test]
async fn a_role_under_another_path_than_the_rule_names_is_left_as_it_is() {
    let ours = check_json(&bare()).await.document().unwrap();
    let mut moved = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    moved["buckets"]["source"]["replication"]["Role"] =
        json!("arn:aws:iam::111122223333:role/service-role/replicate");
    let checked = check_json(&moved).await;
    assert!(checked.plan.is_empty(), "{}", json!(checked.plan));
}

#[tokio::test]
async fn more_rules_than_an_inline_policy_can_hold_are_withheld_whole() {
    let rules: Vec<Value> = (0..200)
        .map(|index| {
            rule(
                &format!("r{index}"),
                &format!("prefix-{index}/"),
                "replica",
                REPLICA_KEY,
            )
        })
        .collect();
    let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", json!(rules))).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);
    assert_eq!(checked.guards(), ["inline-policy-size"]);
}
