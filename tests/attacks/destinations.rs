//! The author of a rule chooses the destination: nothing is given for a bucket that is not proven to be ours.

use s3_replication_remediator::guard::GuardSettings;
use serde_json::{Value, json};

use crate::world::*;

fn trusting() -> GuardSettings {
    GuardSettings {
        trusted_accounts: [OTHER.parse().unwrap()].into(),
        ..GuardSettings::default()
    }
}

fn rules(rules: &Value) -> Value {
    let world = with(bare(), "/buckets/source/replication/Rules", rules.clone());
    with(
        world,
        "/buckets/stolen",
        json!({"region": "eu-west-2", "owner": OTHER}),
    )
}

/// Every text that stands in what the plan would write.
fn written(checked: &Checked) -> String {
    checked.reviewed();
    checked
        .plan
        .changes
        .iter()
        .map(|planned| planned.change.after().to_string())
        .collect()
}

#[tokio::test]
async fn a_destination_in_a_trusted_account_is_not_believed_while_its_member_role_cannot_be_assumed() {
    let mut account = with(bare(), "/buckets/replica/owner", json!(OTHER));
    account["memberRoles"] = json!(["777788889999"]);
    for claimed in [OWN, OTHER] {
        account["buckets"]["source"]["replication"]["Rules"][0]["Destination"]["Account"] = json!(claimed);
        let checked = check_with(&world(&account), trusting()).await;
        assert_eq!(checked.kinds(), [] as [&str; 0], "{claimed}");
        assert_eq!(checked.guards(), ["destination-account"], "{claimed}");
    }
}

#[tokio::test]
async fn a_destination_that_a_stranger_made_again_gets_nothing_new() {
    let world = world(&bare());
    let checked = check(&world).await;
    crate::race::apply_to(&world, &checked).await;
    world.edit(|state| {
        state.buckets.get_mut(&"replica".parse().unwrap()).unwrap().owner = Some(OTHER.parse().unwrap());
    });
    let again = check(&world).await;
    // What it was given stays as long as nobody knows whose the bucket is, and nothing comes in addition.
    assert_eq!(again.kinds(), [] as [&str; 0], "{}", json!(again.plan));
    world.edit(|state| {
        state
            .buckets
            .get_mut(&"replica".parse().unwrap())
            .unwrap()
            .shared_reads = true;
    });
    let known = check_with(&world, GuardSettings::default()).await;
    assert!(!written(&known).contains("kms:CreateGrant"));
}

#[tokio::test]
async fn a_strangers_rule_over_everything_gets_nothing_through_our_rule_under_a_prefix() {
    let checked = check_json(&rules(&json!([
        rule("ours", "a/", "replica", REPLICA_KEY),
        rule("theirs", "", "stolen", REPLICA_KEY),
    ])))
    .await;
    let text = written(&checked);
    assert!(text.contains("arn:aws:s3:::source/a/*"), "{text}");
    assert!(
        !text.contains("stolen") && !text.contains("arn:aws:s3:::source/*"),
        "{text}"
    );
    assert_eq!(checked.guards(), ["destination-account"]);
}

#[tokio::test]
async fn a_strangers_rule_under_our_own_prefix_gets_nothing_that_ours_does_not_need() {
    let both = check_json(&rules(&json!([
        rule("ours", "a/", "replica", REPLICA_KEY),
        rule("theirs", "a/", "stolen", REPLICA_KEY),
    ])))
    .await;
    let alone = check_json(&rules(&json!([rule("ours", "a/", "replica", REPLICA_KEY)]))).await;
    assert_eq!(written(&both), written(&alone));
}

#[tokio::test]
async fn a_strangers_rule_of_the_same_name_as_ours_gets_nothing_through_it() {
    // S3 refuses two rules of one name; other stores, and a rule without one, may not.
    for name in ["same", ""] {
        for order in [[0, 1], [1, 0]] {
            let both = [
                rule(name, "a/", "replica", REPLICA_KEY),
                rule(name, "b/", "stolen", REPLICA_KEY),
            ];
            let checked = check_json(&rules(&json!(order.map(|index: usize| both[index].clone())))).await;
            let text: String = match s3_replication_remediator::plan::review::review(
                &checked.snapshot,
                &checked.assessments,
                checked.plan.clone(),
                &checked.settings,
            ) {
                Ok(_) => written(&checked),
                Err(_) => String::new(),
            };
            assert!(
                !text.contains("stolen") && !text.contains("source/b/"),
                "{order:?} {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_destination_of_which_only_its_region_is_shown_is_not_ours() {
    let world = world(&with(bare(), "/buckets/replica/owner", json!(OTHER)));
    world.deny("s3:HeadBucket", "arn:aws:s3:::replica");
    assert_eq!(check(&world).await.kinds(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_destination_that_denies_us_the_head_and_answers_elsewise_is_proven_by_the_answer() {
    let world = world(&bare());
    world.deny("s3:HeadBucket", "arn:aws:s3:::replica");
    let checked = check(&world).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["put-role-policy"]);
}

#[tokio::test]
async fn a_source_bucket_of_a_stranger_gets_nothing_though_its_name_reached_us() {
    let checked = check_json(&with(bare(), "/buckets/source/owner", json!(OTHER))).await;
    assert_eq!(checked.kinds(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_rule_that_is_switched_off_gets_nothing() {
    let mut off = bare();
    off["buckets"]["source"]["replication"]["Rules"][0]["Status"] = json!("Disabled");
    assert!(check_json(&off).await.plan.is_empty());
}

/// Two buckets of ours that have nothing to do with each other: the rule's author may configure one of them.
fn sideways() -> Value {
    let mut account = bare();
    account["buckets"]["payroll"] = json!({"region": "eu-west-2"});
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "payroll", REPLICA_KEY)]);
    account
}

#[tokio::test]
async fn whoever_may_pass_an_opened_role_has_it_write_to_any_bucket_of_the_account_unless_a_boundary_stops_it()
 {
    // This is what remains: a destination of ours needs no opt-in.
    let open = check_json(&sideways()).await;
    assert!(written(&open).contains("arn:aws:s3:::payroll/*"));

    let boundary = "arn:aws:iam::111122223333:policy/replication-of-logs";
    let mut bounded = with(sideways(), &at("roles", ROLE, "boundary"), json!(boundary));
    bounded["policies"] = json!({boundary: {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "NotResource": ["arn:aws:s3:::payroll", "arn:aws:s3:::payroll/*"]}]}});
    let settings = GuardSettings {
        required_boundary: Some(boundary.to_owned()),
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&bounded), settings.clone()).await;
    let writes_replicas = |statement: &Value| statement["Action"].to_string().contains("s3:ReplicateObject");
    let document = checked.document().unwrap_or_default();
    let statements = document["Statement"].as_array().cloned().unwrap_or_default();
    assert!(!statements.iter().any(writes_replicas), "{document}");
    // And a role without it gets nothing.
    let checked = check_with(&world(&sideways()), settings).await;
    assert_eq!(
        (checked.kinds().len(), checked.guards()),
        (0, vec!["role-boundary"])
    );
}

#[tokio::test]
async fn a_role_that_others_filled_up_is_told_and_what_they_filled_it_with_is_kept() {
    let mut account = bare();
    let filler = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::x/{}", "y".repeat(9_900))}]});
    account["roles"][ROLE]["inline"] = json!({"filler": filler});
    let checked = check_json(&account).await;
    checked.reviewed();
    assert_eq!(
        (checked.kinds().len(), checked.guards()),
        (0, vec!["inline-policy-size"])
    );
}
