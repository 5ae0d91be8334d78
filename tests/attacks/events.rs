//! Events that somebody forged: they lead to a look at most, to few of them, and hide nothing.

use s3_replication_remediator::event::{Content, DropReason, decode};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use crate::function::{batch, invoke, put_event, through_a_topic};
use crate::world::*;

fn own_role() -> s3_replication_remediator::arn::RoleArn {
    "arn:aws:iam::111122223333:role/remediator".parse().unwrap()
}

fn is_look(event: &Value) -> bool {
    let decoded = decode(event, Some(&own_role()));
    matches!(
        decoded.records.as_slice(),
        [record] if matches!(record.content, Ok(Content::Trigger(_)))
    )
}

fn failure(bucket: &str, key: &str) -> Value {
    json!({"eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventName": "Replication:OperationFailedReplication", "eventTime": "2026-11-20T23:59:00Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "versionId": "v1"}},
        "replicationEventData": {"replicationRuleId": "r1", "failureReason": "DstKmsKeyNotFound"}})
}

#[test]
fn a_stranger_cannot_pass_for_our_own_role_to_be_overlooked() {
    for identity in [
        json!({"type": "AssumedRole", "arn": "arn:aws:sts::444455556666:assumed-role/remediator/x",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::444455556666:role/remediator"}}}),
        json!({"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/remediator"}),
        json!({"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/eve/remediator"}),
        json!({"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Remediator/x"}),
        json!({"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/remediator-2/x"}),
        json!({"type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/remediator"}),
        json!({"userName": "remediator", "principalId": "AROA:remediator", "invokedBy": "remediator"}),
    ] {
        let mut event = put_event("source");
        event["detail"]["userIdentity"] = identity.clone();
        assert!(is_look(&event), "{identity}");
    }
    let mut own = put_event("source");
    own["detail"]["userIdentity"] =
        json!({"arn": "arn:aws:sts::111122223333:assumed-role/remediator/s3-replication-remediator"});
    assert!(!is_look(&own));
}

#[test]
fn an_odd_error_code_drops_nothing_but_a_failed_call() {
    for (code, looks) in [
        (json!(null), true),
        (json!(""), true),
        (json!("AccessDenied"), false),
        (json!(false), false),
        (json!({}), false),
    ] {
        let mut event = put_event("source");
        event["detail"]["errorCode"] = code.clone();
        assert_eq!(is_look(&event), looks, "{code}");
    }
}

#[test]
fn our_own_writes_do_not_wake_us() {
    let key = json!({"keyId": "arn:aws:kms:eu-west-1:111122223333:key/1", "grantId": "g"});
    let role = json!({"roleName": "crr", "policyName": "s3-replication-remediator-source"});
    for (service, name, parameters, wakes) in [
        ("iam", "PutRolePolicy", &role, true),
        ("iam", "DeleteRolePolicy", &role, true),
        ("kms", "RevokeGrant", &key, true),
        ("kms", "CreateGrant", &key, false),
    ] {
        let mut event = put_event("source");
        event["source"] = json!(format!("aws.{service}"));
        event["detail"]["eventSource"] = json!(format!("{service}.amazonaws.com"));
        event["detail"]["eventName"] = json!(name);
        event["detail"]["requestParameters"] = parameters.clone();
        let is_drift = |event: &Value| {
            let mut records = decode(event, Some(&own_role())).records;
            matches!(records.remove(0).content, Ok(Content::Drift(_)))
        };
        assert_eq!(is_drift(&event), wakes, "by somebody else: {name}");
        for own in [
            json!({"arn": "arn:aws:sts::111122223333:assumed-role/remediator/s3-replication-remediator"}),
            json!({"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/a/path/remediator"}}}),
        ] {
            event["detail"]["userIdentity"] = own;
            assert!(!is_drift(&event), "{name}");
        }
        event["detail"]["userIdentity"] =
            json!({"arn": "arn:aws:sts::111122223333:assumed-role/remediator-2/x"});
        assert_eq!(is_drift(&event), wakes, "by a namesake: {name}");
    }
    for (source, name) in [
        ("s3-outposts.amazonaws.com", "PutBucketReplication"),
        ("S3.amazonaws.com", "PutBucketReplication"),
    ] {
        let mut event = put_event("source");
        event["detail"]["eventSource"] = json!(source);
        event["detail"]["eventName"] = json!(name);
        assert!(!is_look(&event), "{source} {name}");
    }
}

#[test]
fn one_message_full_of_changes_asks_about_few_things() {
    let records = |count: usize| -> Value {
        let events: Vec<Value> = (0..count)
            .map(|n| {
                let mut event = put_event("source");
                event["source"] = json!("aws.iam");
                event["detail"]["eventSource"] = json!("iam.amazonaws.com");
                event["detail"]["eventName"] = json!("PutRolePolicy");
                event["detail"]["recipientAccountId"] = json!(OWN);
                event["detail"]["requestParameters"] = json!({"roleName": format!("role-{n}")});
                json!({"messageId": "x", "body": event.to_string()})
            })
            .collect();
        batch(&[json!({"Records": events})])
    };
    let changes = |count| {
        let decoded = decode(&records(count), Some(&own_role())).records.into_iter();
        decoded
            .filter(|record| matches!(record.content, Ok(Content::Drift(_))))
            .count()
    };
    assert_eq!((changes(10), changes(11)), (10, 0));
}

