//! Decides whether what was seen of a bucket is news, from what is remembered of it.
//!
//! Told is what is new, what is gone, and after a while what still stands. The same again is counted, and the next message
//! says how often. A telling has three steps: it is claimed, published and confirmed, and each is written over the version
//! that was read. Of two that see the same at once one claims and the other waits; a claim that nobody confirmed is told
//! again. So a crash costs at most one message too many, and never one too few.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::flood::Hour;
use super::tidings::{CHANGED, Mark, Tidings};
use crate::check::CheckId;
use crate::check::Verdict;

/// A claim that is older belongs to an invocation that is no more. The function's time limit in the template is half, which a test
/// compares.
pub const CLAIM: SignedDuration = SignedDuration::from_mins(2);

/// Clocks of one account's functions differ by less. What was told later than that from now was not told by us.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// By so much S3's clock and ours may differ.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// How many marks of each kind (standing or not) are kept, the latest.
const MOST_SAID: usize = 400;

/// What is remembered of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewsRecord {
    /// When the trouble that stands was first seen.
    pub first_seen: Option<Timestamp>,
    /// When it was first seen that objects are left behind, which they still are as far as anybody knows.
    pub broken_since: Option<Timestamp>,
    /// When the last look at the bucket began of which everything was told or counted.
    pub looked_at: Option<Timestamp>,
    /// The last message that went out.
    pub told: Option<Told>,
    /// Was anything that people were told of wrong, or repaired? Only what was can be so again.
    pub has_had_trouble: bool,
    /// What the messages said that still holds, as far as anybody knows.
    pub said: BTreeMap<Mark, Said>,
    /// How often the same was seen since the last message.
    pub suppressed: u64,
    /// How many failed object versions S3 reported meanwhile.
    pub failed_objects: u64,
    /// A message that is being told.
    pub claim: Option<Claim>,
    /// How many messages there were within the hour.
    pub hour: Hour,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// The verdict in it.
    pub verdict: Verdict,
}

/// One thing that a message said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The check's id, or the like.
    pub word: String,
    /// Can it be found gone?
    pub stands: bool,
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
    pub said: BTreeMap<Mark, Said>,
    /// What it says to be gone.
    pub gone: BTreeSet<Mark>,
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
pub struct Telling {
    /// Why it is told.
    pub reason: Reason,
    /// When the trouble was first seen.
    pub first_seen: Option<Timestamp>,
    /// When it was first seen that objects are left behind.
    pub broken_since: Option<Timestamp>,
    /// When the last message before this one went out.
    pub last_told: Option<Timestamp>,
    /// How often the same was seen since.
    pub suppressed: u64,
    /// How many failed object versions S3 reported meanwhile.
    pub failed_objects: u64,
    /// What was not told before; empty where nothing was.
    pub fresh: BTreeSet<Mark>,
    /// What was told and is not found any more, by the ids of the checks.
    pub gone: BTreeSet<String>,
    /// A message that may not have gone out.
    pub unconfirmed: Option<Unconfirmed>,
    /// How many messages there were about the bucket within the hour, before this one.
    pub within_the_hour: u32,
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
    Nothing,
    /// Remember that the same was seen.
    Remember(NewsRecord),
    /// Somebody is telling of this bucket just now: look at the record again in a moment.
    Wait,
    /// Somebody who looked later has told of this bucket: look at the bucket again, since this may not be so any more.
    Late,
    /// Remember the claim, publish, and remember what became of it.
    Tell(NewsRecord, Telling),
}

/// Is it news? `now` is the time of the look.
pub fn consider(
    record: Option<&NewsRecord>,
    tidings: &Tidings,
    now: Timestamp,
    remind_after: Option<SignedDuration>,
) -> Step {
    let known = record
        .filter(|record| !record.is_of_the_future(now))
        .cloned()
        .unwrap_or_default();
    if known.claim.as_ref().is_some_and(|claim| claim.is_open(now)) {
        return Step::Wait;
    }
    let fresh: BTreeSet<Mark> = tidings
        .said()
        .map(|(mark, _)| mark)
        .filter(|mark| !known.said.contains_key(*mark))
        .cloned()
        .collect();
    let known = known.with_what_may_have_been_heard();
    let gone = known.gone(tidings);
    let has_come_up_again = tidings.may_have_repaired && !known.was_told_since(tidings);
    let reason = reason(&known, tidings, &fresh, &gone)
        .or(has_come_up_again.then_some(Reason::Unconfirmed))
        .or(known
            .is_due(tidings, now, remind_after)
            .then_some(Reason::Reminder))
        .or(known.owes().then_some(Reason::Unconfirmed));
    let is_late = tidings.may_be_late && known.looked_at.is_some_and(|looked_at| looked_at > now);
    match reason {
        Some(_) if is_late => Step::Late,
        Some(reason) => known.claimed(reason, tidings, fresh, gone, now),
        None if tidings.is_empty() => known.at_rest(tidings),
        None => {
            let mut seen = known.seen_again(tidings.failed_objects);
            seen.looked_at = seen.looked_at.max(Some(now));
            Step::Remember(seen)
        }
    }
}

