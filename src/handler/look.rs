//! One look at a bucket: what to read for this event, what was read, and how it is judged.
//!
//! Records may add places to look beyond the rules; nothing recorded counts as a fact.

use std::collections::BTreeSet;

use super::records::BucketRecords;
use super::{Handler, Invocation, will_be_redelivered};
use crate::arn::{KeyArn, RoleArn};
use crate::assessment::{Assessment, one_by_one};
use crate::check::{Examination, Facts, examine};
use crate::collect::{Shared, Wanted, WantedObject, collect};
use crate::event::{Change, TriggerKind};
use crate::ledger::Ledger;
use crate::notify::Publisher;
use crate::observed::{Observed, ReadFailure};
use crate::queue::Queue;
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::source::read::is_temporary;
use crate::subject::Subject;
use crate::target::Writable;

/// Requirements between two looks at the clock.
const ASSESSED_AT_ONCE: usize = 64;

/// All that one look at a bucket gives.
pub(super) struct Look {
    pub(super) snapshot: Snapshot,
    pub(super) assessments: Vec<Assessment>,
    pub(super) examination: Examination,
    pub(super) remembered: BucketRecords,
    /// Was something read that the event contradicts? It may have been read too early.
    pub(super) is_contradicted: bool,
}

impl Look {
    /// Judges anew what was read, for another subject that no event contradicts.
    pub(super) fn forget_the_event(&mut self, subject: &Subject) {
        self.is_contradicted = false;
        self.examination = examine(&Facts {
            snapshot: &self.snapshot,
            subject,
            assessments: &self.assessments,
        });
    }
}

/// Where a command wants to be looked beside what the rules name.
pub(super) type Asked = (BTreeSet<RoleArn>, BTreeSet<KeyArn>);

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Reads everything, and judges it.
    pub(super) async fn look(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
        asked: Asked,
    ) -> Look {
        let trigger = &subject.trigger;
        let mut remembered = self.load_records(&subject.bucket).await;
        let wanted = Wanted {
            bucket: subject.bucket.clone(),
            region: trigger
                .region_hint
                .clone()
                .unwrap_or_else(|| invocation.caller.region().clone()),
            expects_configuration: match trigger.kind {
                TriggerKind::ReplicationConfigured => trigger.change == Some(Change::Configured),
                TriggerKind::ReplicationFailed | TriggerKind::Alarm => true,
                TriggerKind::Drift | TriggerKind::Sweep | TriggerKind::Command => false,
            },
            objects: trigger
                .objects
                .iter()
                .map(|object| WantedObject {
                    key: object.key.clone(),
                    version_id: object.version_id.clone(),
                })
                .collect(),
            former: remembered.places(&subject.bucket, asked),
            // What others read before counts as seen then.
            now: invocation.time(reads.since()),
        };
        let snapshot = Box::pin(collect(
            reads,
            &invocation.identity,
            &self.settings.scope,
            &wanted,
        ))
        .await;
        self.compare(invocation, subject, &mut remembered, &snapshot)
            .await;
        let mut assessments = Vec::new();
        for assessment in one_by_one(&snapshot, self.settings.guards.unconstrained_grants) {
            // The invocation's clock, and the other buckets of its batch, have their turn only where something waits.
            if assessments.len() % ASSESSED_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            assessments.push(assessment);
        }
        let facts = Facts {
            snapshot: &snapshot,
            subject,
            assessments: &assessments,
        };
        let examination = examine(&facts);
        Look {
            is_contradicted: wanted.expects_configuration && snapshot.replication.is_absent(),
            snapshot,
            assessments,
            examination,
            remembered,
        }
    }

    pub(super) fn is_opted_out(&self, look: &Look) -> bool {
        let tag = self.settings.guards.opt_out.as_ref();
        let tags = look.snapshot.source.tags.found();
        tag.zip(tags).is_some_and(|(tag, tags)| tag.is_in(tags))
    }

    /// What failed for want of capacity only, where that is worth another try before it is told as undetermined. The
    /// bucket's tags count among what must be known: they may say that it is to be left alone.
    pub(super) fn passing<'l>(&self, subject: &Subject, look: &'l Look) -> Option<&'l ReadFailure> {
        let tags = match &look.snapshot.source.tags {
            Observed::Unreadable(failure) if self.settings.guards.opt_out.is_some() => Some(failure),
            Observed::Unreadable(_) | Observed::Found(_) | Observed::Absent => None,
        };
        look.examination
            .unread
            .iter()
            .chain(tags)
            .find(|failure| is_temporary(&failure.error_code))
            .filter(|_| will_be_redelivered(subject))
    }
}
