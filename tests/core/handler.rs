//! One invocation from its payload to its answer: who is told what, what is written, and which messages come again.

mod backlog;
mod batch;
mod contract;
mod forms;
mod machines;
mod messages;
mod order;
mod records;
mod settling;
mod stage;
mod told_once;

use std::time::Duration;

use s3_replication_remediator::apply::Status;
use s3_replication_remediator::check::CheckId;
use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::handler::{HandlerError, Response};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use stage::{REPLICA_KEY, ROLE, SOURCE, Stage};
pub(crate) use stage::{all_recorded, recorded};

fn put() -> Value {
    recorded("cloudtrail/put-kms-rule.json")
}

fn failed() -> Value {
    recorded("s3-notification/reason/DstKmsKeyInvalidState.json")
}

fn check() -> Value {
    json!({"command": "check", "bucket": SOURCE})
}

fn apply(plan: &str) -> Value {
    json!({"command": "apply", "bucket": SOURCE, "plan": plan})
}

fn undo() -> Value {
    json!({"command": "undo", "bucket": SOURCE})
}

fn undo_as_shown(plan: &str) -> Value {
    json!({"command": "undo", "bucket": SOURCE, "plan": plan})
}

fn opt_out(stage: &Stage) {
    stage.world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        source
            .tags
            .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
    });
}

#[test]
fn a_message_that_cannot_be_used_comes_again_and_costs_the_others_nothing() {
    let stage = Stage::broken(Mode::DryRun);
    let answer = stage
        .handle(&recorded("envelope/sqs-mixed-with-poison.json"))
        .unwrap();
    let poison = "00000000-0000-4000-8000-000000000002".to_owned();
    assert_eq!(answer, Response::Batch([poison].into()));
    let message = stage.only_message();
    assert_eq!(
        message.subject,
        format!("[dry-run] S3 replication BROKEN, 3 errors: {SOURCE}")
    );
    assert!(message.text.contains("the replication configuration was changed"));
    assert!(
        message.text.contains("DstKmsKeyInvalidState"),
        "the failed object of the batch"
    );
}

#[test]
fn a_message_without_an_id_fails_the_invocation_because_no_answer_could_name_it() {
    let stage = Stage::broken(Mode::DryRun);
    let error = stage
        .handle(&recorded("envelope/sqs-without-message-id.json"))
        .unwrap_err();
    assert_eq!(error.kind(), "InvalidEvent");
    assert!(stage.told().is_empty());
}

#[test]
fn an_order_to_change_access_is_not_taken_from_the_queue() {
    let stage = Stage::repairable(Mode::Approve);
    let digest = stage.command(&check()).digest().unwrap().to_owned();
    assert!(stage.deliver(&[("m", 1, apply(&digest))]).is_empty());
    assert!(stage.world.writes().is_empty());
}

#[test]
fn one_odd_record_of_an_event_that_came_by_itself_does_not_cost_the_others_theirs() {
    let stage = Stage::broken(Mode::DryRun);
    let mut event = failed();
    let mut odd = event["Records"][0].clone();
    odd["s3"]["bucket"] = json!({"name": "../etc"});
    event["Records"].as_array_mut().unwrap().push(odd);
    assert_eq!(stage.handle(&event).unwrap_err().kind(), "InvalidEvent");
    assert!(stage.only_message().subject.contains(SOURCE));
}

#[test]
fn a_storm_of_failed_objects_is_one_look_and_one_message() {
    let stage = Stage::broken(Mode::DryRun);
    let storm: Vec<(String, Value)> = (0..50)
        .map(|n| {
            let mut event = failed();
            event["Records"][0]["s3"]["object"]["key"] = json!(format!("invoices/{n}.pdf"));
            (format!("m{n}"), event)
        })
        .collect();
    let messages: Vec<(&str, u32, Value)> = storm
        .iter()
        .map(|(id, event)| (id.as_str(), 1, event.clone()))
        .collect();
    assert!(stage.deliver(&messages).is_empty());
    assert!(
        stage
            .only_message()
            .text
            .contains("S3 gave up on 50 object versions")
    );
    let source = format!("arn:aws:s3:::{SOURCE}");
    assert_eq!(stage.world.called("s3:GetBucketReplication", &source), 1);
}

