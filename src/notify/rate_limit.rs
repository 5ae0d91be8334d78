//! Bounds how many messages people get, however many buckets have news and however often.
//!
//! Six messages an hour about one bucket are enough to fix it step by step; sixty about all are a bad day. A new defect
//! each minute, or a broken key that a thousand buckets use, must not bury other news. Beyond these bounds, news is
//! combined: one message names every bucket, its verdict and when, and the next such comes a quarter of an hour later
//! at the earliest. So an hour that begins with its first message has at most 64, and nothing is dropped.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert_state::{AlertHistory, CLAIM_TIMEOUT};
use super::escape::{ascii, pasteable};
use super::{Notification, NotificationScope};
use crate::arn::BucketName;
use crate::mode::Mode;
use crate::report::Report;

/// Messages about one bucket within an hour.
pub const MAX_PER_BUCKET: u32 = 6;
/// Messages about all buckets within an hour.
pub const MAX_PER_HOUR: u32 = 60;
/// Between two messages about many buckets.
pub const SUMMARY_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// Buckets that one message names.
const MAX_NAMED: usize = 1_000;

/// How many messages there were, and since when they are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    from: Option<Timestamp>,
    count: u32,
}

impl RateWindow {
    /// How many there were within the hour.
    pub fn count(&self, now: Timestamp) -> u32 {
        match self.from {
            // A count of the future is nobody's.
            Some(from) if now.duration_since(from).abs() < SignedDuration::from_hours(1) => self.count,
            Some(_) | None => 0,
        }
    }

    /// One more.
    pub fn incremented(&self, now: Timestamp) -> Self {
        match self.count(now) {
            0 => Self {
                from: Some(now),
                count: 1,
            },
            count => Self {
                from: self.from,
                count: count.saturating_add(1),
            },
        }
    }
}

/// The messages of an hour, and the news that waits to be told together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RateLimit {
    hour: RateWindow,
    held: BTreeMap<String, PendingAlert>,
    /// Buckets beyond those that can be named.
    overflow: u64,
    last_summary_at: Option<Timestamp>,
    claimed_at: Option<Timestamp>,
}

/// News of a bucket that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAlert {
    verdict: String,
    news: String,
    at: Timestamp,
}

/// How news is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// By itself.
    SendNow(RateLimit),
    /// With all that waits, in one message.
    SendSummary(RateLimit),
    /// Later, with all that waits by then.
    Defer(RateLimit),
}

impl RateLimit {
    /// How news of this bucket is to be told.
    pub fn admit(mut self, report: &Report, history: &AlertHistory, now: Timestamp) -> Admission {
        if history.sent_this_hour < MAX_PER_BUCKET && self.hour.count(now) < MAX_PER_HOUR {
            self.hour = self.hour.incremented(now);
            return Admission::SendNow(self);
        }
        let mut news = history.reason.as_str().to_owned();
        if let Some(outcome) = &report.outcome {
            let _ = write!(news, ", repair {}", outcome.status.as_str());
        }
        let held = PendingAlert {
            verdict: report.verdict.as_str().to_owned(),
            news,
            at: now,
        };
        let bucket = report.bucket.name.to_string();
        if self.held.len() < MAX_NAMED || self.held.contains_key(&bucket) {
            self.held.insert(bucket, held);
        } else {
            self.overflow = self.overflow.saturating_add(1);
        }
        match self.is_due(now) {
            true => Admission::SendSummary(self.claimed(now)),
            false => Admission::Defer(self),
        }
    }

    /// Does nothing wait but what came last?
    pub fn holds_one(&self) -> bool {
        self.held.len() == 1
    }

    /// Does news of this bucket wait?
    pub fn holds(&self, bucket: &BucketName) -> bool {
        self.held.contains_key(bucket.as_str())
    }

