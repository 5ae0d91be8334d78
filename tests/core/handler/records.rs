//! What is written down about changes, and what is taken back because of it.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use s3_replication_remediator::apply::Status;
use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::ledger::changes::ChangeRecord;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use super::stage::{REPLICA_KEY, ROLE, SOURCE, Stage, batch};
use super::{check, put};

/// A ledger that outlives the process, and that can be broken.
#[derive(Debug, Default)]
pub(super) struct Table {
    memory: MemoryLedger,
    refuses_reads: Cell<bool>,
    refuses_writes: Cell<bool>,
}

impl Ledger for &Table {
    fn is_durable(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        match self.refuses_reads.get() {
            true => Err(LedgerFailure::Unavailable("the table is gone".to_owned())),
            false => self.memory.items(partition).await,
        }
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        match self.refuses_writes.get() {
            true => Err(LedgerFailure::Unavailable("the table is full".to_owned())),
            false => self.memory.put(item).await,
        }
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        self.memory.remove(key, version).await
    }
}

impl Table {
    pub(super) fn items(&self) -> Vec<Item> {
        let partition = format!("bucket#{SOURCE}");
        let items = self.memory.items(&partition);
        futures_util::FutureExt::now_or_never(items).unwrap().unwrap()
    }

    pub(super) fn records(&self) -> Vec<ChangeRecord> {
        self.items().iter().filter_map(ChangeRecord::read).collect()
    }

    pub(super) fn refuse_writes(&self, refuses: bool) {
        self.refuses_writes.set(refuses);
    }

    /// An item as somebody with access to the table would write it.
    pub(super) fn forge(&self, sort: &str, value: Value) {
        let item = Item {
            key: ItemKey {
                partition: format!("bucket#{SOURCE}"),
                sort: sort.to_owned(),
            },
            version: self
                .items()
                .iter()
                .find(|item| item.key.sort == sort)
                .map_or(1, |item| item.version + 1),
            value,
            expires: None,
        };
        futures_util::FutureExt::now_or_never(self.memory.put(&item))
            .unwrap()
            .unwrap();
    }
}

/// What was written down reads as if everybody had been stopped right after each write.
pub(super) fn forget_the_end(stage: &Stage) {
    let now = |item: &Item| futures_util::FutureExt::now_or_never(stage.ledger.put(item)).unwrap();
    let partition = format!("bucket#{SOURCE}");
    let items = futures_util::FutureExt::now_or_never(stage.ledger.items(&partition)).unwrap();
    let mut items = items.unwrap();
    items.retain(|item| ChangeRecord::read(item).is_some());
    for mut item in items {
        item.version += 1;
        item.value["changes"][0]["state"] = json!("begun");
        item.value["changes"][0]["error"] = json!("nobody knows");
        item.value["changes"][0]["untold"] = json!(true);
        now(&item).unwrap();
    }
}

#[test]
fn a_change_that_somebody_began_and_that_is_in_place_is_told_by_whoever_comes_next() {
    let stage = Stage::repairable_by_a_grant(Mode::Auto);
    deliver_plain(&stage, &put());
    stage.forget();
    forget_the_end(&stage);
    // Who is still at work tells of it himself.
    deliver_plain(&stage, &put());
    assert!(stage.told().is_empty());
    later(&stage, 2);
    deliver_plain(&stage, &put());
    let told = stage.only_message().text;
    assert!(
        told.contains("Changed before") && told.contains("create-grant"),
        "{told}"
    );
    stage.forget();
    deliver_plain(&stage, &put());
    assert!(stage.told().is_empty(), "it was told");
}

pub(super) fn removed() -> Value {
    let mut event = put();
    event["detail"]["eventName"] = json!("DeleteBucketReplication");
    event
}

pub(super) fn later(stage: &Stage, minutes: i64) {
    let now: Timestamp = stage.now.get() + SignedDuration::from_mins(minutes);
    stage.now.set(now);
}

pub(super) fn remove_rules(stage: &Stage) {
    stage.world.edit(|state| {
        state
            .buckets
            .get_mut(&SOURCE.parse().unwrap())
            .unwrap()
            .replication = None;
    });
}

pub(super) fn deliver(stage: &Stage, table: &Table, count: u32, event: &Value) {
    let answer = stage
        .handle_with(table, &batch(&[("m", count, event.clone())]))
        .unwrap();
    assert_eq!(json!(format!("{answer:?}")), json!("Batch({})"));
}

/// What is left in the queue is delivered.
pub(super) fn deliver_own(stage: &Stage, table: &Table) -> usize {
    let mut messages = stage.queue.0.take();
    // The look after a repair is another matter.
    messages.retain(|message| message.body["promised"].is_null());
    for message in &messages {
        deliver(stage, table, 1, &message.body);
    }
    messages.len()
}

pub(super) fn ours(stage: &Stage) -> usize {
    let state = stage.world.state();
    let policies = state.roles.values().flat_map(|role| role.inline.keys());
    let grants = state.keys.values().flat_map(|key| &key.grants);
    policies
        .filter(|name| name.starts_with("s3-replication-remediator"))
        .count()
        + grants.count()
}

