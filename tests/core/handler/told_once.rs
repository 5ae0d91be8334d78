//! Who is told what, and how often, where somebody refuses, several look at once, or a process ends.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::SignedDuration;
use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::events::{REPAIR_APPLIED, render};
use serde_json::{Value, json};

use super::stage::{REPLICA_KEY, SOURCE, Stage, batch};
use super::{apply, check, put};

/// What somebody else writes.
type Meanwhile<'a> = &'a dyn Fn(&MemoryLedger);

/// A ledger that outlives the process, and in which somebody else may write before it is read for the last time.
#[derive(Default)]
struct Table<'a> {
    memory: MemoryLedger,
    reads: Cell<u32>,
    meanwhile: Option<(u32, Meanwhile<'a>)>,
}

impl Ledger for &Table<'_> {
    fn is_durable(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        if partition.starts_with("bucket#") {
            self.reads.set(self.reads.get() + 1);
            if let Some((_, write)) = self.meanwhile.filter(|(read, _)| *read == self.reads.get()) {
                write(&self.memory);
            }
        }
        self.memory.items(partition).await
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        self.memory.put(item).await
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        self.memory.remove(key, version).await
    }
}

fn disable_the_replica_key(stage: &Stage, is_disabled: bool) {
    stage.world.edit(|account| {
        let key = account.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap();
        key.state = match is_disabled {
            true => "Disabled".to_owned(),
            false => "Enabled".to_owned(),
        };
    });
}

fn deliver<L: Ledger>(stage: &Stage, ledger: L, messages: &[(&str, u32, Value)]) {
    let answer = stage.handle_with(ledger, &batch(messages)).unwrap();
    assert_eq!(answer, Response::Batch([].into()));
}

#[test]
fn a_message_that_comes_again_about_a_healthy_bucket_is_no_news_where_the_records_last() {
    let stage = Stage::healthy(Mode::Auto);
    let table = Table::default();
    deliver(&stage, &table, &[("m", 2, put())]);
    assert_eq!(stage.told(), [], "every repair would stand in the records");
    deliver(&stage, MemoryLedger::default(), &[("m", 2, put())]);
    assert_eq!(
        stage.only_message().attributes["news"],
        "unconfirmed",
        "what a process did that is no more is not known"
    );
}

#[test]
fn a_repair_of_which_the_bus_did_not_hear_is_told_to_it_on_the_next_delivery_and_to_people_only_once() {
    let stage = Stage::repairable(Mode::Auto);
    let table = Table::default();
    stage.is_bus_mute.set(true);
    let again = stage.handle_with(&table, &batch(&[("m", 1, put())])).unwrap();
    assert_eq!(again, Response::Batch(["m".to_owned()].into()));
    assert_eq!(stage.world.writes().len(), 1);
    assert!(stage.only_message().text.contains("Repair: applied"));

    stage.is_bus_mute.set(false);
    deliver(&stage, &table, &[("m", 2, put())]);
    assert_eq!(stage.world.writes().len(), 1);
    let repairs = repairs_that_the_bus_hears_of(&stage);
    assert_eq!(repairs.len(), 1);
    assert_eq!(repairs[0]["kind"], "earlier");
    assert_eq!(repairs[0]["earlier"][0]["requestId"], "request-1");
    stage.only_message();
}

fn repairs_that_the_bus_hears_of(stage: &Stage) -> Vec<Value> {
    let partition = stage.world.identity().partition;
    let states = stage.states.borrow();
    states
        .iter()
        .flat_map(|state| render(state, &partition))
        .filter(|event| event.detail_type == REPAIR_APPLIED)
        .map(|event| serde_json::from_str(&event.detail).unwrap())
        .collect()
}

#[test]
fn a_repair_that_a_person_applied_and_of_which_the_bus_did_not_hear_is_told_to_it_by_the_next_look() {
    let stage = Stage::repairable(Mode::Approve);
    let table = Table::default();
    let report = |answer| match answer {
        Response::Report(report) => *report,
        other @ (Response::Batch(_) | Response::Reports(_) | Response::Sweep(_)) => panic!("{other:?}"),
    };
    let shown = report(stage.handle_with(&table, &check()).unwrap());
    stage.is_bus_mute.set(true);
    let applied = stage
        .handle_with(&table, &apply(shown.digest().unwrap()))
        .unwrap();
    assert!(
        report(applied).outcome.unwrap().has_written(),
        "whoever asked is answered"
    );
    assert_eq!(stage.world.writes().len(), 1);

    stage.is_bus_mute.set(false);
    stage.states.borrow_mut().clear();
    // Whoever applied it may still be busy telling, for as long as an invocation takes.
    stage.now.set(stage.now.get() + SignedDuration::from_mins(3));
    deliver(&stage, &table, &[("m", 1, put())]);
    deliver(&stage, &table, &[("n", 1, put())]);
    let kinds: Vec<Value> = repairs_that_the_bus_hears_of(&stage)
        .iter()
        .map(|repair| repair["kind"].clone())
        .collect();
    assert_eq!(kinds, ["earlier"], "once");
}

