//! Events that come late, without a name, or in more envelopes than AWS says, and changes that lock us out.

use std::time::Duration;

use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use super::stage::{SOURCE, Stage, recorded};
use super::{failed, put};
use crate::account::model::{State, Switch};

fn at(mut event: Value, time: &str) -> Value {
    event["detail"]["eventTime"] = json!(time);
    event
}

fn removal(time: &str) -> Value {
    at(recorded("cloudtrail/delete.json"), time)
}

fn failed_at(time: &str) -> Value {
    let mut event = failed();
    event["Records"][0]["eventTime"] = json!(time);
    event
}

fn fails(state: &mut State, operation: &str, code: &str) {
    state.failing.push(Switch {
        operation: operation.to_owned(),
        resource: "*".to_owned(),
        code: code.to_owned(),
        times: None,
    });
}

fn without_a_configuration() -> Stage {
    let stage = Stage::healthy(Mode::DryRun);
    stage.world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        source.replication = None;
    });
    stage
}

fn later(stage: &Stage, seconds: i64) {
    let now = stage.now.get();
    stage
        .now
        .set(now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap());
}

fn subjects(stage: &Stage) -> Vec<String> {
    stage
        .told()
        .iter()
        .map(|message| message.subject.clone())
        .collect()
}

#[test]
fn what_is_older_than_the_removal_of_the_configuration_does_not_contradict_it() {
    for older in [
        put_at("2026-09-14T09:12:00Z"),
        failed_at("2026-09-14T09:12:00.000Z"),
    ] {
        let stage = without_a_configuration();
        stage.deliver(&[("d", 1, removal("2026-09-14T09:12:05Z"))]);
        stage.forget();
        later(&stage, 30);
        assert!(stage.deliver(&[("late", 1, older)]).is_empty());
        assert_eq!(subjects(&stage), [] as [String; 0]);
        let states = stage.states.borrow();
        assert_eq!(states.last().map(|report| report.verdict), Some(Verdict::Healthy));
    }
}

fn put_at(time: &str) -> Value {
    at(put(), time)
}

#[test]
fn what_is_younger_than_the_removal_contradicts_what_is_read() {
    let stage = without_a_configuration();
    stage.deliver(&[("d", 1, removal("2026-09-14T09:12:05Z"))]);
    stage.forget();
    later(&stage, 30);
    stage.deliver(&[("p", 1, put_at("2026-09-14T09:12:06Z"))]);
    assert!(subjects(&stage)[0].contains("BROKEN"), "{:?}", subjects(&stage));
}

#[test]
fn of_a_put_and_a_removal_within_one_second_the_order_of_a_batch_decides_nothing() {
    let time = "2026-09-14T09:12:00Z";
    let messages = [("p", 1, put_at(time)), ("d", 1, removal(time))];
    for order in [[0, 1], [1, 0]] {
        let stage = without_a_configuration();
        stage.deliver(&order.map(|at| messages[at].clone()));
        let states = stage.states.borrow();
        assert_eq!(states.last().map(|report| report.verdict), Some(Verdict::Healthy));
    }
}

#[test]
fn a_record_of_a_pipe_that_has_no_message_id_fails_the_invocation_when_its_look_fails() {
    let stage = Stage::broken(Mode::DryRun);
    let record = failed()["Records"][0].clone();
    stage.is_mute.set(true);
    assert_eq!(stage.handle(&json!([record])).unwrap_err().kind(), "NotPublished");
    stage.is_mute.set(false);
    later(&stage, 300);
    assert_eq!(
        stage.handle(&json!([record])).unwrap(),
        Response::Batch(Default::default())
    );
}

