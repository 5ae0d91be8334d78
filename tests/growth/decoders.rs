//! Messages of any size and form: decoding them costs as much as they are long, and none is too deep or too long.

use allocation_counter::measure;
use s3_replication_remediator::event::decode;
use s3_replication_remediator::policy::PolicyDocument;
use s3_replication_remediator::subject::subjects;
use serde_json::{Value, json};

/// Allocations of all that is done before AWS is read.
fn allocations(payload: &Value) -> u64 {
    let info = measure(|| drop(subjects(decode(payload, None).records)));
    info.count_total
}

#[track_caller]
fn is_linear(of: impl Fn(usize) -> Value, size: usize) {
    let (less, more) = (allocations(&of(size)), allocations(&of(size * 10)));
    assert!(
        more <= less * 11 + 100,
        "{less} for {size}, {more} for {}",
        size * 10
    );
}

fn batch(bodies: impl Iterator<Item = String>) -> Value {
    let records: Vec<Value> = bodies
        .enumerate()
        .map(|(id, body)| {
            json!({"messageId": format!("m{id}"), "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": "1"}, "body": body})
        })
        .collect();
    json!({"Records": records})
}

fn failed_object(bucket: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-09-14T09:16:05.018Z", "eventName": "Replication:OperationFailedReplication",
        "s3": {"bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")}, "object": {"key": key, "versionId": "v"}},
        "replicationEventData": {"replicationRuleId": "r", "failureReason": "DstKmsKeyInvalidState"},
    })
}

fn notification(records: &[Value]) -> String {
    json!({"Records": records}).to_string()
}

#[test]
fn a_batch_costs_as_much_as_it_has_messages() {
    let of_one_bucket =
        |size| batch((0..size).map(|n| notification(&[failed_object("source", &n.to_string())])));
    let of_many_buckets =
        |size| batch((0..size).map(|n| notification(&[failed_object(&format!("source-{n}"), "key")])));
    is_linear(of_one_bucket, 100);
    is_linear(of_many_buckets, 100);
}

#[test]
fn one_message_costs_as_much_as_it_has_records() {
    is_linear(
        |size| {
            let records: Vec<Value> = (0..size)
                .map(|n| failed_object("source", &n.to_string()))
                .collect();
            batch(std::iter::once(notification(&records)))
        },
        50,
    );
}

#[test]
fn a_message_of_256_kib_in_one_string_costs_no_more_than_a_short_one() {
    let of = |size: usize| {
        batch(std::iter::once(notification(&[failed_object(
            "source",
            &"k".repeat(size),
        )])))
    };
    is_linear(of, 25_000);
}

#[test]
fn half_a_million_events_in_one_message_are_counted_before_they_are_read() {
    let flood = |body: Value| allocations(&batch([body.to_string()].into_iter()));
    for body in [
        json!({"Records": vec![0; 100_000]}),
        json!(vec![0; 100_000]),
        json!(vec![vec![vec![0; 46]; 46]; 46]),
        json!({"Records": vec![json!({"Records": vec![json!({"Records": vec![0; 46]}); 46]}); 46]}),
        json!({"requestContext": {}, "requestPayload": {"Records": vec![0; 100_000]}}),
        json!({"detail-type": "KMS CMK Deletion", "source": "aws.kms", "resources": vec![0; 100_000]}),
    ] {
        let cost = flood(body);
        // Reading a tree of lists alone takes ten thousand.
        assert!(cost < 20_000, "{cost}");
    }
}

#[test]
fn envelopes_in_envelopes_come_to_an_end() {
    let wrapped = |depth: usize| {
        let mut body = notification(&[failed_object("source", "key")]);
        for _ in 0..depth {
            let topic = "arn:aws:sns:eu-west-1:111122223333:t";
            body = json!({"Type": "Notification", "TopicArn": topic, "Message": body}).to_string();
            if body.len() > 200_000 {
                break;
            }
        }
        batch(std::iter::once(body))
    };
    assert!(allocations(&wrapped(12)) < 20_000);
}

#[test]
fn json_ten_thousand_levels_deep_is_refused_and_breaks_nothing() {
    for depth in [100, 1_000, 10_000, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let body = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let decoded = decode(&batch(std::iter::once(body.clone())), None);
            assert_eq!(subjects(decoded.records).subjects.len(), 0);
            assert!(PolicyDocument::parse(&body).is_err());
        }
    }
}

#[test]
fn a_policy_costs_as_much_as_it_is_long() {
    let of = |statements: usize| {
        let flawed = json!({"Effect": "Allow", "Action": ["s3:*a*a*b"], "Resource": "*", "Condition": {"NoSuch": {"a": "*a*b"}}});
        json!({"Version": "2012-10-17", "Statement": vec![flawed; statements]}).to_string()
    };
    let cost = |text: &str| measure(|| drop(PolicyDocument::parse(text))).count_total;
    assert!(cost(&of(1_000)) <= cost(&of(100)) * 11);
}

#[test]
fn elements_that_nobody_knows_are_not_noted_once_for_each_statement() {
    let of = |size: usize| {
        let mut document = json!({"Statement": vec![json!({}); size]});
        for n in 0..size {
            document[format!("e{n}")] = json!(1);
        }
        document.to_string()
    };
    let cost = |text: &str| measure(|| drop(PolicyDocument::parse(text))).count_total;
    assert!(cost(&of(1_000)) <= cost(&of(100)) * 11);
}
