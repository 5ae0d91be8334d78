//! Orders of jobs, as S3 Control gets them. `tests/template/test_forms.py` holds the body against AWS's own model.

use std::fs;
use std::path::Path;

use s3_replication_remediator::backlog::{ApprovedJob, Terms, order};
use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::collect::{Scope, Wanted, collect};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::target::{Jobs as _, Writable as _};

use crate::server::{OWN, Request, Response, Server, answer, s3_error};

const REPLICATION: &str = "<ReplicationConfiguration><Role>arn:aws:iam::111122223333:role/crr</Role><Rule><ID>r</ID>\
    <Status>Enabled</Status><Prefix></Prefix><Destination><Bucket>arn:aws:s3:::replica</Bucket></Destination></Rule>\
    </ReplicationConfiguration>";

/// As little of the account as an order needs.
fn account(request: &Request) -> Response {
    let call = request.call();
    if request.method == "HEAD" {
        return answer(200, "").with("x-amz-bucket-region", "us-west-2");
    }
    match call.as_str() {
        "s3 GET ?replication" => answer(200, REPLICATION),
        "s3 GET ?tagging" => s3_error(404, "NoSuchTagSet"),
        "s3 GET ?versioning" => answer(
            200,
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        ),
        _ => s3_error(403, "AccessDenied"),
    }
}

async fn permitted(server: &Server) -> ApprovedJob {
    let aws = server.aws().await;
    let identity = aws.identity().await.unwrap().clone();
    let wanted = Wanted {
        bucket: "logs".parse().unwrap(),
        region: "us-west-2".parse().unwrap(),
        expects_configuration: false,
        objects: Vec::new(),
        former: Default::default(),
        now: "2026-11-21T00:00:00Z".parse().unwrap(),
    };
    let snapshot = Box::pin(collect(&aws, &identity, &Scope::default(), &wanted)).await;
    let role = "arn:aws:iam::111122223333:role/batch".parse().unwrap();
    let terms = Terms {
        role: Some(&role),
        heeds_tags: true,
        is_opted_out: false,
    };
    order(&snapshot, Verdict::Healthy, terms).unwrap()
}

fn is_order(request: &Request) -> bool {
    request.target == "/v20180820/jobs"
}

#[tokio::test]
async fn a_job_is_ordered_by_a_signed_request_in_the_buckets_region_to_be_confirmed() {
    let server = Server::start(|request| {
        if is_order(request) {
            answer(200, "<CreateJobResult><JobId>job-1234</JobId></CreateJobResult>")
        } else {
            account(request)
        }
    });
    let order = permitted(&server).await;
    let aws = server.aws().await;
    let permission = Mode::Approve.write_access().unwrap();
    assert_eq!(
        aws.jobs(&permission).create_job(&order).await.unwrap(),
        "job-1234"
    );
    let request = server.requests().pop().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str(), request.region()),
        ("POST", "/v20180820/jobs", "us-west-2")
    );
    let authorization = request.header("authorization");
    assert!(
        authorization.contains("/us-west-2/s3/aws4_request"),
        "{authorization}"
    );
    assert!(
        authorization
            .contains("SignedHeaders=content-type;host;x-amz-account-id;x-amz-content-sha256;x-amz-date"),
        "{authorization}"
    );
    assert_eq!(request.header("x-amz-account-id"), OWN);
    assert_eq!(request.header("content-type"), "application/xml");
    assert_eq!(request.header("x-amz-content-sha256").len(), 64);
    assert_eq!(aws.take_calls()["s3:CreateJob"], 1);
    let body = request.body.replace(order.job().token(), "TOKEN");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/create-job.xml");
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        fs::write(&kept, format!("{body}\n")).unwrap();
    }
    assert_eq!(fs::read_to_string(kept).unwrap().trim_end(), body);
}

#[tokio::test]
async fn a_job_that_is_refused_or_not_named_fails_and_what_may_pass_says_so() {
    for (status, body, code, retryable) in [
        (
            403,
            "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
            "AccessDenied",
            false,
        ),
        (
            400,
            "<ErrorResponse><Error><Code>IdempotencyException</Code><Message>another</Message></Error></ErrorResponse>",
            "IdempotencyException",
            false,
        ),
        (
            503,
            "<Error><Code>SlowDown</Code><Message>later</Message></Error>",
            "SlowDown",
            true,
        ),
        (200, "<CreateJobResult/>", "BadAnswer", false),
        (200, "<JobId>; rm -rf /</JobId>", "BadAnswer", false),
    ] {
        let server = Server::start(move |request| {
            if is_order(request) {
                answer(status, body)
            } else {
                account(request)
            }
        });
        let order = permitted(&server).await;
        let aws = server.aws().await;
        let permission = Mode::Auto.write_access().unwrap();
        let failure = aws.jobs(&permission).create_job(&order).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.retryable), (code, retryable));
        assert_eq!(failure.operation, "s3:CreateJob");
    }
}
