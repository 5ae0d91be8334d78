//! Any bytes as the payload of an invocation, and any text as the body of a message: decoding must neither panic nor lose
//! a message that it cannot use, and what it says of one is a line that a log can bear.
//!
//! `cargo +nightly fuzz run decode fuzz/corpus/decode events`

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::event::{Command, Record, decode};
use s3_replication_remediator::subject::{Batch, subjects};
use serde_json::{Value, json};

/// What a line of a log is at most: our own words, and what is quoted of a stranger's.
const LINE: usize = 8_000;

/// Decodes as the function does, and reads every word that it would log.
fn taken_apart(payload: &Value, explain_refusals: bool) -> Batch {
    let own_role = "arn:aws:iam::111122223333:role/remediator".parse().ok();
    let records = decode(payload, own_role.as_ref()).records.into_iter();
    let batch = if explain_refusals {
        subjects(records.map(Record::or_refused_put))
    } else {
        subjects(records)
    };
    let dropped = batch.dropped.iter().map(|dropped| dropped.item.to_string());
    let invalid = batch.invalid.iter().map(|invalid| invalid.item.to_string());
    for line in dropped.chain(invalid) {
        assert!(line.len() < LINE && !line.contains(char::is_control), "{line}");
    }
    for subject in &batch.subjects {
        assert_eq!(subject.bucket, subject.trigger.bucket);
        assert!(subject.failed_objects >= subject.trigger.objects.len());
    }
    batch
}

fuzz_target!(|text: &str| {
    if let Ok(payload) = serde_json::from_str::<Value>(text) {
        taken_apart(&payload, true);
    }
    let message = json!({"Records": [{
        "messageId": "m1", "eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"}, "body": text,
    }]});
    let batch = taken_apart(&message, false);
    let is_ours = |id: &Option<String>| id.as_deref() == Some("m1");
    let accounted = [
        batch
            .subjects
            .iter()
            .any(|subject| subject.message_ids.contains("m1")),
        batch.drifts.iter().any(|drift| is_ours(&drift.message_id)),
        batch.commands.iter().any(|command| is_ours(&command.message_id)),
        batch.dropped.iter().any(|dropped| is_ours(&dropped.message_id)),
        batch.invalid.iter().any(|invalid| is_ours(&invalid.message_id)),
    ];
    assert!(accounted.contains(&true), "the message is lost");
    for command in &batch.commands {
        assert!(
            matches!(command.item, Command::Sweep | Command::SweepOn(_)),
            "a queue orders nothing else"
        );
    }
});