fn reason(
    known: &NewsRecord,
    tidings: &Tidings,
    fresh: &BTreeSet<Mark>,
    gone: &BTreeMap<Mark, String>,
) -> Option<Reason> {
    let told = known.told.as_ref().map(|told| told.verdict);
    let was_healthy = told == Some(Verdict::Healthy);
    // What replicates nothing is not fixed by that.
    let is_resolved = tidings.verdict == Verdict::Healthy && !was_healthy && !tidings.is_not_configured;
    if is_resolved && !gone.is_empty() {
        return Some(Reason::Resolved);
    }
    if fresh.is_empty() && tidings.done.is_none() {
        return (!gone.is_empty()).then_some(Reason::Changed);
    }
    Some(match told {
        None => Reason::New,
        Some(Verdict::Healthy) if tidings.verdict != Verdict::Healthy => {
            match known.has_had_trouble {
                true => Reason::Reopened,
                // What was told of it was good, such as that a grant is not needed any more.
                false => Reason::New,
            }
        }
        Some(told) if tidings.verdict > told => Reason::Worse,
        Some(_) => Reason::Changed,
    })
}

impl NewsRecord {
    /// Whoever may write the table, or a clock that is wrong, must not silence us for ever.
    fn is_of_the_future(&self, now: Timestamp) -> bool {
        let told = self.told.iter().map(|told| told.at);
        let claim = self.claim.iter().map(|claim| claim.at);
        let said = self.said.values().map(|said| said.at);
        told.chain(claim)
            .chain(said)
            .chain(self.looked_at)
            .any(|at| at.duration_since(now) > SKEW)
    }

    /// What people were told, or may have been, and is not found any more.
    fn gone(&self, tidings: &Tidings) -> BTreeMap<Mark, String> {
        if !tidings.is_complete {
            return BTreeMap::new();
        }
        self.said
            .iter()
            .filter(|(mark, said)| said.stands && !tidings.standing.contains_key(*mark))
            // Whether it is wrong that there is no replication depends on who asks: only its return ends it.
            .filter(|(_, said)| {
                !(tidings.is_not_configured && said.word == CheckId::ReplicationNotConfigured.as_str())
            })
            .map(|(mark, said)| (mark.clone(), said.word.clone()))
            .collect()
    }

    fn was_told_since(&self, tidings: &Tidings) -> bool {
        let told = self.told.as_ref().map(|told| told.at);
        self.claim.is_none()
            && told
                .zip(tidings.event_time)
                .is_some_and(|(told, event)| told >= event)
    }

    fn is_due(&self, tidings: &Tidings, now: Timestamp, remind_after: Option<SignedDuration>) -> bool {
        !tidings.is_empty() && self.is_reminder_due(now, remind_after)
    }

    fn is_reminder_due(&self, now: Timestamp, remind_after: Option<SignedDuration>) -> bool {
        let told = self.told.as_ref().map(|told| told.at);
        remind_after
            .zip(told)
            .is_some_and(|(interval, told)| now.duration_since(told) >= interval)
    }

