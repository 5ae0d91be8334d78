//! The look that follows a repair: asked for when the repair is made, and told only if it finds something else than the
//! repair's report said.
//!
//! IAM and KMS take up to about five minutes until a change works everywhere
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>), and
//! in five minutes somebody else may have changed it back. The message carries a digest of what was found after the
//! repair. Whoever forges one gets a look like any other.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tracing::{info, warn};

use super::{Handler, Invocation, Look};
use crate::check::{Facts, Severity, examine};
use crate::error::chain;
use crate::event::{PlanDigest, QueuedCheck};
use crate::ledger::Ledger;
use crate::notify::Publisher;
use crate::queue::{Message, Queue, QueueFailure};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// When a change works everywhere, as far as AWS says.
const PROPAGATED: Duration = Duration::from_secs(300);

/// When it can be known whether a repair that was made at that time has helped.
pub(super) fn verify_after(now: Timestamp) -> Timestamp {
    now.checked_add(PROPAGATED).unwrap_or(now)
}

/// A digest of what a look finds, whatever event led to it.
fn found(look: &Look, subject: &Subject) -> PlanDigest {
    let neutral = Subject::asked(subject.bucket.clone());
    let outcome = examine(&Facts {
        snapshot: &look.snapshot,
        subject: &neutral,
        assessments: &look.assessments,
    });
    let findings: BTreeSet<_> = outcome
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Advice)
        .map(|finding| {
            (
                finding.check.as_str(),
                finding.severity,
                &finding.subject,
                &finding.rule_ids,
            )
        })
        .collect();
    let unread: BTreeSet<_> = outcome.unread.iter().map(|unread| &unread.what).collect();
    let text = json!([outcome.verdict(), findings, unread]).to_string();
    PlanDigest::of(text)
}

/// Is this what the repair promised that the look is to confirm?
pub(super) fn is_as_promised(look: &Look, subject: &Subject) -> bool {
    let promised = subject.trigger.promised.as_ref();
    promised.is_some_and(|promised| {
        let is_kept = *promised == found(look, subject);
        info!(bucket = %subject.bucket, is_kept, "looked again after a repair");
        is_kept
    })
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Asks for a look once the repair works everywhere; `after` is what was found right behind it. Answers whether
    /// there will be one.
    ///
    /// What such a look repairs is not followed by another: two programs that undo each other's work do not keep us busy.
    pub(super) async fn follow_up(&self, invocation: &Invocation, subject: &Subject, after: &Look) -> bool {
        if subject.trigger.promised.is_some() {
            return false;
        }
        let bucket = &subject.bucket;
        let promised = found(after, subject);
        let message = Message {
            body: QueuedCheck {
                promised: Some(promised.clone()),
                ..QueuedCheck::of(bucket.clone())
            }
            .to_json(),
            delay: PROPAGATED,
        };
        match self.queue.send(&[message]).await {
            Ok(()) => {
                info!(%bucket, %promised, at = %verify_after(invocation.now), "will look again");
                true
            }
            Err(QueueFailure::NoQueue) => false,
            Err(failure @ QueueFailure::NotSent { .. }) => {
                warn!(%bucket, error = %chain(&failure), "nobody will look again after the repair");
                false
            }
        }
    }
}
