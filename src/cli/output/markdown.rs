//! Markdown, for pull requests and tickets: the summary first, the rest to be unfolded.
//!
//! <https://github.github.com/gfm/>. Text from outside neither becomes markup nor calls anybody: a mention, a reference
//! or an address in it stays text.

use std::fmt::Write;

use super::Answers;
use crate::cli::report::{Backlog, Change, Finding, Report, Severity, Verdict};
use crate::notify::escape::{pasteable, visible};

/// Shows as nothing, and ends whatever would have become a link or a mention.
const BREAK: &str = "<!-- -->";
const COLON: &str = ":<!-- -->";

/// All reports.
pub fn render(answers: &Answers) -> String {
    let mut out = String::new();
    if answers.is_list {
        out.push_str(&overview(answers));
    }
    let level = if answers.is_list { "##" } else { "#" };
    for report in &answers.reports {
        if !answers.is_list || report.verdict != Verdict::Healthy || !report.findings.is_empty() {
            out.push_str(&one(report, level));
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "✅",
        Verdict::AtRisk => "⚠️",
        Verdict::Undetermined => "❔",
        Verdict::Broken => "❌",
    }
}

fn overview(answers: &Answers) -> String {
    let mut out = String::from("# S3 replication\n\n");
    if answers.reports.is_empty() {
        out.push_str("No bucket with a replication configuration.\n\n");
        return out;
    }
    out.push_str("| bucket | verdict | errors | warnings | first |\n| --- | --- | ---: | ---: | --- |\n");
    let mut reports: Vec<&Report> = answers.reports.iter().collect();
    reports.sort_by_key(|report| std::cmp::Reverse(report.verdict));
    for report in reports {
        let first = report
            .findings
            .iter()
            .find(|finding| finding.severity != Severity::Advice);
        let _ = writeln!(
            out,
            "| {} | {} {} | {} | {} | {} |",
            code(&report.bucket.name),
            sign(report.verdict),
            report.verdict.as_str(),
            report.count(Severity::Error),
            report.count(Severity::Warning),
            first.map_or_else(String::new, |finding| cell(&finding.summary)),
        );
    }
    out.push('\n');
    out
}

fn one(report: &Report, level: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{level} {} {} {}: {}\n",
        sign(report.verdict),
        code(&report.bucket.name),
        report.verdict.as_str(),
        report.verdict.meaning()
    );
    let place = [
        report
            .bucket
            .account_id
            .as_ref()
            .map(|id| format!("account {id}")),
        report.bucket.region.clone(),
        Some(format!("mode {}", report.mode)),
        Some(report.time.clone()),
    ];
    // Whoever kept the report may have changed it.
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let _ = writeln!(out, "{}\n", plain(&place));
    if !report.findings.is_empty() {
        out.push_str("| | severity | check | what |\n| ---: | --- | --- | --- |\n");
        for (at, finding) in report.findings.iter().enumerate() {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                at + 1,
                finding.severity.as_str(),
                code(&finding.check),
                cell(&finding.summary)
            );
        }
        out.push('\n');
    }
    if let Some(outcome) = report
        .outcome
        .as_ref()
        .filter(|outcome| outcome.status != "planned")
    {
        let _ = writeln!(out, "**Repair: {}**\n", text(&outcome.status));
        for change in &outcome.changes {
            let why = change.error.as_ref().map(|error| format!(": {}", text(error)));
            let _ = writeln!(out, "- {}{}", text(&change.status), why.unwrap_or_default());
        }
        for finding in &report.repaired {
            let _ = writeln!(
                out,
                "- repaired: {}: {}",
                code(&finding.check),
                text(&finding.summary)
            );
        }
        out.push('\n');
    }
    for (at, finding) in report.findings.iter().enumerate() {
        out.push_str(&detail(at + 1, finding));
    }
    out.push_str(&plan(report));
    if let Some(undo) = &report.undo {
        out.push_str(&items("What the undo takes along", &undo.consequences));
        out.push_str(&items("Not searched", &undo.not_searched));
    }
    if !report.unread.is_empty() {
        out.push_str("**Could not be read**\n\n");
        for unread in &report.unread {
            let permit = match unread.permit.is_empty() {
                true => String::new(),
                false => format!("; to permit it: {}", code(&unread.permit)),
            };
            let _ = writeln!(
                out,
                "- {}: {} answered {}{permit}",
                text(&unread.what),
                code(&unread.operation),
                code(&unread.error_code)
            );
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "<details><summary>Not evaluated</summary>\n\n{}</details>\n\n",
        items("", &report.not_evaluated)
    );
    out
}

fn detail(number: usize, finding: &Finding) -> String {
    let mut out = String::new();
    let open = if finding.severity == Severity::Error {
        " open"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<details{open}><summary>{number}. {} <code>{}</code></summary>\n",
        finding.severity.as_str(),
        html(&finding.check)
    );
    let rules: Vec<String> = finding.rule_ids.iter().take(10).map(|id| code(id)).collect();
    let more = finding.rule_ids.len().saturating_sub(rules.len());
    if !rules.is_empty() {
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = writeln!(out, "- rules: {}{more}", rules.join(", "));
    }
    let _ = writeln!(out, "- subject: {}", code(&finding.subject));
    let _ = writeln!(out, "- expected: {}", text(&finding.expected));
    let _ = writeln!(out, "- found: {}", text(&finding.found));
    for evidence in &finding.evidence {
        let _ = writeln!(
            out,
            "- evidence: {}: {}",
            code(&evidence.source),
            text(&evidence.detail)
        );
    }
    if let Some(cause) = finding.follows_from() {
        let _ = writeln!(out, "- follows from {}", code(cause));
    }
    let _ = write!(
        out,
        "\nTo do, by {}:\n\n{}\n</details>\n\n",
        code(&finding.remedy.owner),
        fenced("text", &finding.remedy.text)
    );
    out
}

