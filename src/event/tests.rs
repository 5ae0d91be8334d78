//! What decoding takes from an event, and what it refuses from those who would have it take more.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

const BUCKET: &str = "amzn-s3-demo-source-bucket";

fn own_role() -> RoleArn {
    "arn:aws:iam::111122223333:role/s3-replication-remediator-function"
        .parse()
        .unwrap()
}

/// The event of that name under `events/`.
fn recorded(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn only_trigger(payload: &Value) -> Trigger {
    match only(payload) {
        Ok(Content::Trigger(trigger)) => trigger,
        other => panic!("{other:?}"),
    }
}

fn only(payload: &Value) -> Result<Content, String> {
    let mut decoded = decode(payload, Some(&own_role()));
    assert_eq!(decoded.records.len(), 1, "{payload}");
    decoded
        .records
        .remove(0)
        .content
        .map_err(|error| error.to_string())
}

#[test]
fn a_call_tells_where_when_by_whom_and_from_where() {
    let event = recorded("cloudtrail/delete.json");
    let trigger = only_trigger(&event);
    assert_eq!(trigger.region_hint.unwrap().as_str(), "eu-west-1");
    assert_eq!(trigger.event_time.unwrap().to_string(), "2026-09-14T09:12:41Z");
    assert_eq!(trigger.event_id.as_deref(), event["detail"]["eventID"].as_str());
    assert_eq!(
        trigger.actor.unwrap(),
        "arn:aws:sts::111122223333:assumed-role/deploy/pipeline-4713"
    );
    assert_eq!(trigger.source_ip.unwrap(), "203.0.113.24");
}

#[test]
fn a_failed_object_is_named_by_key_version_rule_and_reason() {
    let event = recorded("s3-notification/failed-with-encoded-key.json");
    let trigger = only_trigger(&event);
    assert_eq!(trigger.region_hint.unwrap().as_str(), "eu-west-1");
    assert_eq!(
        trigger.event_time.unwrap().to_string(),
        "2026-09-14T09:16:05.018Z"
    );
    assert_eq!(
        trigger.event_id.as_deref(),
        event["Records"][0]["responseElements"]["x-amz-request-id"].as_str()
    );
    assert_eq!(
        serde_json::to_value(&trigger.objects).unwrap(),
        json!([{
            "key": "résumés/2026 09/100% + tax.pdf",
            "versionId": "3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY",
            "failureReason": "DstPutObjectNotPermitted",
            "ruleId": "kms",
        }])
    );
}

#[test]
fn every_form_of_an_alarm_tells_where_and_when() {
    for name in [
        "alarm/event-bridge.json",
        "alarm/lambda-action.json",
        "alarm/sns.json",
        "alarm/sns-metric-math.json",
    ] {
        let trigger = only_trigger(&recorded(name));
        assert_eq!(trigger.region_hint.unwrap().as_str(), "eu-west-1", "{name}");
        assert_eq!(
            trigger.event_time.unwrap().to_string(),
            "2026-09-14T09:20:41.276Z",
            "{name}"
        );
    }
}

#[test]
fn nothing_but_a_direct_invocation_can_order_a_change() {
    let plan = format!("sha256:{}", "0".repeat(64));
    for order in ["apply", "undo"] {
        let command = json!({"command": order, "bucket": BUCKET, "plan": plan});
        assert!(matches!(only(&command), Ok(Content::Command(_))));
        let notification = json!({"Type": "Notification", "TopicArn": "t", "Message": command.to_string()});
        let delivered = [
            json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": command.to_string()}]}),
            json!([{"messageId": "1", "eventSource": "aws:sqs", "body": command.to_string()}]),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": command.to_string()}}]}),
            json!({"Records": [command]}),
            json!([command]),
            json!({"detail-type": "Scheduled Event", "source": "com.example", "detail": command}),
            notification.clone(),
            json!([{"messageId": "1", "body": notification.to_string()}]),
        ];
        for payload in delivered {
            assert!(matches!(only(&payload), Ok(Content::Dropped(_))), "{payload}");
        }
    }
}

#[test]
fn what_our_own_role_did_is_no_news_whichever_field_names_it() {
    let is_ours = |identity: Value| {
        let mut event = recorded("cloudtrail/put-one-rule.json");
        event["detail"]["userIdentity"] = identity;
        matches!(only(&event), Ok(Content::Dropped(_)))
    };
    let session = |arn: &str| json!({"type": "AssumedRole", "arn": arn});
    let issuer =
        |arn: &str| json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": arn}}});
    assert!(is_ours(session(
        "arn:aws:sts::111122223333:assumed-role/s3-replication-remediator-function/any"
    )));
    assert!(is_ours(issuer(
        "arn:aws:iam::111122223333:role/s3-replication-remediator-function"
    )));
    assert!(is_ours(issuer(
        "arn:aws:iam::111122223333:role/with/a/path/s3-replication-remediator-function"
    )));
    assert!(!is_ours(session(
        "arn:aws:sts::444455556666:assumed-role/s3-replication-remediator-function/any"
    )));
    assert!(!is_ours(session(
        "arn:aws:sts::111122223333:assumed-role/other/s3-replication-remediator-function"
    )));
    assert!(!is_ours(session(
        "arn:aws:iam::111122223333:user/s3-replication-remediator-function"
    )));
    assert!(!is_ours(json!("s3-replication-remediator-function")));
    let event = recorded("cloudtrail/put-by-own-role.json");
    assert!(
        matches!(decode(&event, None).records[0].content, Ok(Content::Trigger(_))),
        "no role, no opinion"
    );
}

#[test]
fn a_bucket_that_cloudtrail_took_for_a_number_is_found_by_its_arn_first() {
    let bucket = |name: Value, arn: &str| {
        let mut event = recorded("cloudtrail/put-one-rule.json");
        event["detail"]["requestParameters"]["bucketName"] = name;
        event["detail"]["resources"][0]["ARN"] = json!(arn);
        only(&event).map(|content| match content {
            Content::Trigger(trigger) => trigger.bucket.to_string(),
            other @ (Content::Command(_) | Content::Drift(_) | Content::Dropped(_)) => panic!("{other:?}"),
        })
    };
    assert_eq!(bucket(json!(420), "arn:aws:s3:::0420").unwrap(), "0420");
    assert_eq!(bucket(json!(12345), "").unwrap(), "12345");
    assert_eq!(bucket(json!(true), "").unwrap(), "true");
    assert_eq!(bucket(json!(null), "arn:aws:s3:::logs").unwrap(), "logs");
    assert_eq!(bucket(json!("logs"), "arn:aws:s3:::other").unwrap(), "logs");
    for unusable in [
        json!(1e5),
        json!(-5),
        json!(["logs"]),
        json!({"name": "logs"}),
        json!(""),
    ] {
        assert!(
            bucket(unusable.clone(), "arn:aws:s3:::logs/object").is_err(),
            "{unusable}"
        );
    }
}

#[test]
fn a_key_is_decoded_as_forms_are_and_refused_where_no_object_can_have_it() {
    let key = |key: Value| {
        let mut event = recorded("s3-notification/failed-2.6.json");
        event["Records"][0]["s3"]["object"]["key"] = key;
        only(&event).map(|content| match content {
            Content::Trigger(trigger) => trigger.objects[0].key.clone(),
            other @ (Content::Command(_) | Content::Drift(_) | Content::Dropped(_)) => panic!("{other:?}"),
        })
    };
    for (encoded, decoded) in [
        ("a+b%20c", "a b c"),
        ("a%2Bb", "a+b"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%E2%82%AC", "€"),
        ("line%0Abreak%1B%5B31m", "line\nbreak\u{1b}[31m"),
        ("../../etc/passwd", "../../etc/passwd"),
    ] {
        assert_eq!(key(json!(encoded)).unwrap(), decoded);
    }
    assert_eq!(key(json!("%61".repeat(1024))).unwrap().len(), 1024);
    for impossible in [
        json!("a".repeat(1025)),
        json!(""),
        json!("%FF%FE"),
        json!(null),
        json!(7),
        json!({}),
    ] {
        assert!(key(impossible).is_err());
    }
}

#[test]
fn text_that_a_stranger_chose_is_kept_as_it_is_but_never_long() {
    let mut event = recorded("s3-notification/failed-2.6.json");
    let data = &mut event["Records"][0]["replicationEventData"];
    data["replicationRuleId"] = json!("a\u{202e}b\u{1b}]8;;http://example.com\u{7}`$(id)`");
    data["failureReason"] = json!("é".repeat(1_000_000));
    event["Records"][0]["userIdentity"]["principalId"] = json!("x".repeat(1_000_000));
    let trigger = only_trigger(&event);
    let object = &trigger.objects[0];
    assert_eq!(
        object.rule_id.as_deref(),
        Some("a\u{202e}b\u{1b}]8;;http://example.com\u{7}`$(id)`")
    );
    assert!(object.failure_reason.as_ref().unwrap().len() <= 132);
    assert!(trigger.actor.unwrap().len() <= 516);
}

#[test]
fn payloads_that_are_no_events_are_dropped_with_what_was_seen() {
    for (payload, seen) in [
        (json!(null), "the payload is nothing"),
        (json!(7), "the payload is the number `7`"),
        (json!("check"), "the payload is `check`"),
        (json!({}), "the payload is an empty object"),
        (json!({"Records": []}), "the payload is an object with `Records`"),
        (
            json!({"Records": {"a": 1}}),
            "the payload is an object with `Records`",
        ),
        (json!({"Records": [[]]}), "Records[0] is an array of 0"),
        (
            json!({"a\u{1b}[31m": 1}),
            "the payload is an object with `a\\u{1b}[31m`",
        ),
    ] {
        assert_eq!(
            only(&payload),
            Ok(Content::Dropped(DropReason::Foreign(seen.to_owned())))
        );
    }
}
