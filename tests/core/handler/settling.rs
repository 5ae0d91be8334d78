//! What the rules do not need any more: it goes when it has been superfluous for a while, and whatever is noted.

use jiff::{SignedDuration, Timestamp};
use s3_replication_remediator::apply::Status;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::report::Report;
use serde_json::{Value, json};

use super::records::{Table, deliver, deliver_own, later, ours, remove_rules, removed, repaired};
use super::stage::{ROLE, SOURCE, Stage};
use super::{apply, check, put};

const SECOND: &str = "arn:aws:iam::111122223333:role/second";

#[test]
fn when_replication_is_removed_what_was_given_for_it_goes_after_a_while() {
    let (stage, table) = repaired();
    remove_rules(&stage);
    deliver(&stage, &table, 1, &removed());
    assert_eq!(ours(&stage), 2, "it may be put again at once");
    assert!(stage.only_message().text.contains("rules-unsettled"));
    later(&stage, 15);
    assert_eq!(deliver_own(&stage, &table), 1);
    assert_eq!(ours(&stage), 0);
    let told = stage.told();
    assert!(
        told[1].text.contains("delete-role-policy") && told[1].text.contains("revoke-grant"),
        "{}",
        told[1].text
    );
    assert!(table.records().iter().all(|record| !record.may_hold()));
    assert!(
        table
            .items()
            .iter()
            .all(|item| item.expires.is_some() || item.key.sort == "rules#since")
    );
    later(&stage, 15);
    deliver(&stage, &table, 1, &json!({"command": "check", "bucket": SOURCE}));
    assert!(table.items().iter().all(|item| item.key.sort != "rules#since"));
}

#[test]
fn a_configuration_that_is_replaced_by_removing_and_putting_it_loses_nothing_in_between() {
    let (stage, table) = repaired();
    let rules = stage.world.state().buckets[&SOURCE.parse().unwrap()]
        .replication
        .clone();
    let written = stage.world.writes().len();
    for _ in 0..20 {
        remove_rules(&stage);
        deliver(&stage, &table, 1, &removed());
        stage.world.edit(|state| {
            state
                .buckets
                .get_mut(&SOURCE.parse().unwrap())
                .unwrap()
                .replication = rules.clone();
        });
        later(&stage, 1);
        deliver(&stage, &table, 1, &put());
        later(&stage, 8);
        deliver_own(&stage, &table);
    }
    assert_eq!(stage.world.writes().len(), written);
}

#[test]
fn rules_that_go_to_and_fro_between_two_roles_have_each_written_once() {
    let (stage, table) = repaired();
    stage.world.edit(|state| {
        let mut second = state.roles[&ROLE.parse().unwrap()].clone();
        second
            .inline
            .retain(|name, _| !name.starts_with("s3-replication-remediator"));
        state.roles.insert(SECOND.parse().unwrap(), second);
    });
    let written = stage.world.writes().len();
    for role in [SECOND, ROLE].iter().cycle().take(40) {
        stage.world.edit(|state| {
            let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
            source.replication.as_mut().unwrap().role = role.parse().unwrap();
        });
        deliver(&stage, &table, 1, &put());
        later(&stage, 3);
        deliver_own(&stage, &table);
    }
    assert_eq!(stage.world.writes().len(), written + 2);
    let waiting = stage.queue.0.borrow();
    let looks = waiting
        .iter()
        .filter(|message| message.body["promised"].is_null());
    assert!(looks.count() <= 1, "one look waits at a time");
    drop(waiting);
    // When it comes to rest, the other loses it.
    later(&stage, 15);
    deliver(&stage, &table, 1, &json!({"command": "check", "bucket": SOURCE}));
    assert_eq!(ours(&stage), 2);
}

