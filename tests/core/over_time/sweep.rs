//! A sweep over accounts small and large: what is listed, what is checked, what is told at the end, and what stops
//! whoever forges or repeats its messages.

use std::time::Duration;

use s3_replication_remediator::handler::Response;
use s3_replication_remediator::ledger::Ledger;
use serde_json::{Value, json};

use super::{DEMO, Deployment};
use crate::account::World;
use crate::account::model::{Bucket, Switch};
use crate::handler::recorded;

fn sweep() -> Value {
    json!({"command": "sweep"})
}

/// The demo's account, in which `extra` more buckets replicate nothing and `copies` more replicate as its own does.
fn account(extra: usize, copies: usize) -> World {
    let world = World::new(DEMO);
    world.edit(|state| {
        let source = state.buckets[&"amzn-s3-demo-source-bucket".parse().unwrap()].clone();
        for n in 0..extra {
            state
                .buckets
                .insert(format!("plain-{n:05}").parse().unwrap(), Bucket::default());
        }
        for n in 0..copies {
            state
                .buckets
                .insert(format!("replicated-{n:05}").parse().unwrap(), source.clone());
        }
    });
    world
}

/// The message that carries the sweep on.
fn on(deployment: &Deployment) -> Value {
    let waiting = deployment.waiting().into_iter().map(|waiting| waiting.body);
    let mut on = waiting.filter(|body| body["command"] == "sweep");
    on.next().unwrap()
}

fn summary(deployment: &Deployment) -> String {
    let told = deployment.told();
    let summaries: Vec<_> = told
        .iter()
        .filter(|told| told.attributes.get("kind").is_some_and(|kind| kind == "sweep"))
        .collect();
    assert_eq!(summaries.len(), 1, "{told:#?}");
    summaries[0].text.clone()
}

#[test]
fn a_sweep_checks_each_bucket_that_replicates_and_sums_up() {
    let deployment = Deployment::of(account(3, 2));
    deployment.send(sweep());
    deployment.run();
    assert!(deployment.dead_letters.borrow().is_empty());
    let text = summary(&deployment);
    let (head, rows) = text.split_once("\n\nThe worst first").unwrap();
    assert_eq!(
        head.lines()
            .filter(|line| !line.starts_with("begun"))
            .collect::<Vec<_>>(),
        [
            "Sweep of account 111122223333: 3 broken",
            "",
            "      7  buckets in the account",
            "      3  have a replication configuration",
            "",
            "      3  broken",
            "      0  undetermined",
            "      0  at risk",
            "      0  healthy",
        ]
    );
    // Those with more errors first.
    let names: Vec<&str> = rows
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "replicated-00000",
            "replicated-00001",
            "amzn-s3-demo-source-bucket"
        ]
    );
    assert_eq!(deployment.told().len(), 4, "each is told by itself too");
}

#[test]
fn whoever_asks_for_a_sweep_is_answered_with_counts() {
    let deployment = Deployment::of(account(3, 2));
    let Response::Sweep(answer) = deployment.handle(&sweep()).unwrap() else {
        panic!("no counts")
    };
    assert_eq!(
        json!(answer),
        json!({"sweep": answer.sweep, "started": "2026-09-14T09:00:00Z", "buckets": 7, "withReplication": 3,
            "unanswered": 0, "unreadable": 0, "enqueued": 3, "isListed": true})
    );
}

#[test]
fn ten_thousand_buckets_are_swept_in_many_invocations_with_one_question_each() {
    let world = account(9_937, 60).with_latency(Duration::from_millis(30));
    let deployment = Deployment::of(world);
    deployment.send(sweep());
    deployment.run();
    let calls = deployment.world.call_counts();
    assert_eq!(
        calls["s3:GetBucketReplication"],
        9_999 + 61,
        "one question each, and one for each look"
    );
    assert_eq!(
        calls["s3:GetBucketTagging"], 61,
        "nothing but what replicates is looked at"
    );
    assert!(
        calls["s3:ListBuckets"] <= 10 + deployment.invocations.get(),
        "{calls:?}"
    );
    assert!(
        deployment.invocations.get() <= 20,
        "{} invocations",
        deployment.invocations.get()
    );
    let minutes = deployment.elapsed().as_secs() / 60;
    assert!((6..20).contains(&minutes), "{minutes} minutes");
    assert!(summary(&deployment).contains("   9999  buckets in the account"));
    assert!(deployment.dead_letters.borrow().is_empty());
}

