//! The writes and publishing: what is sent, and what answers mean.

use std::collections::BTreeMap;

use s3_replication_remediator::arn::{KeyArn, RoleArn};
use s3_replication_remediator::config::EventBus;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::events::{CHECK_RESULT, Event};
use s3_replication_remediator::policy::PolicyDocument;
use s3_replication_remediator::target::{GrantRequest, Target, Writable};
use serde_json::json;

use crate::server::{Server, answer, json_error, query_answer, query_error};

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/service-role/crr".parse().unwrap()
}

fn key() -> KeyArn {
    "arn:aws:kms:eu-central-1:111122223333:key/1".parse().unwrap()
}

fn grant() -> GrantRequest {
    GrantRequest {
        key: key(),
        grantee: role(),
        retiring_principal: "arn:aws:iam::111122223333:root".to_owned(),
        name: "ours".to_owned(),
        operations: ["Decrypt".to_owned(), "Encrypt".to_owned()].into(),
        context_equals: [("aws:s3:arn".to_owned(), "arn:aws:s3:::logs".to_owned())].into(),
    }
}

#[tokio::test]
async fn a_policy_is_put_under_the_roles_name_and_the_request_id_is_kept() {
    let server = Server::start(|_| answer(200, "<PutRolePolicyResponse/>").with("x-amzn-requestid", "r-7"));
    let aws = server.aws().await;
    let document = PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": []})).unwrap();
    let permission = Mode::Auto.write_access().unwrap();
    let written = aws
        .writer(&permission)
        .put_role_policy(&role(), "ours", &document)
        .await
        .unwrap();
    assert_eq!(written.request_id.as_deref(), Some("r-7"));
    let requests = server.requests();
    assert_eq!(requests[0].form("RoleName"), Some("crr"));
    assert_eq!(requests[0].form("PolicyName"), Some("ours"));
    assert_eq!(
        requests[0].form("PolicyDocument"),
        Some("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D")
    );
}

#[tokio::test]
async fn a_refused_write_tells_the_code_and_whether_to_try_again() {
    let server = Server::start(|_| query_error(409, "LimitExceeded"));
    let aws = server.aws().await;
    let document = PolicyDocument::from_value(json!({"Statement": []})).unwrap();
    let permission = Mode::Approve.write_access().unwrap();
    let failure = aws
        .writer(&permission)
        .put_role_policy(&role(), "p", &document)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.retryable),
        ("LimitExceeded", false)
    );
    assert_eq!(failure.message, "no", "control characters are taken out");
    assert_eq!(failure.resource, role().to_string());

    let server = Server::start(|_| query_error(500, "ServiceFailure"));
    let aws = server.aws().await;
    let failure = aws
        .writer(&permission)
        .put_role_policy(&role(), "p", &document)
        .await
        .unwrap_err();
    assert!(failure.retryable);
}

#[tokio::test]
async fn removing_what_is_not_there_succeeds() {
    let server = Server::start(|request| match request.call().as_str() {
        "iam DeleteRolePolicy" => query_error(404, "NoSuchEntity"),
        _ => json_error(400, "NotFoundException"),
    });
    let aws = server.aws().await;
    let permission = Mode::Auto.write_access().unwrap();
    aws.writer(&permission)
        .delete_role_policy(&role(), "p")
        .await
        .unwrap();
    aws.writer(&permission).revoke_grant(&key(), "g").await.unwrap();
}

