//! The forms beside the text, as they are sent, held against files in `forms/`, which the tests in Python hold against
//! AWS's own models of them.
//!
//! `UPDATE_MESSAGES=1 cargo test` writes them anew, for a person to read in the diff.

use std::fs;
use std::path::Path;

use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::alert_state::AlertHistory;
use s3_replication_remediator::notify::rate_limit::{Admission, MAX_PER_BUCKET, RateLimit};
use s3_replication_remediator::notify::{Notification, chat, events, security_hub};
use serde_json::{Value, json};

use super::messages::{among_strangers, hostile_events, with_many_rules};
use super::put;
use super::stage::{REPLICA_KEY, SOURCE, Stage};

const REGION: &str = "eu-west-1";

fn events(stage: &Stage) -> Value {
    let identity = stage.world.identity();
    let states = stage.states.borrow();
    let all = states
        .iter()
        .flat_map(|report| events::render(report, &identity.partition));
    all.map(|event| {
        let detail: Value = serde_json::from_str(&event.detail).unwrap();
        json!({"Time": event.time, "Source": events::SOURCE, "Resources": event.resources,
               "DetailType": event.detail_type, "Detail": detail})
    })
    .collect()
}

fn finding(stage: &Stage) -> Value {
    let states = stage.states.borrow();
    security_hub::render(states.last().unwrap(), &stage.world.identity(), REGION)
}

fn chat(stage: &Stage) -> Value {
    let partition = stage.world.identity().partition;
    let states = stage.states.borrow();
    let text = chat::render(states.last().unwrap(), &stage.only_message(), &partition);
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn is_sent(name: &str, form: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/core/handler/forms/{name}.json"));
    let text = format!("{form:#}\n");
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs from what is sent now:\n{text}",
        file.display()
    );
}

fn hostile() -> Stage {
    let stage = among_strangers();
    assert!(stage.deliver(&hostile_events()).is_empty());
    stage
}

#[test]
fn a_broken_bucket_is_sent_in_every_form_as_recorded() {
    let stage = Stage::broken(Mode::Approve);
    stage.handle(&put()).unwrap();
    is_sent("broken.events", &events(&stage));
    is_sent("broken.chat", &chat(&stage));
    is_sent("broken.finding", &finding(&stage));
}

#[test]
fn a_repair_is_sent_in_every_form_as_recorded() {
    let stage = Stage::repairable(Mode::Auto);
    stage.handle(&put()).unwrap();
    is_sent("repaired.events", &events(&stage));
    is_sent("repaired.chat", &chat(&stage));
    is_sent("repaired.finding", &finding(&stage));
}

/// News of so many buckets, told together.
fn flood(buckets: u32) -> (Stage, Notification) {
    let stage = Stage::broken(Mode::Approve);
    stage.handle(&put()).unwrap();
    let report = stage.states.borrow()[0].clone();
    let history = AlertHistory {
        sent_this_hour: MAX_PER_BUCKET,
        ..AlertHistory::default()
    };
    let now = stage.now.get();
    let mut limit = RateLimit::default();
    for number in 0..buckets {
        let mut report = report.clone();
        report.bucket.name = format!("bucket-{number:03}").parse().unwrap();
        let (Admission::SendNow(next) | Admission::SendSummary(next) | Admission::Defer(next)) =
            limit.admit(&report, &history, now);
        limit = next;
    }
    let message = limit.message(report.mode, &report.bucket.name, &report.commands.check);
    (stage, message)
}

fn chat_of(stage: &Stage, message: &Notification) -> Value {
    let partition = stage.world.identity().partition;
    serde_json::from_str(&chat::summary(message, &partition)).unwrap()
}

#[test]
fn many_buckets_at_once_are_named_in_the_chat_and_none_stands_for_all() {
    let (stage, message) = flood(3);
    let form = chat_of(&stage, &message);
    is_sent("many.chat", &form);
    let text = form.to_string();
    for number in 0..3 {
        assert!(text.contains(&format!("BROKEN: bucket-{number:03}")), "{text}");
    }
    assert!(
        !text.contains(SOURCE),
        "the bucket that came last is no more than others"
    );

    let (stage, message) = flood(300);
    let form = chat_of(&stage, &message);
    let description = form["content"]["description"].as_str().unwrap();
    assert!(description.chars().count() <= 2_800);
    assert!(
        description.contains(" more lines, in the whole message"),
        "{description}"
    );
    assert_eq!(form["metadata"]["relatedResources"].as_array().unwrap().len(), 20);
}

