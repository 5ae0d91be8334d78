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

use super::news::{CLAIM, Telling};
use super::plain::{ascii, pasteable};
use super::{About, Notification};
use crate::arn::BucketName;
use crate::mode::Mode;
use crate::report::Report;

/// Messages about one bucket within an hour.
pub const MOST_OF_A_BUCKET: u32 = 6;
/// Messages about all buckets within an hour.
pub const MOST_OF_ALL: u32 = 60;
/// Between two messages about many buckets.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// Buckets that one message names.
const MOST_NAMED: usize = 1_000;

/// How many messages there were, and since when they are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    from: Option<Timestamp>,
    count: u32,
}

impl Hour {
    /// How many there were within the hour.
    pub fn count(&self, now: Timestamp) -> u32 {
        match self.from {
            // A count of the future is nobody's.
            Some(from) if now.duration_since(from).abs() < SignedDuration::from_hours(1) => self.count,
            Some(_) | None => 0,
        }
    }

    /// One more.
    pub fn and_one(&self, now: Timestamp) -> Self {
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
pub struct Tally {
    hour: Hour,
    held: BTreeMap<String, Held>,
    /// Buckets beyond those that can be named.
    more: u64,
    summed_up_at: Option<Timestamp>,
    claimed_at: Option<Timestamp>,
}

/// News of a bucket that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    verdict: String,
    news: String,
    at: Timestamp,
}

/// How news is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// By itself.
    Alone(Tally),
    /// With all that waits, in one message.
    Together(Tally),
    /// Later, with all that waits by then.
    Later(Tally),
}

impl Tally {
    /// How news of this bucket is to be told.
    pub fn admit(mut self, report: &Report, telling: &Telling, now: Timestamp) -> Admission {
        if telling.within_the_hour < MOST_OF_A_BUCKET && self.hour.count(now) < MOST_OF_ALL {
            self.hour = self.hour.and_one(now);
            return Admission::Alone(self);
        }
        let mut news = telling.reason.as_str().to_owned();
        if let Some(outcome) = &report.outcome {
            let _ = write!(news, ", repair {}", outcome.status.as_str());
        }
        let held = Held {
            verdict: report.verdict.as_str().to_owned(),
            news,
            at: now,
        };
        let bucket = report.bucket.name.to_string();
        if self.held.len() < MOST_NAMED || self.held.contains_key(&bucket) {
            self.held.insert(bucket, held);
        } else {
            self.more = self.more.saturating_add(1);
        }
        match self.is_due(now) {
            true => Admission::Together(self.claimed(now)),
            false => Admission::Later(self),
        }
    }

    /// Does nothing wait but what came last?
    pub fn is_the_first(&self) -> bool {
        self.held.len() == 1
    }

    /// Does news of this bucket wait?
    pub fn holds(&self, bucket: &BucketName) -> bool {
        self.held.contains_key(bucket.as_str())
    }