#[test]
fn a_command_that_changes_something_is_never_taken_from_a_queue_or_topic() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for command in [
        json!({"command": "apply", "bucket": "source", "plan": digest}),
        json!({"command": "undo", "bucket": "source", "plan": digest}),
        json!({"command": "undo", "bucket": "source"}),
    ] {
        for event in [
            batch(std::slice::from_ref(&command)),
            batch(&[through_a_topic(&command)]),
            batch(&[through_a_topic(&through_a_topic(&command))]),
            json!([{"messageId": "1", "body": command.to_string()}]),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": command.to_string()}}]}),
            json!({"Type": "Notification", "TopicArn": "t", "Message": command.to_string()}),
            batch(&[json!({"Records": [{"messageId": "x", "body": command.to_string()}]})]),
        ] {
            for record in decode(&event, None).records {
                assert!(
                    matches!(
                        record.content,
                        Ok(Content::Dropped(DropReason::CommandNotDirect(_)))
                    ),
                    "{event}: {record:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn one_message_full_of_invented_buckets_wakes_nobody_and_costs_little() {
    let records: Vec<Value> = (0..100).map(|n| failure(&format!("invented-{n}"), "k")).collect();
    let world = world(&bare());
    let led = invoke(&world, Mode::Auto, &batch(&[json!({"Records": records})])).await;
    assert!(led.told.len() <= 10, "{} messages to people", led.told.len());
    assert!(world.calls().len() <= 200, "{} calls", world.calls().len());
}

#[tokio::test]
async fn one_message_full_of_refused_puts_wakes_nobody_and_costs_little() {
    let records: Vec<Value> = (0..100)
        .map(|n| {
            let mut refused = put_event(&format!("invented-{n}"));
            refused["detail"]["errorCode"] = json!("AccessDenied");
            json!({"messageId": "x", "body": refused.to_string()})
        })
        .collect();
    let world = world(&bare());
    let led = invoke(&world, Mode::Auto, &batch(&[json!({"Records": records})])).await;
    assert!(led.told.len() <= 10, "{} messages to people", led.told.len());
}

#[tokio::test]
async fn a_refused_put_hides_no_true_one_and_changes_nothing() {
    let mut refused = put_event("source");
    refused["detail"]["errorCode"] = json!("AccessDenied");
    refused["detail"]["eventTime"] = json!("2099-01-01T00:00:00Z");
    let world = world(&bare());
    invoke(&world, Mode::Auto, &batch(std::slice::from_ref(&refused))).await;
    assert_eq!(world.writes(), []);
    invoke(&world, Mode::Auto, &batch(&[refused, put_event("source")])).await;
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn an_invented_bucket_gets_no_more_than_a_look() {
    let mut account = bare();
    account["buckets"]["strangers"] = json!({"owner": OTHER});
    let world = world(&account);
    for bucket in ["invented", "strangers"] {
        let led = invoke(&world, Mode::Auto, &batch(&[failure(bucket, "k")])).await;
        assert!(matches!(led.answer, Ok(Response::Batch(_))));
    }
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn failed_objects_that_were_invented_cost_few_reads_and_plan_nothing() {
    let records: Vec<Value> = (0..100)
        .map(|n| failure("source", &format!("invented/{n}")))
        .collect();
    let world = world(&with_s3_access(bare()));
    let before = check(&world).await;
    invoke(&world, Mode::DryRun, &batch(&[json!({"Records": records})])).await;
    assert!(world.call_counts()["s3:HeadObject"] <= 10);
    assert_eq!(check(&world).await.plan.digest, before.plan.digest);
}

#[tokio::test]
async fn a_forged_record_cannot_take_the_place_of_the_true_one_in_the_same_batch() {
    // A later time, a kind that leads, a deletion, a Region that does not exist.
    let mut forged = put_event("source");
    forged["detail"]["eventName"] = json!("DeleteBucketReplication");
    forged["detail"]["eventTime"] = json!("2099-01-01T00:00:00Z");
    forged["detail"]["awsRegion"] = json!("zz-nowhere-1");
    let world = world(&bare());
    let both = batch(&[put_event("source"), through_a_topic(&forged)]);
    let led = invoke(&world, Mode::Auto, &both).await;
    assert_eq!(led.told.len(), 1);
    assert!(led.told[0].subject.contains("source"));
    assert_eq!(world.writes().len(), 1, "the repair is made all the same");
}

#[tokio::test]
async fn a_bucket_that_its_owner_opted_out_is_silent_for_events_and_answers_for_a_person() {
    // Whoever may tag the bucket may silence it: that is what the tag is for, and it stands in the list of what remains.
    let account = with(
        bare(),
        "/buckets/source/tags",
        json!({"s3-replication-remediator": "ignore"}),
    );
    let world = world(&account);
    let led = invoke(&world, Mode::Auto, &put_event("source")).await;
    assert!(led.told.is_empty() && world.writes().is_empty());
    let led = invoke(
        &world,
        Mode::Auto,
        &json!({"command": "check", "bucket": "source"}),
    )
    .await;
    assert_eq!(led.report().verdict.as_str(), "broken");
}

#[test]
fn deep_and_huge_payloads_are_refused_or_read_without_harm() {
    let deep = format!("{}{}", "[".repeat(120_000), "]".repeat(120_000));
    let event = batch(&[json!({})]);
    let mut event = event;
    event["Records"][0]["body"] = json!(deep);
    assert!(decode(&event, None).records[0].content.is_err());

    let mut nested = put_event("source");
    for _ in 0..8 {
        nested = through_a_topic(&nested);
    }
    assert!(decode(&batch(&[nested]), None).records[0].content.is_err());

    let mut huge = put_event("source");
    huge["detail"]["userIdentity"]["arn"] = json!("x".repeat(256 * 1024));
    huge["detail"]["eventID"] = json!("y".repeat(256 * 1024));
    let decoded = decode(&huge, None);
    let Ok(Content::Trigger(trigger)) = &decoded.records[0].content else {
        panic!("{decoded:?}");
    };
    assert!(trigger.actor.as_ref().unwrap().len() <= 600 && trigger.event_id.as_ref().unwrap().len() <= 200);
    let _ = GuardSettings::default();
}

#[test]
fn what_lambda_hands_on_orders_nothing_goes_round_in_no_circle_and_nests_only_so_deep() {
    let handed_on = |condition: &str, payload: &Value| {
        json!({"version": "1.0", "requestContext": {"condition": condition}, "requestPayload": payload,
            "responseContext": {"statusCode": 200}})
    };
    let only = |payload: &Value| {
        let mut decoded = decode(payload, Some(&own_role()));
        assert_eq!(decoded.records.len(), 1, "{payload}");
        decoded.records.remove(0).content
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    for order in [
        json!({"command": "apply", "bucket": "source", "plan": digest}),
        json!({"command": "undo", "bucket": "source", "plan": digest}),
        json!({"command": "backlog", "bucket": "source"}),
    ] {
        let failed = handed_on("RetriesExhausted", &order);
        for payload in [
            failed.clone(),
            batch(std::slice::from_ref(&failed)),
            through_a_topic(&failed),
        ] {
            assert!(
                matches!(
                    only(&payload),
                    Ok(Content::Dropped(DropReason::CommandNotDirect(_)))
                ),
                "{payload}"
            );
        }
    }
    assert!(is_look(&handed_on("EventAgeExceeded", &put_event("source"))));
    // A look that was a success would otherwise ask for the next one.
    let success = handed_on("Success", &put_event("source"));
    assert!(matches!(only(&success), Ok(Content::Dropped(_))));
    let nested = (0..9).fold(put_event("source"), |inner, _| {
        handed_on("RetriesExhausted", &inner)
    });
    let error = only(&nested).unwrap_err().to_string();
    assert!(error.contains("an event in at most 4 envelopes"), "{error}");
}

#[test]
fn an_alarm_on_many_buckets_leads_to_those_that_its_contributors_name_and_to_no_other() {
    let contributor = |attributes: Value, query: &str| {
        json!({"detail-type": "CloudWatch Alarm Contributor State Change", "source": "aws.cloudwatch",
            "detail": {"alarmName": "a\u{1b}[31m", "state": {"value": "ALARM"},
                "alarmContributor": {"id": "1", "attributes": attributes},
                "configuration": {"metrics": [{"id": "q", "expression": query}]}}})
    };
    let query = "SELECT SUM(OperationsFailedReplication) FROM \"AWS/S3\" GROUP BY SourceBucket";
    assert!(is_look(&contributor(json!({"SourceBucket": "source"}), query)));
    for (attributes, query) in [
        (json!({"SourceBucket": "../$(id)"}), query),
        (json!({"SourceBucket": ["source"]}), query),
        (json!({"RuleId": "source"}), query),
        (json!(null), query),
        (
            json!({"SourceBucket": "source"}),
            "SELECT SUM(Errors) FROM \"AWS/Lambda\" GROUP BY SourceBucket",
        ),
    ] {
        assert!(
            !is_look(&contributor(attributes.clone(), query)),
            "{attributes} {query}"
        );
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_named_costs_the_others_of_its_batch_nothing() {
    let world = world(&bare());
    let mut payload = batch(&[json!({"command": "check"}), put_event("source")]);
    payload["Records"][0].as_object_mut().unwrap().remove("messageId");
    let led = invoke(&world, Mode::Auto, &payload).await;
    assert!(led.answer.is_err(), "only so is it kept");
    assert_eq!(led.told.len(), 1);
    assert_eq!(world.writes().len(), 1);
}