/// A repaired account, and what was written down about it.
pub(super) fn repaired() -> (Stage, Table) {
    let stage = Stage::repairable_by_a_grant(Mode::Auto);
    let table = Table::default();
    deliver(&stage, &table, 1, &put());
    assert_eq!(ours(&stage), 2);
    stage.forget();
    (stage, table)
}

#[test]
fn a_change_is_written_down_with_what_was_before_and_after_who_caused_it_and_how_to_take_it_back() {
    let (stage, table) = repaired();
    let records = table.records();
    assert_eq!(records.len(), 2);
    for (record, write) in records.iter().rev().zip(1..) {
        let entry = json!(record.changes[0]);
        assert_eq!(entry["state"], "made");
        assert_eq!(entry["before"], Value::Null);
        assert!(entry["after"].is_object() && entry["undo"].as_str().unwrap().starts_with("aws "));
        assert!(entry["requestId"].as_str().is_some(), "{write}");
        assert_eq!(entry["cause"]["actor"], put()["detail"]["userIdentity"]["arn"]);
        assert_eq!(entry["cause"]["kind"], "replication-configured");
        assert!(entry["plan"].as_str().unwrap().starts_with("sha256:"));
    }
    // What is there already is not written down again.
    deliver(&stage, &table, 1, &put());
    assert_eq!(table.records(), records);
}

#[test]
fn nothing_is_changed_that_cannot_be_written_down() {
    for refusal in [
        |table: &Table| table.refuses_reads.set(true),
        |table: &Table| table.refuses_writes.set(true),
    ] {
        let stage = Stage::repairable_by_a_grant(Mode::Auto);
        let table = Table::default();
        refusal(&table);
        let answer = stage.handle_with(&table, &batch(&[("m", 1, put())])).unwrap();
        assert_eq!(format!("{answer:?}"), r#"Batch({"m"})"#, "it comes again");
        assert!(stage.world.writes().is_empty());
        // When it was handed out often enough, it is told.
        stage.handle_with(&table, &batch(&[("m", 3, put())])).unwrap();
        assert!(
            stage
                .only_message()
                .text
                .contains("nothing is changed without a record")
        );
        assert!(stage.world.writes().is_empty());
    }
}

#[test]
fn what_was_made_but_not_told_is_told_by_the_next_delivery() {
    let stage = Stage::repairable_by_a_grant(Mode::Auto);
    let table = Table::default();
    stage.is_mute.set(true);
    let answer = stage.handle_with(&table, &batch(&[("m", 1, put())])).unwrap();
    assert_eq!(format!("{answer:?}"), r#"Batch({"m"})"#);
    assert_eq!(ours(&stage), 2);
    stage.is_mute.set(false);
    deliver(&stage, &table, 2, &put());
    let told = stage.only_message().text;
    assert!(told.contains("Changed before"), "{told}");
    assert!(
        told.contains("put-role-policy") && told.contains("create-grant"),
        "{told}"
    );
}

#[test]
fn a_forged_record_leads_to_no_change() {
    let (stage, table) = repaired();
    let entry = json!(table.records()[0].changes[0]);
    let victim = "arn:aws:iam::111122223333:role/victim";
    stage.world.edit(|state| {
        let mut role = state.roles[&ROLE.parse().unwrap()].clone();
        role.inline.insert(
            "s3-replication-remediator-other".to_owned(),
            json!({"Version": "2012-10-17", "Statement": []}),
        );
        role.inline
            .retain(|name, _| *name != format!("s3-replication-remediator-{SOURCE}"));
        state.roles.insert(victim.parse().unwrap(), role);
    });
    let records = [
        json!({"holder": {"role": {"role": victim}}, "changes": [entry.clone()]}),
        json!({"holder": {"role": {"role": "arn:aws:iam::999988887777:role/x"}}, "changes": [entry.clone()]}),
        json!({"holder": {"role": {"role": stage.world.state().identity.role}}, "changes": [entry.clone()]}),
        json!({"holder": {"key": {"key": REPLICA_KEY, "grantee": victim, "grant": "s3-replication-remediator/00"}}, "changes": [entry]}),
        json!({"holder": {"role": {"role": "no role"}}, "changes": 7}),
        json!("no record"),
    ];
    for (index, record) in records.iter().enumerate() {
        table.forge(&format!("change#forged#{index}"), record.clone());
    }
    table.forge("rules#since", json!({"rules": ["?"], "since": 7}));
    let written = stage.world.writes().len();
    for event in [put(), removed(), json!({"command": "check", "bucket": SOURCE})] {
        deliver(&stage, &table, 1, &event);
        later(&stage, 60);
    }
    assert_eq!(stage.world.writes().len(), written);
    // The rules are as good as gone: what is ours goes, and nothing of the victim's.
    remove_rules(&stage);
    let before = stage.world.state().roles[&victim.parse().unwrap()].clone();
    deliver(&stage, &table, 1, &removed());
    later(&stage, 60);
    deliver_own(&stage, &table);
    assert_eq!(ours(&stage), 1, "the victim's");
    assert_eq!(stage.world.state().roles[&victim.parse().unwrap()], before);
}

/// A table in which somebody gave every item the last version that there is.
struct Spent<'a>(&'a Table);

impl Ledger for Spent<'_> {
    fn is_durable(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        let mut items = Ledger::items(&self.0, partition).await?;
        for item in &mut items {
            item.version = u64::MAX;
        }
        Ok(items)
    }

    async fn put(&self, _: &Item) -> Result<(), LedgerFailure> {
        Err(LedgerFailure::VersionConflict)
    }

    async fn remove(&self, _: &ItemKey, _: u64) -> Result<(), LedgerFailure> {
        Err(LedgerFailure::VersionConflict)
    }
}

