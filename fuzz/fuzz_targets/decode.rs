//! Any bytes as the payload of an invocation, and any text as the body of a message: decoding must neither panic nor lose
//! a message that it cannot use.
//!
//! `cargo +nightly fuzz run decode fuzz/corpus/decode`

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::event::decode;
use s3_replication_remediator::subject::subjects;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    if let Ok(payload) = serde_json::from_str::<Value>(text) {
        let _ = subjects(decode(&payload, None).records);
    }
    let message = json!({"Records": [{
        "messageId": "m1", "eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"}, "body": text,
    }]});
    let batch = subjects(decode(&message, None).records);
    let of_buckets = batch.subjects.iter().any(|subject| subject.message_ids.contains("m1"));
    let others = [
        batch.invalid.iter().any(|invalid| invalid.message_id.as_deref() == Some("m1")),
        batch.dropped.iter().any(|dropped| dropped.message_id.as_deref() == Some("m1")),
        batch.commands.iter().any(|command| command.message_id.as_deref() == Some("m1")),
    ];
    // A notification without a record says nothing about any bucket.
    let says_nothing = serde_json::from_str::<Value>(text)
        .is_ok_and(|body| body.get("Records").and_then(Value::as_array).is_some_and(Vec::is_empty));
    assert!(of_buckets || others.contains(&true) || says_nothing, "the message is lost");
});
