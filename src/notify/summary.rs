//! The summary of a finished sweep: how many buckets there are, and the result for each that replicates.
//!
//! It is told even if all is well: whoever switched the sweep on must be able to tell a silent one from one that did not
//! run. The attribute `verdict` lets a subscription leave good news out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::escape::{ascii, line};
use super::{Notification, NotificationScope};
use crate::arn::{AccountId, BucketName, Region};
use crate::check::{Severity, Verdict};
use crate::event::Progress;
use crate::mode::Mode;
use crate::report::Report;

/// SNS takes subjects of fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;

/// Most buckets that are listed; what is wrong with each has been told in a message of its own.
const ROWS: usize = 50;

/// What the look at one bucket of a sweep came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketResult {
    /// None where the bucket is opted out.
    pub verdict: Option<Verdict>,
    /// How many errors.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// Which checks found them.
    pub checks: BTreeSet<String>,
}

impl BucketResult {
    /// What a report comes to.
    pub fn of(report: &Report) -> Self {
        let count = |severity| {
            let findings = report.findings.iter();
            findings.filter(|finding| finding.severity == severity).count()
        };
        Self {
            verdict: Some(report.verdict),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            checks: report
                .findings
                .iter()
                .filter(|finding| finding.severity != Severity::Advice)
                .map(|finding| finding.check.as_str().to_owned())
                .collect(),
        }
    }

    /// A bucket that its owner wants to be left alone.
    pub fn opted_out() -> Self {
        Self {
            verdict: None,
            errors: 0,
            warnings: 0,
            checks: BTreeSet::new(),
        }
    }
}

/// A sweep that is over.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What this program may do.
    pub mode: Mode,
    /// The account that was swept.
    pub account: &'a AccountId,
    /// Where we run.
    pub region: &'a Region,
    /// How far it came.
    pub progress: &'a Progress,
    /// What each bucket's look came to; none where nothing remembers it.
    pub results: Option<&'a BTreeMap<BucketName, BucketResult>>,
}

