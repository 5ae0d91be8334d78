//! The ledger in a DynamoDB table: the key `partition` and `sort`, both text; `version`, `value` (JSON as text), and
//! `expires`, in seconds, which is what the table's time to live goes by.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use crate::ledger::memory::MemoryLedger;
use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure};

use super::Aws;
use super::error::{Failure, Pages};
use super::json::{self, Address, JsonCall};
use super::signed::{Limits, Refused};

/// DynamoDB takes items of 400 KB, names and keys included.
const MOST: usize = 300 * 1024;

/// A ledger that is slow is worth less than a message in time.
fn patience() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build()
}

/// A table.
#[derive(Debug)]
pub struct Table<'a> {
    aws: &'a Aws,
    name: String,
    /// Names what this process writes. When the answer to a write is lost, the SDK writes again and is told that the item
    /// was changed: by this it is seen that it was us.
    writer: u64,
    written: AtomicU64,
}

impl Aws {
    /// The table of this name in our own account and Region. Nothing is sent yet.
    pub fn table(&self, name: String) -> Table<'_> {
        Table {
            aws: self,
            name,
            writer: RandomState::new().build_hasher().finish(),
            written: AtomicU64::new(0),
        }
    }
}

/// What DynamoDB answers.
#[derive(Debug)]
enum Outcome {
    /// It did as it was told.
    Done(Value),
    /// It did nothing: another item stands there than the condition wants.
    ConditionFailed(Value),
}

fn response(response: &HttpResponse) -> Result<Outcome, OrchestratorError<Refused>> {
    let refused = match json::response(response) {
        Ok(answer) => return Ok(Outcome::Done(answer)),
        Err(refused) => refused,
    };
    match refused.as_operation_error().and_then(|refused| refused.code()) {
        Some("ConditionalCheckFailedException") => {
            let body = response.body().bytes().unwrap_or_default();
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            Ok(Outcome::ConditionFailed(
                body.get("Item").cloned().unwrap_or_default(),
            ))
        }
        _ => Err(refused),
    }
}

impl Ledger for Table<'_> {
    fn is_durable(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        let mut pages: Pages<Value> = Pages::default();
        let mut body = json!({
            "TableName": self.name,
            "KeyConditionExpression": "#partition = :partition",
            "ExpressionAttributeNames": {"#partition": "partition"},
            "ExpressionAttributeValues": {":partition": text(partition)},
            "ConsistentRead": true,
        });
        loop {
            let answer = match self.call("dynamodb:Query", &body).await? {
                Outcome::Done(answer) | Outcome::ConditionFailed(answer) => answer,
            };
            let from = answer.get("LastEvaluatedKey").filter(|key| !key.is_null());
            let next = from
                .map(|key| string(key, "sort").map(str::to_owned))
                .transpose()?;
            if let (Some(from), Some(body)) = (from, body.as_object_mut()) {
                body.insert("ExclusiveStartKey".to_owned(), from.clone());
            }
            let items = answer.get("Items").and_then(Value::as_array).cloned();
            let is_last = pages
                .add(items.unwrap_or_default().into_iter(), next)
                .map_err(|failure| unavailable("dynamodb:Query", &failure))?;
            if is_last {
                break;
            }
        }
        Ok(pages.items.iter().filter_map(item).collect())
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        let value = item.value.to_string();
        if value.len() > MOST {
            return Err(LedgerFailure::Unavailable(format!(
                "an item of {} bytes is more than the {MOST} that it holds",
                value.len()
            )));
        }
        let writer = text(&self.next_writer());
        let mut written = json!({
            "partition": text(&item.key.partition),
            "sort": text(&item.key.sort),
            "version": {"N": item.version.to_string()},
            "value": text(&value),
            "writer": writer,
        });
        if let (Some(expires), Some(written)) = (item.expires, written.as_object_mut()) {
            written.insert(
                "expires".to_owned(),
                json!({"N": expires.as_second().to_string()}),
            );
        }
        let only_if = |condition: Value| {
            let mut body = json!({
                "TableName": self.name,
                "Item": written,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            });
            if let (Some(body), Value::Object(condition)) = (body.as_object_mut(), condition) {
                body.extend(condition);
            }
            body
        };
        let no = |attribute: &str| {
            only_if(json!({
                "ConditionExpression": format!("attribute_not_exists(#{attribute})"),
                "ExpressionAttributeNames": {format!("#{attribute}"): attribute},
            }))
        };
        let over = |version: &Value| {
            only_if(json!({
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": version},
            }))
        };
        let mut body = match item.version.checked_sub(1) {
            None => return Err(LedgerFailure::VersionConflict),
            Some(0) => no("partition"),
            Some(before) => over(&json!({"N": before.to_string()})),
        };
        for is_last in [false, true] {
            let stands = match self.call("dynamodb:PutItem", &body).await? {
                Outcome::Done(_) => return Ok(()),
                Outcome::ConditionFailed(stands) => stands,
            };
            if stands.get("writer") == Some(&writer) {
                return Ok(());
            }
            let is_empty = stands.as_object().is_none_or(serde_json::Map::is_empty);
            if is_last || item.version != 1 || is_empty || version(&stands).is_some() {
                break;
            }
            // Somebody else wrote something there that has no version. It must not keep us from writing.
            body = match stands.get("version") {
                Some(nonsense) => over(nonsense),
                None => no("version"),
            };
        }
        Err(LedgerFailure::VersionConflict)
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        let body = json!({
            "TableName": self.name,
            "Key": {"partition": text(&key.partition), "sort": text(&key.sort)},
            "ConditionExpression": "attribute_not_exists(#partition) OR #version = :version",
            "ExpressionAttributeNames": {"#partition": "partition", "#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": version.to_string()}},
        });
        match self.call("dynamodb:DeleteItem", &body).await? {
            Outcome::Done(_) => Ok(()),
            Outcome::ConditionFailed(_) => Err(LedgerFailure::VersionConflict),
        }
    }
}

