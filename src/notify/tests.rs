//! Several publishers, each reached once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::alert_state::AlertHistory;
use super::dedup::Deduplicated;
use super::fanout::Fanout;
use super::text;
use super::{Notification, NotificationScope, Publication, PublishFailure, Publisher};
use crate::apply::{Cause, Entry, State};
use crate::check::Verdict;
use crate::event::{FailedObject, TriggerKind};
use crate::report::Report;

/// Writes down which verdicts it is told.
#[derive(Debug, Default)]
struct Recorder {
    told: RefCell<Vec<Verdict>>,
    is_mute: Cell<bool>,
}

impl Publisher for &Recorder {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        if self.is_mute.get() {
            return Err(PublishFailure {
                reason: "gone".to_owned(),
            });
        }
        let verdict = publication
            .report()
            .map_or(Verdict::Undetermined, |report| report.verdict);
        self.told.borrow_mut().push(verdict);
        Ok(())
    }
}

#[test]
fn a_message_fits_whatever_the_records_hold() {
    let entry = Entry {
        number: 1,
        kind: "put-role-policy".to_owned(),
        target: "<".repeat(100_000),
        name: "\u{202e}".repeat(100_000),
        before: Value::Null,
        after: Value::Null,
        undo: String::new(),
        plan: String::new(),
        cause: Cause::default(),
        begun: Timestamp::UNIX_EPOCH,
        state: State::Made,
        ended: None,
        request_id: None,
        grant_id: None,
        error: None,
        untold: false,
    };
    let mut report = Report::healthy();
    report.earlier = vec![entry; 100];
    let history = AlertHistory {
        sent_this_hour: u32::MAX,
        suppressed: u64::MAX,
        failed_objects: u64::MAX,
        ..AlertHistory::default()
    };
    let message = text::render(&report, &history);
    assert!(message.text.len() <= 250 * 1024, "{}", message.text.len());
    assert!(message.text.contains("(cut: the end left out"));
}

fn of(kind: TriggerKind, event: Option<&str>, verdict: Verdict) -> Report {
    let mut report = Report::healthy();
    report.trigger.kind = kind;
    report.trigger.event_id = event.map(str::to_owned);
    report.verdict = verdict;
    report
}

async fn tell(publisher: &impl Publisher, report: &Report) -> Result<(), PublishFailure> {
    publisher.publish(Publication::CheckResult(report, None)).await
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_does_not_stop_the_others_and_the_retry_tells_it_alone() {
    let (well, mute, late) = (Recorder::default(), Recorder::default(), Recorder::default());
    let all = Fanout(
        Deduplicated::new(&well),
        Fanout(Some(Deduplicated::new(&mute)), Deduplicated::new(&late)),
    );
    mute.is_mute.set(true);
    let report = of(TriggerKind::ReplicationConfigured, Some("e1"), Verdict::Broken);
    assert_eq!(tell(&all, &report).await.unwrap_err().reason, "gone");
    mute.is_mute.set(false);
    tell(&all, &report).await.unwrap();
    for recorder in [&well, &mute, &late] {
        assert_eq!(*recorder.told.borrow(), [Verdict::Broken]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_failed_is_said() {
    let (one, other) = (Recorder::default(), Recorder::default());
    one.is_mute.set(true);
    other.is_mute.set(true);
    let failure = tell(&Fanout(&one, &other), &Report::healthy()).await.unwrap_err();
    assert_eq!(failure.reason, "gone; gone");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_is_not_set_up_is_not_in_the_way() {
    let recorder = Recorder::default();
    tell(&Fanout(None::<&Recorder>, &recorder), &Report::healthy())
        .await
        .unwrap();
    assert_eq!(recorder.told.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_event_is_told_though_nothing_has_changed() {
    let recorder = Recorder::default();
    let once = Deduplicated::new(&recorder);
    for event in [Some("e1"), Some("e1"), Some("e2"), None, None] {
        let report = of(TriggerKind::ReplicationConfigured, event, Verdict::Broken);
        tell(&once, &report).await.unwrap();
    }
    assert_eq!(
        recorder.told.borrow().len(),
        4,
        "e1, e2, and each of which nothing is known"
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_of_failures_the_same_state_is_told_once_an_hour_and_each_change_at_once() {
    let recorder = Recorder::default();
    let once = Deduplicated::new(&recorder);
    let storm = |verdict, reason: &str| {
        let mut report = of(TriggerKind::ReplicationFailed, None, verdict);
        report.trigger.objects = vec![FailedObject {
            key: "any".to_owned(),
            version_id: None,
            failure_reason: Some(reason.to_owned()),
            rule_id: None,
        }];
        report
    };
    for _ in 0..1_000 {
        tell(&once, &storm(Verdict::Broken, "a")).await.unwrap();
    }
    assert_eq!(recorder.told.borrow().len(), 1);
    for (verdict, reason) in [
        (Verdict::Broken, "b"),
        (Verdict::Healthy, "b"),
        (Verdict::Broken, "b"),
    ] {
        tell(&once, &storm(verdict, reason)).await.unwrap();
    }
    assert_eq!(recorder.told.borrow().len(), 4, "back again is a change too");
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tell(&once, &storm(Verdict::Broken, "b")).await.unwrap();
    assert_eq!(recorder.told.borrow().len(), 5);
}

/// News of a report, when the message before it went out at that second.
fn message(after: Option<i64>) -> Notification {
    Notification {
        subject: String::new(),
        text: "text".to_owned(),
        attributes: BTreeMap::new(),
        about: NotificationScope::Bucket(None),
        after: after.map(|second| Timestamp::from_second(second).unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_and_the_news_of_it_are_two_things_and_the_retry_for_another_tells_neither_again() {
    let (topic, chat) = (Recorder::default(), Recorder::default());
    let all = Fanout(Deduplicated::new(&topic), Deduplicated::new(&chat));
    let report = of(TriggerKind::ReplicationFailed, None, Verdict::Broken);
    let message = message(None);
    for is_mute in [true, false] {
        chat.is_mute.set(is_mute);
        for publication in [
            Publication::CheckResult(&report, None),
            Publication::Alert(&report, &message),
            Publication::Summary(&message),
        ] {
            assert_eq!(all.publish(publication).await.is_err(), is_mute);
        }
    }
    assert_eq!(topic.told.borrow().len(), 3);
    assert_eq!(chat.told.borrow().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_is_told_though_another_process_told_that_it_had_gone() {
    let recorder = Recorder::default();
    let once = Deduplicated::new(&recorder);
    let report = of(TriggerKind::ReplicationFailed, None, Verdict::Broken);
    // In between, somebody else told that all is well.
    for after in [Some(1), Some(1), Some(2)] {
        let message = message(after);
        for publication in [
            Publication::CheckResult(&report, message.after),
            Publication::Alert(&report, &message),
        ] {
            once.publish(publication).await.unwrap();
        }
    }
    assert_eq!(recorder.told.borrow().len(), 4);
}
