//! The report as events for machines: what a rule on an EventBridge bus matches and hands on.
//!
//! Each look is told, healthy ones too: whoever keeps the state of a bucket must hear that it is well again. A repair is
//! told besides, by who made it, and once more by who finds in the records that nobody may have heard of it. The detail is
//! the report itself; where it is longer than an event may be, it loses what matters least first, and names that in
//! `omitted`:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::apply::Applied;
use crate::arn::Partition;
use crate::report::{Report, SCHEMA};

use super::affected::affected;

/// The `source` of all our events.
pub const SOURCE: &str = "s3-replication-remediator";
/// The `detail-type` of the state of a bucket after a look at it.
pub const CHECK_RESULT: &str = "S3 Replication Check Result";
/// The `detail-type` of what was written into the account, repairs and their undos alike.
pub const REPAIR_APPLIED: &str = "S3 Replication Repair Applied";
/// The name and version of the detail of [`REPAIR_APPLIED`].
pub const REPAIR_SCHEMA: &str = "s3-replication-remediator/repair/v1";

/// The most bytes of a detail. An entry with its other fields, and the event that targets get, must stay under 256 KB,
/// which is also what queues and functions take:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>.
const MOST: usize = 230 * 1024;

/// An event, but for the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it tells.
    pub detail_type: &'static str,
    /// When AWS was read.
    pub time: Timestamp,
    /// ARNs of the bucket, and of the roles and keys that it is about.
    pub resources: Vec<String>,
    /// A JSON object.
    pub detail: String,
}

/// The events that a report makes.
pub fn render(report: &Report, partition: &Partition) -> Vec<Event> {
    render_within(report, partition, MOST)
}

/// The same for a bus that takes details of at most so many bytes.
pub fn render_within(report: &Report, partition: &Partition, most: usize) -> Vec<Event> {
    let resources: Vec<String> = affected(report, partition)
        .iter()
        .map(ToString::to_string)
        .collect();
    let event = |detail_type, detail| Event {
        detail_type,
        time: report.time,
        resources: resources.clone(),
        detail: fitting(detail, most),
    };
    let mut events = vec![event(CHECK_RESULT, check_result(report))];
    if report.outcome.as_ref().is_some_and(Applied::has_written) {
        let kind = if report.undo.is_some() { "undo" } else { "repair" };
        events.push(event(REPAIR_APPLIED, repair(report, kind)));
    }
    if !report.earlier.is_empty() {
        events.push(event(REPAIR_APPLIED, repair(report, "earlier")));
    }
    events
}

fn check_result(report: &Report) -> Value {
    // Nothing in a report fails to serialize; were it so, its core would still be told.
    serde_json::to_value(report).unwrap_or_else(|_| {
        json!({
            "schema": SCHEMA, "id": report.id, "mode": report.mode, "time": report.time,
            "bucket": {"name": report.bucket.name}, "verdict": report.verdict.as_str(),
        })
    })
}

fn repair(report: &Report, kind: &str) -> Value {
    const TOLD: [&str; 12] = [
        "id", "mode", "time", "trigger", "bucket", "verdict", "earlier", "repaired", "plan", "outcome",
        "undo", "commands",
    ];
    let mut detail = Map::new();
    detail.insert("schema".to_owned(), json!(REPAIR_SCHEMA));
    detail.insert("kind".to_owned(), json!(kind));
    if let Value::Object(mut report) = check_result(report) {
        for name in TOLD {
            if let Some(value) = report.remove(name) {
                detail.insert(name.to_owned(), value);
            }
        }
    }
    Value::Object(detail)
}

/// What a detail loses where it is too long, the least important first. What is evidence, or can be asked for again,
/// goes before what is to be done.
const LEAST_FIRST: [&[&str]; 17] = [
    &["notEvaluated"],
    &["rules"],
    &["findings", "*", "evidence"],
    &["repaired", "*", "evidence"],
    &["trigger", "objects"],
    &["earlier", "*", "before"],
    &["earlier", "*", "after"],
    &["plan", "changes", "*", "before"],
    &["plan", "changes", "*", "after"],
    &["plan", "changes", "*", "undo"],
    &["plan", "withheld"],
    &["backlog"],
    &["commands"],
    &["repaired"],
    &["plan", "changes", "*", "diff"],
    &["unread"],
    &["findings", "*", "remedy"],
];

/// The detail as text of at most `most` bytes.
fn fitting(mut detail: Value, most: usize) -> String {
    let mut omitted = Vec::new();
    for path in LEAST_FIRST {
        if length(&detail) <= most {
            break;
        }
        if remove(&mut detail, path) {
            omitted.push(named(path));
            note(&mut detail, &omitted);
        }
    }
    if length(&detail) > most {
        shorten(&mut detail, most, &mut omitted);
    }
    if length(&detail) > most {
        detail = core(&detail);
    }
    detail.to_string()
}

