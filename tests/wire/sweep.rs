//! The list of an account's buckets as S3 pages it, and a sweep while S3 answers every third question with 503.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use s3_replication_remediator::arn::BucketName;
use s3_replication_remediator::aws::Aws;
use s3_replication_remediator::collect::Scope;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{self, Handler, Invocation, Settings};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{Notification, Publication, PublishFailure, Publisher};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::report::Caller;
use s3_replication_remediator::source::{BucketPage, ListedBucket, Source};
use serde_json::json;

use crate::server::{Request, Response, Server, answer, s3_error};

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/queue";

fn page(buckets: &[(String, &str)], next: Option<&str>) -> Response {
    let list: String = buckets
        .iter()
        .map(|(name, region)| {
            format!(
                "<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate>\
                 <BucketRegion>{region}</BucketRegion></Bucket>"
            )
        })
        .collect();
    let next = next.map_or(String::new(), |token| {
        format!("<ContinuationToken>{token}</ContinuationToken>")
    });
    answer(
        200,
        format!(
            "<ListAllMyBucketsResult><Buckets>{list}</Buckets><Owner><ID>o</ID></Owner>{next}</ListAllMyBucketsResult>"
        ),
    )
}

fn listed(name: &str, region: &str) -> ListedBucket {
    ListedBucket {
        name: name.parse().unwrap(),
        region: Some(region.parse().unwrap()),
    }
}

#[tokio::test]
async fn buckets_are_listed_page_by_page_with_their_regions() {
    let server = Server::start(|request| match request.target.contains("continuation-token") {
        false => page(&[("a-bucket".to_owned(), "us-east-1")], Some("next/one+=")),
        true => page(&[("b-bucket".to_owned(), "eu-west-1")], None),
    });
    let aws = server.aws().await;
    let first = aws.buckets(None).await;
    let token = "next/one+=".to_owned();
    assert_eq!(
        first,
        Observed::Found(BucketPage {
            buckets: vec![listed("a-bucket", "us-east-1")],
            next: Some(token.clone()),
        })
    );
    let second = aws.buckets(Some(&token)).await;
    assert_eq!(
        second,
        Observed::Found(BucketPage {
            buckets: vec![listed("b-bucket", "eu-west-1")],
            next: None,
        })
    );
    let asked = server.requests();
    assert!(
        asked[0].target.contains("max-buckets=1000"),
        "{}",
        asked[0].target
    );
    assert!(
        asked[1].target.contains("continuation-token=next%2Fone%2B%3D"),
        "{}",
        asked[1].target
    );
}

#[tokio::test]
async fn a_list_that_is_refused_says_what_would_permit_it() {
    let server = Server::start(|_| s3_error(403, "AccessDenied"));
    let Observed::Unreadable(failure) = server.aws().await.buckets(None).await else {
        panic!("it was refused")
    };
    assert_eq!(
        (failure.operation.as_str(), failure.error_code.as_str()),
        ("s3:ListBuckets", "AccessDenied")
    );
    assert_eq!(
        failure.permit,
        r#"{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}"#
    );
}

#[derive(Debug, Default)]
struct Told(RefCell<Vec<Notification>>);

impl Publisher for &Told {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        match publication {
            Publication::CheckResult(..) => {}
            Publication::Alert(_, message) | Publication::Summary(message) => {
                self.0.borrow_mut().push(message.clone())
            }
        }
        Ok(())
    }
}

async fn sweep(aws: &Aws, told: &Told) -> handler::Response {
    let handler = Handler {
        aws,
        publisher: told,
        ledger: MemoryLedger::default(),
        memory: MemoryLedger::default(),
        queue: aws.queue(Some(URL.to_owned())),
        settings: Settings {
            mode: Mode::DryRun,
            scope: Scope::default(),
            guards: GuardSettings::default(),
            report_refused_puts: false,
            remind_after: None,
        },
    };
    let invocation = Invocation {
        identity: aws.identity().await.unwrap().clone(),
        now: "2026-09-14T09:00:00Z".parse().unwrap(),
        began: tokio::time::Instant::now(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(60),
        caller: Caller::Function {
            name: "f".to_owned(),
            region: "eu-west-1".parse().unwrap(),
        },
    };
    handler
        .handle(&invocation, &json!({"command": "sweep"}))
        .await
        .unwrap()
}

/// Of every ten buckets one replicates.
fn reply(request: &Request, count: usize) -> Response {
    match request.call().as_str() {
        "sqs SendMessageBatch" => {
            let entries = request.json()["Entries"].clone();
            let taken = entries.as_array().unwrap().iter();
            let taken: Vec<_> = taken
                .map(|entry| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""}))
                .collect();
            answer(200, json!({"Successful": taken}).to_string())
        }
        "s3 GET ?replication" => {
            let name: BucketName = request.target.split(['/', '?']).nth(1).unwrap().parse().unwrap();
            if name.as_str().ends_with('0') {
                answer(
                    200,
                    "<ReplicationConfiguration><Role>arn:aws:iam::111122223333:role/crr</Role><Rule><ID>all</ID>\
                     <Status>Enabled</Status><Prefix></Prefix><Destination><Bucket>arn:aws:s3:::replica</Bucket>\
                     </Destination></Rule></ReplicationConfiguration>",
                )
            } else {
                s3_error(404, "ReplicationConfigurationNotFoundError")
            }
        }
        _ => page(
            &(0..count)
                .map(|n| (format!("bucket-{n:05}"), "eu-west-1"))
                .collect::<Vec<_>>(),
            None,
        ),
    }
}

#[tokio::test]
async fn a_third_of_all_answers_being_503_costs_time_and_no_bucket() {
    let questions = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let is_question = request.call() == "s3 GET ?replication";
        if is_question && questions.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            return s3_error(503, "SlowDown");
        }
        reply(request, 100)
    });
    let (aws, told) = (server.aws().await, Told::default());
    let begun = Instant::now();
    let handler::Response::Sweep(answer) = sweep(&aws, &told).await else {
        panic!("no counts")
    };
    let counts = answer.counts;
    assert_eq!(
        (
            counts.buckets,
            counts.with_replication,
            counts.unanswered,
            counts.unreadable
        ),
        (100, 10, 0, 0)
    );
    let asked = server
        .calls()
        .iter()
        .filter(|call| *call == "s3 GET ?replication")
        .count();
    assert!((150..200).contains(&asked), "{asked} questions");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_s3_that_answers_nothing_but_503_is_asked_less_and_less() {
    let server = Server::start(|request| match request.call().as_str() {
        "s3 GET ?replication" => s3_error(503, "SlowDown"),
        _ => reply(request, 12),
    });
    let (aws, told) = (server.aws().await, Told::default());
    let begun = Instant::now();
    let handler::Response::Sweep(answer) = sweep(&aws, &told).await else {
        panic!("no counts")
    };
    let seconds = begun.elapsed().as_secs_f64();
    let asked = server
        .calls()
        .iter()
        .filter(|call| *call == "s3 GET ?replication")
        .count();
    assert_eq!(answer.counts.buckets, answer.counts.unanswered, "none is lost");
    assert!(
        (asked as f64) < seconds * 25.0,
        "{asked} questions in {seconds} s"
    );
}
