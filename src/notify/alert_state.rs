//! Decides whether what was seen of a bucket is news, from what is remembered of it.
//!
//! Sent is what is new, what is gone, and after a while what is still active. The same again is counted, and the next message
//! says how often. A message has three steps: it is claimed, published and confirmed, and each is written over the version
//! that was read. Of two that see the same at once one claims and the other waits; a claim that nobody confirmed is sent
//! again. So a crash costs at most one message too many, and never one too few.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert::{Alert, CHANGED, Fingerprint};
use super::rate_limit::RateWindow;
use crate::check::CheckId;
use crate::check::Verdict;

/// A claim that is older belongs to an invocation that is no more. The function's time limit in the template is half, which a test
/// compares.
pub const CLAIM_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// Clocks of one account's functions differ by less. What was told later than that from now was not told by us.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// By so much S3's clock and ours may differ.
const S3_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How many fingerprints of each kind (active or not) are kept, the latest.
const MAX_REPORTED: usize = 400;

/// What is remembered of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AlertState {
    /// When the trouble that stands was first seen.
    pub first_seen: Option<Timestamp>,
    /// When it was first seen that objects are left behind, which they still are as far as anybody knows.
    pub broken_since: Option<Timestamp>,
    /// When the last look at the bucket began of which everything was told or counted.
    pub looked_at: Option<Timestamp>,
    /// The last message that went out.
    pub last_sent: Option<LastSent>,
    /// Was anything that people were told of wrong, or repaired? Only what was can be so again.
    pub has_had_trouble: bool,
    /// What the messages said that still holds, as far as anybody knows.
    pub reported: BTreeMap<Fingerprint, Reported>,
    /// How often the same was seen since the last message.
    pub suppressed: u64,
    /// How many failed object versions S3 reported meanwhile.
    pub failed_objects: u64,
    /// A message that is being told.
    pub claim: Option<Claim>,
    /// How many messages there were within the hour.
    pub hour: RateWindow,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSent {
    /// When.
    pub at: Timestamp,
    /// The verdict in it.
    pub verdict: Verdict,
}

/// One thing that a message reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// A word for people: the check's id, or the like.
    pub label: String,
    /// Can it be found gone?
    pub is_active: bool,
    /// When it was told.
    pub at: Timestamp,
}

/// A message that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// When.
    pub at: Timestamp,
    /// The verdict in it.
    pub verdict: Verdict,
    /// What it says.
    pub reported: BTreeMap<Fingerprint, Reported>,
    /// What it says to be gone.
    pub gone: BTreeSet<Fingerprint>,
    /// What it says was done.
    pub done: Option<String>,
    /// Is it known that it did not go out?
    pub has_failed: bool,
    /// Did it stand in for another that may not have gone out?
    pub owes: bool,
}

/// Why something is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was told of this bucket before.
    #[default]
    New,
    /// It is well, after trouble was told.
    Resolved,
    /// There is trouble again.
    Reopened,
    /// The verdict is worse than the one that was told.
    Worse,
    /// Something else is wrong, or was done, or something is no longer wrong.
    Changed,
    /// It is as it was told, a while ago.
    Reminder,
    /// It is as it was, but an earlier message may not have gone out.
    Unconfirmed,
}

impl Reason {
    /// The word for those who filter messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Worse => "worse",
            Self::Changed => "changed",
            Self::Reminder => "reminder",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// What a message says of the messages before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertHistory {
    /// Why it is told.
    pub reason: Reason,
    /// When the trouble was first seen.
    pub first_seen: Option<Timestamp>,
    /// When it was first seen that objects are left behind.
    pub broken_since: Option<Timestamp>,
    /// When the last message before this one went out.
    pub last_sent_at: Option<Timestamp>,
    /// How often the same was seen since.
    pub suppressed: u64,
    /// How many failed object versions S3 reported meanwhile.
    pub failed_objects: u64,
    /// What was not told before; empty where nothing was.
    pub fresh: BTreeSet<Fingerprint>,
    /// What was told and is not found any more, by the ids of the checks.
    pub gone: BTreeSet<String>,
    /// A message that may not have gone out.
    pub unconfirmed: Option<Unconfirmed>,
    /// How many messages there were about the bucket within the hour, before this one.
    pub sent_this_hour: u32,
}

