//! The measurements of an invocation: their names, units and meanings, and the log lines that CloudWatch makes metrics of.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! Such a line is JSON on standard output; Lambda's JSON log format leaves it as it is:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::check::Verdict;
use crate::event::TriggerKind;
use crate::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use crate::notify::{Publication, PublishFailure, Publisher};

/// Where the metrics stand in CloudWatch.
pub const NAMESPACE: &str = "S3ReplicationRemediator";

/// The dimension that every metric has: the name of the function.
pub const FUNCTION: &str = "Function";

/// A metric, for the documents that must name the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, as CloudWatch calls it.
    pub unit: &'static str,
    /// The dimension that it has beside [`FUNCTION`]; empty where it has none.
    pub by: &'static str,
    /// What it counts, in one sentence.
    pub doc: &'static str,
}

const fn count(name: &'static str, doc: &'static str) -> Metric {
    Metric {
        name,
        unit: "Count",
        by: "",
        doc,
    }
}

/// Buckets that were looked at and found broken.
pub const BROKEN: Metric = count("BrokenBuckets", "Looks that found a bucket broken.");
/// Buckets that were looked at and found at risk.
pub const AT_RISK: Metric = count("AtRiskBuckets", "Looks that found a bucket at risk.");
/// Buckets of which something could not be read.
pub const UNDETERMINED: Metric = count(
    "UndeterminedBuckets",
    "Looks at a bucket after which something that matters stayed unread.",
);
/// Buckets of which nothing is wrong.
pub const HEALTHY: Metric = count("HealthyBuckets", "Looks that found a bucket healthy.");
/// Looks of which people heard nothing.
pub const SUPPRESSED: Metric = count(
    "SuppressedNotifications",
    "Looks that found something of which people were not told again.",
);
/// Messages that went back to the queue.
pub const RETURNED: Metric = count(
    "ReturnedMessages",
    "Messages that went back to the queue, because they cannot be used, or something has to be tried again.",
);
/// Messages that nobody can use.
pub const UNUSABLE: Metric = count(
    "UnusableMessages",
    "Messages and events that are meant for the function and cannot be used.",
);
/// Failures of the ledger.
pub const LEDGER_FAILURES: Metric = count(
    "LedgerFailures",
    "Times that the ledger could not be reached, or refused, and items in it that this program did not write.",
);
/// Calls of AWS.
pub const CALLS: Metric = count("AwsCalls", "Calls of AWS, retries not counted.");
/// How long an invocation took.
pub const DURATION: Metric = Metric {
    name: "Duration",
    unit: "Milliseconds",
    by: "",
    doc: "How long the invocation worked.",
};
/// Findings, check by check.
pub const FINDINGS: Metric = Metric {
    name: "Findings",
    unit: "Count",
    by: "Check",
    doc: "What was found, by the id of its check.",
};
/// Changes, outcome by outcome.
pub const CHANGES: Metric = Metric {
    name: "Changes",
    unit: "Count",
    by: "Outcome",
    doc: "Changes of roles and keys, by what became of them.",
};

/// All metrics.
pub const METRICS: [Metric; 12] = [
    BROKEN,
    AT_RISK,
    UNDETERMINED,
    HEALTHY,
    FINDINGS,
    CHANGES,
    SUPPRESSED,
    RETURNED,
    UNUSABLE,
    LEDGER_FAILURES,
    CALLS,
    DURATION,
];

/// Counts what is told. One for the life of the process; each invocation takes what it counted.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    verdicts: BTreeMap<&'static str, u64>,
    findings: BTreeMap<&'static str, u64>,
    changes: BTreeMap<&'static str, u64>,
    untold: BTreeSet<String>,
    told: BTreeSet<String>,
    unusable: usize,
    ledger_failures: usize,
}

/// A ledger whose failures are counted.
#[derive(Debug)]
pub struct Metered<'a, L> {
    /// The ledger.
    pub ledger: L,
    /// Who counts.
    pub metrics: &'a Metrics,
}

impl<L> Metered<'_, L> {
    /// That somebody else was faster is no failure.
    fn seen<T>(&self, answer: Result<T, LedgerFailure>) -> Result<T, LedgerFailure> {
        if let Err(LedgerFailure::Unavailable(_)) = answer {
            self.metrics.counts().ledger_failures += 1;
        }
        answer
    }
}

impl<L: Ledger> Ledger for Metered<'_, L> {
    fn is_durable(&self) -> bool {
        self.ledger.is_durable()
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        let items = self.seen(self.ledger.items(partition).await)?;
        let foreign = items.iter().filter(|item| item.value.is_null()).count();
        self.metrics.counts().ledger_failures += foreign;
        Ok(items)
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        self.seen(self.ledger.put(item).await)
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        self.seen(self.ledger.remove(key, version).await)
    }
}

