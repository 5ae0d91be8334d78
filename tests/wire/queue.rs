//! What SQS takes, refuses and takes later, message by message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use s3_replication_remediator::queue::{Message, Queue, QueueFailure};
use serde_json::{Value, json};

use crate::server::{Request, Response, Server, answer, json_error};

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/queue";

fn messages(count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| Message {
            body: json!({"command": "check", "bucket": format!("bucket-{n}")}),
            delay: Duration::from_secs(60),
        })
        .collect()
}

/// All taken but those whose body the closure refuses: with a code, and whether that is the sender's fault.
fn taken(request: &Request, refuse: impl Fn(&str) -> Option<(&'static str, bool)>) -> Response {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in request.json()["Entries"].as_array().unwrap() {
        let id = &entry["Id"];
        match refuse(entry["MessageBody"].as_str().unwrap()) {
            Some((code, sender_fault)) => {
                failed.push(json!({"Id": id, "Code": code, "SenderFault": sender_fault}));
            }
            None => successful.push(json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": ""})),
        }
    }
    answer(
        200,
        json!({"Successful": successful, "Failed": failed}).to_string(),
    )
}

/// The bodies of each batch that was sent.
fn batches(server: &Server) -> Vec<Vec<String>> {
    let bodies = |request: &Request| {
        let entries = request.json()["Entries"].clone();
        let bodies = entries.as_array().unwrap().iter();
        bodies
            .map(|entry| entry["MessageBody"].as_str().unwrap().to_owned())
            .collect()
    };
    server.requests().iter().map(bodies).collect()
}

#[tokio::test]
async fn messages_go_out_ten_at_a_time_with_their_delay() {
    let server = Server::start(|request| taken(request, |_| None));
    let aws = server.aws().await;
    aws.queue(Some(URL.to_owned())).send(&messages(23)).await.unwrap();
    let mut sizes: Vec<usize> = batches(&server).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 10, 10]);
    let first = &server.requests()[0];
    assert_eq!(first.call(), "sqs SendMessageBatch");
    assert_eq!(first.region(), "eu-west-1");
    assert_eq!(first.json()["QueueUrl"], URL);
    assert_eq!(first.json()["Entries"][0]["DelaySeconds"], 60);
    let body: Value =
        serde_json::from_str(first.json()["Entries"][0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body["command"], "check");
}

#[tokio::test]
async fn what_of_a_batch_is_not_taken_is_sent_again_and_nothing_else() {
    let refusals = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        taken(request, |body| {
            let is_unlucky = body.contains("bucket-3") && refusals.fetch_add(1, Ordering::SeqCst) < 2;
            is_unlucky.then_some(("InternalError", false))
        })
    });
    let aws = server.aws().await;
    aws.queue(Some(URL.to_owned())).send(&messages(5)).await.unwrap();
    let sizes: Vec<usize> = batches(&server).iter().map(Vec::len).collect();
    assert_eq!(sizes, [5, 1, 1]);
    assert!(batches(&server)[2][0].contains("bucket-3"));
}

#[tokio::test]
async fn what_is_not_taken_in_the_end_is_counted_with_the_first_reason() {
    let server = Server::start(|request| {
        taken(request, |body| {
            let for_good = body
                .contains("bucket-1")
                .then_some(("InvalidMessageContents", true));
            for_good.or(body.contains("bucket-2").then_some(("InternalError", false)))
        })
    });
    let aws = server.aws().await;
    let failure = aws
        .queue(Some(URL.to_owned()))
        .send(&messages(4))
        .await
        .unwrap_err();
    let QueueFailure::NotSent { count, reason } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(*count, 2);
    assert_eq!(reason, "sqs:SendMessageBatch refused it with InternalError");
    let sizes: Vec<usize> = batches(&server).iter().map(Vec::len).collect();
    assert_eq!(
        sizes,
        [4, 1, 1],
        "what the sender is to blame for is not sent again"
    );
}

#[tokio::test]
async fn a_queue_that_refuses_the_call_is_told_with_its_code() {
    let server = Server::start(|_| json_error(400, "com.amazonaws.sqs#QueueDoesNotExist"));
    let aws = server.aws().await;
    let failure = aws
        .queue(Some(URL.to_owned()))
        .send(&messages(12))
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        QueueFailure::NotSent {
            count: 12,
            reason: "sqs:SendMessageBatch failed with QueueDoesNotExist".to_owned(),
        }
    );
}

#[tokio::test]
async fn without_a_queue_nothing_can_be_left_but_nothing() {
    let server = Server::start(|_| panic!("nobody should ask"));
    let aws = server.aws().await;
    assert_eq!(aws.queue(None).send(&[]).await, Ok(()));
    assert_eq!(
        aws.queue(None).send(&messages(1)).await,
        Err(QueueFailure::NoQueue)
    );
}