/// A message that may not have gone out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// When it was begun.
    pub at: Timestamp,
    /// What it said was done.
    pub done: Option<String>,
}

/// What is to be done about what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Ignore,
    /// Remember that the same was seen.
    Save(AlertState),
    /// Somebody is telling of this bucket just now: look at the record again in a moment.
    Wait,
    /// Somebody who looked later has told of this bucket: look at the bucket again, since this may not be so any more.
    Stale,
    /// Remember the claim, publish, and remember what became of it.
    Send(AlertState, AlertHistory),
}

/// Is it news? `now` is the time of the look.
pub fn next_step(
    record: Option<&AlertState>,
    alert: &Alert,
    now: Timestamp,
    remind_after: Option<SignedDuration>,
) -> Step {
    let known = record
        .filter(|record| !record.is_in_future(now))
        .cloned()
        .unwrap_or_default();
    if known.claim.as_ref().is_some_and(|claim| claim.is_open(now)) {
        return Step::Wait;
    }
    let fresh: BTreeSet<Fingerprint> = alert
        .items()
        .map(|(fingerprint, _)| fingerprint)
        .filter(|fingerprint| !known.reported.contains_key(*fingerprint))
        .cloned()
        .collect();
    let known = known.with_unconfirmed_claim();
    let gone = known.gone(alert);
    let has_come_up_again = alert.may_have_repaired && !known.was_sent_since(alert);
    let reason = reason(&known, alert, &fresh, &gone)
        .or(has_come_up_again.then_some(Reason::Unconfirmed))
        .or(known.is_due(alert, now, remind_after).then_some(Reason::Reminder))
        .or(known.owes().then_some(Reason::Unconfirmed));
    let is_late = alert.yields_to_later_looks && known.looked_at.is_some_and(|looked_at| looked_at > now);
    match reason {
        Some(_) if is_late => Step::Stale,
        Some(reason) => known.claimed(reason, alert, fresh, gone, now),
        None if alert.is_empty() => known.at_rest(alert),
        None => {
            let mut seen = known.seen_again(alert.failed_objects);
            seen.looked_at = seen.looked_at.max(Some(now));
            Step::Save(seen)
        }
    }
}

fn reason(
    known: &AlertState,
    alert: &Alert,
    fresh: &BTreeSet<Fingerprint>,
    gone: &BTreeMap<Fingerprint, String>,
) -> Option<Reason> {
    let last_sent = known.last_sent.as_ref().map(|last_sent| last_sent.verdict);
    let was_healthy = last_sent == Some(Verdict::Healthy);
    // What replicates nothing is not fixed by that.
    let is_resolved = alert.verdict == Verdict::Healthy && !was_healthy && !alert.is_not_configured;
    if is_resolved && !gone.is_empty() {
        return Some(Reason::Resolved);
    }
    if fresh.is_empty() && alert.done.is_none() {
        return (!gone.is_empty()).then_some(Reason::Changed);
    }
    Some(match last_sent {
        None => Reason::New,
        Some(Verdict::Healthy) if alert.verdict != Verdict::Healthy => {
            match known.has_had_trouble {
                true => Reason::Reopened,
                // What was told of it was good, such as that a grant is not needed any more.
                false => Reason::New,
            }
        }
        Some(last_sent) if alert.verdict > last_sent => Reason::Worse,
        Some(_) => Reason::Changed,
    })
}

impl AlertState {
    /// Whoever may write the table, or a clock that is wrong, must not silence us for ever.
    fn is_in_future(&self, now: Timestamp) -> bool {
        let last_sent = self.last_sent.iter().map(|last_sent| last_sent.at);
        let claim = self.claim.iter().map(|claim| claim.at);
        let reported = self.reported.values().map(|reported| reported.at);
        last_sent
            .chain(claim)
            .chain(reported)
            .chain(self.looked_at)
            .any(|at| at.duration_since(now) > MAX_CLOCK_SKEW)
    }

