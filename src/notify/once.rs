//! Decides what one publisher has had already, so that a retry for another's sake does not tell it twice.
//!
//! A message goes back to the queue where one publisher of several failed, and the look that follows is told to all. It
//! also bounds storms: S3 announces each object that fails, and the state of the bucket stays the same. Only the last that
//! a publisher had of a bucket counts, so that no change of state is ever kept back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Bulletin, PublishFailure, Publisher};
use crate::arn::BucketName;
use crate::event::TriggerKind;
use crate::report::Report;

/// Longer than the queue takes to hand a message out for the last time.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What two bulletins have in common that need not both be told.
type Matter = [u8; 32];

/// A publisher that is not told the same of a bucket twice in a row within the hour.
#[derive(Debug)]
pub struct Once<P> {
    publisher: P,
    last: Mutex<BTreeMap<BucketName, (Matter, Instant)>>,
}

impl<P> Once<P> {
    /// Around another publisher.
    pub fn new(publisher: P) -> Self {
        Self {
            publisher,
            last: Mutex::default(),
        }
    }

    /// A panic elsewhere leaves the map whole.
    fn last(&self) -> MutexGuard<'_, BTreeMap<BucketName, (Matter, Instant)>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, (_, when)| when.elapsed() < HOUR);
        last
    }
}

impl<P: Publisher> Publisher for Once<P> {
    async fn publish(&self, bulletin: Bulletin<'_>) -> Result<(), PublishFailure> {
        let Some(report) = bulletin.report() else {
            return self.publisher.publish(bulletin).await;
        };
        let bucket = &report.bucket.name;
        let matter = matter(report, matches!(bulletin, Bulletin::News(..)));
        if matter.is_some() && self.last().get(bucket).map(|(last, _)| *last) == matter {
            return Ok(());
        }
        self.publisher.publish(bulletin).await?;
        match matter {
            Some(matter) => self.last().insert(bucket.clone(), (matter, Instant::now())),
            None => self.last().remove(bucket),
        };
        Ok(())
    }

    fn unusable(&self, messages: usize) {
        self.publisher.unusable(messages);
    }
}

/// The event and what was found. Failed objects are no events of their own: what is failing is. None where nothing tells
/// one event from another; then each is told.
fn matter(report: &Report, is_news: bool) -> Option<Matter> {
    let trigger = &report.trigger;
    let event = match trigger.kind {
        TriggerKind::ReplicationFailed => {
            let mut reasons: Vec<_> = trigger
                .objects
                .iter()
                .map(|object| (&object.rule_id, &object.failure_reason))
                .collect();
            reasons.sort();
            reasons.dedup();
            json!(reasons)
        }
        TriggerKind::ReplicationConfigured
        | TriggerKind::Alarm
        | TriggerKind::Drift
        | TriggerKind::Sweep
        | TriggerKind::Command => json!(trigger.event_id.as_ref()?),
    };
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            (
                finding.check,
                finding.severity,
                &finding.subject,
                &finding.rule_ids,
            )
        })
        .collect();
    let unread: Vec<_> = report
        .unread
        .iter()
        .map(|unread| (&unread.what, &unread.error_code))
        .collect();
    let status = report.outcome.as_ref().map(|outcome| outcome.status);
    let matter = json!([
        trigger.kind,
        event,
        is_news,
        report.verdict,
        findings,
        unread,
        report.digest(),
        status
    ]);
    Some(Sha256::digest(matter.to_string()).into())
}
