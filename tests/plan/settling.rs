//! What the rules needed a moment ago: it stays for a while, and what they need now is given at once. And what the
//! planner and the review differ about: it stays, and a person is told.

use std::collections::BTreeSet;

use s3_replication_remediator::apply::Status;
use s3_replication_remediator::collect::Places;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::plan::review::{Fault, review};
use s3_replication_remediator::plan::{Change, offer, plan};
use serde_json::{Value, json};

use crate::apply::apply_to;
use crate::former::remembered;
use crate::grants::closed_keys;
use crate::world::*;

const SECOND: &str = "arn:aws:iam::111122223333:role/second";
const OTHER_KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/other";

/// What is planned where what is superfluous now was needed a moment ago.
pub(crate) async fn check_unsettled(world: &World, settings: GuardSettings, former: Places) -> Checked {
    let mut snapshot = snapshot_with(world, &settings, former).await;
    snapshot.former.is_settled = false;
    judged(snapshot, settings)
}

fn places() -> Places {
    remembered(&[], &[SOURCE_KEY, REPLICA_KEY, OTHER_KEY])
}

fn with_rules(account: &Value, rules: Value) -> Value {
    let mut account = with(account.clone(), "/buckets/source/replication/Rules", rules);
    account["buckets"]["second"] = json!({"region": "eu-west-2"});
    account["keys"][OTHER_KEY] = account["keys"][REPLICA_KEY].clone();
    account
}

fn first_rules() -> Value {
    json!([rule("r", "a/", "replica", REPLICA_KEY)])
}

fn second_rules() -> Value {
    json!([rule("r", "b/", "second", OTHER_KEY)])
}

/// The account as it was repaired for the first rules, with the second ones in place.
async fn changed(account: &Value) -> World {
    let world = world(&with_rules(account, first_rules()));
    apply_to(&world, &check(&world).await).await;
    let mut state = serde_json::to_value(&*world.state()).unwrap();
    state["buckets"]["source"]["replication"]["Rules"] = second_rules();
    crate::world::world(&state)
}

