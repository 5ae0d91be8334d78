//! Whoever writes rules and policies chooses their number and size: none of it may keep the program busy for long.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use s3_replication_remediator::assessment::assess;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::plan::plan;
use s3_replication_remediator::plan::review::review;
use serde_json::{Value, json};

use crate::function::invoke;
use crate::world::*;

/// A thousand rules, the most that S3 takes, each of its own prefix; a hundred policies.
fn crowded(rules: usize, policies: usize, destinations: usize, keys: usize) -> Value {
    let mut world = bare();
    let all: Vec<Value> = (0..rules)
        .map(|n| {
            let destination = format!("replica-{}", n % destinations);
            let key = format!("arn:aws:kms:eu-west-2:{OWN}:key/replica-{}", n % keys);
            rule(&format!("r{n}"), &format!("prefix-{n:04}/"), &destination, &key)
        })
        .collect();
    world["buckets"]["source"]["replication"]["Rules"] = json!(all);
    for n in 0..destinations {
        world["buckets"][format!("replica-{n}")] = json!({"region": "eu-west-2"});
    }
    for n in 0..keys {
        world["keys"][format!("arn:aws:kms:eu-west-2:{OWN}:key/replica-{n}")] = json!({"tags": opted_in()});
    }
    for n in 0..policies {
        let mut stars = String::new();
        let _ = write!(stars, "arn:aws:s3:::{}", "*a".repeat(60));
        world["roles"][ROLE]["inline"][format!("p{n}")] = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:*a*a*a*a*b", "s3:Get*"], "Resource": [stars, format!("arn:aws:s3:::x{n}/*")],
             "Condition": {"StringLike": {"s3:prefix": "*a*a*a*a*a*b"}}},
        ]});
    }
    world
}

/// How long everything takes that is decided without AWS.
async fn time(rules: usize, policies: usize, destinations: usize, keys: usize) -> Duration {
    let world = world(&crowded(rules, policies, destinations, keys));
    let settings = GuardSettings::default();
    let snapshot = snapshot_of(&world, &settings).await;
    // The shorter of two: whatever else the machine does only ever makes it longer.
    let once = || {
        let start = Instant::now();
        let assessments = assess(&snapshot, false);
        let made = plan(&snapshot, &assessments, &settings);
        assert!(review(&snapshot, &assessments, made, &settings).is_ok());
        start.elapsed()
    };
    once().min(once())
}

/// Does ten times as much of it take little more than ten times as long, and not a hundred times? The absolute time is
/// the machine's; the growth is the program's.
fn grows_as_much(less: Duration, more: Duration) -> bool {
    more < less * 30 + Duration::from_millis(300)
}

#[tokio::test]
async fn a_thousand_rules_take_ten_times_as_long_as_a_hundred_and_not_a_hundred_times() {
    let (less, more) = (time(100, 1, 5, 5).await, time(1000, 1, 5, 5).await);
    assert!(grows_as_much(less, more), "{less:?} {more:?}");
}

#[tokio::test]
async fn a_hundred_policies_of_hostile_patterns_take_ten_times_as_long_as_ten() {
    let (less, more) = (time(50, 10, 5, 5).await, time(50, 100, 5, 5).await);
    assert!(grows_as_much(less, more), "{less:?} {more:?}");
}

#[tokio::test]
async fn patterns_that_fit_nearly_everywhere_take_little_longer_than_such_as_fit_nowhere() {
    let timed = async |letter: &str| {
        let mut account = bare();
        let rules: Vec<Value> = (0..60)
            .map(|n| {
                rule(
                    &format!("r{n}"),
                    &format!("{}{n:04}", "a".repeat(1000)),
                    "replica",
                    REPLICA_KEY,
                )
            })
            .collect();
        account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
        let resources: Vec<String> = (0..80)
            .map(|n| format!("arn:aws:s3:::source/*{}b{n}", letter.repeat(200)))
            .collect();
        account["buckets"]["source"]["policy"] = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources},
        ]});
        let snapshot = snapshot_of(&world(&account), &GuardSettings::default()).await;
        let start = Instant::now();
        assert!(!assess(&snapshot, false).is_empty());
        start.elapsed()
    };
    let (nowhere, everywhere) = (timed("c").await, timed("a").await);
    assert!(grows_as_much(nowhere, everywhere), "{nowhere:?} {everywhere:?}");
}

#[tokio::test]
async fn the_report_about_hundreds_of_rules_and_policies_fits_into_an_answer() {
    // Lambda answers with six megabytes at most.
    let world = world(&crowded(200, 50, 5, 5));
    let command = json!({"command": "check", "bucket": "source"});
    let led = invoke(&world, Mode::DryRun, &command).await;
    let report = json!(led.report()).to_string();
    assert!(report.len() < 6 * 1024 * 1024, "{} bytes", report.len());
}