fn plan(report: &Report) -> String {
    let Some(plan) = &report.plan else {
        return String::new();
    };
    let mut out = format!("**Plan** {}\n\n", code(&plan.digest));
    let shown = |change: &Change| {
        format!(
            "{} {} of {}\n\n{}\n",
            code(&change.kind),
            code(&change.name),
            code(&change.target),
            fenced("diff", &change.diff)
        )
    };
    for change in &plan.changes {
        out.push_str(&shown(change));
    }
    for withheld in &plan.withheld {
        let change = &withheld.change;
        let _ = writeln!(
            out,
            "- withheld: {} of {}: {} ({}); to permit it: {}",
            code(&change.kind),
            code(&change.target),
            text(&withheld.reason),
            code(&withheld.guard),
            text(&withheld.permit)
        );
    }
    out.push('\n');
    let commands = &report.commands;
    for (name, command) in [
        ("Apply", commands.apply.as_ref()),
        ("Undo", commands.undo.as_ref()),
        ("Check again", Some(&commands.check)),
    ] {
        if let Some(command) = command {
            let _ = writeln!(out, "{name}:\n\n{}", fenced("sh", command));
        }
    }
    let backlog = report.backlog.as_ref();
    if let Some(refusal) = backlog.and_then(Backlog::refusal) {
        let _ = writeln!(out, "No job was made: {}\n", text(refusal));
    }
    if let Some((name, command)) = backlog.and_then(Backlog::next) {
        let _ = writeln!(out, "{name}:\n\n{}", fenced("sh", command));
    }
    out
}

fn items(title: &str, items: &[String]) -> String {
    let mut out = String::new();
    if !title.is_empty() && !items.is_empty() {
        let _ = writeln!(out, "**{title}**\n");
    }
    for item in items {
        let _ = writeln!(out, "- {}", text(item));
    }
    if !items.is_empty() {
        out.push('\n');
    }
    out
}

/// A sentence of ours, in which names stand in backticks. Whatever a name does to the backticks, each part is either
/// code or text, and neither becomes markup.
fn text(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // The last of an odd number of backticks opens nothing.
    let spans = if parts.len() % 2 == 1 {
        parts.len()
    } else {
        parts.len() - 1
    };
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        match (at % 2 == 1, at < spans) {
            (true, true) => out.push_str(&code(part)),
            (true, false) => out.push_str(&plain(&format!("`{part}"))),
            (false, _) => out.push_str(&plain(part)),
        }
    }
    out
}

/// The same in a table, where a pipe ends a cell even in code.
fn cell(sentence: &str) -> String {
    let mut out = String::new();
    for character in text(sentence).chars() {
        if character == '|' && !out.ends_with('\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Text on one line that stays text.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for character in visible(text).chars() {
        match character {
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '\\' | '*' | '_' | '`' | '[' | ']' | '|' | '~' | '$' => {
                shown.push('\\');
                shown.push(character);
            }
            // A mention or a reference begins with these, wherever they stand; a comment between breaks it.
            '@' | '#' => {
                shown.push(character);
                shown.push_str(BREAK);
            }
            ':' => {
                shown.push(character);
                shown.push_str(BREAK);
            }
            character => shown.push(character),
        }
    }
    unbroken(&shown).replace("www.", &format!("www{BREAK}."))
}

/// Takes the break out again after colons that begin no address, so that the source stays readable.
fn unbroken(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split(COLON).peekable();
    while let Some(part) = parts.next() {
        out.push_str(part);
        if let Some(next) = parts.peek() {
            out.push(':');
            if next.starts_with("//") {
                out.push_str(BREAK);
            }
        }
    }
    out
}

/// A code span: nothing in it is markup, and a run of backticks longer than any in it ends it.
fn code(text: &str) -> String {
    let shown = visible(text);
    let longest = longest_run(&shown);
    let ticks = "`".repeat(longest + 1);
    let space = if shown.starts_with('`') || shown.ends_with('`') || shown.is_empty() {
        " "
    } else {
        ""
    };
    format!("{ticks}{space}{shown}{space}{ticks}")
}

/// A fenced block, whose fence is longer than any run of backticks in it.
fn fenced(language: &str, text: &str) -> String {
    let shown: Vec<String> = text.lines().map(pasteable).collect();
    let shown = shown.join("\n");
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    format!("{fence}{language}\n{shown}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut current = 0;
    for character in text.chars() {
        current = if character == '`' { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

fn html(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_becomes_no_markup_and_calls_nobody() {
        for (given, shown) in [
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("[a](b)", "\\[a\\](b)"),
            ("rule `a|b*c` of *x*", "rule `a|b*c` of \\*x\\*"),
            ("a ` <b>", "a \\` &lt;b&gt;"),
            ("`a``<b>`", "`a``<b>`"),
            ("@everyone #1", "@<!-- -->everyone #<!-- -->1"),
            ("https://evil", "https:<!-- -->//evil"),
            ("www.evil", "www<!-- -->.evil"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("a|b\nc", "a\\|b\\\\u{a}c"),
        ] {
            assert_eq!(text(given), shown);
        }
    }

    #[test]
    fn nothing_ends_a_cell_of_a_table() {
        assert_eq!(cell("`a|b` | c"), "`a\\|b` \\| c");
    }

    #[test]
    fn backticks_end_no_code() {
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
        assert!(fenced("sh", "a ```` b").starts_with("`````sh\n"));
    }
}
