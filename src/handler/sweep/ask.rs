//! Which buckets of a list replicate: each is asked, as fast as S3 likes, and a check is left for each that does.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>. A bucket of which S3 does not say in
//! time is checked all the same: a look has more patience, and comes again through the queue.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;
use tracing::warn;

use super::pace::Pace;
use super::{Clock, due};
use crate::arn::BucketName;
use crate::event::{Progress, QueuedCheck};
use crate::handler::{Handler, HandlerError, Invocation};
use crate::ledger::Ledger;
use crate::notify::Publisher;
use crate::observed::{Observed, ReadFailure};
use crate::queue::{LONGEST_DELAY, Message, Queue};
use crate::source::read::is_temporary;
use crate::source::{BucketAt, ListedBucket, Reader, Source};
use crate::target::Writable;

/// Questions to S3 that are under way at once.
const CONCURRENT: usize = 8;

/// How often a bucket is asked of which S3 answers that it has no time.
const TRIES: usize = 3;

/// Between two such tries.
const PAUSE: Duration = Duration::from_secs(1);

/// What a bucket said to the question for its replication configuration.
enum ReplicationStatus {
    Replicates,
    DoesNot,
    Unreadable(ReadFailure),
    Unanswered(ReadFailure),
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Asks some buckets, and leaves a check for each that replicates.
    pub(super) async fn chunk(
        &self,
        invocation: &Invocation,
        clock: &Clock,
        pace: &Pace,
        buckets: &[ListedBucket],
        progress: &mut Progress,
    ) -> Result<(), HandlerError> {
        let mut messages = Vec::new();
        for (bucket, status) in self.ask_all(invocation, clock, pace, buckets).await {
            let counts = &mut progress.counts;
            let others = counts.enqueued();
            counts.buckets = counts.buckets.saturating_add(1);
            let count = match status {
                ReplicationStatus::DoesNot => continue,
                ReplicationStatus::Unreadable(failure) => {
                    warn!(%bucket, code = failure.error_code, permit = failure.permit, "not swept: cannot be read");
                    counts.unreadable = counts.unreadable.saturating_add(1);
                    continue;
                }
                ReplicationStatus::Unanswered(failure) => {
                    warn!(%bucket, code = failure.error_code, "checked without knowing whether it replicates");
                    &mut counts.unanswered
                }
                ReplicationStatus::Replicates => &mut counts.with_replication,
            };
            *count = count.saturating_add(1);
            messages.push(Message {
                body: QueuedCheck {
                    sweep: Some(progress.id.clone()),
                    ..QueuedCheck::of(bucket)
                }
                .to_json(),
                delay: clock.until(due(progress, others)).min(LONGEST_DELAY),
            });
        }
        self.leave(&messages).await?;
        progress.after = buckets.last().map(|bucket| bucket.name.clone());
        Ok(())
    }

    /// Asks each bucket once, and those again that S3 had no time for.
    async fn ask_all(
        &self,
        invocation: &Invocation,
        clock: &Clock,
        pace: &Pace,
        buckets: &[ListedBucket],
    ) -> Vec<(BucketName, ReplicationStatus)> {
        let mut open: Vec<&ListedBucket> = buckets.iter().collect();
        let mut answers = Vec::new();
        for tries_left in (0..TRIES).rev() {
            let begun = Instant::now();
            let asked = stream::iter(std::mem::take(&mut open)).map(|bucket| async move {
                tokio::time::sleep_until(pace.turn()).await;
                let status = self.ask_bucket(invocation, bucket).await;
                match status {
                    ReplicationStatus::Unanswered(_) => pace.refused(),
                    ReplicationStatus::Replicates
                    | ReplicationStatus::DoesNot
                    | ReplicationStatus::Unreadable(_) => pace.answered(),
                }
                (bucket, status)
            });
            let status = asked.buffered(CONCURRENT).collect::<Vec<_>>().await;
            let may_ask_again = tries_left > 0 && clock.left() > clock.not_enough() + begun.elapsed();
            for (bucket, status) in status {
                if may_ask_again && matches!(status, ReplicationStatus::Unanswered(_)) {
                    open.push(bucket);
                } else {
                    answers.push((bucket.name.clone(), status));
                }
            }
            if open.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        answers
    }

    async fn ask_bucket(&self, invocation: &Invocation, bucket: &ListedBucket) -> ReplicationStatus {
        let at = BucketAt {
            name: bucket.name.clone(),
            region: bucket
                .region
                .clone()
                .unwrap_or_else(|| invocation.caller.region().clone()),
            owner: invocation.identity.account.clone(),
            reader: Reader::Own,
        };
        match self.aws.replication(&at).await {
            Observed::Found(_) => ReplicationStatus::Replicates,
            Observed::Absent => ReplicationStatus::DoesNot,
            Observed::Unreadable(failure) if is_temporary(&failure.error_code) => {
                ReplicationStatus::Unanswered(failure)
            }
            Observed::Unreadable(failure) => ReplicationStatus::Unreadable(failure),
        }
    }
}