impl Publisher for &Metrics {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let mut counts = self.counts();
        let Some(report) = publication.report() else {
            return Ok(());
        };
        let Publication::CheckResult(..) = publication else {
            counts.told.insert(report.id.clone());
            return Ok(());
        };
        let verdict = match report.verdict {
            Verdict::Broken => BROKEN,
            Verdict::AtRisk => AT_RISK,
            Verdict::Undetermined => UNDETERMINED,
            Verdict::Healthy => HEALTHY,
        };
        *counts.verdicts.entry(verdict.name).or_default() += 1;
        for finding in &report.findings {
            *counts.findings.entry(finding.check.as_str()).or_default() += 1;
        }
        for change in report.outcome.iter().flat_map(|outcome| &outcome.changes) {
            *counts.changes.entry(change.status.as_str()).or_default() += 1;
        }
        if report.verdict != Verdict::Healthy && report.trigger.kind != TriggerKind::Command {
            counts.untold.insert(report.id.clone());
        }
        Ok(())
    }

    fn unusable(&self, messages: usize) {
        self.counts().unusable += messages;
    }
}

/// What is known of an invocation beside what it told.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Name of the function.
    pub function: &'a str,
    /// When it began.
    pub time: Timestamp,
    /// How many messages go back to the queue.
    pub returned: usize,
    /// How many calls of AWS were made.
    pub calls: u64,
    /// How long it took.
    pub duration: Duration,
}

impl Metrics {
    /// A panic elsewhere leaves the counts whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log lines for what was counted since this was last asked: one for the invocation, and one more for each check
    /// and outcome, since a line has one value of a dimension.
    pub fn lines(&self, invocation: Invocation<'_>) -> Vec<String> {
        let counts = std::mem::take(&mut *self.counts());
        let number = |count: usize| json!(count);
        let mut values: Vec<(Metric, Value)> = Vec::new();
        // Whoever looked at no bucket knows of none that it is well: a zero would end the alarm on broken ones.
        if !counts.verdicts.is_empty() {
            values.extend([BROKEN, AT_RISK, UNDETERMINED, HEALTHY].map(|metric| {
                let count = counts.verdicts.get(metric.name).copied().unwrap_or_default();
                (metric, json!(count))
            }));
        }
        values.push((SUPPRESSED, number(counts.untold.difference(&counts.told).count())));
        values.push((RETURNED, number(invocation.returned)));
        values.push((UNUSABLE, number(counts.unusable)));
        values.push((LEDGER_FAILURES, number(counts.ledger_failures)));
        values.push((CALLS, json!(invocation.calls)));
        let milliseconds = u64::try_from(invocation.duration.as_millis()).unwrap_or(u64::MAX);
        values.push((DURATION, json!(milliseconds)));
        let by = |metric: Metric, counts: BTreeMap<&'static str, u64>| {
            counts
                .into_iter()
                .map(move |(value, count)| line(invocation, Some(value), &[(metric, json!(count))]))
        };
        std::iter::once(line(invocation, None, &values))
            .chain(by(FINDINGS, counts.findings))
            .chain(by(CHANGES, counts.changes))
            .collect()
    }
}

