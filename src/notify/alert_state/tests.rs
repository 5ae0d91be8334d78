//! What is told when, in the life of one bucket.

use super::*;

const DAY: Option<SignedDuration> = Some(SignedDuration::from_hours(24));

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

/// Trouble of these kinds; none is good news.
fn found(active: &[&'static str]) -> Alert {
    let named = |words: &[&'static str]| words.iter().map(|word| ((*word).to_owned(), *word)).collect();
    Alert {
        verdict: match active {
            [] => Verdict::Healthy,
            [..] => Verdict::Broken,
        },
        active: named(active),
        one_off: BTreeMap::new(),
        done: None,
        may_have_repaired: false,
        yields_to_later_looks: true,
        is_complete: true,
        is_not_configured: false,
        failed_objects: 0,
        event_time: None,
    }
}

fn failed(word: &'static str) -> Alert {
    Alert {
        verdict: Verdict::AtRisk,
        one_off: [(word.to_owned(), word)].into(),
        failed_objects: 3,
        ..found(&[])
    }
}

/// The life of one bucket, with everybody reached.
#[derive(Default)]
struct Life(Option<AlertState>);

impl Life {
    fn sees(&mut self, alert: &Alert, now: Timestamp) -> Option<AlertHistory> {
        match next_step(self.0.as_ref(), alert, now, DAY) {
            Step::Ignore => None,
            Step::Wait | Step::Stale => panic!("nobody else is there"),
            Step::Save(record) => {
                self.0 = Some(record);
                None
            }
            Step::Send(record, history) => {
                self.0 = Some(record.confirmed());
                Some(history)
            }
        }
    }

    #[track_caller]
    fn tells(&mut self, alert: &Alert, now: Timestamp, reason: Reason) -> AlertHistory {
        let history = self.sees(alert, now).expect("this is news");
        assert_eq!(history.reason, reason);
        history
    }

    fn begun(&mut self, alert: &Alert, now: Timestamp) -> AlertState {
        match next_step(self.0.as_ref(), alert, now, DAY) {
            Step::Send(record, _) => {
                self.0 = Some(record.clone());
                record
            }
            other @ (Step::Ignore | Step::Wait | Step::Stale | Step::Save(_)) => panic!("{other:?}"),
        }
    }
}

#[test]
fn good_news_is_told_only_where_trouble_was_told() {
    let mut life = Life::default();
    assert_eq!(life.sees(&found(&[]), at(0)), None);
    assert_eq!(
        life.0, None,
        "nothing needs to be remembered of a bucket that is well"
    );
    life.tells(&found(&["key"]), at(1), Reason::New);
    let history = life.tells(&found(&[]), at(2), Reason::Resolved);
    assert_eq!(history.gone, ["key".to_owned()].into());
    assert_eq!(life.sees(&found(&[]), at(3)), None);
    life.tells(&found(&["key"]), at(4), Reason::Reopened);
}

#[test]
fn the_same_is_counted_and_told_again_after_the_interval_with_the_count() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(0), Reason::New);
    for minute in 1..=412 {
        assert_eq!(life.sees(&found(&["key"]), at(minute)), None);
    }
    let history = life.tells(&found(&["key"]), at(24 * 60), Reason::Reminder);
    assert_eq!(
        (history.suppressed, history.last_sent_at, history.first_seen),
        (412, Some(at(0)), Some(at(0)))
    );
    assert_eq!(life.sees(&found(&["key"]), at(24 * 60 + 1)), None);
}

#[test]
fn trouble_is_never_told_again_where_the_interval_is_for_ever() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(0), Reason::New);
    let step = next_step(life.0.as_ref(), &found(&["key"]), at(1_000_000), None);
    assert!(matches!(step, Step::Save(_)));
}

#[test]
fn what_comes_and_what_goes_is_told_and_named() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(0), Reason::New);
    let more = life.tells(&found(&["key", "role"]), at(1), Reason::Changed);
    assert_eq!(more.fresh, ["role".to_owned()].into());
    let less = life.tells(&found(&["role"]), at(2), Reason::Changed);
    assert_eq!(less.gone, ["key".to_owned()].into());
    let mut worse = found(&["role", "trust"]);
    life.0.as_mut().unwrap().last_sent.as_mut().unwrap().verdict = Verdict::AtRisk;
    worse.verdict = Verdict::Broken;
    life.tells(&worse, at(3), Reason::Worse);
}

#[test]
fn what_was_not_read_is_not_found_gone() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(0), Reason::New);
    let mut blind = found(&["unread"]);
    blind.verdict = Verdict::Undetermined;
    blind.is_complete = false;
    assert!(life.tells(&blind, at(1), Reason::Changed).gone.is_empty());
    let back = life.tells(&found(&["key"]), at(2), Reason::Changed);
    assert_eq!(back.gone, ["unread".to_owned()].into());
}

