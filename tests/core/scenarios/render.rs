//! Findings as text that can be reviewed: everything a person is told, in the order in which it is told.

use std::fmt::Write;

use s3_replication_remediator::check::{Finding, NOBODY_CAN_SEE, RootCause};

use super::story::Told;

pub(super) fn render(told: &Told) -> String {
    let mut text = format!("verdict: {}\n", told.verdict());
    for finding in &told.outcome.findings {
        let json = serde_json::to_value(finding).unwrap();
        let rules: Vec<&str> = finding.rule_ids.iter().map(String::as_str).collect();
        let _ = write!(
            text,
            "\n{severity}: {check}\n  {summary}\n  subject: {subject}\n  rules: {rules}\n  expected: {expected}\n  found: {found}\n  \
             evidence:\n",
            severity = json["severity"].as_str().unwrap(),
            check = finding.check.as_str(),
            summary = finding.summary,
            subject = finding.subject,
            rules = rules.join(", "),
            expected = finding.expected,
            found = finding.found,
        );
        for evidence in &finding.evidence {
            let _ = writeln!(text, "    {}: {}", evidence.source, evidence.detail);
        }
        let _ = writeln!(
            text,
            "  remedy, {} by {}:\n    {}",
            json["remedy"]["kind"].as_str().unwrap(),
            finding.remedy.owner,
            finding.remedy.text.replace('\n', "\n    ")
        );
        if let RootCause::ConsequenceOf(cause) = finding.root_cause {
            let _ = writeln!(text, "  because of: {}", cause.as_str());
        }
    }
    for unread in &told.outcome.unread {
        let _ = writeln!(
            text,
            "\nunread: {}\n  {}: {}",
            unread.what, unread.operation, unread.error_code
        );
        if !unread.permit.is_empty() {
            let _ = writeln!(text, "  permit: {}", unread.permit);
        }
    }
    for line in &told.outcome.not_evaluated {
        if !NOBODY_CAN_SEE.contains(&line.as_str()) {
            let _ = writeln!(text, "\nnot evaluated: {line}");
        }
    }
    text
}

/// One finding without its evidence, as an example.
pub(super) fn in_short(finding: &Finding) -> String {
    let json = serde_json::to_value(finding).unwrap();
    format!(
        "{}: {}\n  {}\n  found: {}\n  remedy, {} by {}:\n    {}\n",
        json["severity"].as_str().unwrap(),
        finding.check.as_str(),
        finding.summary,
        finding.found,
        json["remedy"]["kind"].as_str().unwrap(),
        finding.remedy.owner,
        finding.remedy.text.replace('\n', "\n    ")
    )
}