    /// What people were told, or may have been, and is not found any more.
    fn gone(&self, alert: &Alert) -> BTreeMap<Fingerprint, String> {
        if !alert.is_complete {
            return BTreeMap::new();
        }
        self.reported
            .iter()
            .filter(|(fingerprint, reported)| reported.is_active && !alert.active.contains_key(*fingerprint))
            // Whether it is wrong that there is no replication depends on who asks: only its return ends it.
            .filter(|(_, reported)| {
                !(alert.is_not_configured && reported.label == CheckId::ReplicationNotConfigured.as_str())
            })
            .map(|(fingerprint, reported)| (fingerprint.clone(), reported.label.clone()))
            .collect()
    }

    fn was_sent_since(&self, alert: &Alert) -> bool {
        let last_sent = self.last_sent.as_ref().map(|last_sent| last_sent.at);
        self.claim.is_none()
            && last_sent
                .zip(alert.event_time)
                .is_some_and(|(last_sent, event)| last_sent >= event)
    }

    fn is_due(&self, alert: &Alert, now: Timestamp, remind_after: Option<SignedDuration>) -> bool {
        !alert.is_empty() && self.is_reminder_due(now, remind_after)
    }

    fn is_reminder_due(&self, now: Timestamp, remind_after: Option<SignedDuration>) -> bool {
        let last_sent = self.last_sent.as_ref().map(|last_sent| last_sent.at);
        remind_after
            .zip(last_sent)
            .is_some_and(|(interval, last_sent)| now.duration_since(last_sent) >= interval)
    }

