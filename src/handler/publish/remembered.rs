//! A ledger item as it was read, written back only over that same version.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use crate::notify::escape::visible;

/// What nothing was written about for so long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What stands somewhere, or nothing as yet.
pub(super) struct VersionedItem<T> {
    key: ItemKey,
    version: u64,
    pub(super) value: Option<T>,
}

impl<T: Serialize + DeserializeOwned> VersionedItem<T> {
    /// Reads it. What is not as this program writes it is as good as nothing, and is written over.
    pub(super) async fn read<S: Ledger>(ledger: &S, key: ItemKey) -> Result<Self, LedgerFailure> {
        let items = ledger.items(&key.partition).await?;
        let item = items.into_iter().find(|item| item.key == key);
        let version = item.as_ref().map_or(0, |item| item.version);
        let value = item.and_then(|item| match serde_json::from_value(item.value) {
            Ok(value) => Some(value),
            Err(error) => {
                let error = visible(&error.to_string());
                warn!(
                    partition = key.partition,
                    error, "what the ledger remembers cannot be read; it is made anew"
                );
                None
            }
        });
        Ok(Self { key, version, value })
    }

    /// Writes over what was read, or was written by this before.
    pub(super) async fn write<S: Ledger>(
        &mut self,
        ledger: &S,
        value: &T,
        now: Timestamp,
    ) -> Result<(), LedgerFailure> {
        let version = self.version.saturating_add(1);
        let value = serde_json::to_value(value)
            .map_err(|error| LedgerFailure::Unavailable(format!("it cannot be written as JSON: {error}")))?;
        let item = Item {
            key: self.key.clone(),
            version,
            value,
            expires: now.checked_add(FORGET).ok(),
        };
        ledger.put(&item).await?;
        self.version = version;
        Ok(())
    }
}