impl Summary<'_> {
    /// The message.
    pub fn render(&self) -> Notification {
        let verdict = self.worst().map_or("unknown", Verdict::as_str);
        Notification {
            subject: ascii(
                &format!(
                    "[{}] S3 replication sweep: {}",
                    self.mode.as_str(),
                    self.headline()
                ),
                SUBJECT,
            ),
            text: self.text(),
            attributes: BTreeMap::from([
                ("kind", "sweep".to_owned()),
                ("verdict", verdict.to_owned()),
                ("mode", self.mode.as_str().to_owned()),
                ("accountId", self.account.to_string()),
                ("region", self.region.to_string()),
            ]),
            about: NotificationScope::Many(
                self.results
                    .into_iter()
                    .flatten()
                    .filter(|(_, result)| result.verdict.is_some_and(|verdict| verdict != Verdict::Healthy))
                    .map(|(bucket, _)| bucket.to_string())
                    .collect(),
            ),
            after: None,
        }
    }

    /// Buckets whose looks have not been noted.
    fn missing(&self) -> Option<usize> {
        let enqueued = usize::try_from(self.progress.counts.enqueued()).unwrap_or(usize::MAX);
        self.results.map(|results| enqueued.saturating_sub(results.len()))
    }

    fn count(&self, verdict: Verdict) -> usize {
        let results = self.results.into_iter().flat_map(BTreeMap::values);
        results.filter(|result| result.verdict == Some(verdict)).count()
    }

    fn opted_out(&self) -> usize {
        let results = self.results.into_iter().flat_map(BTreeMap::values);
        results.filter(|result| result.verdict.is_none()).count()
    }

    /// None where nobody knows.
    fn worst(&self) -> Option<Verdict> {
        let results = self.results?;
        let unknown = self.progress.counts.unreadable > 0 || self.missing() != Some(0);
        results
            .values()
            .filter_map(|result| result.verdict)
            .chain(unknown.then_some(Verdict::Undetermined))
            .max()
            .or(Some(Verdict::Healthy))
    }

    fn headline(&self) -> String {
        let counts = self.progress.counts;
        if self.results.is_none() {
            return format!(
                "{} of {} buckets replicate",
                counts.with_replication, counts.buckets
            );
        }
        let parts: Vec<String> = VERDICTS
            .iter()
            .map(|(verdict, name)| (self.count(*verdict), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .chain(
                [
                    (self.missing().unwrap_or_default(), "not looked at"),
                    (counts.unreadable.try_into().unwrap_or(usize::MAX), "unreadable"),
                    (self.opted_out(), "opted out"),
                ]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, name)| format!("{count} {name}")),
            )
            .collect();
        match parts.as_slice() {
            [] => "no bucket replicates".to_owned(),
            [..] => parts.join(", "),
        }
    }

    fn text(&self) -> String {
        let counts = self.progress.counts;
        let mut out = String::new();
        let _ = writeln!(out, "Sweep of account {}: {}", self.account, self.headline());
        let _ = writeln!(
            out,
            "begun {}, from {}, mode {}, sweep {}\n",
            self.progress.started,
            self.region,
            self.mode.as_str(),
            self.progress.id.as_str()
        );
        let mut row = |count: u32, what: &str| {
            if count > 0 {
                let _ = writeln!(out, "{count:>7}  {what}");
            }
        };
        row(counts.buckets, "buckets in the account");
        row(counts.with_replication, "have a replication configuration");
        row(
            counts.unanswered,
            "did not say in time whether they have one, and were looked at all the same",
        );
        row(
            counts.unreadable,
            "could not be read (s3:GetReplicationConfiguration); the log names each",
        );
        out.push('\n');
        match self.results {
            None => out.push_str(
                "What each look came to stands in a message of its own where something is wrong. A summary of them needs \
                 LEDGER_TABLE.\n",
            ),
            Some(results) => self.table(results, &mut out),
        }
        out
    }

    fn table(&self, results: &BTreeMap<BucketName, BucketResult>, out: &mut String) {
        let opted_out = self.opted_out();
        if opted_out > 0 {
            let _ = writeln!(out, "{opted_out:>7}  opted out, left alone");
        }
        if let Some(missing) = self.missing().filter(|missing| *missing > 0) {
            let _ = writeln!(
                out,
                "{missing:>7}  not looked at yet: see the queue, the dead-letter queue and the log"
            );
        }
        for (verdict, name) in VERDICTS {
            let _ = writeln!(out, "{:>7}  {name}", self.count(verdict));
        }
        let mut wrong: Vec<(&BucketName, &BucketResult)> = results
            .iter()
            .filter(|(_, result)| result.verdict.is_some_and(|verdict| verdict != Verdict::Healthy))
            .collect();
        wrong.sort_by_key(|(name, result)| {
            (
                std::cmp::Reverse((result.verdict, result.errors, result.warnings)),
                *name,
            )
        });
        if !wrong.is_empty() {
            out.push_str("\nThe worst first; each has a message of its own:\n");
        }
        for (name, result) in wrong.iter().take(ROWS) {
            let checks: Vec<&str> = result.checks.iter().map(String::as_str).collect();
            let _ = writeln!(
                out,
                "  {:<12} {name}  {}",
                result.verdict.map_or("", Verdict::as_str),
                line(&checks.join(", "), 300)
            );
        }
        if let Some(more) = wrong.len().checked_sub(ROWS).filter(|more| *more > 0) {
            let _ = writeln!(out, "  and {more} more");
        }
    }
}

/// The worst first.
const VERDICTS: [(Verdict, &str); 4] = [
    (Verdict::Broken, "broken"),
    (Verdict::Undetermined, "undetermined"),
    (Verdict::AtRisk, "at risk"),
    (Verdict::Healthy, "healthy"),
];
