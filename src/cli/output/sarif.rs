//! SARIF 2.1.0, for code scanning: a rule for each check, a result for each finding.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>. What could not be read is no result but a
//! notification of the run, since nothing is known to be wrong.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answers, File};
use crate::cli::checks::Chapter;
use crate::cli::report::{Finding, Report, Severity};
use crate::digest;
use crate::notify::escape::visible;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Names what a fingerprint is made of; another recipe needs another name.
const FINGERPRINT: &str = "bucketCheckSubject/v1";

/// One run with all reports.
///
/// # Errors
/// None that is known: everything is JSON already.
pub fn render(answers: &Answers) -> Result<String, serde_json::Error> {
    let rules: Vec<Value> = Chapter::all().map(|chapter| rule(&chapter)).collect();
    let mut results = Vec::new();
    let mut notifications = Vec::new();
    for report in &answers.reports {
        let mut seen = BTreeMap::new();
        for finding in &report.findings {
            results.push(result(report, finding, answers.file.as_ref(), &mut seen));
        }
        notifications.extend(unread(report));
    }
    let mut invocation = json!({"executionSuccessful": true});
    if let (Value::Object(fields), false) = (&mut invocation, notifications.is_empty()) {
        fields.insert("toolExecutionNotifications".to_owned(), json!(notifications));
    }
    let sarif = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "s3-replication-remediator",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    });
    super::json::pretty(&sarif)
}

fn rule(chapter: &Chapter) -> Value {
    let text = chapter.help().replace("**", "");
    json!({
        "id": chapter.id,
        "shortDescription": {"text": chapter.summary},
        "fullDescription": {"text": chapter.summary},
        "help": {"text": text, "markdown": chapter.help()},
    })
}

fn result(
    report: &Report,
    finding: &Finding,
    file: Option<&File>,
    seen: &mut BTreeMap<String, usize>,
) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    };
    let mut text = format!("{}.", visible(&finding.summary));
    for (name, value) in [("Expected", &finding.expected), ("Found", &finding.found)] {
        text.push_str(&format!("\n{name}: {}", visible(value)));
    }
    text.push_str(&format!("\nTo do, by {}:", visible(&finding.remedy.owner)));
    for step in finding.remedy.text.lines() {
        text.push_str(&format!("\n{}", visible(step)));
    }
    let mut result = json!({
        "ruleId": finding.check,
        "level": level,
        "message": {"text": without_links(&text)},
        "locations": [location(report, finding, file)],
        "partialFingerprints": {FINGERPRINT: fingerprint(report, finding, seen)},
        "properties": {
            "bucket": report.bucket.name,
            "ruleIds": finding.rule_ids,
            "rootCause": finding.root_cause,
        },
    });
    let index = Chapter::all().position(|chapter| chapter.id == finding.check);
    if let (Value::Object(fields), Some(index)) = (&mut result, index) {
        fields.insert("ruleIndex".to_owned(), json!(index));
    }
    result
}

/// In the file where the rule stands, or else in AWS by its ARN.
fn location(report: &Report, finding: &Finding, file: Option<&File>) -> Value {
    let subject = visible(&finding.subject);
    let name = subject.rsplit(':').next().unwrap_or_default();
    let mut location = json!({
        "logicalLocations": [{
            "name": if name.is_empty() { &report.bucket.name } else { name },
            "fullyQualifiedName": subject,
            "kind": "resource",
        }],
    });
    if let (Value::Object(fields), Some(file)) = (&mut location, file) {
        let line = file.configuration.line_of(&finding.rule_ids).unwrap_or(1);
        fields.insert(
            "physicalLocation".to_owned(),
            json!({
                "artifactLocation": {"uri": uri(&file.path)},
                "region": {"startLine": line},
            }),
        );
    }
    location
}

/// The same finding has the same fingerprint in every run, however its words, severity or rules change.
fn fingerprint(report: &Report, finding: &Finding, seen: &mut BTreeMap<String, usize>) -> String {
    let same = format!("{}\n{}\n{}", report.bucket.name, finding.check, finding.subject);
    let before = seen.entry(same.clone()).or_default();
    *before += 1;
    digest::id(format!("{same}\n{before}"))
}

fn unread(report: &Report) -> impl Iterator<Item = Value> + '_ {
    report.unread.iter().map(|unread| {
        let mut text = format!(
            "{}: {} could not be read: {} answered {}.",
            report.bucket.name,
            visible(&unread.what),
            visible(&unread.operation),
            visible(&unread.error_code)
        );
        if !unread.permit.is_empty() {
            text.push_str(&format!(" To permit it: {}", visible(&unread.permit)));
        }
        json!({"level": "warning", "message": {"text": without_links(&text)}})
    })
}

/// Viewers make a link of `[text](address)`
/// (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html#_Toc34317465>). We write none, and in JSON, which is
/// where such a thing may stand in a command, the escape means the same.
fn without_links(text: &str) -> String {
    text.replace("](", "]\\u0028")
}

/// A relative reference (<https://www.rfc-editor.org/rfc/rfc3986#section-4.2>) to a file as it was named.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_')
        .remove(b'~');
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./");
    let encoded = utf8_percent_encode(path, KEPT).to_string();
    match path.starts_with('/') {
        true => format!("file://{encoded}"),
        false => encoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_a_link_into_a_message() {
        assert_eq!(
            without_links("rule `[log in](https://evil)`"),
            "rule `[log in]\\u0028https://evil)`"
        );
    }

    #[test]
    fn a_path_becomes_a_reference_whatever_it_is_called() {
        assert_eq!(uri("./infra/replication.json"), "infra/replication.json");
        assert_eq!(uri("a b/r?#.json"), "a%20b/r%3F%23.json");
        assert_eq!(uri("/tmp/r.json"), "file:///tmp/r.json");
    }
}