/// A document in the embedded metric format: far below its limits of 100 metrics, 30 dimensions and 1 MB.
fn line(invocation: Invocation<'_>, dimension: Option<&str>, values: &[(Metric, Value)]) -> String {
    let mut dimensions = vec![FUNCTION];
    let mut document = Map::new();
    document.insert(FUNCTION.to_owned(), json!(invocation.function));
    if let (Some(value), Some((metric, _))) = (dimension, values.first()) {
        dimensions.push(metric.by);
        document.insert(metric.by.to_owned(), json!(value));
    }
    let metrics: Vec<Value> = values
        .iter()
        .map(|(metric, _)| json!({"Name": metric.name, "Unit": metric.unit}))
        .collect();
    for (metric, value) in values {
        document.insert(metric.name.to_owned(), value.clone());
    }
    document.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": invocation.time.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}],
        }),
    );
    Value::Object(document).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::fanout::Fanout;
    use crate::report::Report;

    fn invocation() -> Invocation<'static> {
        Invocation {
            function: "f",
            time: Timestamp::UNIX_EPOCH,
            returned: 2,
            calls: 12,
            duration: Duration::from_millis(345),
        }
    }

    #[tokio::test]
    async fn an_invocation_is_one_line_with_a_value_for_every_metric_that_it_names() {
        let metrics = &Metrics::default();
        let mut broken = Report::healthy();
        broken.verdict = Verdict::Broken;
        for report in [&Report::healthy(), &broken] {
            metrics
                .publish(Publication::CheckResult(report, None))
                .await
                .unwrap();
        }
        let lines = metrics.lines(invocation());
        assert_eq!(lines.len(), 1);
        let document: Value = serde_json::from_str(&lines[0]).unwrap();
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], json!([["Function"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(document[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        }
        let values = [
            ("BrokenBuckets", 1),
            ("HealthyBuckets", 1),
            ("SuppressedNotifications", 1),
            ("ReturnedMessages", 2),
            ("AwsCalls", 12),
            ("Duration", 345),
        ];
        for (name, value) in values {
            assert_eq!(document[name], value, "{name}");
        }
    }

    /// A ledger that only fails.
    struct Broken(LedgerFailure);

    impl Ledger for Broken {
        fn is_durable(&self) -> bool {
            true
        }

        async fn items(&self, _: &str) -> Result<Vec<Item>, LedgerFailure> {
            Err(self.0.clone())
        }

        async fn put(&self, _: &Item) -> Result<(), LedgerFailure> {
            Err(self.0.clone())
        }

        async fn remove(&self, _: &ItemKey, _: u64) -> Result<(), LedgerFailure> {
            Err(self.0.clone())
        }
    }

    #[tokio::test]
    async fn a_ledger_that_does_not_answer_is_counted_and_one_that_was_written_by_another_is_not() {
        let metrics = &Metrics::default();
        for (failure, counted) in [
            (LedgerFailure::Unavailable("gone".to_owned()), 3),
            (LedgerFailure::VersionConflict, 0),
        ] {
            let ledger = Metered {
                ledger: Broken(failure),
                metrics,
            };
            let place = ItemKey {
                partition: "p".to_owned(),
                sort: "s".to_owned(),
            };
            let item = Item {
                key: place.clone(),
                version: 1,
                value: json!({}),
                expires: None,
            };
            ledger.items("p").await.unwrap_err();
            ledger.put(&item).await.unwrap_err();
            ledger.remove(&place, 1).await.unwrap_err();
            let document: Value = serde_json::from_str(&metrics.lines(invocation())[0]).unwrap();
            assert_eq!(document["LedgerFailures"], counted);
        }
    }

    #[test]
    fn messages_that_cannot_be_used_are_counted_apart() {
        let metrics = &Metrics::default();
        Fanout(None::<&Metrics>, Fanout(metrics, None::<&Metrics>)).unusable(2);
        let document: Value = serde_json::from_str(&metrics.lines(invocation())[0]).unwrap();
        assert_eq!(document["UnusableMessages"], 2);
    }

    #[tokio::test]
    async fn a_line_has_every_metric_and_stands_on_one_line_by_itself() {
        let metrics = &Metrics::default();
        let mut report = Report::healthy();
        report.verdict = Verdict::Broken;
        metrics
            .publish(Publication::CheckResult(&report, None))
            .await
            .unwrap();
        for text in metrics.lines(invocation()) {
            assert!(!text.contains('\n') && text.starts_with('{'), "{text}");
            let document: Value = serde_json::from_str(&text).unwrap();
            for metric in METRICS.iter().filter(|metric| metric.by.is_empty()) {
                assert!(document[metric.name].is_u64(), "{}", metric.name);
            }
        }
    }

    #[tokio::test]
    async fn each_invocation_takes_what_it_counted() {
        let metrics = &Metrics::default();
        metrics
            .publish(Publication::CheckResult(&Report::healthy(), None))
            .await
            .unwrap();
        metrics.lines(invocation());
        metrics
            .publish(Publication::CheckResult(&Report::healthy(), None))
            .await
            .unwrap();
        let document: Value = serde_json::from_str(&metrics.lines(invocation())[0]).unwrap();
        assert_eq!(document["HealthyBuckets"], 1);
    }

    #[test]
    fn an_invocation_that_looked_at_no_bucket_says_nothing_of_how_buckets_are() {
        let text = &Metrics::default().lines(invocation())[0];
        assert!(text.contains("AwsCalls") && !text.contains("Buckets"), "{text}");
    }

    #[test]
    fn a_value_of_a_dimension_has_a_line_of_its_own() {
        let text = line(invocation(), Some("role-not-found"), &[(FINDINGS, json!(3))]);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["Check"], "role-not-found");
        assert_eq!(document["Findings"], 3);
        assert_eq!(
            document["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["Function", "Check"]])
        );
    }
}