#[test]
fn one_trouble_is_one_thread_and_the_next_is_another() {
    let thread = |stage: &Stage| {
        let form = chat(stage);
        stage.forget();
        form["metadata"]["threadId"].as_str().unwrap().to_owned()
    };
    let stage = Stage::healthy(Mode::DryRun);
    let mut threads = Vec::new();
    for state in ["Disabled", "Enabled", "Disabled"] {
        stage.world.edit(|account| {
            let key = account.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap();
            key.state = state.to_owned();
        });
        stage.handle(&put()).unwrap();
        threads.push(thread(&stage));
        stage
            .now
            .set(stage.now.get() + jiff::SignedDuration::from_hours(1));
    }
    assert_eq!(
        threads[0], threads[1],
        "what is repaired belongs to what was told"
    );
    assert_ne!(threads[1], threads[2]);
    assert!(
        threads.iter().all(|thread| thread.contains(SOURCE)),
        "{threads:?}"
    );
}

#[test]
fn text_that_strangers_chose_is_sent_in_every_form_as_recorded() {
    let stage = hostile();
    is_sent("hostile.chat", &chat(&stage));
    is_sent("hostile.finding", &finding(&stage));
}

/// Every string in it.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[test]
fn no_chat_finds_a_mention_a_link_or_emphasis_in_what_strangers_chose() {
    let form = chat(&hostile());
    for text in strings(&form) {
        let acts = text
            .chars()
            .find(|c| (*c != '\n' && c.is_control()) || "<>\u{200b}\u{202e}".contains(*c));
        assert_eq!(acts, None, "{text}");
        assert_eq!(text.matches('`').count() % 2, 0, "a span is left open: {text}");
        let outside: String = text.split('`').step_by(2).collect();
        for theirs in ["evil", "channel", "HEALTHY", "$(id)", "[31m", "@"] {
            assert!(!outside.contains(theirs), "{theirs} in {outside}");
        }
    }
}

#[test]
fn no_form_is_longer_than_its_service_takes_and_each_says_what_it_lost() {
    let stage = with_many_rules();
    let states = stage.states.borrow();
    let event = &events::render(&states[0], &stage.world.identity().partition)[0];
    let entry = event.detail.len() + event.resources.iter().map(String::len).sum::<usize>() + 100;
    assert!(entry < 256 * 1024, "{entry}");
    let detail: Value = serde_json::from_str(&event.detail).unwrap();
    assert_eq!(detail["omitted"][0], "notEvaluated");
    assert_eq!(detail["verdict"], "broken");

    let form = chat(&stage);
    let description = form["content"]["description"].as_str().unwrap();
    assert!(description.chars().count() <= 2_800, "{description}");
    assert!(
        description.contains(" more, in the whole report"),
        "{description}"
    );

    let finding = finding(&stage);
    for (pointer, most) in [
        ("/Title", 256),
        ("/Description", 1_024),
        ("/Remediation/Recommendation/Text", 512),
    ] {
        let text = finding.pointer(pointer).and_then(Value::as_str).unwrap();
        assert!(text.chars().count() <= most, "{pointer}: {text}");
    }
    assert!(
        finding["Description"]
            .as_str()
            .unwrap()
            .ends_with(" more, in the whole report.")
    );
    assert!(finding["Resources"].as_array().unwrap().len() <= 32);
}

#[test]
fn a_bucket_has_one_finding_that_resolves_itself() {
    let stage = Stage::repairable(Mode::Approve);
    stage.handle(&put()).unwrap();
    let open = finding(&stage);
    let digest = stage.states.borrow()[0].digest().unwrap().to_owned();
    stage.command(&super::apply(&digest));
    let resolved = finding(&stage);
    assert_eq!(open["Id"], resolved["Id"]);
    assert_eq!(
        (&open["Compliance"]["Status"], &open["RecordState"]),
        (&json!("FAILED"), &json!("ACTIVE"))
    );
    assert_eq!(
        (&resolved["Compliance"]["Status"], &resolved["RecordState"]),
        (&json!("PASSED"), &json!("ARCHIVED"))
    );
}