impl Table<'_> {
    /// `operation` as IAM names it.
    async fn call(&self, operation: &'static str, body: &Value) -> Result<Outcome, LedgerFailure> {
        self.aws.count(operation);
        let (service, name) = operation.split_once(':').unwrap_or(("dynamodb", operation));
        let call = JsonCall {
            service,
            operation: name,
            address: Address::Target("application/x-amz-json-1.0", "DynamoDB_20120810"),
            region: &self.aws.region,
            limits: Limits {
                timeouts: Some(patience()),
                retries: Some(RetryConfig::standard().with_max_attempts(2)),
            },
        };
        self.aws
            .send_json(call, body, response)
            .await
            .map_err(|failure| unavailable(operation, &failure))
    }

    fn next_writer(&self) -> String {
        let count = self.written.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{count}", self.writer)
    }
}

/// The table, or what there is without one.
#[derive(Debug)]
pub enum AnyLedger<'a> {
    /// `LEDGER_TABLE` names a table.
    Table(Table<'a>),
    /// It names none.
    Memory(MemoryLedger),
}

impl Ledger for AnyLedger<'_> {
    fn is_durable(&self) -> bool {
        match self {
            Self::Table(table) => table.is_durable(),
            Self::Memory(memory) => memory.is_durable(),
        }
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        match self {
            Self::Table(table) => table.items(partition).await,
            Self::Memory(memory) => memory.items(partition).await,
        }
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        match self {
            Self::Table(table) => table.put(item).await,
            Self::Memory(memory) => memory.put(item).await,
        }
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        match self {
            Self::Table(table) => table.remove(key, version).await,
            Self::Memory(memory) => memory.remove(key, version).await,
        }
    }
}

/// What somebody else wrote there is no value to us, and takes nothing from what else there is.
fn item(attributes: &Value) -> Option<Item> {
    let key = ItemKey {
        partition: string(attributes, "partition").ok()?.to_owned(),
        sort: string(attributes, "sort").ok()?.to_owned(),
    };
    let version = version(attributes);
    let value = string(attributes, "value")
        .ok()
        .and_then(|value| serde_json::from_str(value).ok())
        .filter(|_| version.is_some())
        .unwrap_or_default();
    if value == Value::Null {
        warn!(partition = %key.partition, sort = %key.sort.escape_debug(), "an item of the ledger is not as this program writes it");
    }
    Some(Item {
        key,
        version: version.unwrap_or_default(),
        value,
        expires: number(attributes, "expires").and_then(|at| Timestamp::from_second(at).ok()),
    })
}

/// How often it was written; none where it does not say so in our way.
fn version(attributes: &Value) -> Option<u64> {
    number(attributes, "version")
        .and_then(|version| version.try_into().ok())
        .filter(|version| *version > 0)
}

fn text(text: &str) -> Value {
    json!({"S": text})
}

fn string<'a>(attributes: &'a Value, name: &str) -> Result<&'a str, LedgerFailure> {
    attributes
        .get(name)
        .and_then(|value| value.get("S")?.as_str())
        .ok_or_else(|| unreadable(name))
}

fn number(attributes: &Value, name: &str) -> Option<i64> {
    attributes.get(name)?.get("N")?.as_str()?.parse().ok()
}

/// Somebody else wrote the table.
fn unreadable(name: &str) -> LedgerFailure {
    LedgerFailure::Unavailable(format!(
        "an item has no `{name}` as this program writes it; remove it"
    ))
}

fn unavailable(operation: &'static str, failure: &Failure) -> LedgerFailure {
    LedgerFailure::Unavailable(failure.described(operation))
}
