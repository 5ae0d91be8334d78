//! The ledger in a DynamoDB table: the key `partition` and `sort`, both text; `version`, `value` (JSON as text), and
//! `expires`, in seconds, which is what the table's time to live goes by.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use serde_json::Value;
use tracing::warn;

use crate::ledger::memory::MemoryLedger;
use crate::ledger::{Item, Ledger, LedgerFailure, Place};

use super::Aws;
use super::error::{Failure, Pages};

type Attributes = HashMap<String, AttributeValue>;

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
    client: Client,
    name: String,
    /// Names what this process writes. When the answer to a write is lost, the SDK writes again and is told that the item
    /// was changed: by this it is seen that it was us.
    writer: u64,
    written: AtomicU64,
}

impl Aws {
    /// The table of this name in our own account and Region. Nothing is sent yet.
    pub fn table(&self, name: String) -> Table<'_> {
        let config = Builder::from(&self.config)
            .timeout_config(patience())
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .build();
        Table {
            aws: self,
            client: Client::from_conf(config),
            name,
            writer: RandomState::new().build_hasher().finish(),
            written: AtomicU64::new(0),
        }
    }
}

impl Ledger for Table<'_> {
    fn is_lasting(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        let mut pages: Pages<Attributes> = Pages::default();
        let mut from: Option<Attributes> = None;
        loop {
            self.aws.count("dynamodb:Query", &self.name);
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("#partition = :partition")
                .expression_attribute_names("#partition", "partition")
                .expression_attribute_values(":partition", text(partition))
                .consistent_read(true)
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|error| unavailable("dynamodb:Query", &Failure::of(&error)))?;
            from = answer.last_evaluated_key;
            let next = from
                .as_ref()
                .map(|key| string(key, "sort").map(str::to_owned))
                .transpose()?;
            let is_last = pages
                .add(answer.items.unwrap_or_default().into_iter(), next)
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
        self.aws.count("dynamodb:PutItem", &self.name);
        let mut call = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("partition", text(&item.place.partition))
            .item("sort", text(&item.place.sort))
            .item("version", AttributeValue::N(item.version.to_string()))
            .item("value", text(&value))
            .item("writer", text(&self.next_writer()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(expires) = item.expires {
            call = call.item("expires", AttributeValue::N(expires.as_second().to_string()));
        }
        let writer = call
            .get_item()
            .as_ref()
            .and_then(|item| item.get("writer").cloned());
        let only_over = |version: AttributeValue| {
            call.clone()
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", version)
        };
        let mut next = match item.version.checked_sub(1) {
            None => return Err(LedgerFailure::Changed),
            Some(0) => call
                .clone()
                .condition_expression("attribute_not_exists(#partition)")
                .expression_attribute_names("#partition", "partition"),
            Some(before) => only_over(AttributeValue::N(before.to_string())),
        };
        for is_last in [false, true] {
            let Err(error) = next.send().await else {
                return Ok(());
            };
            let Some(PutItemError::ConditionalCheckFailedException(refusal)) = error.as_service_error()
            else {
                return Err(unavailable("dynamodb:PutItem", &Failure::of(&error)));
            };
            let stands = refusal.item.clone().unwrap_or_default();
            if writer.is_some() && stands.get("writer") == writer.as_ref() {
                return Ok(());
            }
            if is_last || item.version != 1 || stands.is_empty() || version(&stands).is_some() {
                break;
            }
            // Somebody else wrote something there that has no version. It must not keep us from writing.
            self.aws.count("dynamodb:PutItem", &self.name);
            next = match stands.get("version") {
                Some(nonsense) => only_over(nonsense.clone()),
                None => call
                    .clone()
                    .condition_expression("attribute_not_exists(#version)")
                    .expression_attribute_names("#version", "version"),
            };
        }
        Err(LedgerFailure::Changed)
    }

    async fn remove(&self, place: &Place, version: u64) -> Result<(), LedgerFailure> {
        self.aws.count("dynamodb:DeleteItem", &self.name);
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("partition", text(&place.partition))
            .key("sort", text(&place.sort))
            .condition_expression("attribute_not_exists(#partition) OR #version = :version")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Err(LedgerFailure::Changed),
                Some(_) | None => Err(unavailable("dynamodb:DeleteItem", &Failure::of(&error))),
            },
        }
    }
}

impl Table<'_> {
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
    fn is_lasting(&self) -> bool {
        match self {
            Self::Table(table) => table.is_lasting(),
            Self::Memory(memory) => memory.is_lasting(),
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

    async fn remove(&self, place: &Place, version: u64) -> Result<(), LedgerFailure> {
        match self {
            Self::Table(table) => table.remove(place, version).await,
            Self::Memory(memory) => memory.remove(place, version).await,
        }
    }
}

/// What somebody else wrote there is no value to us, and takes nothing from what else there is.
fn item(attributes: &Attributes) -> Option<Item> {
    let place = Place {
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
        warn!(partition = %place.partition, sort = %place.sort.escape_debug(), "an item of the ledger is not as this program writes it");
    }
    Some(Item {
        place,
        version: version.unwrap_or_default(),
        value,
        expires: number(attributes, "expires").and_then(|at| Timestamp::from_second(at).ok()),
    })
}

/// How often it was written; none where it does not say so in our way.
fn version(attributes: &Attributes) -> Option<u64> {
    number(attributes, "version")
        .and_then(|version| version.try_into().ok())
        .filter(|version| *version > 0)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn string<'a>(attributes: &'a Attributes, name: &str) -> Result<&'a str, LedgerFailure> {
    attributes
        .get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| unreadable(name))
}

fn number(attributes: &Attributes, name: &str) -> Option<i64> {
    attributes.get(name)?.as_n().ok()?.parse().ok()
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
