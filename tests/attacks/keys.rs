//! The author of a rule, and whoever sets a bucket's encryption, chooses keys: none is handed out that its owner has not
//! opened, and those that are serve S3 and this bucket alone.

use s3_replication_remediator::guard::{AllowedArn, GuardSettings, Protected, refusals};
use s3_replication_remediator::policy::pattern::glob;
use s3_replication_remediator::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::world::*;

const SENSITIVE: &str = "arn:aws:kms:eu-west-1:111122223333:key/payroll";

fn statements_on(checked: &Checked, key: &str) -> Vec<Value> {
    let document = checked.document().unwrap_or_default();
    let statements = document["Statement"].as_array().cloned().unwrap_or_default();
    statements
        .into_iter()
        .filter(|statement| statement["Resource"] == json!([key]))
        .collect()
}

#[tokio::test]
async fn a_key_of_another_account_is_not_handed_out_whatever_the_list_allows() {
    let foreign = "arn:aws:kms:eu-west-2:444455556666:key/theirs";
    let mut account = bare();
    account["keys"][foreign] = json!({"tags": opted_in(), "sharedReads": true});
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", foreign)]);
    for pattern in ["arn:aws:kms:*:*:key/*", "arn:*:*:*:*:*"] {
        let settings = GuardSettings {
            allowed_keys: vec![AllowedArn::new(pattern)],
            ..GuardSettings::default()
        };
        let checked = check_with(&world(&account), settings).await;
        checked.reviewed();
        assert!(
            !checked
                .document()
                .unwrap_or_default()
                .to_string()
                .contains(foreign)
        );
        assert!(
            checked.guards().contains(&"key-account"),
            "{:?}",
            checked.guards()
        );
    }
}

#[tokio::test]
async fn a_key_that_aws_manages_is_not_handed_out_though_it_is_listed() {
    let account = with(bare(), &at("keys", SOURCE_KEY, "manager"), json!("AWS"));
    let settings = GuardSettings {
        allowed_keys: vec![AllowedArn::new("arn:*:*:*:*:*")],
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&account), settings).await;
    checked.reviewed();
    assert_eq!(statements_on(&checked, SOURCE_KEY), [] as [Value; 0]);
    assert!(
        checked.guards().contains(&"key-manager"),
        "{:?}",
        checked.guards()
    );
}

#[tokio::test]
async fn a_sensitive_key_set_as_the_buckets_default_can_be_used_through_s3_for_this_bucket_alone() {
    // Somebody with s3:PutEncryptionConfiguration names a key that opted in for another purpose.
    let mut account = bare();
    account["keys"][SENSITIVE] = json!({"tags": opted_in()});
    account["buckets"]["source"]["encryption"]["key"] = json!(SENSITIVE);
    let checked = check_json(&account).await;
    checked.reviewed();
    let statements = statements_on(&checked, SENSITIVE);
    assert!(!statements.is_empty());
    for statement in statements {
        assert_eq!(statement["Action"], json!(["kms:Decrypt"]));
        assert_eq!(
            statement["Condition"],
            json!({
                "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::source", "arn:aws:s3:::source/*"]},
            })
        );
    }
}

#[tokio::test]
async fn a_sensitive_key_without_the_tag_set_as_the_buckets_default_is_withheld() {
    let mut account = bare();
    account["keys"][SENSITIVE] = json!({});
    account["buckets"]["source"]["encryption"]["key"] = json!(SENSITIVE);
    let checked = check_json(&account).await;
    checked.reviewed();
    assert_eq!(statements_on(&checked, SENSITIVE), [] as [Value; 0]);
    assert_eq!(checked.guards(), ["key-opt-in"]);
}