    /// Is there a message, or something that was done, of which nobody may have heard?
    fn owes(&self) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| !claim.has_failed || claim.owes || claim.done.is_some())
    }

    /// What a message said that may have gone out may have been heard: it is not new any more, and may be found gone.
    fn with_unconfirmed_claim(mut self) -> Self {
        if let Some(claim) = self.claim.as_ref().filter(|claim| !claim.has_failed) {
            let active = claim.reported.iter().filter(|(_, reported)| reported.is_active);
            self.reported
                .extend(active.map(|(fingerprint, reported)| (fingerprint.clone(), reported.clone())));
            self.has_had_trouble |= claim.tells_of_trouble();
        }
        self
    }

    fn claimed(
        self,
        reason: Reason,
        alert: &Alert,
        fresh: BTreeSet<Fingerprint>,
        gone: BTreeMap<Fingerprint, String>,
        now: Timestamp,
    ) -> Step {
        let first_seen = match alert.verdict {
            Verdict::Healthy => self.first_seen,
            Verdict::Broken | Verdict::Undetermined | Verdict::AtRisk => self.first_seen.or(Some(now)),
        };
        let broken_since = match alert.verdict {
            Verdict::Broken => self.broken_since.or(Some(now)),
            Verdict::Undetermined => self.broken_since,
            Verdict::AtRisk | Verdict::Healthy => None,
        };
        let owes = self.owes();
        let owed_done = self.claim.as_ref().and_then(|claim| claim.done.clone());
        let (fingerprints, words): (BTreeSet<Fingerprint>, BTreeSet<String>) = gone.into_iter().unzip();
        let history = AlertHistory {
            reason,
            first_seen,
            broken_since,
            last_sent_at: self.last_sent.as_ref().map(|last_sent| last_sent.at),
            suppressed: self.suppressed,
            failed_objects: self.failed_objects,
            fresh: match self.last_sent {
                Some(_) => fresh,
                None => BTreeSet::new(),
            },
            gone: words,
            unconfirmed: self.claim.filter(|_| owes).map(|claim| Unconfirmed {
                at: claim.at,
                done: claim.done,
            }),
            sent_this_hour: self.hour.count(now),
        };
        let reported = alert.items().map(|(fingerprint, label)| {
            let reported = Reported {
                label: label.to_owned(),
                is_active: alert.active.contains_key(fingerprint),
                at: now,
            };
            (fingerprint.clone(), reported)
        });
        let claim = Claim {
            at: now,
            verdict: alert.verdict,
            reported: reported.collect(),
            gone: fingerprints,
            done: alert.done.map(str::to_owned).or(owed_done),
            has_failed: false,
            owes,
        };
        let record = Self {
            first_seen,
            broken_since,
            claim: Some(claim),
            ..self
        };
        Step::Send(record, history)
    }

    /// Nothing stands, and people know of nothing: trouble that came and went while no message reached them began then,
    /// and not what may come.
    fn at_rest(self, alert: &Alert) -> Step {
        let rested = Self {
            first_seen: None,
            broken_since: None,
            claim: None,
            ..self.clone()
        };
        match alert.verdict {
            Verdict::Healthy if rested != self => Step::Save(rested),
            Verdict::Healthy | Verdict::AtRisk | Verdict::Undetermined | Verdict::Broken => Step::Ignore,
        }
    }

    /// The same was seen once more.
    pub fn seen_again(mut self, failed_objects: usize) -> Self {
        self.suppressed = self.suppressed.saturating_add(1);
        let failed = u64::try_from(failed_objects).unwrap_or(u64::MAX);
        self.failed_objects = self.failed_objects.saturating_add(failed);
        self
    }

    /// Would a look on account of these failures find nothing that the last one did not? It would not, where they
    /// happened before it and were told with it. Never so where a message is due.
    pub fn covers(
        &self,
        failures: &BTreeSet<Fingerprint>,
        until: Timestamp,
        now: Timestamp,
        remind_after: Option<SignedDuration>,
    ) -> bool {
        self.claim.is_none()
            && !self.is_in_future(now)
            && !self.is_reminder_due(now, remind_after)
            && self
                .looked_at
                .is_some_and(|looked_at| looked_at.duration_since(until) >= S3_CLOCK_SKEW)
            && failures
                .iter()
                .all(|fingerprint| self.reported.contains_key(fingerprint))
    }

    /// The claimed message went out.
    pub fn confirmed(mut self) -> Self {
        let Some(claim) = self.claim.take() else {
            return self;
        };
        self.reported
            .retain(|fingerprint, _| !claim.gone.contains(fingerprint));
        self.has_had_trouble |= claim.tells_of_trouble();
        self.reported.extend(claim.reported);
        self.evict_oldest();
        if claim.verdict == Verdict::Healthy {
            self.first_seen = None;
            // What fails after this fails anew.
            self.reported
                .retain(|_, reported| reported.is_active || reported.label == CHANGED);
        }
        self.last_sent = Some(LastSent {
            at: claim.at,
            verdict: claim.verdict,
        });
        self.looked_at = self.looked_at.max(Some(claim.at));
        self.hour = self.hour.incremented(claim.at);
        self.suppressed = 0;
        self.failed_objects = 0;
        self
    }

    /// The claimed message did not go out. It is not forgotten: what it said was done will not be seen again.
    pub fn failed(mut self) -> Self {
        if let Some(claim) = &mut self.claim {
            claim.has_failed = true;
        }
        self
    }

    fn evict_oldest(&mut self) {
        for is_active in [true, false] {
            let mut reported: Vec<(Timestamp, Fingerprint)> = self
                .reported
                .iter()
                .filter(|(_, reported)| reported.is_active == is_active)
                .map(|(fingerprint, reported)| (reported.at, fingerprint.clone()))
                .collect();
            reported.sort_unstable();
            let too_many = reported.len().saturating_sub(MAX_REPORTED);
            for (_, fingerprint) in reported.into_iter().take(too_many) {
                self.reported.remove(&fingerprint);
            }
        }
    }
}

impl Claim {
    fn tells_of_trouble(&self) -> bool {
        self.verdict != Verdict::Healthy || self.done.is_some()
    }

    fn is_open(&self, now: Timestamp) -> bool {
        !self.has_failed && now.duration_since(self.at) < CLAIM_TIMEOUT
    }
}
