//! Whoever writes rules and policies chooses their number and size: none of it may keep the program busy for long.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use s3_replication_remediator::assessment::assess;
use s3_replication_remediator::plan::plan;
use s3_replication_remediator::plan::review::review;
use serde_json::{Value, json};

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

async fn time(rules: usize, policies: usize, destinations: usize, keys: usize) -> Duration {
    let world = world(&crowded(rules, policies, destinations, keys));
    let settings = Default::default();
    let snapshot = snapshot_of(&world, &settings).await;
    let start = Instant::now();
    let assessments = assess(&snapshot, false);
    let t1 = start.elapsed();
    let made = plan(&snapshot, &assessments, &settings);
    let t2 = start.elapsed();
    let reviewed = review(&snapshot, &assessments, made, &settings);
    let t3 = start.elapsed();
    eprintln!("{rules} {policies} {destinations} {keys}: assess {t1:?} plan {t2:?} review {t3:?} {:?}", reviewed.map(|_| ()));
    t3
}

#[tokio::test]
#[ignore]
async fn timing() {
    for (rules, policies, destinations, keys) in [(1000, 1, 1, 1), (1000, 100, 10, 10)] {
        time(rules, policies, destinations, keys).await;
    }
}