#[tokio::test]
async fn a_dry_run_of_a_grant_succeeds_by_its_own_error_and_by_nothing_else() {
    let permission = Mode::Auto.write_access().unwrap();
    let server = Server::start(|request| {
        assert_eq!(request.json()["DryRun"], true);
        json_error(400, "DryRunOperationException")
    });
    let aws = server.aws().await;
    aws.writer(&permission).try_grant(&grant()).await.unwrap();

    let server = Server::start(|_| json_error(400, "AccessDeniedException"));
    let aws = server.aws().await;
    let failure = aws.writer(&permission).try_grant(&grant()).await.unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");

    let server = Server::start(|_| answer(200, r#"{"GrantId":"g","GrantToken":"t"}"#));
    let aws = server.aws().await;
    let failure = aws.writer(&permission).try_grant(&grant()).await.unwrap_err();
    assert_eq!(failure.code, "DryRunIgnored");
}

#[tokio::test]
async fn a_grant_is_made_in_the_keys_region_with_its_constraint() {
    let server = Server::start(|request| {
        assert_eq!(request.region(), "eu-central-1");
        answer(200, r#"{"GrantId":"g-1","GrantToken":"t"}"#).with("x-amzn-requestid", "r-1")
    });
    let aws = server.aws().await;
    let permission = Mode::Auto.write_access().unwrap();
    let written = aws.writer(&permission).create_grant(&grant()).await.unwrap();
    assert_eq!(
        (written.grant_id.as_deref(), written.request_id.as_deref()),
        (Some("g-1"), Some("r-1"))
    );
    let sent = server.requests()[0].json();
    assert_eq!(
        sent,
        json!({
            "KeyId": key().to_string(), "GranteePrincipal": role().to_string(), "Name": "ours",
            "RetiringPrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt", "Encrypt"],
            "Constraints": {"EncryptionContextEquals": {"aws:s3:arn": "arn:aws:s3:::logs"}},
        })
    );
}

#[tokio::test]
async fn a_grant_without_constraint_sends_none() {
    let server = Server::start(|_| answer(200, r#"{"GrantId":"g-1","GrantToken":"t"}"#));
    let aws = server.aws().await;
    let permission = Mode::Auto.write_access().unwrap();
    let unconstrained = GrantRequest {
        context_equals: BTreeMap::new(),
        ..grant()
    };
    aws.writer(&permission)
        .create_grant(&unconstrained)
        .await
        .unwrap();
    assert!(server.requests()[0].json().get("Constraints").is_none());
}

#[tokio::test]
async fn a_message_goes_to_the_topics_own_region() {
    let server = Server::start(|request| {
        assert_eq!(request.region(), "us-west-2");
        query_answer("Publish", "<MessageId>m-1</MessageId>")
    });
    let aws = server.aws().await;
    let topic = "arn:aws:sns:us-west-2:111122223333:reports".parse().unwrap();
    let attributes = [("verdict", "broken".to_owned())].into();
    let id = aws
        .publish(&topic, "bucket logs\nis broken", "{}", &attributes)
        .await
        .unwrap();
    assert_eq!(id, "m-1");
    let requests = server.requests();
    assert_eq!(requests[0].form("Subject"), Some("bucket%20logs%3Fis%20broken"));
    assert_eq!(
        requests[0].form("MessageAttributes.entry.1.Value.StringValue"),
        Some("broken")
    );
    assert_eq!(aws.take_calls()["sns:Publish"], 1);
}

#[tokio::test]
async fn a_message_that_is_refused_says_so() {
    let server = Server::start(|_| query_error(403, "AuthorizationError"));
    let aws = server.aws().await;
    let topic = "arn:aws:sns:us-west-2:111122223333:reports".parse().unwrap();
    let failure = aws.publish(&topic, "s", "m", &BTreeMap::new()).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.is_retryable()),
        ("AuthorizationError", false)
    );
    assert_eq!(
        failure.to_string(),
        "sns:Publish failed with AuthorizationError: no"
    );
}

fn event() -> Event {
    Event {
        detail_type: CHECK_RESULT,
        time: "2026-09-14T09:13:00Z".parse().unwrap(),
        resources: vec!["arn:aws:s3:::logs".to_owned()],
        detail: r#"{"verdict":"broken"}"#.to_owned(),
    }
}

#[tokio::test]
async fn an_event_goes_to_the_buss_own_region_or_to_ours() {
    let server = Server::start(|_| answer(200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e-1"}]}"#));
    let aws = server.aws().await;
    for (name, region) in [
        ("operations", "eu-west-1"),
        (
            "arn:aws:events:us-west-2:444455556666:event-bus/operations",
            "us-west-2",
        ),
    ] {
        let bus = EventBus {
            name: name.to_owned(),
            region: name.starts_with("arn:").then(|| region.parse().unwrap()),
        };
        aws.put_event(&bus, &event()).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(
            (request.call().as_str(), request.region()),
            ("events PutEvents", region)
        );
        assert_eq!(
            request.json(),
            json!({"Entries": [{
                "Time": 1_789_377_180, "Source": "s3-replication-remediator", "Resources": ["arn:aws:s3:::logs"],
                "DetailType": "S3 Replication Check Result", "Detail": r#"{"verdict":"broken"}"#,
                "EventBusName": name,
            }]})
        );
    }
    assert_eq!(aws.take_calls()["events:PutEvents"], 2);
}

#[tokio::test]
async fn an_event_that_was_not_taken_fails_though_the_call_succeeds() {
    let refused = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"no"}]}"#;
    for (body, code) in [
        (refused, "InternalFailure"),
        (r#"{"FailedEntryCount":0,"Entries":[]}"#, "BadAnswer"),
    ] {
        let server = Server::start(move |_| answer(200, body));
        let aws = server.aws().await;
        let bus = EventBus {
            name: "default".to_owned(),
            region: None,
        };
        assert_eq!(aws.put_event(&bus, &event()).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_finding_is_imported_by_a_signed_request_and_what_fails_is_tried_again() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(
        move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => json_error(503, "ServiceUnavailable"),
            _ => answer(200, r#"{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}"#),
        },
    );
    let aws = server.aws().await;
    aws.import_finding(&json!({"Id": "logs"})).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let request = &requests[1];
    assert_eq!(
        (
            request.method.as_str(),
            request.target.as_str(),
            request.access_key(),
            request.region()
        ),
        ("POST", "/findings/import", "OWN", "eu-west-1")
    );
    assert!(
        request
            .header("authorization")
            .contains("/securityhub/aws4_request")
    );
    assert!(
        request
            .header("authorization")
            .contains("SignedHeaders=content-type;host;x-amz-date")
    );
    assert_eq!(request.json(), json!({"Findings": [{"Id": "logs"}]}));
    assert_eq!(aws.take_calls()["securityhub:BatchImportFindings"], 1);
}

#[tokio::test]
async fn a_finding_that_was_not_taken_fails_though_the_call_succeeds() {
    let refused = r#"{"FailedCount":1,"SuccessCount":0,"FailedFindings":[{"Id":"logs","ErrorCode":"InvalidInput","ErrorMessage":"no"}]}"#;
    for (status, body, code) in [
        (200, refused, "InvalidInput"),
        (200, "{}", "BadAnswer"),
        (
            403,
            r#"{"__type":"AccessDeniedException","message":"no"}"#,
            "AccessDeniedException",
        ),
        (
            401,
            r#"{"Code":"InvalidAccessException","Message":"not subscribed"}"#,
            "InvalidAccessException",
        ),
    ] {
        let server = Server::start(move |_| answer(status, body));
        let failure = server.aws().await.import_finding(&json!({})).await.unwrap_err();
        assert_eq!(failure.code(), code, "{failure}");
        assert_eq!(server.requests().len(), 1);
    }
}