#[test]
fn a_storm_that_goes_on_is_the_same_news_until_something_else_is_wrong() {
    let stage = Stage::broken(Mode::DryRun);
    stage.deliver(&[("one", 1, failed())]);
    let mut another = failed();
    another["Records"][0]["s3"]["object"]["key"] = json!("another");
    stage.deliver(&[("two", 1, another.clone())]);
    another["Records"][0]["replicationEventData"]["failureReason"] = json!("DstBucketUnversioned");
    stage.deliver(&[("three", 1, another)]);
    stage.deliver(&[("put", 1, put())]);
    let news: Vec<String> = stage
        .told()
        .iter()
        .map(|message| message.attributes["news"].clone())
        .collect();
    assert_eq!(news, ["new", "changed"]);
}

#[test]
fn a_bucket_that_opted_out_is_passed_over_by_events_and_answered_for_without_changes() {
    let stage = Stage::repairable(Mode::Auto);
    opt_out(&stage);
    assert!(stage.deliver(&[("m", 1, put())]).is_empty());
    assert_eq!(stage.handle(&put()).unwrap(), Response::Reports(Vec::new()));
    assert!(stage.told().is_empty());
    let report = stage.command(&check());
    assert_eq!(report.verdict, Verdict::Broken);
    let plan = report.plan.unwrap();
    assert!(!plan.has_changes());
    let guards: Vec<&str> = plan.plan().withheld[0]
        .refusals
        .iter()
        .map(|one| one.guard.as_str())
        .collect();
    assert_eq!(guards, ["source-opt-out"]);
    assert!(stage.world.writes().is_empty());
}

#[test]
fn tags_that_could_not_be_read_in_passing_are_read_again_before_anybody_is_told() {
    let stage = Stage::repairable(Mode::DryRun);
    opt_out(&stage);
    stage.world.fail("s3:GetBucketTagging", "*", "SlowDown");
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert!(stage.told().is_empty());
}

#[test]
fn a_dry_run_writes_nothing_whatever_wakes_it() {
    // S3's reasons differ in one word; one of them will do.
    let told_apart = |file: &str| !file.contains("/reason/") || file.ends_with("/DstKmsKeyNotFound.json");
    let (mut looks, mut repairs) = (0, 0);
    for (file, event) in all_recorded().into_iter().filter(|(file, _)| told_apart(file)) {
        let stage = Stage::repairable(Mode::DryRun);
        let _ = stage.handle(&event);
        assert!(stage.world.writes().is_empty(), "{file}");
        looks += stage.world.called("iam:GetRole", ROLE);
        let stage = Stage::repairable(Mode::Auto);
        let _ = stage.handle(&event);
        repairs += stage.world.writes().len();
    }
    assert!(
        looks > 10 && repairs > 10,
        "{looks} looks, {repairs} repairs elsewhere"
    );
}

#[test]
fn a_dry_run_refuses_to_apply_even_its_own_plan_and_says_how_a_person_would() {
    let stage = Stage::repairable(Mode::DryRun);
    let planned = stage.command(&check());
    let by_hand = planned.commands.apply.clone().unwrap();
    assert!(
        by_hand.starts_with("aws iam put-role-policy --role-name="),
        "{by_hand}"
    );
    let back = planned.commands.undo.clone().unwrap();
    assert!(
        back.starts_with("aws iam delete-role-policy --role-name="),
        "{back}"
    );
    let refused = stage.command(&apply(planned.digest().unwrap()));
    assert_eq!(refused.outcome.unwrap().status, Status::Refused);
    assert!(stage.world.writes().is_empty());
}

#[test]
fn auto_repairs_once_and_the_second_delivery_finds_nothing_left_to_do() {
    let stage = Stage::repairable(Mode::Auto);
    assert!(stage.deliver(&[("m", 1, put())]).is_empty());
    assert_eq!(stage.world.writes().len(), 1);
    let message = stage.only_message();
    assert_eq!(
        message.subject,
        format!("[auto] S3 replication healthy: {SOURCE}")
    );
    assert!(
        message.text.contains("repaired: role-replica-key-access"),
        "{}",
        message.text
    );
    stage.forget();
    assert!(stage.deliver(&[("again", 1, put())]).is_empty());
    assert_eq!(stage.world.writes().len(), 1);
    assert!(stage.told().is_empty());
}

#[test]
fn what_was_left_behind_is_told_also_where_the_repair_left_nothing_broken() {
    let stage = Stage::repairable(Mode::Auto);
    stage.deliver(&[("m", 1, put())]);
    assert!(stage.only_message().text.contains("aws s3control create-job"));
}