#[test]
fn objects_that_fail_in_turn_for_two_reasons_are_told_once_each() {
    let mut life = Life::default();
    life.tells(&failed("a"), at(0), Reason::New);
    life.tells(&failed("b"), at(1), Reason::Changed);
    for minute in 2..10 {
        let word = if minute % 2 == 0 { "a" } else { "b" };
        assert_eq!(life.sees(&failed(word), at(minute)), None);
    }
    assert_eq!(life.0.unwrap().failed_objects, 8 * 3);
}

#[test]
fn that_no_object_fails_any_more_is_no_proof_that_all_is_well() {
    let mut life = Life::default();
    life.tells(&failed("a"), at(0), Reason::New);
    assert_eq!(life.sees(&found(&[]), at(1)), None);
}

#[test]
fn after_good_news_the_same_failure_is_news_again() {
    let mut life = Life::default();
    let mut both = found(&["key"]);
    both.one_off = failed("a").one_off;
    life.tells(&both, at(0), Reason::New);
    life.tells(&found(&[]), at(1), Reason::Resolved);
    life.tells(&failed("a"), at(2), Reason::Reopened);
}

#[test]
fn whether_replication_is_missed_depends_on_who_asks_and_only_its_return_ends_it() {
    let word = CheckId::ReplicationNotConfigured.as_str();
    let mut life = Life::default();
    let mut missed = found(&[word]);
    missed.is_not_configured = true;
    life.tells(&missed, at(0), Reason::New);
    let mut at_a_sweep = found(&[]);
    at_a_sweep.is_not_configured = true;
    assert_eq!(life.sees(&at_a_sweep, at(1)), None);
    life.tells(&found(&[]), at(2), Reason::Resolved);
}

#[test]
fn what_was_done_is_news_each_time() {
    let mut life = Life::default();
    let mut repaired = found(&[]);
    repaired.done = Some("applied");
    life.tells(&repaired, at(0), Reason::New);
    life.tells(&repaired, at(1), Reason::Changed);
}

#[test]
fn of_two_at_once_one_tells_and_the_other_waits() {
    let mut life = Life::default();
    let claimed = life.begun(&found(&["key"]), at(0));
    assert_eq!(
        next_step(Some(&claimed), &found(&["key"]), at(1), DAY),
        Step::Wait
    );
    let told = claimed.confirmed();
    assert!(matches!(
        next_step(Some(&told), &found(&["key"]), at(1), DAY),
        Step::Save(_)
    ));
}

#[test]
fn whoever_comes_after_one_that_was_stopped_tells_again_whatever_is_found() {
    for then in [found(&["key"]), found(&[])] {
        let mut life = Life::default();
        life.tells(&found(&["other"]), at(0), Reason::New);
        life.begun(&found(&["other", "key"]), at(1));
        let history = life.sees(&then, at(3)).expect("nobody may have heard");
        assert_eq!(history.unconfirmed.unwrap().at, at(1));
        assert_eq!(life.sees(&then, at(4)), None);
    }
}

#[test]
fn a_repair_that_could_not_be_told_is_told_by_whoever_comes_next_however_often_that_fails() {
    let mut life = Life::default();
    let mut repaired = found(&[]);
    repaired.done = Some("applied");
    life.0 = Some(life.begun(&repaired, at(0)).failed());
    life.0 = Some(life.begun(&found(&[]), at(10)).failed());
    let history = life.tells(&found(&[]), at(20), Reason::Unconfirmed);
    assert_eq!(history.unconfirmed.unwrap().done.as_deref(), Some("applied"));
}

#[test]
fn trouble_that_nobody_was_told_of_and_that_is_gone_is_not_told() {
    let mut life = Life::default();
    life.0 = Some(life.begun(&found(&["key"]), at(0)).failed());
    assert_eq!(life.sees(&found(&[]), at(1)), None);
    let history = life.tells(&found(&["role"]), at(10_000), Reason::New);
    assert_eq!(
        history.broken_since,
        Some(at(10_000)),
        "what is over began nothing"
    );
    assert_eq!(history.first_seen, Some(at(10_000)));
}

#[test]
fn what_was_never_wrong_is_neither_fixed_nor_broken_again() {
    let mut life = Life::default();
    let mut plan = found(&["plan"]);
    plan.verdict = Verdict::Healthy;
    life.tells(&plan, at(0), Reason::New);
    life.tells(&found(&[]), at(1), Reason::Changed);
    life.tells(&found(&["key"]), at(2), Reason::New);
    life.tells(&found(&[]), at(3), Reason::Resolved);
    life.tells(&found(&["key"]), at(4), Reason::Reopened);
}

#[test]
fn trouble_that_may_have_been_told_is_reopened_when_it_comes_back() {
    let mut life = Life::default();
    life.0 = Some(life.begun(&found(&["key"]), at(0)));
    life.tells(&found(&[]), at(10), Reason::Resolved);
    life.tells(&found(&["key"]), at(20), Reason::Reopened);
}

