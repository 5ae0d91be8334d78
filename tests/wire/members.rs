//! Reading in trusted accounts through the member role.

use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::snapshot::Versioning;
use s3_replication_remediator::source::{BucketAt, Reader, Source};

use crate::server::{Server, TRUSTED, account, answer, bucket, query_answer, query_error, s3_error};

fn members_bucket() -> BucketAt {
    BucketAt {
        owner: account(TRUSTED),
        reader: Reader::Member(account(TRUSTED)),
        ..bucket()
    }
}

const SESSION: &str = "<Credentials><AccessKeyId>MEMBER</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
     <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
     <AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId><Arn>arn:aws:sts::444455556666:assumed-role/reader/x</Arn>\
     </AssumedRoleUser>";

#[tokio::test]
async fn the_member_role_is_assumed_once_for_all_regions_and_services() {
    let server = Server::start(|request| match request.call().as_str() {
        "sts AssumeRole" => {
            assert_eq!(
                request.form("RoleArn"),
                Some("arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2Freader")
            );
            assert_eq!(request.form("RoleSessionName"), Some("s3-replication-remediator"));
            assert_eq!(request.form("ExternalId"), None);
            query_answer("AssumeRole", SESSION)
        }
        "s3 GET ?versioning" => {
            assert_eq!(request.access_key(), "MEMBER");
            answer(200, "<VersioningConfiguration/>")
        }
        _ => {
            assert_eq!(request.access_key(), "MEMBER");
            answer(200, r#"{"Tags":[],"Truncated":false}"#)
        }
    });
    let aws = server.aws().await;
    let elsewhere = BucketAt {
        name: "other".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        ..members_bucket()
    };
    assert_eq!(
        aws.versioning(&members_bucket()).await,
        Observed::Found(Versioning::Never)
    );
    assert_eq!(
        aws.versioning(&elsewhere).await,
        Observed::Found(Versioning::Never)
    );
    let key = "arn:aws:kms:eu-west-1:444455556666:key/1".parse().unwrap();
    let tags = aws.key_tags(&key, &Reader::Member(account(TRUSTED))).await;
    assert!(tags.found().unwrap().is_empty());
    let assumed = server
        .calls()
        .iter()
        .filter(|call| *call == "sts AssumeRole")
        .count();
    assert_eq!(assumed, 1);
}

#[tokio::test]
async fn an_external_id_is_sent_to_the_member_role_that_asks_for_it() {
    let server = Server::start(|request| match request.call().as_str() {
        "sts AssumeRole" if request.form("ExternalId") == Some("payments%3Aeu") => {
            query_answer("AssumeRole", SESSION)
        }
        "sts AssumeRole" => query_error(403, "AccessDenied"),
        _ => answer(200, "<VersioningConfiguration/>"),
    });
    let with = server.aws_with(Some("payments:eu")).await;
    assert!(with.versioning(&members_bucket()).await.found().is_some());
    let without = server.aws().await;
    assert!(without.versioning(&members_bucket()).await.found().is_none());
}

#[tokio::test]
async fn what_a_member_is_told_not_to_exist_does_not_exist() {
    let server = Server::start(|request| match request.call().as_str() {
        "sts AssumeRole" => query_answer("AssumeRole", SESSION),
        _ => s3_error(404, "NoSuchBucketPolicy"),
    });
    assert!(
        server
            .aws()
            .await
            .bucket_policy(&members_bucket())
            .await
            .is_absent()
    );
}

#[tokio::test]
async fn a_member_role_that_may_not_be_assumed_is_the_failure_that_is_told() {
    let server = Server::start(|request| match request.call().as_str() {
        "sts AssumeRole" => query_error(403, "AccessDenied"),
        other => panic!("{other}"),
    });
    let aws = server.aws().await;
    let found = aws.bucket_policy(&members_bucket()).await;
    let failure = found.failure().unwrap();
    assert_eq!(failure.operation, "sts:AssumeRole");
    assert_eq!(failure.error_code, "AccessDenied");
    assert_eq!(failure.what, "policy of bucket `logs`");
    assert_eq!(
        failure.permit,
        r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::444455556666:role/reader"}"#
    );
    assert!(
        aws.head_bucket(&members_bucket())
            .await
            .exists
            .failure()
            .is_some()
    );
}