#[test]
fn good_news_of_an_older_look_is_not_told_over_bad_news_of_a_later_one() {
    // Somebody who looked five seconds later has told that the key is disabled.
    let later = Stage::healthy(Mode::DryRun);
    let told = MemoryLedger::default();
    later.handle_with(&told, &put()).unwrap();
    disable_the_replica_key(&later, true);
    later.now.set(later.now.get() + SignedDuration::from_secs(5));
    later.handle_with(&told, &put()).unwrap();
    let news = || futures_util::FutureExt::now_or_never(told.items(&format!("bucket#{SOURCE}")));
    let news: Vec<Item> = news().unwrap().unwrap();
    let news = news.into_iter().find(|item| item.key.sort == "news").unwrap();

    let stage = Stage::healthy(Mode::DryRun);
    let write = |ledger: &MemoryLedger| {
        let item = Item {
            version: 1,
            ..news.clone()
        };
        futures_util::FutureExt::now_or_never(ledger.put(&item))
            .unwrap()
            .unwrap();
        disable_the_replica_key(&stage, true);
    };
    let table = Table {
        // The first read is before the look, the second when it is to be told.
        meanwhile: Some((2, &write)),
        ..Table::default()
    };
    stage.handle_with(&table, &put()).unwrap();
    assert_eq!(stage.told(), [], "it looked again, and found what people know");
    let verdicts: Vec<Verdict> = stage
        .states
        .borrow()
        .iter()
        .map(|report| report.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Healthy, Verdict::Broken]);
}

#[test]
fn each_look_of_a_long_invocation_has_its_own_time() {
    let mut stage = Stage::broken(Mode::DryRun);
    stage.world = stage.world.with_latency(Duration::from_secs(12));
    stage.time_left = Duration::from_secs(600);
    let buckets = ["one", "two", "three", "four", "five"];
    let messages: Vec<(&str, u32, Value)> = buckets
        .iter()
        .map(|bucket| {
            let mut event = put();
            event["detail"]["requestParameters"]["bucketName"] = json!(format!("amzn-s3-demo-{bucket}"));
            (*bucket, 1, event)
        })
        .collect();
    stage.deliver(&messages);
    let states: &RefCell<_> = &stage.states;
    let times: Vec<_> = states.borrow().iter().map(|report| report.time).collect();
    assert_eq!(times.len(), 5);
    let began = stage.now.get();
    assert_eq!(times.iter().filter(|time| **time == began).count(), 4);
    assert!(
        times
            .iter()
            .any(|time| time.duration_since(began) >= SignedDuration::from_secs(12))
    );
}

#[test]
fn what_is_held_in_a_flood_outlives_a_process_without_a_table() {
    let stage = Stage::broken(Mode::DryRun);
    let names: Vec<String> = (0..63)
        .map(|number| format!("amzn-s3-demo-flood-{number:02}"))
        .collect();
    stage.world.edit(|account| {
        let source = account.buckets[&SOURCE.parse().unwrap()].clone();
        for name in &names {
            account.buckets.insert(name.parse().unwrap(), source.clone());
        }
    });
    let event = |name: &str| {
        let mut event = put();
        event["detail"]["requestParameters"]["bucketName"] = json!(name);
        event
    };
    let first = MemoryLedger::default();
    for name in &names {
        deliver(&stage, &first, &[("m", 1, event(name))]);
    }
    // Sixty by themselves and the first summary; the others are held, and the process ends.
    let told = stage.told();
    assert_eq!(told.len(), 61);
    let unheard: Vec<&String> = names
        .iter()
        .filter(|name| !told.iter().any(|message| message.text.contains(name.as_str())))
        .collect();
    assert_eq!(unheard.len(), 2);
    let left = stage.queue.0.take();
    assert_eq!(
        left.len(),
        unheard.len(),
        "one message for each, however often it is held"
    );
    stage.forget();

    stage.now.set(stage.now.get() + SignedDuration::from_mins(15));
    let second = MemoryLedger::default();
    for message in &left {
        deliver(&stage, &second, &[("m", 1, message.body.clone())]);
    }
    for name in unheard {
        assert!(
            stage
                .told()
                .iter()
                .any(|message| message.text.contains(name.as_str())),
            "nobody heard of {name}"
        );
    }
}
