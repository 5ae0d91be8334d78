//! Decides what one publisher has already received, so that a retry for another publisher does not repeat it.
//!
//! A message goes back to the queue where one publisher of several failed, and the look that follows is told to all. It
//! also bounds storms: S3 announces each object that fails, and the state of the bucket stays the same. Only the last that
//! a publisher had of a bucket counts, and only until people had news of that bucket: another process may have told that
//! news, and a state that comes back must not be taken for one that never went.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Publication, PublishFailure, Publisher};
use crate::arn::BucketName;
use crate::event::TriggerKind;
use crate::report::Report;

/// Longer than the queue takes to hand a message out for the last time.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What two publications have in common that need not both be received.
type ContentHash = [u8; 32];

/// What is told in turn, each by itself: that one is repeated says nothing of the others.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DedupKey {
    CheckResult(BucketName),
    Alert(BucketName),
    Summary,
}

/// A publisher that is not told the same of a bucket twice in a row within the hour.
#[derive(Debug)]
pub struct Deduplicated<P> {
    publisher: P,
    last: Mutex<BTreeMap<DedupKey, (ContentHash, Instant)>>,
}

impl<P> Deduplicated<P> {
    /// Around another publisher.
    pub fn new(publisher: P) -> Self {
        Self {
            publisher,
            last: Mutex::default(),
        }
    }

    /// A panic elsewhere leaves the map whole.
    fn last(&self) -> MutexGuard<'_, BTreeMap<DedupKey, (ContentHash, Instant)>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, (_, when)| when.elapsed() < HOUR);
        last
    }
}

impl<P: Publisher> Publisher for Deduplicated<P> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let (key, content) = dedup_entry(publication);
        if content.is_some() && self.last().get(&key).map(|(last, _)| *last) == content {
            return Ok(());
        }
        self.publisher.publish(publication).await?;
        match content {
            Some(content) => self.last().insert(key, (content, Instant::now())),
            None => self.last().remove(&key),
        };
        Ok(())
    }

    fn unusable(&self, messages: usize) {
        self.publisher.unusable(messages);
    }
}

/// What it is about, and what it says of that.
fn dedup_entry(publication: Publication<'_>) -> (DedupKey, Option<ContentHash>) {
    let bucket = |report: &Report| report.bucket.name.clone();
    let (key, content) = match publication {
        Publication::CheckResult(report, after) => (
            DedupKey::CheckResult(bucket(report)),
            content_of(report).map(|found| json!([found, after])),
        ),
        Publication::Alert(report, message) => (
            DedupKey::Alert(bucket(report)),
            content_of(report).map(|found| json!([found, message.after])),
        ),
        Publication::Summary(message) => (DedupKey::Summary, Some(json!(message.text))),
    };
    (
        key,
        content.map(|content| Sha256::digest(content.to_string()).into()),
    )
}

/// The event and what was found. Failed objects are no events of their own: what is failing is. None where nothing tells
/// one event from another; then each is told.
fn content_of(report: &Report) -> Option<Value> {
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
    Some(json!([
        trigger.kind,
        event,
        report.verdict,
        findings,
        unread,
        report.digest(),
        status,
        report.earlier.len()
    ]))
}
