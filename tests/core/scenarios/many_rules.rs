//! A bucket may have a thousand rules (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>):
//! looking at it must not take a thousand times a thousand steps.

use s3_replication_remediator::check::CheckId;
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

#[test]
fn rules_that_no_policy_can_tell_apart_share_their_requirements() {
    let of = |count: usize| {
        let story = with_rules(count, |number, rule| {
            changed(rule, &json!({"ID": number.to_string(), "Priority": number}))
        });
        let (snapshot, _) = story.look_at(&story.world());
        requirements(&snapshot, snapshot.role.found().unwrap()).count()
    };
    assert_eq!(of(1000), of(1));
}

#[test]
fn ten_times_the_rules_need_ten_times_as_much_and_no_more() {
    let of = |count: usize| {
        let story = prefixes(count);
        let (snapshot, _) = story.look_at(&story.world());
        requirements(&snapshot, snapshot.role.found().unwrap()).count()
    };
    assert!(of(1000) <= 10 * of(100), "{} against {}", of(1000), of(100));
}

#[test]
fn a_part_that_is_denied_at_the_last_of_many_destinations_is_told() {
    let mut story = with_rules(30, |number, rule| {
        let elsewhere = json!({"Bucket": "arn:aws:s3:::other"});
        let destination = if number < 29 { elsewhere } else { json!({}) };
        let id = number.to_string();
        changed(
            rule,
            &json!({"ID": id, "Priority": number, "Destination": destination}),
        )
    });
    story.account["buckets"]["other"] = json!({"region": "eu-central-1"});
    story.account["buckets"]["invoices-replica"]["policy"] = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:ReplicateObject", "Resource": "arn:aws:s3:::invoices-replica/*.exe",
    }]});
    let findings = story.tell().outcome.findings;
    let is_told = findings.iter().any(|finding| {
        finding.check == CheckId::DestinationPolicy && finding.subject == "arn:aws:s3:::invoices-replica"
    });
    assert!(is_told, "{findings:?}");
}
