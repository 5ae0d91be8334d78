//! The port to what is remembered from one invocation to the next: what was told, what was changed, and which buckets a
//! key or role concerns.
//!
//! A ledger only stores. What its items mean is decided by those who write them. It is optional, and never a fact about
//! the account: losing it costs duplicate messages and extra reads, never a finding. Items are written only over the
//! version that was read
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate>),
//! so that of two invocations at once one learns of the other.

pub mod changes;
pub mod index;
pub mod memory;

use std::future::Future;

use jiff::Timestamp;
use serde_json::Value;

use crate::arn::BucketName;

/// Before the name of a bucket in a partition or sort key.
const BUCKET: &str = "bucket#";

/// How a partition or sort key names a bucket.
pub fn bucket_key(bucket: &BucketName) -> String {
    format!("{BUCKET}{bucket}")
}

/// The bucket that such a key names; none where it names something else.
pub fn bucket_of(key: &str) -> Option<BucketName> {
    key.strip_prefix(BUCKET)?.parse().ok()
}

/// Where an item stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// What it is about, such as `bucket#logs`. All items of a partition are read together.
    pub partition: String,
    /// Which it is among those, such as `news`; they are read in the order of this.
    pub sort: String,
}

/// Something that is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it stands.
    pub key: ItemKey,
    /// How often it has been written: 1 for a new one. 0 where that cannot be read.
    pub version: u64,
    /// What is remembered, a JSON object of at most 300 KB; null where somebody else wrote what this program cannot read.
    pub value: Value,
    /// When it may be forgotten; it may be read for some days longer.
    pub expires: Option<Timestamp>,
}

/// The ledger did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFailure {
    /// What stands there is not what the writer has read: somebody else was faster.
    #[error("the item of the ledger was changed by somebody else; read it again")]
    VersionConflict,
    /// It could not be reached, or it refused.
    #[error("the ledger did not answer as it should: {0}")]
    Unavailable(String),
}

/// What is remembered from one invocation to the next.
pub trait Ledger {
    /// Does it outlive the process?
    fn is_durable(&self) -> bool;

    /// All items of a partition, in the order of their `sort`.
    fn items(&self, partition: &str) -> impl Future<Output = Result<Vec<Item>, LedgerFailure>>;

    /// Writes an item over its version before. For version 1 that is nothing, or something that cannot be read.
    fn put(&self, item: &Item) -> impl Future<Output = Result<(), LedgerFailure>>;

    /// Removes an item that has the version that was read.
    fn remove(&self, key: &ItemKey, version: u64) -> impl Future<Output = Result<(), LedgerFailure>>;
}

impl<L: Ledger> Ledger for &L {
    fn is_durable(&self) -> bool {
        (**self).is_durable()
    }

    fn items(&self, partition: &str) -> impl Future<Output = Result<Vec<Item>, LedgerFailure>> {
        (**self).items(partition)
    }

    fn put(&self, item: &Item) -> impl Future<Output = Result<(), LedgerFailure>> {
        (**self).put(item)
    }

    fn remove(&self, key: &ItemKey, version: u64) -> impl Future<Output = Result<(), LedgerFailure>> {
        (**self).remove(key, version)
    }
}