/// How `omitted` names what was left out.
fn named(path: &[&str]) -> String {
    path.join(".").replace(".*", "[]")
}

/// All that may be named so.
pub fn omissible() -> impl Iterator<Item = String> {
    LEAST_FIRST.into_iter().map(named)
}

fn length(detail: &Value) -> usize {
    detail.to_string().len()
}

fn note(detail: &mut Value, omitted: &[String]) {
    if let Value::Object(fields) = detail {
        fields.insert("omitted".to_owned(), json!(omitted));
    }
}

/// Takes a member out; `*` stands for every item of a list. Was it there?
fn remove(value: &mut Value, path: &[&str]) -> bool {
    match (path, value) {
        (["*", rest @ ..], Value::Array(items)) => {
            let mut found = false;
            for item in items {
                found |= remove(item, rest);
            }
            found
        }
        ([last], Value::Object(fields)) => fields
            .shift_remove(*last)
            .is_some_and(|removed| !removed.is_null() && removed != json!([])),
        ([first, rest @ ..], Value::Object(fields)) => {
            fields.get_mut(*first).is_some_and(|inner| remove(inner, rest))
        }
        _ => false,
    }
}

/// Takes findings from the end, where the least bad stand.
fn shorten(detail: &mut Value, most: usize, omitted: &mut Vec<String>) {
    let excess = length(detail).saturating_sub(most);
    let Some(Value::Array(findings)) = detail.get_mut("findings") else {
        return;
    };
    // Room for the note itself.
    let mut excess = excess + 100;
    while excess > 0 {
        let Some(last) = findings.pop() else { break };
        excess = excess.saturating_sub(length(&last) + 1);
    }
    omitted.push(format!("findings[{}:]", findings.len()));
    note(detail, omitted);
}

/// What always fits: which bucket, how it stands, and what was done.
fn core(detail: &Value) -> Value {
    let mut core = Map::new();
    for name in ["schema", "kind", "id", "mode", "time", "bucket", "verdict"] {
        if let Some(value) = detail.get(name) {
            core.insert(name.to_owned(), value.clone());
        }
    }
    for (name, inner) in [("trigger", "kind"), ("plan", "digest"), ("outcome", "status")] {
        if let Some(value) = detail.get(name).and_then(|part| part.get(inner)) {
            core.insert(name.to_owned(), json!({inner: value}));
        } else if detail.get(name) == Some(&Value::Null) {
            core.insert(name.to_owned(), Value::Null);
        }
    }
    core.insert("omitted".to_owned(), json!(["*"]));
    Value::Object(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(text: &str) -> Value {
        json!({"check": "role-not-found", "severity": "error", "summary": text, "evidence": [{"detail": text}],
               "remedy": {"text": text}})
    }

    fn told(detail: Value, most: usize) -> Value {
        let text = fitting(detail, most);
        assert!(text.len() <= most, "{} bytes", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_fits_is_told_whole_and_says_nothing_of_omissions() {
        let detail = json!({"findings": [finding("a")], "notEvaluated": ["scp"]});
        assert_eq!(told(detail.clone(), 1_000), detail);
    }

    #[test]
    fn the_least_important_goes_first_and_is_named() {
        let detail =
            json!({"verdict": "broken", "notEvaluated": ["n".repeat(500)], "findings": [finding("a")]});
        let told = told(detail, 400);
        assert_eq!(told["omitted"], json!(["notEvaluated"]));
        assert_eq!(told["findings"], json!([finding("a")]));
    }

    #[test]
    fn of_many_findings_the_worst_stay() {
        let findings: Vec<Value> = (0..100)
            .map(|number| finding(&format!("{number:0>300}")))
            .collect();
        let told = told(json!({"verdict": "broken", "findings": findings}), 10_000);
        let left = told["findings"].as_array().unwrap();
        assert_eq!(left[0]["summary"], findings[0]["summary"]);
        assert!((20..30).contains(&left.len()), "{}", left.len());
        assert_eq!(
            told["omitted"],
            json!([
                "findings[].evidence",
                "findings[].remedy",
                format!("findings[{}:]", left.len())
            ])
        );
    }

    #[test]
    fn something_is_told_however_long_the_rest_is() {
        let long = "\u{1}".repeat(100_000);
        let told = told(
            json!({"id": "1", "verdict": "broken", "findings": [], "trigger": {"kind": "drift", "actor": long}}),
            10_000,
        );
        assert_eq!(
            told,
            json!({"id": "1", "verdict": "broken", "trigger": {"kind": "drift"}, "omitted": ["*"]})
        );
    }
}
