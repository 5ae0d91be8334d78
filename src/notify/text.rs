//! The message for people: the verdict fits a phone screen, and an auditor finds everything below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Notification;
use super::plain::{ascii, block, line, pasteable};
use crate::apply::Status;
use crate::check::Verdict;
use crate::event::{Change, TriggerKind};
use crate::finding::{Finding, RootCause, Severity};
use crate::mode::Mode;
use crate::plan::diff::diff;
use crate::report::Report;

/// SNS takes subjects of fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;
/// SNS takes 256 KiB for text and attributes together; some room is left for the attributes.
const TEXT: usize = 250 * 1024;
/// How much of any one text from outside is shown.
const FIELD: usize = 2_000;

/// Renders a report.
pub fn render(report: &Report) -> Notification {
    Notification {
        subject: subject(report),
        text: cut(text(report)),
        attributes: attributes(report),
        sameness: sameness(report),
    }
}

/// Objects that go on failing are the same news until something else is found, or S3 gives another reason.
fn sameness(report: &Report) -> Option<String> {
    if report.trigger.kind != TriggerKind::ReplicationFailed {
        return None;
    }
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.check.as_str(), &finding.subject, &finding.rule_ids))
        .collect();
    let reasons: BTreeSet<_> = report
        .trigger
        .objects
        .iter()
        .map(|object| (&object.rule_id, &object.failure_reason))
        .collect();
    let unread: BTreeSet<_> = report
        .unread
        .iter()
        .map(|failure| (&failure.what, &failure.error_code))
        .collect();
    let status = report.outcome.as_ref().map(|outcome| outcome.status.as_str());
    let bucket = &report.bucket.name;
    Some(serde_json::json!([bucket, findings, reasons, unread, report.digest(), status]).to_string())
}

fn subject(report: &Report) -> String {
    let errors = count(report, Severity::Error);
    let what = match report.verdict {
        Verdict::Broken => format!("BROKEN, {errors} {}", plural(errors, "error")),
        Verdict::AtRisk => "AT RISK".to_owned(),
        Verdict::Undetermined => "UNDETERMINED".to_owned(),
        Verdict::Healthy => "healthy".to_owned(),
    };
    ascii(
        &format!(
            "[{}] S3 replication {what}: {}",
            report.mode.as_str(),
            report.bucket.name
        ),
        SUBJECT,
    )
}

fn attributes(report: &Report) -> BTreeMap<&'static str, String> {
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

fn text(report: &Report) -> String {
    let mut out = String::new();
    // What is not known comes first where it is the news.
    let (first, last) = match report.verdict {
        Verdict::Undetermined => (unread(report), String::new()),
        Verdict::Broken | Verdict::AtRisk | Verdict::Healthy => (String::new(), unread(report)),
    };
    for part in [
        head(report),
        done(report),
        first,
        findings(report),
        plan(report),
        next(report),
        last,
        not_evaluated(report),
        foot(report),
    ] {
        if !part.is_empty() {
            out.push_str(&part);
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Verdict, what it means, and who caused it.
fn head(report: &Report) -> String {
    let bucket = &report.bucket;
    let mut out = String::new();
    let meaning = match report.verdict {
        Verdict::Broken => "objects are not replicated",
        Verdict::AtRisk => "objects replicate today, with the reservations below",
        Verdict::Undetermined => "whether objects replicate could not be determined",
        Verdict::Healthy => "nothing is wrong",
    };
    let verdict = report.verdict.as_str().to_uppercase();
    let _ = writeln!(out, "{verdict}: {}: {meaning}", bucket.name);
    let place = [
        bucket
            .account_id
            .as_ref()
            .map(|account| format!("account {account}")),
        bucket.region.as_ref().map(ToString::to_string),
        Some(format!("mode {}", report.mode.as_str())),
    ];
    let _ = writeln!(
        out,
        "{}",
        place.into_iter().flatten().collect::<Vec<_>>().join(", ")
    );
    let counts: Vec<String> = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Advice, "advice"),
    ]
    .into_iter()
    .map(|(severity, name)| (count(report, severity), name))
    .filter(|(count, _)| *count > 0)
    .map(|(count, name)| format!("{count} {}", plural(count, name)))
    .chain((!report.unread.is_empty()).then(|| format!("{} unread", report.unread.len())))
    .collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "{}", counts.join(", "));
    }
    let _ = writeln!(out, "{}", cause(report));
    out
}