    /// Does news wait?
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.more > 0
    }

    /// The tally with a claim on what waits, where it is time to tell it.
    pub fn due(self, now: Timestamp) -> Option<Self> {
        (self.is_waiting() && self.is_due(now)).then(|| self.claimed(now))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_past = |at: Option<Timestamp>, pause| {
            // A time of the future is nobody's.
            at.is_none_or(|at| now.duration_since(at).abs() >= pause)
        };
        is_past(self.summed_up_at, PAUSE) && is_past(self.claimed_at, CLAIM)
    }

    fn claimed(mut self, now: Timestamp) -> Self {
        self.claimed_at = Some(now);
        self
    }

    /// What was claimed is told; what came since waits.
    pub fn told(mut self, claimed: &Self) -> Self {
        self.held
            .retain(|bucket, held| claimed.held.get(bucket) != Some(held));
        self.more = self.more.saturating_sub(claimed.more);
        self.summed_up_at = claimed.claimed_at;
        self.claimed_at = None;
        self
    }

    /// The message about all that waits. `check` is the command that looks at `bucket`, as an example.
    pub fn message(&self, mode: Mode, bucket: &BucketName, check: &str) -> Notification {
        let count = u64::try_from(self.held.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.more);
        let mode = mode.as_str();
        let buckets = if count == 1 { "bucket" } else { "buckets" };
        let mut text = format!(
            "NEWS OF {count} {} in one message, because there were more than {MOST_OF_ALL} within an hour, or more than \
             {MOST_OF_A_BUCKET} about one bucket\n\n",
            buckets.to_uppercase()
        );
        for (bucket, held) in &self.held {
            let verdict = held.verdict.to_uppercase();
            let _ = writeln!(text, "{verdict}: {bucket} ({}, {})", held.news, held.at);
        }
        if self.more > 0 {
            let _ = writeln!(text, "and {} more, which the log names", self.more);
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
            about: About::Many(self.held.keys().cloned().collect()),
            after: self.summed_up_at,
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

    fn message(tally: &Tally) -> Notification {
        tally.message(Mode::DryRun, &"one".parse().unwrap(), "aws lambda invoke")
    }

    fn flooded() -> Tally {
        let mut tally = Tally::default();
        for number in 0..MOST_OF_ALL {
            let admission = tally.admit(&report(&format!("bucket-{number}")), &Telling::default(), at(0));
            let Admission::Alone(next) = admission else {
                panic!("{admission:?}")
            };
            tally = next;
        }
        tally
    }

    #[test]
    fn the_sixty_first_message_of_an_hour_is_told_together_with_those_after_it() {
        let Admission::Together(claimed) = flooded().admit(&report("one"), &Telling::default(), at(1)) else {
            panic!("nobody hears of it")
        };
        let tally = claimed.clone().told(&claimed);
        let Admission::Later(tally) = tally.admit(&report("two"), &Telling::default(), at(2)) else {
            panic!("a message for each after all")
        };
        assert_eq!(tally.clone().due(at(15)), None);
        let text = message(&tally.due(at(16)).unwrap()).text;
        assert!(
            text.contains("HEALTHY: two (new, ") && !text.contains("HEALTHY: one"),
            "{text}"
        );
    }

    #[test]
    fn one_bucket_alone_is_held_to_its_own_share() {
        let telling = Telling {
            within_the_hour: MOST_OF_A_BUCKET,
            ..Telling::default()
        };
        assert!(matches!(
            Tally::default().admit(&report("one"), &telling, at(0)),
            Admission::Together(_)
        ));
        assert!(matches!(
            Tally::default().admit(&report("two"), &Telling::default(), at(0)),
            Admission::Alone(_)
        ));
    }

    #[test]
    fn a_summary_that_nobody_confirmed_is_told_again() {
        let Admission::Together(claimed) = flooded().admit(&report("one"), &Telling::default(), at(1)) else {
            panic!("nobody hears of it")
        };
        assert_eq!(claimed.clone().due(at(2)), None);
        assert!(claimed.due(at(3)).is_some());
    }

    #[test]
    fn what_came_while_a_summary_was_told_waits_for_the_next() {
        let Admission::Together(claimed) = flooded().admit(&report("one"), &Telling::default(), at(1)) else {
            panic!("nobody hears of it")
        };
        let Admission::Later(meanwhile) = claimed.clone().admit(&report("two"), &Telling::default(), at(1))
        else {
            panic!("told twice")
        };
        let left = meanwhile.told(&claimed);
        assert_eq!(left.held.keys().collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn buckets_beyond_those_that_can_be_named_are_told_of_though_no_named_one_waits() {
        let tally = Tally {
            more: 1,
            ..Tally::default()
        };
        let claimed = tally.due(at(1)).unwrap();
        assert!(message(&claimed).text.contains("and 1 more"));
        assert!(!claimed.clone().told(&claimed).is_waiting());
    }

    #[test]
    fn one_bucket_is_one() {
        let telling = Telling {
            within_the_hour: MOST_OF_A_BUCKET,
            ..Telling::default()
        };
        let Admission::Together(claimed) = Tally::default().admit(&report("one"), &telling, at(0)) else {
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
        let mut tally = flooded();
        for number in 0..1_100 {
            let bucket = format!("{number:04}{}", "x".repeat(59));
            tally = match tally.admit(&report(&bucket), &Telling::default(), at(1)) {
                Admission::Together(tally) | Admission::Later(tally) | Admission::Alone(tally) => tally,
            };
        }
        let message = message(&tally);
        assert!(message.text.len() < 200 * 1024 && message.subject.len() < 100);
        assert!(message.text.contains("and 100 more"));
        assert!(serde_json::to_string(&tally).unwrap().len() < 250 * 1024);
    }
}