#[test]
fn a_person_who_asks_is_shown_at_once_what_would_go() {
    let (mut stage, table) = repaired();
    stage.mode = Mode::Approve;
    remove_rules(&stage);
    let shown = match stage.handle_with(&table, &check()).unwrap() {
        Response::Report(report) => *report,
        other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => panic!("{other:?}"),
    };
    let digest = shown.digest().unwrap();
    assert_eq!(shown.plan.as_ref().unwrap().plan().changes.len(), 2);
    stage.handle_with(&table, &super::apply(digest)).unwrap();
    assert_eq!(ours(&stage), 0);
}

fn command(stage: &Stage, table: &Table, command: &Value) -> Report {
    match stage.handle_with(table, command).unwrap() {
        Response::Report(report) => *report,
        other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => panic!("{other:?}"),
    }
}

/// The event of a put at this time.
fn put_now(stage: &Stage) -> Value {
    let mut event = put();
    event["detail"]["eventTime"] = json!(stage.now.get());
    event
}

fn looks_in_queue(stage: &Stage) -> usize {
    let waiting = stage.queue.0.borrow();
    waiting
        .iter()
        .filter(|message| message.body["promised"].is_null())
        .count()
}

/// The rules take one prefix or the other.
fn turn(stage: &Stage, prefix: &str) {
    stage.world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        for rule in &mut source.replication.as_mut().unwrap().rules {
            rule.filter = serde_json::from_value(json!({"Prefix": prefix})).unwrap();
        }
    });
}

/// A repaired account whose rules take one prefix.
fn repaired_for(prefix: &str) -> (Stage, Table) {
    let (stage, table) = (Stage::repairable_by_a_grant(Mode::Auto), Table::default());
    turn(&stage, prefix);
    deliver(&stage, &table, 1, &put());
    assert_eq!(ours(&stage), 2);
    stage.forget();
    (stage, table)
}

#[test]
fn rules_that_go_to_and_fro_in_one_role_have_it_written_once_for_each() {
    let (stage, table) = repaired_for("start/");
    let written = stage.world.writes().len();
    for prefix in ["a/", "b/"].iter().cycle().take(40) {
        turn(&stage, prefix);
        deliver(&stage, &table, 1, &put_now(&stage));
        later(&stage, 3);
        deliver_own(&stage, &table);
    }
    assert_eq!(stage.world.writes().len(), written + 2);
    assert!(looks_in_queue(&stage) <= 1, "one look waits at a time");
    // When it comes to rest, what the last ones do not need goes.
    later(&stage, 15);
    deliver(&stage, &table, 1, &check());
    assert_eq!(stage.world.writes().len(), written + 3);
    let policy = stage.world.state().roles[&ROLE.parse().unwrap()].inline
        [&format!("s3-replication-remediator-{SOURCE}")]
        .to_string();
    assert!(policy.contains("/b/*") && !policy.contains("/a/*"), "{policy}");
}

#[test]
fn a_plan_that_was_told_while_the_rules_were_unsettled_is_applied_as_it_was_told() {
    let (mut stage, table) = repaired_for("start/");
    stage.mode = Mode::Approve;
    turn(&stage, "a/");
    deliver(&stage, &table, 1, &put_now(&stage));
    let told = stage.states.borrow().last().unwrap().clone();
    let done = command(&stage, &table, &apply(told.digest().unwrap()));
    assert_eq!(done.outcome.unwrap().status, Status::Applied);
    // And one that takes away is another plan, which a person need not wait for.
    let shown = command(&stage, &table, &check());
    assert_ne!(shown.digest(), told.digest());
    let done = command(&stage, &table, &apply(shown.digest().unwrap()));
    assert_eq!(done.outcome.unwrap().status, Status::Applied);
    assert!(
        command(&stage, &table, &check())
            .plan
            .is_none_or(|plan| !plan.has_changes())
    );
}

