//! The port through which changes are recorded.

use std::future::Future;

use super::ChangeOutcome;
use crate::plan::Change;

/// Why a change could not be written down; a clause for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRecorded(pub String);

/// Where each change is written down, before it is made and when it is known what became of it, so that whoever is stopped
/// in between leaves a trace.
pub trait Journal {
    /// Before the write; the number names the entry. What cannot be written down is not done.
    fn begin(&self, change: &Change) -> impl Future<Output = Result<u64, NotRecorded>>;

    /// After it.
    fn end(
        &self,
        change: &Change,
        entry: u64,
        outcome: &ChangeOutcome,
    ) -> impl Future<Output = Result<(), NotRecorded>>;
}

/// Nobody writes anything down.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    async fn begin(&self, _: &Change) -> Result<u64, NotRecorded> {
        Ok(0)
    }

    async fn end(&self, _: &Change, _: u64, _: &ChangeOutcome) -> Result<(), NotRecorded> {
        Ok(())
    }
}