/// All that is ours: the texts of our policy, and the ids of grants.
fn ours(world: &World) -> BTreeSet<String> {
    fn collect(value: &Value, texts: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(texts.insert(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            Value::Object(object) => object
                .iter()
                .filter(|(key, _)| *key != "Sid")
                .for_each(|(_, item)| collect(item, texts)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let state = world.state();
    let mut texts = BTreeSet::new();
    for role in state.roles.values() {
        role.inline
            .get(POLICY)
            .into_iter()
            .for_each(|policy| collect(policy, &mut texts));
    }
    texts.extend(
        state
            .keys
            .values()
            .flat_map(|key| &key.grants)
            .map(|grant| grant.id.clone()),
    );
    texts
}

#[tokio::test]
async fn rules_that_changed_a_moment_ago_are_given_what_they_lack_and_lose_nothing() {
    for account in [bare(), closed_keys()] {
        let world = changed(&account).await;
        let before = ours(&world);
        let checked = check_unsettled(&world, GuardSettings::default(), places()).await;
        checked.reviewed();
        assert_eq!(checked.guards(), ["rules-unsettled"]);
        assert!(!checked.kinds().contains(&"revoke-grant"));
        assert_eq!(apply_to(&world, &checked).await.status, Status::Applied);
        assert!(before.is_subset(&ours(&world)));
        // Nothing is left to give, and what waits is what waited.
        let again = check_unsettled(&world, GuardSettings::default(), places()).await;
        again.reviewed();
        assert_eq!(again.kinds(), [] as [&str; 0]);
        assert_eq!(again.plan.waiting(), checked.plan.waiting());
        // When that was so for a while, what is there is what the second rules alone would have been given.
        let settled = check_remembering(&world, GuardSettings::default(), places()).await;
        settled.reviewed();
        apply_to(&world, &settled).await;
        let alone = crate::world::world(&with_rules(&account, second_rules()));
        apply_to(&alone, &check(&alone).await).await;
        assert_eq!(world.state().roles, alone.state().roles);
        let again = check_remembering(&world, GuardSettings::default(), places()).await;
        assert!(again.plan.is_empty());
    }
}

#[tokio::test]
async fn where_there_is_no_room_for_both_what_rules_needed_waits_and_so_does_what_they_need() {
    // Each set of rules takes more than half of what IAM takes.
    let many = |start: usize| {
        let rules: Vec<Value> = (start..start + 16)
            .map(|n| rule(&format!("r{n}"), &format!("{n:0>60}/"), "replica", REPLICA_KEY))
            .collect();
        json!(rules)
    };
    let world = world(&with_rules(&bare(), many(0)));
    apply_to(&world, &check(&world).await).await;
    let mut state = serde_json::to_value(&*world.state()).unwrap();
    state["buckets"]["source"]["replication"]["Rules"] = many(100);
    let world = crate::world::world(&state);
    let checked = check_unsettled(&world, GuardSettings::default(), places()).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);
    assert_eq!(checked.guards(), ["rules-unsettled"]);
    assert!(!checked.plan.withheld[0].meets.is_empty());
    assert!(check(&world).await.kinds() == ["put-role-policy"]);
}

#[tokio::test]
async fn the_review_lets_nothing_be_taken_from_the_role_of_the_rules_before_they_have_settled() {
    for account in [bare(), closed_keys()] {
        let world = changed(&account).await;
        let mut checked = check_remembering(&world, GuardSettings::default(), places()).await;
        checked.reviewed();
        checked.snapshot.former.is_settled = false;
        let failure = review(
            &checked.snapshot,
            &checked.assessments,
            checked.plan.clone(),
            &checked.settings,
        )
        .unwrap_err();
        let faults: BTreeSet<Fault> = failure
            .objections
            .iter()
            .map(|objection| objection.fault)
            .collect();
        assert_eq!(faults, BTreeSet::from([Fault::Guarded]), "{failure}");
    }
}

#[tokio::test]
async fn what_the_review_disputes_is_withheld_and_what_the_rules_need_is_given() {
    // By hand, because no way is known to have the two differ: a former role that bears the name of the one in the rules.
    let world = world(&bare());
    apply_to(&world, &check(&world).await).await;
    let mut state = serde_json::to_value(&*world.state()).unwrap();
    state["roles"][SECOND] = json!({"tags": opted_in()});
    state["buckets"]["source"]["replication"]["Role"] = json!(SECOND);
    let world = crate::world::world(&state);
    let settings = GuardSettings::default();
    let mut snapshot = snapshot_with(&world, &settings, remembered(&[ROLE], &[])).await;
    let namesake = "arn:aws:iam::111122223333:role/path/second".parse().unwrap();
    let former = &mut snapshot.former.roles[0];
    former.arn = namesake;
    let Observed::Found(record) = &mut former.record else {
        panic!()
    };
    record.arn = former.arn.clone();
    let checked = judged(snapshot, settings);
    let (snapshot, assessments, settings) = (&checked.snapshot, &checked.assessments, &checked.settings);
    let failure = review(
        snapshot,
        assessments,
        plan(snapshot, assessments, settings),
        settings,
    );
    assert!(failure.is_err());
    let offered = offer(snapshot, assessments, settings).unwrap();
    assert!(offered.disputed.is_some());
    let plan = offered.plan.plan();
    let targets: Vec<String> = plan
        .changes
        .iter()
        .map(|planned| planned.change.target())
        .collect();
    assert_eq!(targets, [SECOND]);
    assert_eq!(plan.withheld.len(), 1);
    let refusal = &plan.withheld[0].refusals[0];
    assert_eq!(refusal.guard.as_str(), "removal-disputed");
    assert!(refusal.reason.contains("the rules name"), "{}", refusal.reason);
    assert!(matches!(&plan.withheld[0].change, Change::PutRolePolicy(change) if change.after.is_none()));
}

/// Statements of our very form, as somebody might plant them into our policy.
fn planted() -> Vec<Value> {
    let through = |action: &str, key: &str, service: &str, context: &str| {
        json!({"Sid": "Planted", "Effect": "Allow", "Action": [action], "Resource": [key], "Condition": {
            "StringEquals": {"kms:ViaService": service},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [context]},
        }})
    };
    let s3 = "s3.eu-west-1.amazonaws.com";
    vec![
        through("kms:ScheduleKeyDeletion", SOURCE_KEY, s3, "arn:aws:s3:::source/*"),
        through(
            "kms:Decrypt",
            SOURCE_KEY,
            "dynamodb.eu-west-1.amazonaws.com",
            "arn:aws:s3:::source/*",
        ),
        through("kms:Decrypt", SOURCE_KEY, s3, "*"),
        json!({"Sid": "Planted", "Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": ["arn:aws:s3:::replica/*"]}),
        json!({"Sid": "Planted", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": ["arn:aws:iam::111122223333:role/admin"]}),
    ]
}

#[tokio::test]
async fn what_somebody_planted_into_our_policy_costs_no_repair_and_stays_theirs() {
    let repaired = world(&bare());
    apply_to(&repaired, &check(&repaired).await).await;
    for statement in planted() {
        for is_former in [false, true] {
            let mut state = serde_json::to_value(&*repaired.state()).unwrap();
            let policy = &mut state["roles"][ROLE]["inline"][POLICY];
            policy["Statement"]
                .as_array_mut()
                .unwrap()
                .push(statement.clone());
            if is_former {
                state["roles"][SECOND] = json!({"tags": opted_in()});
                state["buckets"]["source"]["replication"]["Role"] = json!(SECOND);
            } else {
                // Something that is lacking, and something that is superfluous.
                state["buckets"]["source"]["replication"]["Rules"] =
                    json!([rule("r", "a/", "replica", REPLICA_KEY)]);
                state["buckets"]["source"]["replication"]["Rules"][0]["DeleteMarkerReplication"]["Status"] =
                    json!("Enabled");
            }
            let world = crate::world::world(&state);
            let places = remembered(&[ROLE], &[SOURCE_KEY, REPLICA_KEY]);
            let checked = check_remembering(&world, GuardSettings::default(), places).await;
            checked.reviewed();
            assert_eq!(checked.kinds(), ["put-role-policy"], "{statement}");
            assert_eq!(
                checked.guards(),
                if is_former { vec!["policy-edited"] } else { vec![] }
            );
            apply_to(&world, &checked).await;
            let kept = world.state().roles[&ROLE.parse().unwrap()].inline[POLICY].clone();
            assert!(
                kept["Statement"].as_array().unwrap().contains(&statement),
                "{kept}"
            );
        }
    }
}