#[test]
fn a_forged_time_takes_nothing_back_when_the_rules_change_and_nothing_that_they_need() {
    let (stage, table) = repaired_for("start/");
    let written = stage.world.writes().len();
    turn(&stage, "a/");
    deliver(&stage, &table, 1, &put_now(&stage));
    assert_eq!(stage.world.writes().len(), written + 1, "given");
    let mut noted = table
        .items()
        .into_iter()
        .find(|item| item.key.sort == "rules#since")
        .unwrap();
    noted.value["since"] = json!("2001-01-01T00:00:00Z");
    table.forge("rules#since", noted.value.clone());
    // Whatever is noted: what changed a moment ago has not been so for long.
    deliver(&stage, &table, 1, &put_now(&stage));
    assert_eq!(stage.world.writes().len(), written + 1);
    // A look that nothing led to takes away what no rule needs, some minutes early. That is all.
    deliver(&stage, &table, 1, &check());
    assert_eq!(stage.world.writes().len(), written + 2);
    let report = command(&stage, &table, &check());
    assert!(report.plan.is_none(), "{:?}", report.plan);
    // A time to come is not believed.
    turn(&stage, "b/");
    deliver(&stage, &table, 1, &put_now(&stage));
    let future: Timestamp = stage.now.get() + SignedDuration::from_hours(24 * 365);
    let mut noted = table
        .items()
        .into_iter()
        .find(|item| item.key.sort == "rules#since")
        .unwrap();
    noted.value["since"] = json!(future);
    noted.value["look"] = json!(future);
    table.forge("rules#since", noted.value);
    let written = stage.world.writes().len();
    for _ in 0..2 {
        deliver(&stage, &table, 1, &check());
        later(&stage, 15);
    }
    assert_eq!(stage.world.writes().len(), written + 1);
}

#[test]
fn however_many_messages_ask_for_a_look_one_waits_in_the_queue() {
    let (stage, table) = repaired();
    remove_rules(&stage);
    deliver(&stage, &table, 1, &removed());
    for _ in 0..50 {
        deliver(&stage, &table, 1, &check());
    }
    assert_eq!(looks_in_queue(&stage), 1);
    // Nor does one beget another for ever where the ledger does not take what is noted.
    let (stage, table) = repaired();
    remove_rules(&stage);
    table.refuse_writes(true);
    for _ in 0..5 {
        deliver(&stage, &table, 1, &check());
    }
    assert_eq!(looks_in_queue(&stage), 0);
    table.refuse_writes(false);
    deliver(&stage, &table, 1, &check());
    assert_eq!(looks_in_queue(&stage), 1);
}

#[test]
fn an_item_that_nobody_can_read_keeps_no_repair_from_being_made_or_written_down() {
    let stage = Stage::repairable_by_a_grant(Mode::Auto);
    let table = Table::default();
    for sort in [
        "rules#since",
        "news",
        "change#nonsense",
        &format!("change#role#{ROLE}"),
    ] {
        table.forge(sort, Value::Null);
    }
    deliver(&stage, &table, 1, &put());
    assert_eq!(ours(&stage), 2);
    assert_eq!(table.records().len(), 2);
}

#[test]
fn what_somebody_planted_in_a_role_that_the_rules_left_costs_no_repair() {
    let (mut stage, table) = repaired();
    stage.mode = Mode::Approve;
    stage.world.edit(|state| {
        let former = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        let mut second = former.clone();
        second
            .inline
            .retain(|name, _| !name.starts_with("s3-replication-remediator"));
        // In our own form and under our own name, but for what it allows.
        for (name, document) in &mut former.inline {
            if name.starts_with("s3-replication-remediator") {
                let planted = json!(document)
                    .to_string()
                    .replace("kms:Decrypt", "kms:ScheduleKeyDeletion");
                *document = serde_json::from_str(&planted).unwrap();
            }
        }
        state.roles.insert(SECOND.parse().unwrap(), second);
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        source.replication.as_mut().unwrap().role = SECOND.parse().unwrap();
    });
    let report = command(&stage, &table, &check());
    let plan = json!(
        report
            .plan
            .as_ref()
            .expect("the role of the rules is repaired all the same")
    );
    let changes = plan["changes"].to_string();
    assert!(
        changes.contains(SECOND) && !changes.contains("ScheduleKeyDeletion"),
        "{changes}"
    );
}
