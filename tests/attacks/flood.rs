//! Whoever wants a message to be missed: among many others, or because the ledger says that it was told.

use jiff::{SignedDuration, Timestamp};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::Notification;
use serde_json::{Value, json};

use crate::function::{batch, invoke_at, put_event};
use crate::world::*;

fn minute(number: i64) -> Timestamp {
    "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(number)
}

async fn wakes(ledger: &MemoryLedger, world: &World, number: i64, events: &[Value]) -> Vec<Notification> {
    let (mode, guards) = (Mode::DryRun, GuardSettings::default());
    invoke_at(minute(number), ledger, world, mode, guards, &batch(events))
        .await
        .told
}

fn is_summary(message: &Notification) -> bool {
    message.attributes["news"] == "summary"
}

#[tokio::test]
async fn a_defect_that_changes_each_minute_is_told_six_times_and_then_together() {
    let ledger = MemoryLedger::default();
    let mut told = Vec::new();
    for number in 0..30 {
        let mut account = bare();
        account["buckets"]["source"]["replication"]["Rules"][0]["ID"] = json!(format!("planted-{number}"));
        told.extend(wakes(&ledger, &world(&account), number, &[put_event("source")]).await);
    }
    let (summaries, alone): (Vec<_>, Vec<_>) = told.iter().partition(|message| is_summary(message));
    assert_eq!((alone.len(), summaries.len()), (6, 2));
    assert!(
        alone[5]
            .text
            .contains("the last separate message about this bucket within the hour")
    );
    assert!(
        summaries[0].text.contains("BROKEN: source ("),
        "{}",
        summaries[0].text
    );
}

#[tokio::test]
async fn a_hundred_buckets_that_break_at_once_are_told_together_and_none_is_forgotten() {
    let mut account = bare();
    let source = account["buckets"]["source"].clone();
    let names: Vec<String> = (0..100).map(|number| format!("source-{number:03}")).collect();
    for name in &names {
        account["buckets"][name] = source.clone();
    }
    let world = world(&account);
    let ledger = MemoryLedger::default();
    let events: Vec<Value> = names.iter().map(|name| put_event(name)).collect();
    let mut told = Vec::new();
    for ten in events.chunks(10) {
        told.extend(wakes(&ledger, &world, 0, ten).await);
    }
    let check = json!({"command": "check", "bucket": "source-000"});
    assert_eq!(wakes(&ledger, &world, 14, std::slice::from_ref(&check)).await, []);
    told.extend(wakes(&ledger, &world, 16, &[check]).await);
    assert!(told.len() <= 64, "{} messages", told.len());
    for name in &names {
        assert!(
            told.iter().any(|message| message.text.contains(name)),
            "nobody heard of {name}"
        );
    }
}

#[tokio::test]
async fn a_ledger_full_of_nonsense_silences_nobody() {
    let future = minute(10_000_000);
    for value in [
        json!("told"),
        json!({"told": 5}),
        json!({"told": {"at": future, "verdict": "broken"}, "lookedAt": future}),
        json!({"claim": {"at": future, "verdict": "broken", "said": {}, "gone": [], "done": null, "has_failed": false,
               "owes": false}}),
        json!({"hour": {"from": minute(0), "count": -1}}),
    ] {
        let ledger = MemoryLedger::default();
        for (partition, sort) in [("bucket#source", "news"), ("messages", "tally")] {
            let item = Item {
                key: ItemKey {
                    partition: partition.to_owned(),
                    sort: sort.to_owned(),
                },
                version: 1,
                value: value.clone(),
                expires: None,
            };
            ledger.put(&item).await.unwrap();
        }
        let told = wakes(&ledger, &world(&bare()), 0, &[put_event("source")]).await;
        assert_eq!(told.len(), 1, "{value}");
        assert_eq!(
            wakes(&ledger, &world(&bare()), 1, &[put_event("source")]).await,
            [],
            "{value}"
        );
    }
}