#[tokio::test]
async fn an_alias_leads_to_the_key_behind_it_whose_own_tags_count() {
    let alias = "arn:aws:kms:eu-west-2:111122223333:alias/harmless";
    let secret = "arn:aws:kms:eu-west-2:111122223333:key/payroll";
    let mut account = bare();
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", alias)]);
    account["keys"][secret] = json!({});
    account["aliases"] = json!({alias: secret});
    let checked = check_json(&account).await;
    checked.reviewed();
    assert!(
        !checked
            .document()
            .unwrap_or_default()
            .to_string()
            .contains(secret)
    );
    assert!(checked.guards().contains(&"key-opt-in"));
}

#[tokio::test]
async fn an_alias_that_is_turned_to_another_key_after_planning_changes_nothing_in_what_is_written() {
    let alias = "arn:aws:kms:eu-west-2:111122223333:alias/harmless";
    let secret = "arn:aws:kms:eu-west-2:111122223333:key/payroll";
    let mut account = bare();
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", alias)]);
    account["keys"][secret] = json!({"tags": opted_in()});
    account["aliases"] = json!({alias: REPLICA_KEY});
    let world = world(&account);
    let checked = check(&world).await;
    world.edit(|state| {
        state.aliases.insert(alias.to_owned(), secret.parse().unwrap());
    });
    crate::race::apply_to(&world, &checked).await;
    let written = world.writes()[0].detail.to_string();
    assert!(written.contains(REPLICA_KEY), "{written}");
    assert!(
        !written.contains(secret) && !written.contains("alias/"),
        "{written}"
    );
}

#[tokio::test]
async fn the_related_key_of_a_multi_region_key_gets_nothing() {
    let here = "arn:aws:kms:eu-west-2:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
    let there = "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
    let mut account = bare();
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", here)]);
    account["keys"][here] = json!({"tags": opted_in(), "related": [here, there]});
    account["keys"][there] = json!({"tags": opted_in(), "related": [here, there]});
    let checked = check_json(&account).await;
    checked.reviewed();
    let text = checked.document().unwrap().to_string();
    assert!(text.contains(here) && !text.contains("us-east-1"), "{text}");
}

#[tokio::test]
async fn a_key_that_an_object_names_is_judged_like_any_other_key() {
    let mut account = bare();
    account["keys"][SENSITIVE] = json!({});
    account["buckets"]["source"]["objects"] = json!([
        {"key": "planted", "encryption": {"type": "aws:kms", "key": SENSITIVE, "bucketKey": true}}]);
    let checked = check_json(&account).await;
    checked.reviewed();
    assert_eq!(statements_on(&checked, SENSITIVE), [] as [Value; 0]);
    assert_eq!(checked.guards(), ["key-opt-in"]);
}

#[tokio::test]
async fn tags_that_could_not_be_read_do_not_open_a_key() {
    let world = world(&bare());
    world.deny("kms:ListResourceTags", SOURCE_KEY);
    let checked = check(&world).await;
    checked.reviewed();
    assert_eq!(statements_on(&checked, SOURCE_KEY), [] as [Value; 0]);
}

#[test]
fn a_pattern_of_many_stars_costs_no_more_than_its_length_times_the_texts() {
    let start = std::time::Instant::now();
    let pattern = format!("{}b", "*a".repeat(5_000));
    assert!(!glob(&pattern, &"a".repeat(10_000)));
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_key_where_the_name_of_s3_towards_kms_is_not_documented_is_left_out_of_policies() {
    let world = world(&bare());
    let mut snapshot = snapshot_of(&world, &GuardSettings::default()).await;
    let key = "arn:aws-cn:kms:cn-north-1:111122223333:key/k".parse().unwrap();
    let guards = |snapshot: &Snapshot| -> Vec<&'static str> {
        refusals(Protected::KeyInPolicy(&key), snapshot, &GuardSettings::default())
            .iter()
            .map(|refusal| refusal.guard.as_str())
            .collect()
    };
    assert!(guards(&snapshot).contains(&"key-account"), "another partition");
    snapshot.identity.partition = "aws-cn".parse().unwrap();
    assert!(guards(&snapshot).contains(&"partition"));
    assert!(!guards(&snapshot).contains(&"key-account"));
}
