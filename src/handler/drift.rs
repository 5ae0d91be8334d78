//! What becomes of a change of something that replication depends on: one check in the queue for each bucket that it
//! concerns, or a line in the log where it concerns none.
//!
//! The checks wait a little. What IAM and KMS were told takes seconds until it is seen everywhere
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>), and
//! who changes one thing often changes ten: whatever happens to the same key or role before they are due, they see too.
//! So a thousand changes of a role lead to no more than one look per bucket in half a minute. A look writes nothing that
//! is in place already, and what we write ourselves is no event to us: no change can go round in a circle.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{info, warn};

use super::{CHECKS_PER_SECOND, Handler, HandlerError, Invocation};
use crate::arn::BucketName;
use crate::error::chain;
use crate::event::{Drift, DriftCause, QueuedCheck, Resource};
use crate::ledger::{Ledger, index};
use crate::notify::Publisher;
use crate::observed::Observed;
use crate::queue::{LONGEST_DELAY, Message, Queue};
use crate::source::read::is_temporary;
use crate::source::{BucketAt, Reader, Source};
use crate::subject::Delivered;
use crate::target::Writable;

/// How long the first checks wait.
const WAIT: Duration = Duration::from_secs(30);

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Does so for messages of a queue, and answers which of them must come again, and why.
    pub(super) async fn drifts(
        &self,
        invocation: &Invocation,
        drifts: Vec<Delivered<Drift>>,
    ) -> Vec<(Option<String>, HandlerError)> {
        let mut again = Vec::new();
        for drift in drifts {
            let done =
                tokio::time::timeout_at(invocation.work_until(), self.drift(invocation, &drift.item)).await;
            // What was done for others of the batch must be answered for.
            if let Err(error) = done.unwrap_or(Err(HandlerError::DriftOutOfTime)) {
                warn!(message_id = drift.message_id, error = %chain(&error), "message goes back to the queue");
                again.push((drift.message_id, error));
            }
        }
        again
    }

    /// Leaves a check in the queue for each bucket that the change concerns.
    pub(super) async fn drift(&self, invocation: &Invocation, drift: &Drift) -> Result<(), HandlerError> {
        for resource in &drift.resources {
            let concerned = index::concerned(&self.ledger, resource, drift)
                .await
                .map_err(HandlerError::Ledger)?;
            if concerned.is_asked(invocation.now) {
                info!(call = drift.call, %resource, "dropped: looks that will see it are on their way");
                continue;
            }
            let mut buckets = concerned.buckets.clone();
            buckets.extend(self.itself(invocation, resource).await?);
            if buckets.is_empty() {
                info!(call = drift.call, %resource, "dropped: no bucket is known to depend on it");
                continue;
            }
            let messages = messages(drift, resource, &buckets);
            self.queue
                .send(&messages)
                .await
                .map_err(HandlerError::NotQueued)?;
            // Afterwards: whoever is stopped in between asks twice, and never not at all.
            // A grant concerns some of the buckets alone: its looks may not stand for those that other changes need.
            if drift.grant.is_none() {
                let until = invocation.now.checked_add(WAIT).unwrap_or(invocation.now);
                index::asked(&self.ledger, resource, &concerned, until)
                    .await
                    .map_err(HandlerError::Ledger)?;
            }
            info!(call = drift.call, %resource, buckets = buckets.len(), "checks left in the queue");
        }
        Ok(())
    }

    /// A bucket of ours that replicates, where it is one that was changed. One question spares a look at all the others. A
    /// change may have locked us out: then it counts what was known before.
    async fn itself(
        &self,
        invocation: &Invocation,
        resource: &Resource,
    ) -> Result<Option<BucketName>, HandlerError> {
        let Resource::Bucket(bucket) = resource else {
            return Ok(None);
        };
        let at = BucketAt {
            name: bucket.clone(),
            region: invocation.caller.region().clone(),
            owner: invocation.identity.account.clone(),
            reader: Reader::Own,
        };
        let replicates = match self.aws.replication(&at).await {
            Observed::Found(_) => true,
            Observed::Absent => false,
            Observed::Unreadable(failure) if is_temporary(&failure.error_code) => true,
            Observed::Unreadable(_) => index::is_known(&self.ledger, bucket)
                .await
                .map_err(HandlerError::Ledger)?,
        };
        Ok(replicates.then(|| bucket.clone()))
    }
}

/// One check for each bucket, with what the event said of its cause.
fn messages(drift: &Drift, resource: &Resource, buckets: &BTreeSet<BucketName>) -> Vec<Message> {
    let delay = |others: u64| WAIT + Duration::from_secs(others / CHECKS_PER_SECOND);
    buckets
        .iter()
        .zip(0..)
        .map(|(bucket, others)| Message {
            body: QueuedCheck {
                drift: Some(DriftCause::new(drift, resource)),
                ..QueuedCheck::of(bucket.clone())
            }
            .to_json(),
            delay: delay(others).min(LONGEST_DELAY),
        })
        .collect()
}
