//! What failures mean: that there is none, or that it could not be read; and where else to ask.

use s3_replication_remediator::aws::{Aws, StartError};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::snapshot::{EncryptionType, ObjectOwnership, Versioning};
use s3_replication_remediator::source::{BucketAt, Source};

use crate::server::{Server, TRUSTED, account, answer, bucket, s3_error, silence};

const VERSIONED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// Is a read that fails so told as an absence?
macro_rules! is_absent {
    ($method:ident, $at:expr, $status:expr, $code:expr) => {{
        let server = Server::start(|_| s3_error($status, $code));
        server.aws().await.$method($at).await.is_absent()
    }};
}

#[tokio::test]
async fn absence_is_believed_only_for_the_code_that_says_so() {
    let at = &bucket();
    assert!(is_absent!(
        replication,
        at,
        404,
        "ReplicationConfigurationNotFoundError"
    ));
    assert!(is_absent!(bucket_policy, at, 404, "NoSuchBucketPolicy"));
    assert!(is_absent!(bucket_tags, at, 404, "NoSuchTagSet"));
    assert!(is_absent!(
        object_lock,
        at,
        404,
        "ObjectLockConfigurationNotFoundError"
    ));
    assert!(is_absent!(replication, at, 404, "NoSuchBucket"));

    assert!(!is_absent!(replication, at, 404, "NoSuchBucketPolicy"));
    assert!(!is_absent!(bucket_policy, at, 404, "NotFound"));
    assert!(!is_absent!(bucket_policy, at, 404, "SomethingNew"));
    assert!(!is_absent!(bucket_policy, at, 403, "AccessDenied"));
    assert!(!is_absent!(bucket_policy, at, 405, "MethodNotAllowed"));
    assert!(!is_absent!(versioning, at, 400, "InvalidRequest"));
}

#[tokio::test]
async fn a_404_without_body_of_something_between_us_and_aws_is_no_absence() {
    let server = Server::start(|_| answer(404, "<html>proxy</html>"));
    let policy = server.aws().await.bucket_policy(&bucket()).await;
    assert!(policy.failure().is_some(), "{policy:?}");
}

#[tokio::test]
async fn a_strangers_absence_is_not_believed_and_names_what_would_permit_to_know() {
    let at = BucketAt {
        owner: account(TRUSTED),
        ..bucket()
    };
    let server = Server::start(|_| s3_error(404, "NoSuchBucketPolicy"));
    let policy = server.aws().await.bucket_policy(&at).await;
    let failure = policy.failure().unwrap();
    assert_eq!(failure.error_code, "NoSuchBucketPolicy");
    assert_eq!(
        failure.permit,
        r#"{"Effect":"Allow","Action":"s3:GetBucketPolicy","Resource":"arn:aws:s3:::logs"}"#
    );
}

#[tokio::test]
async fn what_older_buckets_lack_has_a_meaning() {
    let server = Server::start(|request| match request.call().as_str() {
        "s3 GET ?encryption" => s3_error(404, "ServerSideEncryptionConfigurationNotFoundError"),
        _ => s3_error(404, "OwnershipControlsNotFoundError"),
    });
    let aws = server.aws().await;
    assert_eq!(
        aws.encryption(&bucket()).await.found().unwrap().kind,
        EncryptionType::S3
    );
    assert_eq!(
        aws.ownership(&bucket()).await,
        Observed::Found(ObjectOwnership::ObjectWriter)
    );
}

