//! The message for people: the verdict fits a phone screen, and an auditor finds everything below it.

use std::collections::BTreeMap;
use std::fmt::Write;

mod backlog;
mod head;

use super::alert::fingerprint;
use super::alert_state::{AlertHistory, Reason};
use super::escape::{ascii, block, line, pasteable};
use super::{Notification, NotificationScope};
use crate::apply::{State, Status};
use crate::arn::AccountId;
use crate::check::{Finding, RootCause, Severity, Verdict};
use crate::guard::Refusal;
use crate::mode::Mode;
use crate::plan::diff::diff;
use crate::plan::review::ReviewedPlan;
use crate::report::Report;

use head::{count, head, messages_before, plural};
pub(super) use head::{counts, meaning, occasion};

/// SNS takes subjects of fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;
/// SNS takes 256 KiB for text and attributes together; some room is left for the attributes.
const TEXT: usize = 250 * 1024;
/// How much of any one text from outside is shown.
const FIELD: usize = 2_000;

/// Renders a report, and what it is after the messages before it.
pub fn render(report: &Report, history: &AlertHistory) -> Notification {
    Notification {
        subject: subject(report, history),
        text: composed(report, history, TEXT),
        attributes: attributes(report, history),
        about: NotificationScope::Bucket(history.first_seen),
        after: history.last_sent_at,
    }
}

fn subject(report: &Report, history: &AlertHistory) -> String {
    let errors = count(report, Severity::Error);
    let what = match report.verdict {
        Verdict::Broken => format!("BROKEN, {errors} {}", plural(errors, "error")),
        Verdict::AtRisk => "AT RISK".to_owned(),
        Verdict::Undetermined => "UNDETERMINED".to_owned(),
        Verdict::Healthy => "healthy".to_owned(),
    };
    let (before, after) = match history.reason {
        Reason::Reminder => ("still ", ""),
        Reason::Resolved | Reason::Reopened => ("", " again"),
        Reason::New | Reason::Worse | Reason::Changed | Reason::Unconfirmed => ("", ""),
    };
    let (mode, bucket) = (report.mode.as_str(), &report.bucket.name);
    ascii(
        &format!("[{mode}] S3 replication {before}{what}{after}: {bucket}"),
        SUBJECT,
    )
}

fn attributes(report: &Report, history: &AlertHistory) -> BTreeMap<&'static str, String> {
    let severity = match report.severity() {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Advice) => "advice",
        None => "none",
    };
    let unknown = || "unknown".to_owned();
    BTreeMap::from([
        ("verdict", report.verdict.as_str().to_owned()),
        ("severity", severity.to_owned()),
        ("mode", report.mode.as_str().to_owned()),
        ("bucket", report.bucket.name.to_string()),
        ("news", history.reason.as_str().to_owned()),
        (
            "accountId",
            report
                .bucket
                .account_id
                .as_ref()
                .map_or_else(unknown, ToString::to_string),
        ),
        (
            "region",
            report
                .bucket
                .region
                .as_ref()
                .map_or_else(unknown, ToString::to_string),
        ),
    ])
}

/// The text of a message, however long it is.
pub fn text(report: &Report, history: &AlertHistory) -> String {
    composed(report, history, usize::MAX)
}

