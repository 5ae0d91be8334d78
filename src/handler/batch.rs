//! What is done with a payload part by part, and which parts must come again: a queue's messages are answered for one by
//! one, what came by itself succeeds or fails as a whole.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::collections::BTreeSet;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tracing::{error, warn};

use super::{CONCURRENT, Handler, HandlerError, Invocation, Response};
use crate::collect::Shared;
use crate::error::chain;
use crate::ledger::Ledger;
use crate::notify::Publisher;
use crate::queue::Queue;
use crate::report::Report;
use crate::source::Source;
use crate::subject::Batch;
use crate::target::Writable;

/// What of a batch must come again.
#[derive(Debug, Default)]
struct FailedItems {
    messages: BTreeSet<String>,
    /// A message without an id cannot be named in the answer: only the failure of all keeps it. What it came with is done
    /// all the same.
    nameless: Option<HandlerError>,
}

impl FailedItems {
    fn add(&mut self, message_id: Option<String>, error: HandlerError) {
        match message_id {
            Some(id) => {
                self.messages.insert(id);
            }
            None => {
                self.nameless.get_or_insert(error);
            }
        }
    }
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Messages of a queue: each is answered for by itself.
    pub(super) async fn batch(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        batch: Batch,
    ) -> Result<Response, HandlerError> {
        let mut unanswered = FailedItems::default();
        for invalid in batch.invalid {
            error!(message_id = invalid.message_id, error = %chain(&invalid.item), "message cannot be used");
            unanswered.add(invalid.message_id, HandlerError::Invalid(invalid.item));
        }
        let looks = stream::iter(batch.subjects)
            .map(|subject| async move {
                let error = self.event(invocation, reads, &subject).await.err()?;
                warn!(bucket = %subject.bucket, error = %chain(&error), "messages go back to the queue");
                Some((subject, error))
            })
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>();
        // Side by side: neither may cost the others of the batch their turn.
        let (failed, drifts) = join(looks, self.drifts(invocation, batch.drifts)).await;
        for (subject, error) in failed.into_iter().flatten() {
            unanswered.messages.extend(subject.message_ids);
            if subject.is_nameless {
                unanswered.nameless.get_or_insert(error);
            }
        }
        for (message_id, error) in drifts {
            unanswered.add(message_id, error);
        }
        // Last: a sweep takes what is left of the invocation.
        for command in batch.commands {
            if let Err(error) = self.delivered(invocation, &command).await {
                error!(message_id = command.message_id, error = %chain(&error), "message goes back to the queue");
                unanswered.add(command.message_id, error);
            }
        }
        match unanswered.nameless {
            Some(error) => Err(error),
            None => Ok(Response::Batch(unanswered.messages)),
        }
    }

    /// An event or a command that came by itself.
    pub(super) async fn direct(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        batch: Batch,
    ) -> Result<Response, HandlerError> {
        let is_alone = batch.subjects.is_empty() && batch.drifts.is_empty() && batch.invalid.is_empty();
        if let [command] = batch.commands.as_slice()
            && is_alone
        {
            return self.execute(invocation, reads, command.item.clone()).await;
        }
        // One part that fails costs the others nothing; then the whole comes again.
        let mut failed = None;
        for drift in &batch.drifts {
            if let Err(error) = self.drift(invocation, &drift.item).await {
                failed.get_or_insert(error);
            }
        }
        let reports: Vec<_> = stream::iter(&batch.subjects)
            .map(|subject| self.event(invocation, reads, subject))
            .buffered(CONCURRENT)
            .collect()
            .await;
        let reports: Result<Vec<Option<Report>>, _> = reports.into_iter().collect();
        for command in &batch.commands {
            if let Err(error) = self.delivered(invocation, command).await {
                failed.get_or_insert(error);
            }
        }
        match (batch.invalid.into_iter().next(), failed) {
            (Some(invalid), _) => Err(HandlerError::Invalid(invalid.item)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Response::Reports(reports?.into_iter().flatten().collect())),
        }
    }
}