#[test]
fn who_repaired_and_was_stopped_before_it_was_told_tells_on_the_next_delivery() {
    let stage = Stage::repairable(Mode::Auto);
    stage.is_mute.set(true);
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert_eq!(stage.world.writes().len(), 1);
    stage.is_mute.set(false);
    assert!(stage.deliver(&[("m", 2, put())]).is_empty());
    assert_eq!(stage.world.writes().len(), 1);
    assert!(stage.only_message().subject.contains("healthy"));
}

#[test]
fn check_never_writes_not_even_in_auto() {
    let stage = Stage::repairable(Mode::Auto);
    let report = stage.command(&check());
    assert_eq!(report.outcome.unwrap().status, Status::Planned);
    assert!(stage.world.writes().is_empty());
    assert!(stage.told().is_empty(), "the person who asked has the answer");
}

#[test]
fn approve_waits_for_the_digest_and_then_repairs() {
    let stage = Stage::repairable(Mode::Approve);
    stage.deliver(&[("m", 1, put())]);
    assert!(stage.world.writes().is_empty());
    let text = stage.only_message().text;
    let digest = text.lines().find_map(|line| line.strip_prefix("Plan ")).unwrap();
    assert!(text.contains(&format!(
        r#"--payload '{{"command":"apply","bucket":"{SOURCE}","plan":"{digest}"}}'"#
    )));
    let report = stage.command(&apply(digest));
    assert_eq!(report.outcome.as_ref().unwrap().status, Status::Applied);
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!(report.commands.apply, None);
    assert_eq!(stage.world.writes().len(), 1);
}

#[test]
fn a_digest_that_is_no_longer_that_of_the_plan_is_refused_with_the_plan_of_now() {
    let stage = Stage::repairable(Mode::Approve);
    let old = stage.command(&check()).digest().unwrap().to_owned();
    stage.world.edit(|state| {
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        role.inline.get_mut("replication").unwrap()["Statement"]
            .as_array_mut()
            .unwrap()
            .remove(2);
    });
    let report = stage.command(&apply(&old));
    assert_eq!(report.outcome.as_ref().unwrap().status, Status::Refused);
    assert!(stage.world.writes().is_empty());
    let new = report.digest().unwrap().to_owned();
    assert_ne!(new, old);
    assert_eq!(
        stage.command(&apply(&new)).outcome.unwrap().status,
        Status::Applied
    );
}

#[test]
fn a_read_that_fails_in_passing_is_tried_three_times_and_then_told_as_undetermined() {
    let stage = Stage::healthy(Mode::DryRun);
    stage.world.fail("s3:GetBucketVersioning", "*", "SlowDown");
    for receive_count in 1..3 {
        assert_eq!(
            stage.deliver(&[("m", receive_count, put())]),
            ["m".to_owned()].into()
        );
        assert!(stage.told().is_empty());
    }
    assert!(stage.deliver(&[("m", 3, put())]).is_empty());
    let message = stage.only_message();
    assert_eq!(
        message.subject,
        format!("[dry-run] S3 replication UNDETERMINED: {SOURCE}")
    );
    assert!(
        message.text.contains("s3:GetBucketVersioning of bucket") && message.text.contains(": SlowDown\n")
    );
}