/// The text of a message of at most so many bytes. What is least needed is left out where it would be more, and that is
/// said: first what nobody can see, then the plan, which the commands carry out all the same, and last findings from the
/// end.
fn composed(report: &Report, history: &AlertHistory, most: usize) -> String {
    // What is not known comes first where it is the news.
    let (first, last) = match report.verdict {
        Verdict::Undetermined => (unread(report), String::new()),
        Verdict::Broken | Verdict::AtRisk | Verdict::Healthy => (String::new(), unread(report)),
    };
    let mut parts = [
        head(report, history),
        messages_before(history),
        done(report),
        earlier(report),
        first,
        findings(report, history),
        plan(report),
        next(report),
        last,
        not_evaluated(report),
        foot(report),
    ];
    let [_, _, _, _, first, findings, plan, _, last, not_evaluated, _] = &mut parts;
    let mut left_out = Vec::new();
    let needed = [
        head(report, history),
        messages_before(history),
        done(report),
        earlier(report),
        next(report),
    ];
    let fixed = 2_000 + needed.iter().map(String::len).sum::<usize>();
    let mut room = most.saturating_sub(fixed);
    for (name, part) in [
        ("findings", findings),
        ("what could not be read", first),
        ("what could not be read", last),
        ("the plan", plan),
        ("what was not evaluated", not_evaluated),
    ] {
        if part.len() > room {
            part.truncate(part.floor_char_boundary(room));
            // Nobody is to paste half a line.
            part.truncate(part.rfind('\n').map_or(0, |end| end + 1));
            left_out.push(match part.is_empty() {
                true => name.to_owned(),
                false => format!("the end of {name}"),
            });
        }
        room = room.saturating_sub(part.len());
    }
    let mut out = String::new();
    for part in parts {
        if !part.is_empty() {
            out.push_str(&part);
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    if out.len() > most {
        left_out.push("the end".to_owned());
    }
    if !left_out.is_empty() {
        out.truncate(out.floor_char_boundary(most.saturating_sub(1_000)));
        let _ = writeln!(
            out,
            "(cut: {} left out, because SNS takes no longer message; the command `check` answers the whole report)",
            left_out.join(", ")
        );
    }
    out
}

fn findings(report: &Report, history: &AlertHistory) -> String {
    let mut out = String::new();
    for (index, finding) in report.findings.iter().enumerate() {
        let _ = writeln!(out, "{}", one_finding(index + 1, finding, history));
    }
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn one_finding(number: usize, finding: &Finding, history: &AlertHistory) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Advice => "ADVICE",
    };
    let fresh = match history.fresh.contains(&fingerprint(finding)) {
        true => "NEW ",
        false => "",
    };
    let mut out = format!("{number}. {fresh}{severity} {}", finding.check.as_str());
    let rules: Vec<String> = finding
        .rule_ids
        .iter()
        .take(10)
        .map(|id| format!("`{}`", line(id, 255)))
        .collect();
    if !rules.is_empty() {
        let more = finding.rule_ids.len().saturating_sub(rules.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = write!(
            out,
            " ({} {}{more})",
            plural(finding.rule_ids.len(), "rule"),
            rules.join(", ")
        );
    }
    if let RootCause::ConsequenceOf(check) = finding.root_cause {
        let _ = write!(out, ", follows from {}", check.as_str());
    }
    out.push('\n');
    let mut row = |name: &str, text: &str| {
        let _ = writeln!(out, "   {name}{}", line(text, FIELD));
    };
    row("", &finding.summary);
    row("subject:  ", &finding.subject);
    row("expected: ", &finding.expected);
    row("found:    ", &finding.found);
    for evidence in &finding.evidence {
        if evidence.detail == finding.found {
            row("evidence: ", &evidence.source);
        } else {
            row("evidence: ", &format!("{}: {}", evidence.source, evidence.detail));
        }
    }
    let owner = &finding.remedy.owner;
    let owner = match owner.parse::<AccountId>() {
        Ok(account) => format!("in account {account}"),
        Err(_) => format!("by {owner}"),
    };
    row("to do:    ", &owner);
    for step in finding.remedy.text.lines() {
        let _ = writeln!(out, "      {}", pasteable(step));
    }
    out
}

/// What was changed already, and what that mended.
fn done(report: &Report) -> String {
    let Some(outcome) = &report.outcome else {
        return String::new();
    };
    if outcome.status == Status::Planned {
        return String::new();
    }
    let mut out = format!("Repair: {}\n", outcome.status.as_str());
    for finding in &report.repaired {
        let _ = writeln!(
            out,
            "   repaired: {}: {}",
            finding.check.as_str(),
            line(&finding.summary, FIELD)
        );
    }
    for change in &outcome.changes {
        let _ = write!(out, "   {}", change.status.as_str());
        if let Some(id) = &change.grant_id {
            let _ = write!(out, ", grant {}", line(id, FIELD));
        }
        if let Some(id) = &change.request_id {
            let _ = write!(out, ", AWS request {}", line(id, FIELD));
        }
        if let Some(error) = &change.error {
            let _ = write!(out, ": {}", line(error, FIELD));
        }
        out.push('\n');
    }
    if let Some(verify) = &outcome.verify_after {
        let _ = writeln!(
            out,
            "   in effect everywhere by {verify}; a new object version shows then whether it replicates"
        );
        if outcome.follow_up {
            out.push_str(
                "   this function looks again then, and tells only what differs from this message\n",
            );
        }
    }
    out
}

/// What somebody did who was stopped before it could be told.
fn earlier(report: &Report) -> String {
    if report.earlier.is_empty() {
        return String::new();
    }
    let mut out = "Changed before, and not told until now:\n".to_owned();
    for change in &report.earlier {
        let _ = write!(
            out,
            "   {} {}",
            line(&change.kind, FIELD),
            line(&change.target, FIELD)
        );
        let _ = write!(out, ", {}", line(&change.name, FIELD));
        if let Some(id) = &change.request_id {
            let _ = write!(out, ", AWS request {}", line(id, FIELD));
        }
        let _ = write!(out, ", at {}", change.begun);
        out.push_str(match change.state {
            State::Overtaken => "; something else stands there now\n",
            State::Begun | State::Made | State::FoundMade | State::NotMade => "\n",
        });
    }
    out
}

fn plan(report: &Report) -> String {
    let Some(plan) = &report.plan else {
        return String::new();
    };
    let mut out = format!("Plan {}\n", plan.digest());
    for change in plan.plan().changes.iter().map(|planned| &planned.change) {
        let _ = writeln!(out, "   {} {}", change.kind(), line(&change.target(), FIELD));
        for row in block(&diff(&change.before(), &change.after())).lines() {
            let _ = writeln!(out, "      {row}");
        }
    }
    out.push_str(&withheld(plan));
    out
}

/// What would help and is not offered: each role or key once, and each reason once.
fn withheld(plan: &ReviewedPlan) -> String {
    let mut kept: Vec<(String, Vec<&Refusal>)> = Vec::new();
    for withheld in &plan.plan().withheld {
        let change = &withheld.change;
        let name = format!("{} {}", change.kind(), line(&change.target(), FIELD));
        let index = kept
            .iter()
            .position(|(known, _)| *known == name)
            .unwrap_or(kept.len());
        if index == kept.len() {
            kept.push((name, Vec::new()));
        }
        let Some((_, reasons)) = kept.get_mut(index) else {
            continue;
        };
        for refusal in &withheld.refusals {
            if !reasons.contains(&refusal) {
                reasons.push(refusal);
            }
        }
    }
    let mut out = String::new();
    for (name, reasons) in kept {
        let _ = writeln!(out, "   WITHHELD {name}");
        for refusal in reasons {
            let reason = line(&refusal.reason, FIELD);
            let _ = writeln!(out, "      {}: {reason}", refusal.guard.as_str());
            let _ = writeln!(out, "      to permit it: {}", line(&refusal.permit, FIELD));
        }
    }
    out
}

/// Commands, ready to paste.
fn next(report: &Report) -> String {
    let commands = &report.commands;
    let mut out = String::new();
    let (apply, undo) = match report.mode {
        Mode::DryRun => (
            "Apply by hand (this program writes nothing in dry-run)",
            "Undo by hand",
        ),
        Mode::Approve | Mode::Auto => ("Apply", "Undo"),
    };
    for (name, command) in [(apply, &commands.apply), (undo, &commands.undo)] {
        if let Some(command) = command {
            let _ = writeln!(out, "{name}:\n   {}", pasteable(command));
        }
    }
    let _ = writeln!(out, "Check again:\n   {}", pasteable(&commands.check));
    if let Some(left) = &report.backlog {
        out.push_str(&backlog::told(left));
    }
    out
}

fn unread(report: &Report) -> String {
    let mut out = String::new();
    if !report.unread.is_empty() {
        out.push_str("Could not be read:\n");
        for unread in &report.unread {
            let what = line(&unread.what, FIELD);
            let (operation, code) = (line(&unread.operation, FIELD), line(&unread.error_code, FIELD));
            let _ = match code.as_str() {
                // It was read; what it means is said already.
                "NotUnderstood" => writeln!(out, "   {what}"),
                code if what.starts_with(&operation) => writeln!(out, "   {what}: {code}"),
                code => writeln!(out, "   {what}: {operation} answered {code}"),
            };
            if !unread.permit.is_empty() {
                let _ = writeln!(out, "      to permit it: {}", line(&unread.permit, FIELD));
            }
        }
    }
    out
}

fn not_evaluated(report: &Report) -> String {
    let mut out = String::new();
    if !report.not_evaluated.is_empty() {
        out.push_str("Not evaluated:\n");
        for text in &report.not_evaluated {
            let _ = writeln!(out, "   {}", line(text, FIELD));
        }
    }
    out
}

fn foot(report: &Report) -> String {
    format!("Report {} of {} ({})\n", report.id, report.time, report.schema)
}
