//! What machines are told: the state of a bucket after each look, whatever is news to people.

use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::mode::Mode;

use super::stage::{Stage, recorded};
use super::{apply, check, failed, put};

fn verdicts(stage: &Stage) -> Vec<Verdict> {
    stage
        .states
        .borrow()
        .iter()
        .map(|report| report.verdict)
        .collect()
}

#[test]
fn each_look_tells_the_state_and_good_news_is_told_to_machines_alone() {
    let stage = Stage::healthy(Mode::DryRun);
    stage.handle(&put()).unwrap();
    assert_eq!(verdicts(&stage), [Verdict::Healthy]);
    assert!(stage.told().is_empty());
}

#[test]
fn a_storm_in_one_batch_is_one_state() {
    let stage = Stage::broken(Mode::DryRun);
    stage.deliver(&[("a", 1, failed()), ("b", 1, failed()), ("c", 1, put())]);
    assert_eq!(verdicts(&stage), [Verdict::Broken]);
}

#[test]
fn what_a_person_asks_for_is_told_to_machines_and_to_no_other_person() {
    let stage = Stage::repairable(Mode::Approve);
    let digest = stage.command(&check()).digest().unwrap().to_owned();
    stage.command(&apply(&digest));
    assert_eq!(verdicts(&stage), [Verdict::Broken, Verdict::Healthy]);
    assert!(stage.states.borrow()[1].outcome.as_ref().unwrap().has_written());
    assert!(stage.told().is_empty());
}

#[test]
fn whoever_asked_gets_the_answer_though_machines_do_not_hear_of_it() {
    let stage = Stage::broken(Mode::DryRun);
    stage.is_bus_mute.set(true);
    assert_eq!(stage.command(&check()).verdict, Verdict::Broken);
}

#[test]
fn a_bus_that_refuses_keeps_no_message_from_people_and_the_event_comes_again() {
    let stage = Stage::broken(Mode::DryRun);
    stage.is_bus_mute.set(true);
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert_eq!(stage.told().len(), 1);
}

#[test]
fn a_topic_that_refuses_keeps_no_state_from_machines_and_the_event_comes_again() {
    let stage = Stage::broken(Mode::DryRun);
    stage.is_mute.set(true);
    assert_eq!(stage.deliver(&[("m", 1, put())]), ["m".to_owned()].into());
    assert_eq!(verdicts(&stage), [Verdict::Broken]);
}

#[test]
fn what_is_dropped_is_no_look() {
    let stage = Stage::broken(Mode::DryRun);
    stage
        .handle(&recorded("s3-notification/test-event.json"))
        .unwrap();
    assert!(verdicts(&stage).is_empty());
}
