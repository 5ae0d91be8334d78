//! A ledger in memory, which lasts as long as the process: used without a table.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Item, ItemKey, Ledger, LedgerFailure};

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    items: Mutex<BTreeMap<ItemKey, Item>>,
}

impl MemoryLedger {
    /// Everything that is remembered. A panic elsewhere leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ItemKey, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what stands there, whoever wrote it.
    pub fn forget(&self, key: &ItemKey) {
        self.lock().remove(key);
    }
}

impl Ledger for MemoryLedger {
    fn is_durable(&self) -> bool {
        false
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        let items = self.lock();
        let of_partition = items
            .values()
            .filter(|item| item.key.partition == partition)
            .cloned();
        Ok(of_partition.collect())
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        let mut items = self.lock();
        let stands = items.get(&item.key).map_or(0, |item| item.version);
        if stands.checked_add(1) != Some(item.version) {
            return Err(LedgerFailure::VersionConflict);
        }
        items.insert(item.key.clone(), item.clone());
        Ok(())
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        let mut items = self.lock();
        match items.get(key) {
            Some(item) if item.version == version => {
                items.remove(key);
                Ok(())
            }
            Some(_) => Err(LedgerFailure::VersionConflict),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(sort: &str, version: u64) -> Item {
        Item {
            key: ItemKey {
                partition: "bucket#logs".to_owned(),
                sort: sort.to_owned(),
            },
            version,
            value: json!({"written": version}),
            expires: None,
        }
    }

    #[tokio::test]
    async fn an_item_is_written_only_over_the_version_that_was_read() {
        let ledger = MemoryLedger::default();
        assert_eq!(
            ledger.put(&item("a", 2)).await,
            Err(LedgerFailure::VersionConflict)
        );
        ledger.put(&item("a", 1)).await.unwrap();
        assert_eq!(
            ledger.put(&item("a", 1)).await,
            Err(LedgerFailure::VersionConflict)
        );
        ledger.put(&item("a", 2)).await.unwrap();
        assert_eq!(ledger.items("bucket#logs").await.unwrap(), [item("a", 2)]);
    }

    #[tokio::test]
    async fn a_partition_is_read_in_order_and_alone() {
        let ledger = MemoryLedger::default();
        ledger.put(&item("b", 1)).await.unwrap();
        ledger.put(&item("a", 1)).await.unwrap();
        assert_eq!(
            ledger.items("bucket#logs").await.unwrap(),
            [item("a", 1), item("b", 1)]
        );
        assert!(ledger.items("bucket#other").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_item_that_somebody_else_wrote_is_not_removed() {
        let ledger = MemoryLedger::default();
        ledger.put(&item("a", 1)).await.unwrap();
        let key = item("a", 1).key;
        assert_eq!(ledger.remove(&key, 2).await, Err(LedgerFailure::VersionConflict));
        ledger.remove(&key, 1).await.unwrap();
        ledger.remove(&key, 1).await.unwrap();
        assert!(ledger.items("bucket#logs").await.unwrap().is_empty());
    }
}
