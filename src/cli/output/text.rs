//! The text for terminals: that of the function's messages, with colours, and a line for each of many buckets.
//!
//! <https://no-color.org>: colours are taken away where they are not wanted, by whoever writes it out.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::Answers;
use crate::cli::report::{Report, Severity, Verdict};
use crate::notify::escape::{line, visible};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Healthy => GREEN.bold(),
        Verdict::AtRisk => YELLOW.bold(),
        Verdict::Undetermined => CYAN.bold(),
        Verdict::Broken => RED.bold(),
    }
}

/// All reports, and for several a list at the end, where a terminal still shows it.
pub fn render(answers: &Answers) -> String {
    let mut out = String::new();
    let is_one = !answers.is_list;
    for (looked, report) in answers.looked.iter().zip(&answers.reports) {
        // Of many, those with nothing to tell are told in the list alone.
        if is_one || has_news(report) {
            out.push_str(&painted(&looked.text, report.verdict));
            if !is_one {
                let _ = writeln!(out, "{DIM}{}{DIM:#}", "-".repeat(72));
            }
        }
    }
    if !is_one {
        out.push_str(&list(answers));
    }
    out
}

fn has_news(report: &Report) -> bool {
    report.verdict != Verdict::Healthy || !report.findings.is_empty() || report.plan.is_some()
}

fn list(answers: &Answers) -> String {
    let mut out = String::new();
    let mut reports: Vec<&Report> = answers.reports.iter().collect();
    reports.sort_by_key(|report| std::cmp::Reverse(report.verdict));
    for report in &reports {
        let style = verdict_style(report.verdict);
        let first = report.findings.first().filter(|_| has_news(report));
        let first = first.map_or_else(String::new, |finding| {
            format!("  {}", line(&finding.summary, 200))
        });
        let _ = writeln!(
            out,
            "{style}{:<12}{style:#} {}{DIM}{first}{DIM:#}",
            report.verdict.as_str(),
            report.bucket.name
        );
    }
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (answers.count(verdict), verdict))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verdict)| format!("{count} {}", verdict.as_str()))
        .collect();
    let buckets = match reports.len() {
        1 => "1 bucket".to_owned(),
        count => format!("{count} buckets"),
    };
    let _ = match counts.is_empty() {
        true => writeln!(out, "{BOLD}no bucket with a replication configuration{BOLD:#}"),
        false => writeln!(out, "{BOLD}{buckets}: {}{BOLD:#}", counts.join(", ")),
    };
    out
}

/// The same text in colours. What each line is can be told from how it begins: text from outside is never more than a
/// part of a line.
fn painted(text: &str, verdict: Verdict) -> String {
    let mut out = String::new();
    for (at, row) in text.lines().enumerate() {
        let style = match at {
            0 => verdict_style(verdict),
            _ => style_of(row),
        };
        // The text of an interrupted run was kept in a file meanwhile.
        let row = visible(row);
        let _ = match row.is_empty() {
            true => writeln!(out),
            false => writeln!(out, "{style}{row}{style:#}"),
        };
    }
    out
}

fn style_of(row: &str) -> Style {
    let is_numbered = |severity: Severity| {
        row.split_once(". ").is_some_and(|(number, rest)| {
            number.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with(&severity.as_str().to_uppercase())
        })
    };
    if let Some(diff) = row.strip_prefix("      ") {
        return match diff.bytes().next() {
            Some(b'+') => GREEN,
            Some(b'-') => RED,
            _ => Style::new(),
        };
    }
    if row.starts_with("   WITHHELD ") {
        return YELLOW;
    }
    if is_numbered(Severity::Error) {
        return RED.bold();
    }
    if is_numbered(Severity::Warning) {
        return YELLOW.bold();
    }
    if is_numbered(Severity::Advice) {
        return BOLD;
    }
    let is_heading = row.ends_with(':') || row.starts_with("Plan sha256:") || row.starts_with("Repair: ");
    if is_heading && !row.starts_with(' ') {
        return BOLD;
    }
    if row.starts_with("Report ") || row.starts_with("   evidence: ") {
        return DIM;
    }
    Style::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_coloured_by_what_it_is() {
        assert_eq!(style_of("12. ERROR role-not-found"), RED.bold());
        assert_eq!(style_of("1. WARNING metrics-disabled"), YELLOW.bold());
        assert_eq!(style_of("      +  \"Effect\": \"Allow\""), GREEN);
        assert_eq!(style_of("      -  \"Effect\": \"Allow\""), RED);
        assert_eq!(style_of("Not evaluated:"), BOLD);
        assert_eq!(style_of("   1. ERROR is not at the start"), Style::new());
    }

    #[test]
    fn colours_change_nothing_else() {
        let text = "BROKEN: b: x\n\n1. ERROR y\n   found: z\n";
        let painted = painted(text, Verdict::Broken);
        assert_ne!(painted, text);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
    }
}