    /// Does news wait?
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.overflow > 0
    }

    /// The same with a claim on what waits, where it is time to tell it.
    pub fn due(self, now: Timestamp) -> Option<Self> {
        (self.is_waiting() && self.is_due(now)).then(|| self.claimed(now))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_past = |at: Option<Timestamp>, pause| {
            // A time of the future is nobody's.
            at.is_none_or(|at| now.duration_since(at).abs() >= pause)
        };
        is_past(self.last_summary_at, SUMMARY_INTERVAL) && is_past(self.claimed_at, CLAIM_TIMEOUT)
    }

    fn claimed(mut self, now: Timestamp) -> Self {
        self.claimed_at = Some(now);
        self
    }

    /// What was claimed is told; what came since waits.
    pub fn flushed(mut self, claimed: &Self) -> Self {
        self.held
            .retain(|bucket, held| claimed.held.get(bucket) != Some(held));
        self.overflow = self.overflow.saturating_sub(claimed.overflow);
        self.last_summary_at = claimed.claimed_at;
        self.claimed_at = None;
        self
    }

    /// The message about all that waits. `check` is the command that looks at `bucket`, as an example.
    pub fn message(&self, mode: Mode, bucket: &BucketName, check: &str) -> Notification {
        let count = u64::try_from(self.held.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.overflow);
        let mode = mode.as_str();
        let buckets = if count == 1 { "bucket" } else { "buckets" };
        let mut text = format!(
            "NEWS OF {count} {} in one message, because there were more than {MAX_PER_HOUR} within an hour, or more than \
             {MAX_PER_BUCKET} about one bucket\n\n",
            buckets.to_uppercase()
        );
        for (bucket, held) in &self.held {
            let verdict = held.verdict.to_uppercase();
            let _ = writeln!(text, "{verdict}: {bucket} ({}, {})", held.news, held.at);
        }
        if self.overflow > 0 {
            let _ = writeln!(text, "and {} more, which the log names", self.overflow);
        }
        let _ = writeln!(
            text,
            "\nThe whole report about a bucket, here that of {bucket}:\n   {}",
            pasteable(check)
        );
        Notification {
            subject: ascii(&format!("[{mode}] S3 replication: news of {count} {buckets}"), 99),
            text,
            attributes: BTreeMap::from([("mode", mode.to_owned()), ("news", "summary".to_owned())]),
            about: NotificationScope::Many(self.held.keys().cloned().collect()),
            after: self.last_summary_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn report(bucket: &str) -> Report {
        let mut report = Report::healthy();
        report.bucket.name = bucket.parse().unwrap();
        report
    }

    fn message(limit: &RateLimit) -> Notification {
        limit.message(Mode::DryRun, &"one".parse().unwrap(), "aws lambda invoke")
    }

    fn flooded() -> RateLimit {
        let mut limit = RateLimit::default();
        for number in 0..MAX_PER_HOUR {
            let admission = limit.admit(
                &report(&format!("bucket-{number}")),
                &AlertHistory::default(),
                at(0),
            );
            let Admission::SendNow(next) = admission else {
                panic!("{admission:?}")
            };
            limit = next;
        }
        limit
    }

    #[test]
    fn the_sixty_first_message_of_an_hour_is_told_together_with_those_after_it() {
        let Admission::SendSummary(claimed) =
            flooded().admit(&report("one"), &AlertHistory::default(), at(1))
        else {
            panic!("nobody hears of it")
        };
        let limit = claimed.clone().flushed(&claimed);
        let Admission::Defer(limit) = limit.admit(&report("two"), &AlertHistory::default(), at(2)) else {
            panic!("a message for each after all")
        };
        assert_eq!(limit.clone().due(at(15)), None);
        let text = message(&limit.due(at(16)).unwrap()).text;
        assert!(
            text.contains("HEALTHY: two (new, ") && !text.contains("HEALTHY: one"),
            "{text}"
        );
    }

    #[test]
    fn one_bucket_alone_is_held_to_its_own_share() {
        let history = AlertHistory {
            sent_this_hour: MAX_PER_BUCKET,
            ..AlertHistory::default()
        };
        assert!(matches!(
            RateLimit::default().admit(&report("one"), &history, at(0)),
            Admission::SendSummary(_)
        ));
        assert!(matches!(
            RateLimit::default().admit(&report("two"), &AlertHistory::default(), at(0)),
            Admission::SendNow(_)
        ));
    }

    #[test]
    fn a_summary_that_nobody_confirmed_is_told_again() {
        let Admission::SendSummary(claimed) =
            flooded().admit(&report("one"), &AlertHistory::default(), at(1))
        else {
            panic!("nobody hears of it")
        };
        assert_eq!(claimed.clone().due(at(2)), None);
        assert!(claimed.due(at(3)).is_some());
    }

    #[test]
    fn what_came_while_a_summary_was_told_waits_for_the_next() {
        let Admission::SendSummary(claimed) =
            flooded().admit(&report("one"), &AlertHistory::default(), at(1))
        else {
            panic!("nobody hears of it")
        };
        let Admission::Defer(meanwhile) =
            claimed
                .clone()
                .admit(&report("two"), &AlertHistory::default(), at(1))
        else {
            panic!("told twice")
        };
        let left = meanwhile.flushed(&claimed);
        assert_eq!(left.held.keys().collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn buckets_beyond_those_that_can_be_named_are_told_of_though_no_named_one_waits() {
        let limit = RateLimit {
            overflow: 1,
            ..RateLimit::default()
        };
        let claimed = limit.due(at(1)).unwrap();
        assert!(message(&claimed).text.contains("and 1 more"));
        assert!(!claimed.clone().flushed(&claimed).is_waiting());
    }

    #[test]
    fn one_bucket_is_one() {
        let history = AlertHistory {
            sent_this_hour: MAX_PER_BUCKET,
            ..AlertHistory::default()
        };
        let Admission::SendSummary(claimed) = RateLimit::default().admit(&report("one"), &history, at(0))
        else {
            panic!("nobody hears of it")
        };
        let message = message(&claimed);
        assert!(
            message.text.starts_with("NEWS OF 1 BUCKET in"),
            "{}",
            message.text
        );
        assert!(
            message.subject.ends_with("news of 1 bucket"),
            "{}",
            message.subject
        );
    }

    #[test]
    fn a_thousand_buckets_of_the_longest_names_fit_into_one_message() {
        let mut limit = flooded();
        for number in 0..1_100 {
            let bucket = format!("{number:04}{}", "x".repeat(59));
            limit = match limit.admit(&report(&bucket), &AlertHistory::default(), at(1)) {
                Admission::SendSummary(limit) | Admission::Defer(limit) | Admission::SendNow(limit) => limit,
            };
        }
        let message = message(&limit);
        assert!(message.text.len() < 200 * 1024 && message.subject.len() < 100);
        assert!(message.text.contains("and 100 more"));
        assert!(serde_json::to_string(&limit).unwrap().len() < 250 * 1024);
    }
}
