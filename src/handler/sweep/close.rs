//! How a sweep ends: the results of the looks that it queued, and their summary.
//!
//! Each look notes its result in the ledger. A message to ourselves waits until they are due, and tells.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tracing::warn;

use super::{Clock, REMEMBERED, due, later};
use crate::arn::BucketName;
use crate::error::chain;
use crate::event::{Progress, SweepId};
use crate::handler::{Handler, HandlerError, Invocation};
use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure, bucket_key, bucket_of};
use crate::notify::summary::{BucketResult, Summary};
use crate::notify::{Publication, Publisher};
use crate::queue::{LONGEST_DELAY, Queue};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// How long checks may take beyond when they are due, before the summary is told without them.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Tells the summary once all checks are done, or will not be any more; before that, says how long to wait.
    pub(super) async fn close(
        &self,
        invocation: &Invocation,
        clock: &Clock,
        progress: &Progress,
    ) -> Result<Option<Duration>, HandlerError> {
        // A long list may take longer than the checks that it leads to.
        let last = progress
            .listed
            .unwrap_or(progress.started)
            .max(due(progress, progress.counts.enqueued()));
        let wait = clock.until(last);
        if !wait.is_zero() {
            return Ok(Some(wait.min(LONGEST_DELAY)));
        }
        let items = self.ledger.items(&partition(&progress.id)).await;
        let results: BTreeMap<BucketName, BucketResult> = items
            .map_err(HandlerError::Ledger)?
            .into_iter()
            .filter_map(|item| {
                let name = bucket_of(&item.key.sort)?;
                Some((name, serde_json::from_value(item.value).ok()?))
            })
            .collect();
        let done = u32::try_from(results.len()).unwrap_or(u32::MAX);
        if done < progress.counts.enqueued() && clock.since(last) < PATIENCE {
            return Ok(Some(
                Duration::from_secs(60).max(clock.since(last)).min(LONGEST_DELAY),
            ));
        }
        self.publish_summary(invocation, progress, Some(&results)).await?;
        Ok(None)
    }

    pub(super) async fn publish_summary(
        &self,
        invocation: &Invocation,
        progress: &Progress,
        results: Option<&BTreeMap<BucketName, BucketResult>>,
    ) -> Result<(), HandlerError> {
        let summary = Summary {
            mode: self.settings.mode,
            account: &invocation.identity.account,
            region: invocation.caller.region(),
            progress,
            results,
        };
        self.publisher
            .publish(Publication::Summary(&summary.render()))
            .await
            .map_err(HandlerError::SummaryNotPublished)
    }

    /// Notes what a look came to that a sweep asked for. A ledger that fails costs the summary a line, nobody a look.
    pub(in crate::handler) async fn record_result(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        result: &BucketResult,
    ) {
        let Some(sweep) = subject
            .trigger
            .sweep
            .as_ref()
            .filter(|_| self.ledger.is_durable())
        else {
            return;
        };
        let item = Item {
            key: ItemKey {
                partition: partition(sweep),
                sort: bucket_key(&subject.bucket),
            },
            version: 1,
            value: json!(result),
            expires: Some(later(invocation.now, REMEMBERED)),
        };
        match self.ledger.put(&item).await {
            // The same look, asked for twice.
            Ok(()) | Err(LedgerFailure::VersionConflict) => {}
            Err(failure @ LedgerFailure::Unavailable(_)) => {
                warn!(bucket = %subject.bucket, error = %chain(&failure), "the summary of the sweep will lack this bucket");
            }
        }
    }
}

/// Where it stands what the looks of a sweep came to.
fn partition(sweep: &SweepId) -> String {
    format!("sweep#{}", sweep.as_str())
}