fn cause(report: &Report) -> String {
    let trigger = &report.trigger;
    let what = match trigger.kind {
        TriggerKind::ReplicationConfigured => match trigger.change {
            Some(Change::Refused) => "S3 refused a replication configuration",
            Some(Change::Removed) => "the replication configuration was removed",
            Some(Change::Configured) | None => "the replication configuration was changed",
        },
        TriggerKind::ReplicationFailed => "S3 reported objects that it could not replicate",
        TriggerKind::Alarm => "an alarm on failed replication went off",
        TriggerKind::Drift => "something that replication depends on was changed",
        TriggerKind::Sweep if trigger.follow_up => "looked again after a repair: it is not as that left it",
        TriggerKind::Sweep => "regular check",
        TriggerKind::Command => "asked for",
    };
    let mut out = format!("why now: {what}");
    if let Some(changed) = &trigger.changed {
        let _ = write!(
            out,
            ", {} of {}",
            line(&changed.call, FIELD),
            line(&changed.resource, FIELD)
        );
    }
    if let Some(time) = trigger.event_time {
        let _ = write!(out, " at {time}");
    }
    if let Some(actor) = &trigger.actor {
        let _ = write!(out, " by {}", line(actor, FIELD));
    }
    if let Some(source) = &trigger.source_ip {
        let _ = write!(out, " from {}", line(source, FIELD));
    }
    if let Some(event) = &trigger.event_id {
        let _ = write!(out, " (event {})", line(event, FIELD));
    }
    out
}

fn findings(report: &Report) -> String {
    let mut out = String::new();
    for (index, finding) in report.findings.iter().enumerate() {
        let _ = writeln!(out, "{}", one_finding(index + 1, finding));
    }
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn one_finding(number: usize, finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Advice => "ADVICE",
    };
    let mut out = format!("{number}. {severity} {}", finding.check.as_str());
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
    row("to do:    ", &format!("by {}", finding.remedy.owner));
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
            "   mended: {}: {}",
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
            "   works everywhere by {verify}; a new object version shows then whether it helped"
        );
        if outcome.follow_up {
            out.push_str(
                "   this function looks again then, and tells if it finds anything else than stands here\n",
            );
        }
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
    for withheld in &plan.plan().withheld {
        let change = &withheld.change;
        let _ = writeln!(
            out,
            "   WITHHELD {} {}",
            change.kind(),
            line(&change.target(), FIELD)
        );
        for refusal in &withheld.refusals {
            let _ = writeln!(
                out,
                "      {}: {}",
                refusal.guard.as_str(),
                line(&refusal.reason, FIELD)
            );
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
    if let Some(backlog) = &report.backlog {
        let _ = writeln!(
            out,
            "Once repaired, replicate what was left behind (S3 does not retry it; set BATCH_ROLE_ARN; the job waits for \
             your confirmation):\n   {}",
            pasteable(&backlog.command)
        );
    }
    out
}

fn unread(report: &Report) -> String {
    let mut out = String::new();
    if !report.unread.is_empty() {
        out.push_str("Could not be read:\n");
        for unread in &report.unread {
            let _ = writeln!(
                out,
                "   {}: {} answered {}",
                line(&unread.what, FIELD),
                line(&unread.operation, FIELD),
                line(&unread.error_code, FIELD)
            );
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

fn count(report: &Report, severity: Severity) -> usize {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}

fn plural(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) | (_, "advice") => noun.to_owned(),
        _ => format!("{noun}s"),
    }
}

/// The least important stands last, so a message that is too long loses its end, and says so.
fn cut(mut text: String) -> String {
    const NOTE: &str =
        "\n(cut here: the message is longer than SNS takes; the command `check` answers the whole report)\n";
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT - NOTE.len()));
        text.push_str(NOTE);
    }
    text
}