#[test]
fn a_forged_version_stops_no_look() {
    let (stage, table) = repaired();
    for item in table.items() {
        if let Some(mut value) = ChangeRecord::read(&item).map(|_| item.value.clone()) {
            value["changes"][0]["state"] = json!("begun");
            table.forge(&item.key.sort, value);
        }
    }
    let look = stage.handle_with(Spent(&table), &check()).unwrap();
    let Response::Report(report) = look else {
        panic!("{look:?}")
    };
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn without_a_ledger_a_removal_says_what_was_not_searched() {
    let mut stage = Stage::repairable(Mode::Auto);
    deliver_plain(&stage, &put());
    stage.ledger = MemoryLedger::default();
    stage.forget();
    remove_rules(&stage);
    deliver_plain(&stage, &removed());
    let told = stage.only_message().text;
    assert!(
        told.contains("there is no ledger that would remember them"),
        "{told}"
    );
}

fn deliver_plain(stage: &Stage, event: &Value) {
    assert!(stage.deliver(&[("m", 1, event.clone())]).is_empty());
}

#[test]
fn an_undo_finds_by_its_records_what_no_rule_names_any_more() {
    let (stage, table) = repaired();
    remove_rules(&stage);
    let undo = |plan: Option<&str>| {
        let mut command = json!({"command": "undo", "bucket": SOURCE});
        if let Some(plan) = plan {
            command["plan"] = json!(plan);
        }
        match stage.handle_with(&table, &command).unwrap() {
            Response::Report(report) => *report,
            other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => panic!("{other:?}"),
        }
    };
    let shown = undo(None);
    assert_eq!(shown.plan.as_ref().unwrap().plan().changes.len(), 2);
    let searched = &shown.undo.as_ref().unwrap().not_searched;
    assert!(
        searched
            .iter()
            .any(|text| text.contains("before there was a ledger")),
        "{searched:?}"
    );
    let done = undo(shown.digest());
    assert_eq!(done.outcome.unwrap().status, Status::Applied);
    assert_eq!(ours(&stage), 0);
    assert!(table.records().iter().all(|record| !record.may_hold()));
}

#[test]
fn what_a_killed_process_changed_is_told_to_people_once_whoever_looks_first() {
    for opts_out in [false, true] {
        let stage = Stage::repairable_by_a_grant(Mode::Auto);
        let table = Table::default();
        // Nobody hears of it, and the message that led to it is lost.
        stage.is_mute.set(true);
        stage.handle_with(&table, &batch(&[("m", 1, put())])).unwrap();
        stage.is_mute.set(false);
        assert_eq!(ours(&stage), 2);
        later(&stage, 3);
        if opts_out {
            super::opt_out(&stage);
        }
        // Who asks is shown it, and is not who is told.
        for command in [check(), super::undo()] {
            let Response::Report(shown) = stage.handle_with(&table, &command).unwrap() else {
                panic!()
            };
            assert_eq!(shown.earlier.len(), 2, "{command}");
            assert!(json!(shown)["earlier"][0].get("untold").is_none());
        }
        assert!(stage.told().is_empty());
        deliver(&stage, &table, 1, &put());
        let told = stage.only_message().text;
        assert!(
            told.contains("Changed before")
                && told.contains("put-role-policy")
                && told.contains("create-grant"),
            "{told}"
        );
        stage.forget();
        for count in [1, 2] {
            deliver(&stage, &table, count, &put());
            later(&stage, 20);
        }
        assert!(
            stage
                .told()
                .iter()
                .all(|message| !message.text.contains("Changed before")),
            "{:?}",
            stage.told()
        );
    }
}

#[test]
fn what_a_person_had_changed_is_answered_to_that_person_and_not_told_later() {
    let mut stage = Stage::repairable_by_a_grant(Mode::Approve);
    let table = Table::default();
    let ask = |stage: &Stage, command: &Value| match stage.handle_with(&table, command).unwrap() {
        Response::Report(report) => *report,
        other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => panic!("{other:?}"),
    };
    let shown = ask(&stage, &check());
    ask(&stage, &super::apply(shown.digest().unwrap()));
    assert_eq!(ours(&stage), 2);
    stage.mode = Mode::Auto;
    later(&stage, 3);
    deliver(&stage, &table, 1, &put());
    assert!(stage.told().is_empty(), "{:?}", stage.told());
}
