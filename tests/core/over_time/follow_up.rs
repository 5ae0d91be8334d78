//! The look that follows a repair: that it comes, when, and what it tells.

use std::time::Duration;

use s3_replication_remediator::handler::Response;
use s3_replication_remediator::mode::Mode;
use serde_json::json;

use super::{Deployment, recorded, repairable};

const ROLE: &str = "arn:aws:iam::111122223333:role/s3crr_role_for_amzn-s3-demo-source-bucket";

fn check() -> serde_json::Value {
    json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket"})
}

/// One that has just repaired what was broken, and told it.
fn just_repaired() -> Deployment {
    let deployment = repairable(Mode::Auto);
    deployment.send(recorded("cloudtrail/put-kms-rule.json"));
    deployment.run_for(Duration::from_secs(1));
    assert_eq!(deployment.world.writes().len(), 1);
    assert_eq!(deployment.told().len(), 1);
    deployment
}

#[test]
fn a_repair_is_looked_at_again_after_five_minutes_and_nobody_is_told_that_it_holds() {
    let deployment = just_repaired();
    let told = deployment.told().remove(0).text;
    assert!(
        told.contains("in effect everywhere by 2026-09-14T09:05:20Z"),
        "{told}"
    );
    assert!(
        told.contains("looks again then, and tells only what differs"),
        "{told}"
    );
    let waiting = deployment.waiting();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].due, Duration::from_secs(320));
    assert!(
        waiting[0].body["promised"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    deployment.run();
    assert_eq!(deployment.told().len(), 1);
    assert_eq!(deployment.world.writes().len(), 1);
}

#[test]
fn a_repair_that_did_not_hold_is_told_and_what_is_repaired_then_is_not_followed_again() {
    let deployment = just_repaired();
    deployment.world.edit(|state| {
        state
            .roles
            .get_mut(&ROLE.parse().unwrap())
            .unwrap()
            .inline
            .clear();
    });
    deployment.run();
    let told = deployment.told();
    assert_eq!(told.len(), 2);
    assert!(
        told[1].text.contains("why now: looked again after a repair"),
        "{}",
        told[1].text
    );
    assert_eq!(deployment.world.writes().len(), 2, "repaired again");
    assert!(deployment.waiting().is_empty());
}

#[test]
fn what_was_left_to_a_person_is_not_told_again_by_the_look_that_follows() {
    let deployment = Deployment::of(crate::account::World::new(super::DEMO));
    let mut deployment = deployment;
    deployment.mode = Mode::Auto;
    deployment.send(recorded("cloudtrail/put-kms-rule.json"));
    deployment.run();
    assert_eq!(deployment.told().len(), 1);
    assert!(
        deployment.told()[0].subject.contains("BROKEN"),
        "a disabled key is a person's to enable"
    );
}

#[test]
fn an_approved_repair_is_followed_too() {
    let deployment = repairable(Mode::Approve);
    let Response::Report(shown) = deployment.handle(&check()).unwrap() else {
        panic!("no report")
    };
    assert!(deployment.waiting().is_empty(), "nothing was repaired yet");
    let apply = json!({"command": "apply", "bucket": "amzn-s3-demo-source-bucket", "plan": shown.digest()});
    let Response::Report(applied) = deployment.handle(&apply).unwrap() else {
        panic!("no report")
    };
    let outcome = applied.outcome.as_ref().unwrap();
    assert!(outcome.follow_up);
    assert_eq!(outcome.verify_after.unwrap().to_string(), "2026-09-14T09:05:00Z");
    deployment.run();
    assert!(deployment.told().is_empty());
}

#[test]
fn without_a_queue_that_takes_it_the_report_promises_no_second_look() {
    let deployment = repairable(Mode::Auto);
    deployment.is_closed.set(true);
    deployment.send(recorded("cloudtrail/put-kms-rule.json"));
    deployment.run();
    let told = deployment.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].text.contains("in effect everywhere by") && !told[0].text.contains("looks again"));
}

#[test]
fn a_forged_promise_silences_nothing() {
    let deployment = Deployment::of(crate::account::World::new(super::DEMO));
    let mut message = check();
    message["promised"] = json!(format!("sha256:{}", "0".repeat(64)));
    deployment.send(message);
    deployment.run();
    assert_eq!(deployment.told().len(), 1);
    assert!(deployment.told()[0].subject.contains("BROKEN"));
}