#[test]
fn a_pipe_that_takes_envelopes_off_loses_nothing() {
    for payload in [
        json!([failed()]),
        json!([put()]),
        json!([put()["detail"]]),
        put()["detail"].clone(),
        json!([{"messageId": "m", "body": failed()["Records"].to_string()}]),
        json!([{"messageId": "m", "body": put()["detail"].to_string()}]),
        json!({"version": "0", "detail-type": "Lambda Function Invocation Result - Failure", "source": "lambda",
            "detail": {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": put()}}),
    ] {
        let stage = Stage::broken(Mode::DryRun);
        stage.handle(&payload).unwrap();
        assert!(stage.only_message().subject.contains(SOURCE), "{payload}");
    }
}

#[test]
fn a_list_from_outside_commands_nothing_but_looks() {
    let stage = Stage::repairable(Mode::Approve);
    let digest = stage.command(&super::check()).digest().unwrap().to_owned();
    for payload in [
        json!([super::apply(&digest)]),
        json!({"Records": [super::apply(&digest)]}),
        json!({"Records": [{"Records": [super::apply(&digest)]}]}),
    ] {
        let _ = stage.handle(&payload);
        assert!(stage.world.writes().is_empty(), "{payload}");
    }
}

#[test]
fn a_sweep_beside_other_records_of_a_direct_event_costs_them_nothing() {
    let stage = Stage::broken(Mode::DryRun);
    let sns = |text: String| json!({"EventSource": "aws:sns", "Sns": {"Message": text}});
    let payload = json!({"Records": [
        sns(json!({"command": "sweep"}).to_string()), sns(failed().to_string()), sns("garbage".to_owned()),
    ]});
    assert_eq!(stage.handle(&payload).unwrap_err().kind(), "InvalidEvent");
    let told = subjects(&stage);
    assert!(told.iter().any(|subject| subject.contains(SOURCE)), "{told:?}");
}

#[test]
fn a_change_that_locks_us_out_of_a_bucket_that_we_know_leads_to_a_look() {
    for code in ["AccessDenied", "ExpiredToken"] {
        let stage = Stage::healthy(Mode::DryRun);
        stage.deliver(&[("m", 1, put())]);
        stage.queue.0.borrow_mut().clear();
        stage.world.edit(|state| {
            fails(state, "s3:GetBucketReplication", code);
            fails(state, "s3:GetBucketPolicy", code);
        });
        let mut denied = recorded("drift/delete-bucket-policy.json");
        denied["detail"]["eventName"] = json!("PutBucketPolicy");
        denied["detail"]["requestParameters"]["bucketName"] = json!(SOURCE);
        later(&stage, 600);
        assert!(stage.deliver(&[("d", 1, denied)]).is_empty());
        let queue = stage.queue.0.borrow();
        let asked: Vec<&Value> = queue.iter().map(|message| &message.body["bucket"]).collect();
        assert_eq!(asked, [&json!(SOURCE)], "{code}");
    }
}

#[test]
fn what_could_not_be_read_again_after_a_repair_is_not_told_as_repaired() {
    type Breaks = fn(&mut State);
    let broken: [Breaks; 3] = [
        |state| fails(state, "kms:DescribeKey", "Throttling"),
        |state| fails(state, "s3:GetBucketReplication", "Throttling"),
        |state| fails(state, "iam:GetRole", "Throttling"),
    ];
    for breaks in broken {
        let stage = Stage::broken(Mode::Auto);
        stage.world.when_called("iam:PutRolePolicy", breaks);
        stage.deliver(&[("m", 1, put())]);
        let states = stage.states.borrow();
        let report = states.last().unwrap();
        assert_eq!(report.repaired, [], "{:?}", report.verdict);
        assert_ne!(report.verdict, Verdict::Healthy);
    }
}

#[test]
fn what_no_change_of_ours_meets_is_not_told_as_repaired() {
    let stage = Stage::broken(Mode::Auto);
    // Somebody enables the key while we write.
    stage.world.when_called("iam:PutRolePolicy", |state| {
        for key in state.keys.values_mut() {
            key.state = "Enabled".to_owned();
        }
    });
    stage.deliver(&[("m", 1, put())]);
    let states = stage.states.borrow();
    let repaired: Vec<&str> = states
        .last()
        .unwrap()
        .repaired
        .iter()
        .map(|finding| finding.check.as_str())
        .collect();
    assert!(
        !repaired.is_empty() && repaired.iter().all(|check| check.ends_with("-access")),
        "{repaired:?}"
    );
}

#[test]
fn drifts_do_not_wait_for_the_looks_of_their_batch() {
    let mut stage = Stage::broken(Mode::DryRun);
    stage.world = stage.world.with_latency(Duration::from_millis(1000));
    stage.time_left = Duration::from_secs(5);
    let drift = recorded("drift/suspend-versioning-of-destination.json");
    let again = stage.deliver(&[("look", 1, put()), ("drift", 1, drift)]);
    assert!(!again.contains("drift"), "{again:?}");
}
