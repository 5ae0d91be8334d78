//! A bucket may have a thousand rules (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>):
//! looking at it must not take a thousand times a thousand steps.

use std::time::{Duration, Instant};

use s3_replication_remediator::requirement::requirements;
use serde_json::{Value, json};

use super::patch;
use super::story::Story;

/// The usual account with this many rules, each made by `rule` from its number and the usual rule.
fn with_rules(count: usize, rule: impl Fn(usize, Value) -> Value) -> Story {
    let mut story = Story::named("healthy/aws-two-keys-with-bucket-keys");
    let rules = story
        .account
        .pointer_mut("/buckets/invoices/replication/Rules")
        .unwrap();
    let usual = rules[0].clone();
    *rules = (0..count).map(|number| rule(number, usual.clone())).collect();
    story
}

fn changed(mut rule: Value, change: &Value) -> Value {
    patch::apply(&mut rule, change);
    rule
}

fn prefixes(count: usize) -> Story {
    with_rules(count, |number, rule| {
        let id = format!("r{number:04}");
        changed(rule, &json!({"ID": id, "Filter": {"Prefix": format!("{id}/")}}))
    })
}

fn time(story: &Story) -> Duration {
    let start = Instant::now();
    assert!(!story.tell().outcome.not_evaluated.is_empty());
    start.elapsed()
}

#[test]
fn rules_that_no_policy_can_tell_apart_share_their_requirements() {
    let of = |count: usize| {
        let story = with_rules(count, |number, rule| {
            changed(rule, &json!({"ID": number.to_string(), "Priority": number}))
        });
        let (snapshot, _) = story.look_at(&story.world());
        requirements(&snapshot, snapshot.role.found().unwrap()).len()
    };
    assert_eq!(of(1000), of(1));
}

#[test]
fn ten_times_the_rules_take_little_more_than_ten_times_as_long() {
    for lacking in [
        json!({}),
        json!({"ReadObjects": null, "WriteReplicas": null, "DecryptSource": null, "EncryptReplicas": null}),
    ] {
        let prepared = |count: usize| {
            let mut story = prefixes(count);
            let policy = story
                .account
                .pointer_mut("/roles/arn:aws:iam::111122223333:role~1crr/inline/replicate/Statement");
            patch::apply(policy.unwrap(), &lacking);
            story
        };
        let few = time(&prepared(100)).max(Duration::from_millis(5));
        let many = time(&prepared(1000));
        assert!(many < few * 30, "100 rules took {few:?}, 1,000 took {many:?}");
    }
}
