//! A storm of failed objects, handed out as the template asks for: up to fifty messages at a time, after twenty seconds.
//! The emulator hands out ten at most, whatever is asked for, so that the deployed test shows the rest.

use std::time::Duration;

use serde_json::json;

use super::{DEMO, Deployment, beginning};
use crate::account::World;
use crate::handler::recorded;

const FAILURES: usize = 5_000;
const BUCKETS: usize = 20;

#[test]
fn five_thousand_failures_of_twenty_buckets_are_twenty_messages_and_a_look_or_two_at_each() {
    let world = World::new(DEMO);
    let names: Vec<String> = (0..BUCKETS)
        .map(|n| format!("amzn-s3-demo-storm-{n:02}"))
        .collect();
    world.edit(|state| {
        let source = state.buckets[&"amzn-s3-demo-source-bucket".parse().unwrap()].clone();
        for name in &names {
            state.buckets.insert(name.parse().unwrap(), source.clone());
        }
    });
    let deployment = Deployment::of(world);
    let event = recorded("s3-notification/reason/DstKmsKeyInvalidState.json");
    for number in 0..FAILURES {
        let mut event = event.clone();
        let record = &mut event["Records"][0];
        record["eventTime"] = json!(beginning());
        record["s3"]["bucket"]["name"] = json!(names[number % BUCKETS]);
        record["s3"]["object"]["key"] = json!(format!("invoices/{number}"));
        deployment.send(event);
    }
    deployment.run();

    assert!(deployment.dead_letters.borrow().is_empty());
    assert_eq!(deployment.invocations.get(), FAILURES / 50);
    let mut told: Vec<String> = deployment
        .told()
        .iter()
        .map(|message| message.attributes["bucket"].clone())
        .collect();
    told.sort();
    assert_eq!(told, names);
    for name in &names {
        let looks = deployment
            .world
            .called("s3:GetBucketReplication", &format!("arn:aws:s3:::{name}"));
        assert!((1..=2).contains(&looks), "{looks} looks at {name}");
    }
}

#[test]
fn what_is_held_is_told_though_the_bucket_that_was_to_bring_it_has_opted_out() {
    let world = World::new(DEMO);
    let names: Vec<String> = (0..64).map(|n| format!("amzn-s3-demo-storm-{n:02}")).collect();
    world.edit(|state| {
        let source = state.buckets[&"amzn-s3-demo-source-bucket".parse().unwrap()].clone();
        for name in &names {
            state.buckets.insert(name.parse().unwrap(), source.clone());
        }
    });
    let deployment = Deployment::of(world);
    for name in &names {
        deployment.send(json!({"command": "check", "bucket": name}));
    }
    deployment.run_for(Duration::from_secs(120));
    let [waiting] = deployment.waiting().try_into().unwrap();
    let first_held = waiting.body["bucket"].as_str().unwrap().to_owned();
    deployment.world.edit(|state| {
        let bucket = state.buckets.get_mut(&first_held.parse().unwrap()).unwrap();
        bucket
            .tags
            .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
    });
    deployment.run();
    let told = deployment.told();
    for name in &names {
        assert!(told.iter().any(|message| message.text.contains(name)), "{name}");
    }
}
