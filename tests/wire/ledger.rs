//! The ledger in its table: what is asked, and what answers mean.

use std::sync::atomic::{AtomicUsize, Ordering};

use s3_replication_remediator::ledger::{Item, ItemKey, Ledger as _, LedgerFailure};
use serde_json::{Value, json};

use crate::server::{Request, Response, Server, answer, json_error};

const REFUSED: &str = "ConditionalCheckFailedException";

fn place() -> ItemKey {
    ItemKey {
        partition: "bucket#logs".to_owned(),
        sort: "news".to_owned(),
    }
}

fn item(version: u64) -> Item {
    Item {
        key: place(),
        version,
        value: json!({"told": "broken"}),
        expires: Some("2026-09-14T09:13:00Z".parse().unwrap()),
    }
}

fn written(sort: &str) -> Value {
    json!({
        "partition": {"S": "bucket#logs"}, "sort": {"S": sort}, "version": {"N": "2"},
        "value": {"S": r#"{"told":"broken"}"#}, "expires": {"N": "1789377180"}, "writer": {"S": "w"},
    })
}

/// Refuses a write, and says who wrote what stands there.
fn refused(writer: &str) -> Response {
    let body = json!({"__type": REFUSED, "message": "no", "Item": {"writer": {"S": writer}}});
    answer(400, body.to_string())
}

fn writer(request: &Request) -> String {
    request.json()["Item"]["writer"]["S"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_item_is_written_only_where_nothing_stands() {
    let server = Server::start(|_| answer(200, "{}"));
    let aws = server.aws().await;
    aws.table("ledger".to_owned()).put(&item(1)).await.unwrap();
    let request = server.requests().remove(0);
    assert_eq!(
        (request.call().as_str(), request.region()),
        ("dynamodb PutItem", "eu-west-1")
    );
    let mut sent = request.json();
    sent["Item"].as_object_mut().unwrap().remove("writer").unwrap();
    assert_eq!(
        sent,
        json!({
            "TableName": "ledger",
            "Item": {
                "partition": {"S": "bucket#logs"}, "sort": {"S": "news"}, "version": {"N": "1"},
                "value": {"S": r#"{"told":"broken"}"#}, "expires": {"N": "1789377180"},
            },
            "ConditionExpression": "attribute_not_exists(#partition)",
            "ExpressionAttributeNames": {"#partition": "partition"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        })
    );
    assert_eq!(aws.take_calls()["dynamodb:PutItem"], 1);
}

#[tokio::test]
async fn a_later_version_is_written_only_over_the_one_before() {
    let server = Server::start(|_| answer(200, "{}"));
    let aws = server.aws().await;
    aws.table("ledger".to_owned()).put(&item(3)).await.unwrap();
    let sent = server.requests()[0].json();
    assert_eq!(sent["ConditionExpression"], "#version = :version");
    assert_eq!(sent["ExpressionAttributeNames"], json!({"#version": "version"}));
    assert_eq!(sent["ExpressionAttributeValues"], json!({":version": {"N": "2"}}));
}

#[tokio::test]
async fn who_was_slower_is_told_so() {
    let server = Server::start(|_| refused("somebody-else"));
    let aws = server.aws().await;
    let table = aws.table("ledger".to_owned());
    assert_eq!(table.put(&item(2)).await, Err(LedgerFailure::VersionConflict));
    assert_eq!(
        table.remove(&place(), 2).await,
        Err(LedgerFailure::VersionConflict)
    );
    let sent = server.requests().pop().unwrap().json();
    assert_eq!(
        sent["ConditionExpression"],
        "attribute_not_exists(#partition) OR #version = :version"
    );
    assert_eq!(sent["ExpressionAttributeValues"], json!({":version": {"N": "2"}}));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again_as_ours() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => json_error(500, "InternalServerError"),
        _ => refused(&writer(request)),
    });
    let aws = server.aws().await;
    aws.table("ledger".to_owned()).put(&item(2)).await.unwrap();
    let writers: Vec<_> = server.requests().iter().map(writer).collect();
    assert_eq!(writers.len(), 2);
    assert_eq!(writers[0], writers[1]);
}

#[tokio::test]
async fn items_are_read_consistently_and_to_the_last_page() {
    let server = Server::start(|request| match request.json().get("ExclusiveStartKey") {
        None => answer(
            200,
            json!({
                "Items": [written("a")],
                "LastEvaluatedKey": {"partition": {"S": "bucket#logs"}, "sort": {"S": "a"}},
            })
            .to_string(),
        ),
        Some(_) => answer(200, json!({"Items": [written("b")]}).to_string()),
    });
    let aws = server.aws().await;
    let items = aws.table("ledger".to_owned()).items("bucket#logs").await.unwrap();
    let read: Vec<_> = items
        .iter()
        .map(|item| (item.key.sort.as_str(), item.version))
        .collect();
    assert_eq!(read, [("a", 2), ("b", 2)]);
    assert_eq!(items[0].value, item(2).value);
    assert_eq!(items[0].expires, item(2).expires);
    let requests = server.requests();
    assert_eq!(server.calls(), ["dynamodb Query", "dynamodb Query"]);
    assert_eq!(requests[0].json()["ConsistentRead"], true);
    assert_eq!(
        requests[0].json()["ExpressionAttributeValues"],
        json!({":partition": {"S": "bucket#logs"}})
    );
    assert_eq!(requests[1].json()["ExclusiveStartKey"]["sort"], json!({"S": "a"}));
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let server = Server::start(|_| {
        let key = json!({"partition": {"S": "bucket#logs"}, "sort": {"S": "a"}});
        answer(200, json!({"Items": [], "LastEvaluatedKey": key}).to_string())
    });
    let aws = server.aws().await;
    let failure = aws.table("ledger".to_owned()).items("bucket#logs").await;
    assert!(
        matches!(failure, Err(LedgerFailure::Unavailable(_))),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_table_that_is_missing_or_not_ours_is_unavailable_and_names_the_call() {
    let server = Server::start(|_| json_error(400, "ResourceNotFoundException"));
    let aws = server.aws().await;
    let table = aws.table("ledger".to_owned());
    for (failure, operation) in [
        (table.items("bucket#logs").await.unwrap_err(), "dynamodb:Query"),
        (table.put(&item(1)).await.unwrap_err(), "dynamodb:PutItem"),
        (
            table.remove(&place(), 1).await.unwrap_err(),
            "dynamodb:DeleteItem",
        ),
    ] {
        let told = failure.to_string();
        assert!(
            told.contains(operation) && told.contains("ResourceNotFoundException"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_item_that_somebody_else_wrote_is_no_value_and_takes_nothing_from_the_others() {
    let server = Server::start(|_| {
        let foreign = |sort: &str, name: &str, value: Value| {
            let mut item = written(sort);
            if value.is_null() {
                item.as_object_mut().unwrap().remove(name);
            } else {
                item[name] = value;
            }
            item
        };
        let items = json!([
            foreign("a", "value", Value::Null),
            foreign("b", "value", json!({"S": "{"})),
            foreign("c", "value", json!({"B": "AAAA"})),
            foreign("d", "version", Value::Null),
            foreign("e", "version", json!({"N": "1.5"})),
            foreign("f", "version", json!({"S": "2"})),
            foreign("g", "version", json!({"N": "0"})),
            foreign("h", "expires", json!({"S": "never"})),
            written("i"),
        ]);
        answer(200, json!({"Items": items}).to_string())
    });
    let aws = server.aws().await;
    let items = aws.table("ledger".to_owned()).items("bucket#logs").await.unwrap();
    let read: Vec<_> = items
        .iter()
        .map(|item| (item.key.sort.as_str(), item.version, item.value.is_null()))
        .collect();
    assert_eq!(
        read,
        [
            ("a", 2, true),
            ("b", 2, true),
            ("c", 2, true),
            ("d", 0, true),
            ("e", 0, true),
            ("f", 0, true),
            ("g", 0, true),
            ("h", 2, false),
            ("i", 2, false),
        ]
    );
}

#[tokio::test]
async fn an_item_without_a_version_of_ours_is_written_over_and_one_of_ours_is_not() {
    for (version, condition, value) in [
        (
            Some(json!({"N": "1.5"})),
            "#version = :version",
            json!({":version": {"N": "1.5"}}),
        ),
        (
            Some(json!({"S": "x"})),
            "#version = :version",
            json!({":version": {"S": "x"}}),
        ),
        (None, "attribute_not_exists(#version)", Value::Null),
    ] {
        let stands = version.clone();
        let server = Server::start(
            move |request| match request.json()["ConditionExpression"].as_str() {
                Some("attribute_not_exists(#partition)") => {
                    let mut item = json!({"partition": {"S": "bucket#logs"}, "sort": {"S": "news"}});
                    if let Some(version) = &stands {
                        item["version"] = version.clone();
                    }
                    answer(
                        400,
                        json!({"__type": REFUSED, "message": "no", "Item": item}).to_string(),
                    )
                }
                _ => answer(200, "{}"),
            },
        );
        let aws = server.aws().await;
        aws.table("ledger".to_owned()).put(&item(1)).await.unwrap();
        let sent = server.requests().pop().unwrap().json();
        assert_eq!(sent["ConditionExpression"], condition);
        assert_eq!(sent["ExpressionAttributeValues"], value);
    }
    let server = Server::start(|_| {
        let item = written("news");
        answer(
            400,
            json!({"__type": REFUSED, "message": "no", "Item": item}).to_string(),
        )
    });
    let aws = server.aws().await;
    let refused = aws.table("ledger".to_owned()).put(&item(1)).await;
    assert_eq!(refused, Err(LedgerFailure::VersionConflict));
    assert_eq!(server.requests().len(), 1);
}
