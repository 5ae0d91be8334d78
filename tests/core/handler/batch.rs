//! Several buckets in one invocation: what they have in common is read once, and nobody judges by what was changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::mode::Mode;
use serde_json::Value;

use super::put;
use super::records::later;
use super::stage::{ROLE, SOURCE, Stage};
use crate::account::model::Switch;

/// Reads about a source bucket that tell nothing about another.
const OWN: [&str; 9] = [
    "s3:GetBucketEncryption",
    "s3:GetBucketNotificationConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketReplication",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetObjectLockConfiguration",
    "s3:HeadBucket",
];

fn name(number: usize) -> String {
    format!("{SOURCE}-{number}")
}

/// As many buckets as `count`, alike in all, with one role, destination and key; and a message about each.
fn many(stage: &Stage, count: usize) -> Vec<(String, u32, Value)> {
    stage.world.edit(|state| {
        let source = state.buckets[&SOURCE.parse().unwrap()].clone();
        for number in 0..count {
            state
                .buckets
                .insert(name(number).parse().unwrap(), source.clone());
        }
    });
    (0..count)
        .map(|number| {
            let event = put().to_string().replace(SOURCE, &name(number));
            (name(number), 1, serde_json::from_str(&event).unwrap())
        })
        .collect()
}

fn deliver(stage: &Stage, messages: &[(String, u32, Value)]) -> BTreeSet<String> {
    let messages: Vec<(&str, u32, Value)> = messages
        .iter()
        .map(|(id, count, body)| (id.as_str(), *count, body.clone()))
        .collect();
    stage.deliver(&messages)
}

fn slow(mut stage: Stage) -> Stage {
    stage.world = stage.world.with_latency(Duration::from_millis(50));
    stage
}

fn calls(buckets: usize, is_slow: bool) -> BTreeMap<String, usize> {
    let stage = Stage::broken(Mode::DryRun);
    let stage = if is_slow { slow(stage) } else { stage };
    let messages = many(&stage, buckets);
    assert!(deliver(&stage, &messages).is_empty());
    stage.world.call_counts()
}

#[test]
fn buckets_of_one_batch_read_once_what_they_have_in_common() {
    let one = calls(1, false);
    let ten: BTreeMap<String, usize> = one
        .iter()
        .map(|(operation, count)| {
            let is_own = OWN.contains(&operation.as_str());
            (operation.clone(), count + if is_own { 9 } else { 0 })
        })
        .collect();
    // Side by side or one after the other.
    assert_eq!(calls(10, true), ten);
    assert_eq!(calls(10, false), ten);
    assert_eq!(
        ten.values().sum::<usize>(),
        10 * OWN.len() + one.values().sum::<usize>() - OWN.len()
    );
}

#[test]
fn nothing_is_known_from_one_invocation_to_the_next() {
    let stage = Stage::broken(Mode::DryRun);
    let messages = many(&stage, 2);
    deliver(&stage, &messages);
    let first = stage.world.call_counts();
    deliver(&stage, &messages);
    let both: BTreeMap<String, usize> = first
        .iter()
        .map(|(name, count)| (name.clone(), 2 * count))
        .collect();
    assert_eq!(stage.world.call_counts(), both);
}

#[test]
fn records_of_one_payload_share_too() {
    let stage = Stage::broken(Mode::DryRun);
    let failed = super::failed();
    let mut records = Vec::new();
    many(&stage, 3);
    for number in 0..3 {
        let event = failed.to_string().replace(SOURCE, &name(number));
        let event: Value = serde_json::from_str(&event).unwrap();
        records.extend(event["Records"].as_array().unwrap().clone());
    }
    stage.handle(&serde_json::json!({"Records": records})).unwrap();
    assert_eq!(stage.world.call_counts()["s3:GetBucketReplication"], 3);
    assert_eq!(stage.world.called("iam:GetRole", ROLE), 1);
}

#[test]
fn a_throttled_read_sends_back_those_who_wait_for_it_and_costs_the_others_nothing() {
    let stage = slow(Stage::broken(Mode::DryRun));
    let messages = many(&stage, 10);
    stage.world.edit(|state| {
        state.failing.push(Switch {
            operation: "iam:GetRole".to_owned(),
            resource: "*".to_owned(),
            code: "Throttling".to_owned(),
            times: Some(1),
        });
    });
    let again = deliver(&stage, &messages);
    assert_eq!(again.len(), 4, "{again:?}");
    assert_eq!(stage.told().len(), 6);
    assert_eq!(stage.world.called("iam:GetRole", ROLE), 2);
}

#[test]
fn each_of_the_buckets_is_repaired_although_all_share_one_role() {
    for is_slow in [false, true] {
        let stage = Stage::repairable(Mode::Auto);
        let stage = if is_slow { slow(stage) } else { stage };
        // A role has room for about nine such policies.
        let messages = many(&stage, 6);
        assert!(deliver(&stage, &messages).is_empty());
        let asked = stage.world.called("iam:GetRole", ROLE);
        for number in 0..6 {
            let report = stage.command(&serde_json::json!({"command": "check", "bucket": name(number)}));
            assert_eq!(report.verdict, Verdict::Healthy, "{}", name(number));
        }
        assert_eq!(stage.world.writes().len(), 6);
        if !is_slow {
            // The first look; then for each what the write is compared with, and the look after it, which serves the next.
            assert_eq!(asked, 1 + 2 * 6);
        }
    }
}

#[test]
fn buckets_for_which_their_common_role_has_no_room_are_told_and_take_nothing_from_the_others() {
    for is_slow in [false, true] {
        let stage = Stage::repairable(Mode::Auto);
        let stage = if is_slow { slow(stage) } else { stage };
        let messages = many(&stage, 14);
        for part in messages.chunks(7) {
            assert!(deliver(&stage, part).is_empty());
        }
        let policies = || stage.world.state().roles[&ROLE.parse().unwrap()].inline.clone();
        let (written, given) = (stage.world.writes().len(), policies());
        assert_eq!(
            given.len(),
            written + 1,
            "each policy was written once, beside the one that was there"
        );
        // Nobody's policy makes way for another's, however often all are looked at.
        later(&stage, 60);
        for part in messages.chunks(7) {
            assert!(deliver(&stage, part).is_empty());
        }
        assert_eq!((stage.world.writes().len(), policies()), (written, given));
        for number in 0..14 {
            let report = stage.command(&serde_json::json!({"command": "check", "bucket": name(number)}));
            let is_given = policies().contains_key(&format!("s3-replication-remediator-{}", name(number)));
            assert_eq!(report.verdict == Verdict::Healthy, is_given);
            let plan = serde_json::json!(report.plan);
            if !is_given {
                assert_eq!(plan["withheld"][0]["guard"], "inline-policy-size");
                let permit = plan["withheld"][0]["permit"].as_str().unwrap();
                assert!(permit.contains("a role of their own"), "{permit}");
            }
        }
    }
}

#[test]
fn a_role_that_its_owner_closes_to_us_during_a_batch_is_not_written_to() {
    let stage = slow(Stage::repairable(Mode::Auto));
    let messages = many(&stage, 10);
    // When the role itself has been read, for all of them.
    stage.world.when_called("iam:GetRolePolicy", |state| {
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        role.tags
            .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
    });
    deliver(&stage, &messages);
    assert!(stage.world.writes().is_empty());
}