#[tokio::test]
async fn a_refusal_names_the_operation_and_the_least_statement_that_permits_it() {
    let server = Server::start(|_| s3_error(403, "AccessDenied"));
    let aws = server.aws().await;
    let replication = aws.replication(&bucket()).await;
    let failure = replication.failure().unwrap();
    assert_eq!(failure.operation, "s3:GetBucketReplication");
    assert_eq!(failure.what, "replication configuration of bucket `logs`");
    assert_eq!(
        failure.permit,
        r#"{"Effect":"Allow","Action":"s3:GetReplicationConfiguration","Resource":"arn:aws:s3:::logs"}"#
    );
    let head = aws.head_object(&bucket(), "a\u{7}b", "v1").await;
    let failure = head.failure().unwrap();
    assert_eq!(failure.what, "object `a\\u{7}b` version `v1` of bucket `logs`");
    assert_eq!(failure.error_code, "Forbidden");
    assert!(
        failure
            .permit
            .contains(r#""s3:GetObjectVersion","Resource":"arn:aws:s3:::logs/*""#)
    );
}

#[tokio::test]
async fn head_bucket_tells_absence_to_everybody_and_the_region_even_in_a_refusal() {
    let at = BucketAt {
        owner: account(TRUSTED),
        ..bucket()
    };
    let server = Server::start(|_| answer(404, ""));
    assert!(server.aws().await.head_bucket(&at).await.exists.is_absent());

    let server = Server::start(|_| answer(403, "").with("x-amz-bucket-region", "eu-west-1"));
    let head = server.aws().await.head_bucket(&at).await;
    let failure = head.exists.failure().unwrap();
    assert_eq!(failure.error_code, "Forbidden");
    assert!(failure.permit.contains("s3:ListBucket"));
    assert_eq!(head.region, Some("eu-west-1".parse().unwrap()));
}

#[tokio::test]
async fn what_is_no_matter_of_permission_has_no_permit() {
    let server = Server::start(|_| s3_error(400, "InvalidBucketState"));
    let versioning = server.aws().await.versioning(&bucket()).await;
    let failure = versioning.failure().unwrap();
    assert_eq!(
        (failure.error_code.as_str(), failure.permit.as_str()),
        ("InvalidBucketState", "")
    );
}

#[tokio::test]
async fn a_temporary_failure_is_tried_three_times() {
    let server = Server::start(|_| s3_error(503, "SlowDown"));
    let versioning = server.aws().await.versioning(&bucket()).await;
    assert_eq!(versioning.failure().unwrap().error_code, "SlowDown");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn no_connection_is_unreadable() {
    let server = Server::start(|_| panic!("the connection breaks"));
    let versioning = server.aws().await.versioning(&bucket()).await;
    assert_eq!(versioning.failure().unwrap().error_code, "NoConnection");
}

#[tokio::test]
async fn an_answer_that_is_no_xml_is_unreadable() {
    let server = Server::start(|_| answer(200, "<VersioningConf"));
    let versioning = server.aws().await.versioning(&bucket()).await;
    assert_eq!(versioning.failure().unwrap().error_code, "BadAnswer");
}

#[tokio::test]
async fn an_empty_answer_is_never_taken_for_an_absence() {
    let server = Server::start(|_| answer(200, ""));
    let (aws, at) = (server.aws().await, bucket());
    assert!(aws.replication(&at).await.failure().is_some());
    assert!(aws.bucket_policy(&at).await.failure().is_some());
    assert!(aws.object_lock(&at).await.failure().is_some());
    assert!(aws.ownership(&at).await.failure().is_some());
    assert!(aws.encryption(&at).await.failure().is_some());
}

#[tokio::test]
async fn a_redirect_is_followed_once_and_remembered() {
    let server = Server::start(|request| match request.region() {
        "eu-central-1" => answer(200, VERSIONED),
        _ => s3_error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-central-1"),
    });
    let aws = server.aws().await;
    assert_eq!(
        aws.versioning(&bucket()).await,
        Observed::Found(Versioning::Enabled)
    );
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        aws.versioning(&bucket()).await,
        Observed::Found(Versioning::Enabled)
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_redirect_of_head_has_no_body_and_is_followed_all_the_same() {
    let server = Server::start(|request| match request.region() {
        "eu-central-1" => answer(200, "").with("x-amz-bucket-region", "eu-central-1"),
        _ => answer(301, "").with("x-amz-bucket-region", "eu-central-1"),
    });
    let head = server.aws().await.head_bucket(&bucket()).await;
    assert_eq!(head.exists, Observed::Found(()));
    assert_eq!(head.region, Some("eu-central-1".parse().unwrap()));
}

#[tokio::test]
async fn a_region_that_only_the_body_names_is_learnt_too() {
    let server = Server::start(|request| match request.region() {
        "us-west-2" => answer(200, VERSIONED),
        _ => answer(
            400,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>\
             <Region>us-west-2</Region></Error>",
        ),
    });
    let aws = server.aws().await;
    assert_eq!(
        aws.versioning(&bucket()).await,
        Observed::Found(Versioning::Enabled)
    );
}

#[tokio::test]
async fn redirects_in_a_circle_come_to_an_end() {
    let server = Server::start(|request| {
        let other = if request.region() == "eu-west-1" {
            "eu-west-2"
        } else {
            "eu-west-1"
        };
        s3_error(307, "TemporaryRedirect").with("x-amz-bucket-region", other)
    });
    let versioning = server.aws().await.versioning(&bucket()).await;
    assert_eq!(versioning.failure().unwrap().error_code, "TemporaryRedirect");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_bare_key_id_means_the_region_that_answered() {
    let server = Server::start(|request| match request.region() {
        "eu-central-1" => answer(
            200,
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
             <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>1234abcd</KMSMasterKeyID>\
             </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        ),
        _ => s3_error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-central-1"),
    });
    let encryption = server.aws().await.encryption(&bucket()).await;
    assert_eq!(
        encryption.found().unwrap().key.as_ref().unwrap().to_string(),
        "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
    );
}

#[test]
fn connecting_needs_a_region_and_sends_nothing() {
    let variables = |all: &[(&str, &str)]| {
        let all = all.iter();
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let without = Aws::connect(&variables(&[("AWS_REGION", "")]), None);
    assert!(matches!(without, Err(StartError::NoRegion)), "{without:?}");
    let none = Aws::connect(&variables(&[("AWS_REGION", "Frankfurt")]), None);
    assert!(matches!(none, Err(StartError::InvalidRegion(_))), "{none:?}");
    let connected = Aws::connect(&variables(&[("AWS_REGION", "eu-central-1")]), None).unwrap();
    assert_eq!(connected.region().as_str(), "eu-central-1");
}

#[tokio::test]
async fn a_region_that_there_is_not_hides_no_bucket() {
    // A forged event names it, or a mistyped key.
    let server = Server::start(|request| match request.region() {
        "zz-nowhere-1" => silence(),
        "eu-central-1" => answer(200, VERSIONED),
        _ => s3_error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-central-1"),
    });
    let at = BucketAt {
        region: "zz-nowhere-1".parse().unwrap(),
        ..bucket()
    };
    let versioning = server.aws().await.versioning(&at).await;
    assert_eq!(versioning, Observed::Found(Versioning::Enabled));

    let server = Server::start(|_| silence());
    let versioning = server.aws().await.versioning(&at).await;
    assert_eq!(versioning.failure().unwrap().error_code, "NoConnection");
}