    /// Is there a message, or something that was done, of which nobody may have heard?
    fn owes(&self) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| !claim.has_failed || claim.owes || claim.done.is_some())
    }

    /// What a message said that may have gone out may have been heard: it is not new any more, and may be found gone.
    fn with_what_may_have_been_heard(mut self) -> Self {
        if let Some(claim) = self.claim.as_ref().filter(|claim| !claim.has_failed) {
            let standing = claim.said.iter().filter(|(_, said)| said.stands);
            self.said
                .extend(standing.map(|(mark, said)| (mark.clone(), said.clone())));
        }
        self
    }

    fn claimed(
        self,
        reason: Reason,
        tidings: &Tidings,
        fresh: BTreeSet<Mark>,
        gone: BTreeMap<Mark, String>,
        now: Timestamp,
    ) -> Step {
        let first_seen = match tidings.verdict {
            Verdict::Healthy => self.first_seen,
            Verdict::Broken | Verdict::Undetermined | Verdict::AtRisk => self.first_seen.or(Some(now)),
        };
        let broken_since = match tidings.verdict {
            Verdict::Broken => self.broken_since.or(Some(now)),
            Verdict::Undetermined => self.broken_since,
            Verdict::AtRisk | Verdict::Healthy => None,
        };
        let owes = self.owes();
        let owed_done = self.claim.as_ref().and_then(|claim| claim.done.clone());
        let (marks, words): (BTreeSet<Mark>, BTreeSet<String>) = gone.into_iter().unzip();
        let telling = Telling {
            reason,
            first_seen,
            broken_since,
            last_told: self.told.as_ref().map(|told| told.at),
            suppressed: self.suppressed,
            failed_objects: self.failed_objects,
            fresh: match self.told {
                Some(_) => fresh,
                None => BTreeSet::new(),
            },
            gone: words,
            unconfirmed: self.claim.filter(|_| owes).map(|claim| Unconfirmed {
                at: claim.at,
                done: claim.done,
            }),
            within_the_hour: self.hour.count(now),
        };
        let said = tidings.said().map(|(mark, word)| {
            let said = Said {
                word: word.to_owned(),
                stands: tidings.standing.contains_key(mark),
                at: now,
            };
            (mark.clone(), said)
        });
        let claim = Claim {
            at: now,
            verdict: tidings.verdict,
            said: said.collect(),
            gone: marks,
            done: tidings.done.map(str::to_owned).or(owed_done),
            has_failed: false,
            owes,
        };
        let record = Self {
            first_seen,
            broken_since,
            claim: Some(claim),
            ..self
        };
        Step::Tell(record, telling)
    }

    /// Nothing stands, and people know of nothing: trouble that came and went while no message reached them began then,
    /// and not what may come.
    fn at_rest(self, tidings: &Tidings) -> Step {
        let rested = Self {
            first_seen: None,
            broken_since: None,
            claim: None,
            ..self.clone()
        };
        match tidings.verdict {
            Verdict::Healthy if rested != self => Step::Remember(rested),
            Verdict::Healthy | Verdict::AtRisk | Verdict::Undetermined | Verdict::Broken => Step::Nothing,
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
        failures: &BTreeSet<Mark>,
        until: Timestamp,
        now: Timestamp,
        remind_after: Option<SignedDuration>,
    ) -> bool {
        self.claim.is_none()
            && !self.is_of_the_future(now)
            && !self.is_reminder_due(now, remind_after)
            && self
                .looked_at
                .is_some_and(|looked_at| looked_at.duration_since(until) >= CLOCKS)
            && failures.iter().all(|mark| self.said.contains_key(mark))
    }

    /// The claimed message went out.
    pub fn confirmed(mut self) -> Self {
        let Some(claim) = self.claim.take() else {
            return self;
        };
        self.said.retain(|mark, _| !claim.gone.contains(mark));
        self.said.extend(claim.said);
        self.forget_the_oldest();
        if claim.verdict == Verdict::Healthy {
            self.first_seen = None;
            // What fails after this fails anew.
            self.said.retain(|_, said| said.stands || said.word == CHANGED);
        }
        self.has_had_trouble |= claim.verdict != Verdict::Healthy || claim.done.is_some();
        self.told = Some(Told {
            at: claim.at,
            verdict: claim.verdict,
        });
        self.looked_at = self.looked_at.max(Some(claim.at));
        self.hour = self.hour.and_one(claim.at);
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

    fn forget_the_oldest(&mut self) {
        for stands in [true, false] {
            let mut said: Vec<(Timestamp, Mark)> = self
                .said
                .iter()
                .filter(|(_, said)| said.stands == stands)
                .map(|(mark, said)| (said.at, mark.clone()))
                .collect();
            said.sort_unstable();
            let too_many = said.len().saturating_sub(MOST_SAID);
            for (_, mark) in said.into_iter().take(too_many) {
                self.said.remove(&mark);
            }
        }
    }
}

impl Claim {
    fn is_open(&self, now: Timestamp) -> bool {
        !self.has_failed && now.duration_since(self.at) < CLAIM
    }
}