#[test]
fn a_repair_may_have_been_made_for_a_bucket_that_breaks_again() {
    let mut life = Life::default();
    let mut repaired = found(&[]);
    repaired.done = Some("applied");
    life.tells(&repaired, at(0), Reason::New);
    life.tells(&found(&["key"]), at(1), Reason::Reopened);
}

#[test]
fn a_repair_that_may_have_been_made_for_an_event_is_told_unless_a_message_came_after_it() {
    let mut again = found(&[]);
    again.may_have_repaired = true;
    again.event_time = Some(at(5));
    assert!(Life::default().sees(&again, at(10)).is_some());
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(0), Reason::New);
    life.tells(&found(&[]), at(6), Reason::Resolved);
    assert_eq!(life.sees(&again, at(10)), None);
}

#[test]
fn whoever_looked_before_what_people_know_looks_again_before_anything_else_is_told() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(10), Reason::New);
    let seen_at = |alert: &Alert, minute| next_step(life.0.as_ref(), alert, at(minute), DAY);
    assert_eq!(seen_at(&found(&[]), 9), Step::Stale);
    assert_eq!(seen_at(&found(&["key", "role"]), 9), Step::Stale);
    assert!(
        matches!(seen_at(&found(&[]), 10), Step::Send(..)),
        "a later look, or one at the same time"
    );
    let mut last = found(&[]);
    last.yields_to_later_looks = false;
    assert!(
        matches!(seen_at(&last, 9), Step::Send(..)),
        "history wins over silence"
    );
    let Step::Save(record) = seen_at(&found(&["key"]), 9) else {
        panic!("the same is no news, whenever it was seen")
    };
    assert_eq!(record.looked_at, Some(at(10)));
}

#[test]
fn a_change_that_was_told_is_not_told_again_by_who_finds_it_in_the_records_even_after_good_news() {
    let mut life = Life::default();
    let mut repaired = found(&[]);
    repaired.done = Some("applied");
    repaired.one_off = [("request-1".to_owned(), CHANGED)].into();
    life.tells(&repaired, at(0), Reason::New);
    let mut again = found(&[]);
    again.one_off = repaired.one_off;
    assert_eq!(life.sees(&again, at(1)), None);
    again.one_off = [("request-2".to_owned(), CHANGED)].into();
    life.tells(&again, at(2), Reason::Changed);
}

#[test]
fn since_when_objects_are_left_behind_is_not_since_when_there_was_a_warning() {
    let mut life = Life::default();
    let warned = Alert {
        verdict: Verdict::AtRisk,
        ..found(&["alias"])
    };
    let unread = Alert {
        verdict: Verdict::Undetermined,
        is_complete: false,
        ..found(&["unread"])
    };
    assert_eq!(life.tells(&warned, at(0), Reason::New).broken_since, None);
    let broken = life.tells(&found(&["alias", "key"]), at(1), Reason::Worse);
    assert_eq!(
        (broken.first_seen, broken.broken_since),
        (Some(at(0)), Some(at(1)))
    );
    assert_eq!(
        life.tells(&unread, at(2), Reason::Changed).broken_since,
        Some(at(1))
    );
    assert_eq!(life.tells(&warned, at(3), Reason::Changed).broken_since, None);
}

#[test]
fn a_record_of_the_future_is_not_believed() {
    let mut life = Life::default();
    life.tells(&found(&["key"]), at(1_000_000), Reason::New);
    life.tells(&found(&["key"]), at(0), Reason::New);
}

#[test]
fn failures_from_before_the_last_look_are_covered_by_it_and_others_are_not() {
    let mut life = Life::default();
    life.tells(&failed("a"), at(10), Reason::New);
    let record = life.0.unwrap();
    let covers = |word: &str, until, now| record.covers(&[word.to_owned()].into(), until, now, DAY);
    assert!(covers("a", at(9), at(11)));
    assert!(!covers("a", at(10), at(11)), "clocks may differ");
    assert!(!covers("b", at(9), at(11)), "another reason");
    assert!(!covers("a", at(9), at(10 + 24 * 60)), "a message is due");
    let mut claimed = record.clone();
    claimed.claim = Some(Claim {
        at: at(10),
        verdict: Verdict::Broken,
        reported: BTreeMap::new(),
        gone: BTreeSet::new(),
        done: None,
        has_failed: false,
        owes: false,
    });
    assert!(!claimed.covers(&["a".to_owned()].into(), at(9), at(11), DAY));
}

#[test]
fn what_is_remembered_stays_small_however_many_reasons_somebody_invents() {
    let mut life = Life::default();
    for round in 0..5_u8 {
        let mut many = failed("a");
        many.one_off = (0..400)
            .map(|n| (format!("{round:016}{n:016}"), "failed-objects"))
            .collect();
        life.sees(&many, at(round.into()));
    }
    let record = serde_json::to_string(&life.0).unwrap();
    assert!(record.len() < 300 * 1024, "{}", record.len());
}