#[test]
fn without_a_lasting_ledger_the_message_carries_everything_and_the_summary_says_what_it_knows() {
    let world = account(1_500, 1).with_latency(Duration::from_millis(30));
    let deployment = Deployment::forgetful(world);
    deployment.send(sweep());
    deployment.run();
    let text = summary(&deployment);
    assert!(text.contains("2 of 1503 buckets replicate"), "{text}");
    assert!(text.contains("needs LEDGER_TABLE"), "{text}");
    assert!(
        deployment.invocations.get() >= 2,
        "more than one invocation can do"
    );
}

#[test]
fn what_s3_has_no_time_for_is_asked_again_and_then_checked_all_the_same() {
    let deployment = Deployment::of(account(30, 0));
    for (bucket, times) in [("plain-00001", Some(2)), ("plain-00002", Some(4))] {
        deployment.world.edit(|state| {
            state.failing.push(Switch {
                operation: "s3:GetBucketReplication".to_owned(),
                resource: format!("arn:aws:s3:::{bucket}"),
                code: "SlowDown".to_owned(),
                times,
            });
        });
    }
    deployment
        .world
        .deny("s3:GetBucketReplication", "arn:aws:s3:::plain-00003");
    deployment.send(sweep());
    deployment.run();
    let text = summary(&deployment);
    for line in [
        "     32  buckets in the account",
        "      1  have a replication configuration",
        "      1  did not say in time whether they have one, and were looked at all the same",
        "      1  could not be read (s3:GetReplicationConfiguration); the log names each",
        "      1  healthy",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let summary = deployment.told().pop().unwrap();
    assert_eq!(summary.attributes["verdict"], "broken");
}

#[test]
fn an_account_that_s3_answers_slowly_is_swept_to_the_end() {
    // Every question fails once, and takes long.
    let deployment = Deployment::of(account(300, 0).with_latency(Duration::from_secs(4)));
    deployment.world.edit(|state| {
        for bucket in state.buckets.keys() {
            state.failing.push(Switch {
                operation: "s3:GetBucketReplication".to_owned(),
                resource: format!("arn:aws:s3:::{bucket}"),
                code: "SlowDown".to_owned(),
                times: Some(1),
            });
        }
    });
    deployment.send(sweep());
    deployment.run();
    assert!(summary(&deployment).contains("    302  buckets in the account"));
    assert!(deployment.dead_letters.borrow().is_empty());
}

#[test]
fn a_bucket_that_opted_out_is_counted_and_left_alone() {
    let deployment = Deployment::of(account(0, 1));
    deployment.world.edit(|state| {
        let bucket = state
            .buckets
            .get_mut(&"replicated-00000".parse().unwrap())
            .unwrap();
        bucket
            .tags
            .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
    });
    deployment.send(sweep());
    deployment.run();
    let text = summary(&deployment);
    assert!(text.contains("      1  opted out, left alone"), "{text}");
    assert!(!text.contains("replicated-00000"), "{text}");
}

#[test]
fn an_account_of_which_nothing_is_known_is_not_one_in_which_nothing_replicates() {
    let unreadable = Deployment::of(account(1, 1));
    unreadable.world.deny("s3:GetBucketReplication", "*");
    let opted_out = Deployment::of(account(1, 0));
    opted_out.world.edit(|state| {
        for bucket in state.buckets.values_mut() {
            bucket
                .tags
                .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
        }
    });
    for (deployment, headline) in [
        (unreadable, "sweep: 4 unreadable"),
        (opted_out, "sweep: 1 opted out"),
        (
            Deployment::of(World::new(r#"{"buckets": {}}"#)),
            "sweep: no bucket replicates",
        ),
    ] {
        deployment.send(sweep());
        deployment.run();
        let subject = deployment.told().pop().unwrap().subject;
        assert!(subject.ends_with(headline), "{subject}");
    }
}

#[test]
fn a_summary_waits_for_the_checks_of_an_account_whose_list_took_hours() {
    let world = account(1_500, 3).with_latency(Duration::from_millis(30));
    let deployment = Deployment::of(world);
    deployment.send(sweep());
    deployment.run_for(Duration::from_secs(21));
    on(&deployment);
    deployment.pass(Duration::from_secs(3 * 60 * 60));
    deployment.run();
    let text = summary(&deployment);
    assert!(text.contains("      4  broken"), "{text}");
    assert!(!text.contains("not looked at"), "{text}");
}

#[test]
fn a_sweep_that_fails_comes_again_to_the_process_that_began_it() {
    for is_durable in [false, true] {
        let mut deployment = Deployment::of(account(10, 1));
        deployment.ledger.is_durable = is_durable;
        deployment.world.edit(|state| {
            state.failing.push(Switch {
                operation: "s3:ListBuckets".to_owned(),
                resource: "*".to_owned(),
                code: "SlowDown".to_owned(),
                times: Some(1),
            });
        });
        deployment.send(sweep());
        deployment.run();
        summary(&deployment);
        assert!(deployment.dead_letters.borrow().is_empty());
    }
}

#[test]
fn a_schedule_of_a_quarter_of_an_hour_keeps_its_pace() {
    for is_durable in [false, true] {
        let mut deployment = Deployment::of(account(10, 1));
        deployment.ledger.is_durable = is_durable;
        for _ in 0..4 {
            deployment.send(sweep());
            deployment.send(sweep());
            let quarter = Duration::from_secs(15 * 60);
            let next = deployment.elapsed() + quarter;
            deployment.run_for(quarter);
            deployment.pass(next.saturating_sub(deployment.elapsed()));
        }
        let told = deployment.told();
        let summaries = told
            .iter()
            .filter(|told| told.attributes.get("kind").is_some_and(|kind| kind == "sweep"));
        assert_eq!(summaries.count(), 4, "durable: {is_durable}");
    }
}

#[test]
fn a_function_with_little_time_sweeps_all_the_same() {
    let mut deployment = Deployment::of(account(300, 1).with_latency(Duration::from_millis(30)));
    deployment.timeout = Duration::from_secs(10);
    deployment.send(sweep());
    deployment.run();
    assert!(summary(&deployment).contains("    303  buckets in the account"));
    assert!(
        deployment.invocations.get() < 50,
        "{}",
        deployment.invocations.get()
    );
}

#[test]
fn a_check_of_a_sweep_is_noted_though_an_event_of_the_past_came_with_it() {
    let deployment = Deployment::of(account(0, 0));
    deployment.world.edit(|state| {
        for bucket in state.buckets.values_mut() {
            bucket.replication = None;
        }
    });
    let at = |file: &str, time: &str| {
        let mut event = recorded(file);
        event["detail"]["eventTime"] = json!(time);
        event
    };
    deployment.send(at("cloudtrail/delete.json", "2026-09-14T08:59:00Z"));
    deployment.run();
    let id = "0".repeat(32);
    deployment.send(at("cloudtrail/put-kms-rule.json", "2026-09-14T08:58:00Z"));
    deployment.send(json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket", "sweep": id}));
    deployment.run();
    let noted = deployment.block_on(deployment.ledger.items(&format!("sweep#{id}")));
    assert_eq!(noted.unwrap().len(), 1);
}

#[test]
fn a_second_sweep_waits_until_the_first_is_over_or_dead() {
    let deployment = Deployment::of(account(10, 0));
    deployment.send(sweep());
    deployment.send(sweep());
    deployment.run_for(Duration::from_secs(1));
    assert_eq!(deployment.handle(&sweep()).unwrap_err().kind(), "SweepUnderWay");
    deployment.run();
    assert_eq!(deployment.world.call_counts()["s3:ListBuckets"], 1);
    summary(&deployment);
    deployment.handle(&sweep()).unwrap();
    assert_eq!(deployment.world.call_counts()["s3:ListBuckets"], 2);
    // Whatever should carry it on is lost.
    deployment.queue.borrow_mut().clear();
    assert_eq!(deployment.handle(&sweep()).unwrap_err().kind(), "SweepUnderWay");
    deployment.pass(Duration::from_secs(3601));
    deployment.handle(&sweep()).unwrap();
}

#[test]
fn a_message_that_carries_a_sweep_on_is_believed_in_its_name_alone_where_a_ledger_lasts() {
    let deployment = Deployment::of(account(10, 1));
    deployment.send(sweep());
    deployment.run_for(Duration::from_secs(1));
    let honest = on(&deployment);
    let mut forged = honest.clone();
    forged["progress"]["counts"]["withReplication"] = json!(4_000_000);
    forged["progress"]["token"] = json!("after-a");
    forged["progress"]["started"] = json!("2020-01-01T00:00:00Z");
    let mut invented = forged.clone();
    invented["progress"]["id"] = json!("0123456789abcdef0123456789abcdef");
    for message in [&forged, &invented, &honest, &honest] {
        deployment.send(message.clone());
    }
    deployment.run();
    assert_eq!(
        deployment.world.call_counts()["s3:ListBuckets"],
        1,
        "nothing is listed again"
    );
    let text = summary(&deployment);
    assert!(
        text.contains("      2  have a replication configuration"),
        "{text}"
    );
    // What is over stays so.
    deployment.send(honest);
    deployment.run();
    summary(&deployment);
}

#[test]
fn a_forged_message_that_carries_a_sweep_on_costs_a_list_at_most_where_no_ledger_lasts() {
    let deployment = Deployment::forgetful(account(10, 1));
    let message = |change: Value| {
        let mut progress = json!({"id": "0123456789abcdef0123456789abcdef", "started": "2026-09-14T08:00:00Z",
            "counts": {"buckets": 0, "withReplication": 0, "unanswered": 0, "unreadable": 0}});
        for (name, value) in change.as_object().unwrap() {
            progress[name] = value.clone();
        }
        json!({"command": "sweep", "progress": progress})
    };
    // Long over, to come, and so far ahead that it would wait for years.
    let endless = json!({"buckets": 4_000_000_000u32, "withReplication": 4_000_000_000u32, "unanswered": 0, "unreadable": 0});
    for change in [
        json!({"started": "2020-01-01T00:00:00Z"}),
        json!({"started": "2030-01-01T00:00:00Z"}),
        json!({"counts": endless}),
        json!({"counts": endless, "listed": "2026-09-14T08:30:00Z"}),
    ] {
        deployment.send(message(change));
    }
    deployment.run();
    assert_eq!(
        deployment.world.calls().len(),
        deployment
            .world
            .call_counts()
            .get("s3:ListBuckets")
            .copied()
            .unwrap_or(0)
    );
    assert!(deployment.dead_letters.borrow().is_empty());
    // A token that S3 did not give, and forms that we do not write.
    let deployment = Deployment::forgetful(account(10, 1));
    deployment.send(message(json!({"token": "forged"})));
    deployment.send(message(json!({"token": "for ged"})));
    deployment.send(message(json!({"id": "../../x"})));
    deployment.send(message(json!({"more": 1})));
    deployment.send(json!({"command": "sweep", "progress": 7}));
    deployment.run();
    assert_eq!(deployment.dead_letters.borrow().len(), 5);
    assert_eq!(deployment.world.writes(), []);
}

#[test]
fn a_sweep_whose_checks_the_queue_does_not_take_comes_again() {
    let deployment = Deployment::of(account(10, 1));
    deployment.send(sweep());
    deployment.is_closed.set(true);
    deployment.run_for(Duration::from_secs(30));
    deployment.is_closed.set(false);
    deployment.run();
    summary(&deployment);
    assert!(deployment.dead_letters.borrow().is_empty());
}

#[test]
fn without_a_ledger_that_answers_a_sweep_comes_again_and_a_look_goes_on() {
    let deployment = Deployment::of(account(1, 0));
    deployment.send(sweep());
    deployment.ledger.is_out_of_order.set(true);
    deployment.run_for(Duration::from_secs(30));
    assert_eq!(deployment.world.calls(), []);
    deployment
        .send(json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket", "sweep": "0".repeat(32)}));
    deployment.run_for(Duration::from_secs(30));
    assert_eq!(deployment.told().len(), 1);
    deployment.ledger.is_out_of_order.set(false);
    deployment.run();
    summary(&deployment);
}

#[test]
fn a_list_that_is_refused_says_which_permission_is_lacking() {
    let deployment = Deployment::of(account(1, 0));
    deployment.world.deny("s3:ListBuckets", "*");
    let error = deployment.handle(&sweep()).unwrap_err();
    assert_eq!(error.kind(), "NotListed");
    assert_eq!(
        error.to_string(),
        "the account's buckets were not listed: s3:ListBuckets failed with AccessDenied; our role needs {\"Effect\":\"Allow\",\"Action\":\"s3:ListAllMyBuckets\",\"Resource\":\"*\"}"
    );
}