#[test]
fn a_read_that_is_refused_is_told_at_once() {
    let stage = Stage::healthy(Mode::DryRun);
    stage.world.deny("s3:GetBucketVersioning", "*");
    assert!(stage.deliver(&[("m", 1, put())]).is_empty());
    assert!(
        stage
            .only_message()
            .text
            .contains(r#"to permit it: {"Effect":"Allow","Action":"s3:GetBucketVersioning""#)
    );
}

#[test]
fn a_write_that_fails_in_passing_brings_the_message_back_and_is_told_in_the_end() {
    let stage = Stage::repairable(Mode::Auto);
    stage.world.fail("iam:PutRolePolicy", "*", "ServiceFailure");
    for receive_count in 1..3 {
        assert_eq!(
            stage.deliver(&[("m", receive_count, put())]),
            ["m".to_owned()].into()
        );
    }
    assert!(stage.deliver(&[("m", 3, put())]).is_empty());
    let message = stage.only_message();
    assert!(message.text.contains("Repair: failed"), "{}", message.text);
    assert!(message.text.contains("ServiceFailure"), "{}", message.text);
}

#[test]
fn half_a_repair_is_told_and_its_message_comes_again_for_the_other_half() {
    let stage = Stage::repairable_by_a_grant(Mode::Auto);
    stage.world.fail("kms:CreateGrant", "*", "ThrottlingException");
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert!(stage.only_message().text.contains("Repair: partly-applied"));
    stage.forget();
    stage.world.edit(|state| state.failing.clear());
    assert!(stage.deliver(&[("m", 2, put())]).is_empty());
    assert!(stage.only_message().text.contains("Repair: applied"));
    let written: Vec<&str> = stage.world.writes().iter().map(|write| write.operation).collect();
    assert_eq!(written, ["iam:PutRolePolicy", "kms:CreateGrant"]);
}

#[test]
fn what_is_done_by_hand_is_undone_by_hand_in_the_other_order() {
    let stage = Stage::repairable_by_a_grant(Mode::DryRun);
    let commands = stage.command(&check()).commands;
    let words = |text: &Option<String>| -> Vec<String> {
        let commands = text.as_ref().unwrap().split(" && ");
        commands
            .map(|command| command.split(' ').nth(2).unwrap().to_owned())
            .collect()
    };
    assert_eq!(words(&commands.apply), ["create-grant", "put-role-policy"]);
    assert_eq!(words(&commands.undo), ["delete-role-policy", "revoke-grant"]);
}

#[test]
fn whoever_applies_by_hand_is_answered_what_failed() {
    let stage = Stage::repairable(Mode::Approve);
    let digest = stage.command(&check()).digest().unwrap().to_owned();
    stage.world.fail("iam:PutRolePolicy", "*", "ServiceFailure");
    let outcome = stage.command(&apply(&digest)).outcome.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    assert!(
        outcome.changes[0]
            .error
            .as_ref()
            .unwrap()
            .contains("ServiceFailure")
    );
}

#[test]
fn a_report_that_could_not_be_sent_brings_its_messages_back() {
    let stage = Stage::broken(Mode::DryRun);
    stage.is_mute.set(true);
    let messages = [
        ("put", 1, put()),
        ("failed", 1, failed()),
        ("test", 1, recorded("s3-notification/test-event.json")),
    ];
    assert_eq!(
        stage.deliver(&messages),
        ["failed".to_owned(), "put".to_owned()].into()
    );
    let error = stage.handle(&put()).unwrap_err();
    assert_eq!(error.kind(), "NotPublished");
}

#[test]
fn what_was_not_done_in_time_comes_again() {
    let mut stage = Stage::broken(Mode::Auto);
    stage.world = stage.world.with_latency(Duration::from_secs(2));
    stage.time_left = Duration::from_secs(3);
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert!(stage.told().is_empty());
    assert!(matches!(stage.handle(&check()), Err(HandlerError::OutOfTime(_))));
}

#[test]
fn what_our_own_role_did_is_no_news() {
    let stage = Stage::broken(Mode::Auto);
    let event = recorded("cloudtrail/put-by-own-role.json");
    assert_eq!(stage.handle(&event).unwrap(), Response::Reports(Vec::new()));
    assert!(stage.deliver(&[("m", 1, event)]).is_empty());
    assert!(stage.told().is_empty() && stage.world.calls().is_empty());
}

#[test]
fn undo_shows_first_and_takes_back_what_was_shown() {
    let stage = Stage::repairable(Mode::Auto);
    stage.deliver(&[("m", 1, put())]);
    assert_eq!(stage.world.writes().len(), 1);
    let shown = stage.command(&undo());
    assert_eq!(shown.outcome.as_ref().unwrap().status, Status::Planned);
    assert_eq!(stage.world.writes().len(), 1);
    assert!(
        !shown.undo.as_ref().unwrap().consequences.is_empty(),
        "replication will fail again"
    );
    let digest = shown.digest().unwrap();
    assert!(shown.commands.apply.as_ref().unwrap().contains(digest));
    let done = stage.command(&undo_as_shown(digest));
    assert_eq!(done.outcome.as_ref().unwrap().status, Status::Applied);
    assert_eq!(done.commands.apply, None, "there is nothing left to do");
    assert_eq!(stage.world.writes().len(), 2);
    assert_eq!(stage.world.state().roles[&ROLE.parse().unwrap()].inline.len(), 1);
    let nothing = stage.command(&undo());
    assert!(nothing.plan.is_none() && nothing.outcome.is_none());
}

#[test]
fn undo_finds_the_role_that_an_earlier_rule_named_where_the_command_names_it() {
    let mut stage = Stage::repairable(Mode::Auto);
    stage.deliver(&[("m", 1, put())]);
    stage.ledger = MemoryLedger::default();
    stage.world.edit(|state| {
        state
            .buckets
            .get_mut(&SOURCE.parse().unwrap())
            .unwrap()
            .replication = None;
    });
    assert!(stage.command(&undo()).plan.is_none());
    let named = json!({"command": "undo", "bucket": SOURCE, "role": ROLE, "keys": [REPLICA_KEY]});
    assert_eq!(stage.command(&named).plan.unwrap().plan().changes.len(), 1);
}

#[test]
fn a_dry_run_says_how_to_undo_by_hand() {
    let stage = Stage::healthy(Mode::DryRun);
    let shown = stage.command(&undo());
    let by_hand = shown.commands.apply.as_ref().unwrap();
    assert!(
        by_hand.starts_with("aws iam delete-role-policy --role-name="),
        "{by_hand}"
    );
    let writes = stage.world.writes().len();
    let refused = stage.command(&undo_as_shown(shown.digest().unwrap()));
    assert_eq!(refused.outcome.unwrap().status, Status::Refused);
    assert_eq!(stage.world.writes().len(), writes);
}

#[test]
fn good_news_that_changed_nothing_is_not_told() {
    let stage = Stage::healthy(Mode::Auto);
    assert!(stage.deliver(&[("m", 1, put())]).is_empty());
    assert!(stage.told().is_empty());
}

#[test]
fn a_refused_put_is_dropped_unless_the_settings_ask_for_it_and_never_starts_a_repair() {
    let event = recorded("cloudtrail/put-refused-wrong-region-key.json");
    let mut stage = Stage::broken(Mode::Auto);
    assert!(stage.deliver(&[("m", 1, event.clone())]).is_empty());
    assert!(stage.told().is_empty() && stage.world.calls().is_empty());

    stage.report_refused_puts = true;
    assert!(stage.deliver(&[("m", 1, event)]).is_empty());
    let message = stage.only_message();
    assert!(
        message
            .text
            .contains("why now: S3 refused a replication configuration at "),
        "{}",
        message.text
    );
    assert!(
        message
            .text
            .contains("another Region than the destination bucket"),
        "{}",
        message.text
    );
    assert!(stage.world.writes().is_empty());
}

#[test]
fn a_removed_configuration_is_told_although_nothing_is_wrong() {
    let stage = Stage::healthy(Mode::DryRun);
    stage.world.edit(|state| {
        state
            .buckets
            .get_mut(&SOURCE.parse().unwrap())
            .unwrap()
            .replication = None;
    });
    assert!(
        stage
            .deliver(&[("m", 1, recorded("cloudtrail/delete.json"))])
            .is_empty()
    );
    let message = stage.only_message();
    assert_eq!(
        message.subject,
        format!("[dry-run] S3 replication healthy: {SOURCE}")
    );
    assert!(
        message
            .text
            .contains("why now: the replication configuration was removed at "),
        "{}",
        message.text
    );
}

#[test]
fn each_bucket_of_a_batch_is_told_by_itself_and_one_that_fails_does_not_cost_the_others() {
    let stage = Stage::broken(Mode::DryRun);
    let other = "amzn-s3-demo-bucket2";
    let mut second = put();
    let text = second.to_string().replace(SOURCE, other);
    second = serde_json::from_str(&text).unwrap();
    stage.world.edit(|state| {
        let bucket = state.buckets[&SOURCE.parse().unwrap()].clone();
        state.buckets.insert(other.parse().unwrap(), bucket);
    });
    stage.world.fail(
        "s3:GetBucketVersioning",
        &format!("arn:aws:s3:::{other}"),
        "SlowDown",
    );
    let again = stage.deliver(&[("one", 1, put()), ("two", 1, second)]);
    assert_eq!(again, ["two".to_owned()].into());
    assert!(stage.only_message().subject.ends_with(SOURCE));
}

#[test]
fn the_cause_of_a_repair_that_waits_for_a_person_is_still_told_as_broken() {
    let stage = Stage::broken(Mode::Auto);
    let report = match stage.handle(&put()).unwrap() {
        Response::Reports(mut reports) => reports.remove(0),
        other @ (Response::Batch(_) | Response::Report(_) | Response::Sweep(_)) => panic!("{other:?}"),
    };
    assert_eq!(report.outcome.as_ref().unwrap().status, Status::Applied);
    assert_eq!(report.verdict, Verdict::Broken);
    assert_eq!(report.findings[0].check, CheckId::ReplicaKeyNotUsable);
    let repaired: Vec<CheckId> = report.repaired.iter().map(|finding| finding.check).collect();
    assert_eq!(
        repaired,
        [CheckId::RoleSourceKeyAccess, CheckId::RoleReplicaKeyAccess]
    );
}
