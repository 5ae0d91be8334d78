//! `explain`: what a check means, from the copy of `docs/CHECKS.md` in the program.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::json;

use super::arguments::{ExplainArguments, PlainFormat};
use super::checks::{Chapter, alike};
use super::exit::Exit;
use super::{Problem, say};

const BOLD: Style = Style::new().bold();

pub(super) fn run(said: &ExplainArguments) -> Result<Exit, Problem> {
    let text = match (&said.check, said.output) {
        (None, PlainFormat::Text) => list(),
        (None, PlainFormat::Json) => written(&json!(Chapter::all().map(described).collect::<Vec<_>>())),
        (Some(check), output) => {
            let chapter = Chapter::of(check.trim()).ok_or_else(|| Problem::Usage(unknown(check)))?;
            match output {
                PlainFormat::Text => shown(&chapter),
                PlainFormat::Json => written(&described(chapter)),
            }
        }
    };
    say(&text)?;
    Ok(Exit::Healthy)
}

fn described(chapter: Chapter) -> serde_json::Value {
    json!({"id": chapter.id, "summary": chapter.summary, "markdown": chapter.text})
}

fn written(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn list() -> String {
    let mut out = String::new();
    for chapter in Chapter::all() {
        let first = chapter
            .summary
            .split_once(". ")
            .map_or(chapter.summary, |(first, _)| first);
        let first = first.trim_end_matches('.');
        let _ = writeln!(out, "{BOLD}{}{BOLD:#}\n    {first}", chapter.id);
    }
    out
}

/// The chapter as it is written, the words that lead its paragraphs brought out.
fn shown(chapter: &Chapter) -> String {
    let mut out = format!("{BOLD}{}{BOLD:#}\n\n", chapter.id);
    let mut is_code = false;
    for row in chapter.text.lines() {
        if row.starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let _ = match row.strip_prefix("**").and_then(|rest| rest.split_once("**")) {
            Some((lead, rest)) => writeln!(out, "{BOLD}{lead}{BOLD:#}{rest}"),
            None if is_code && !row.is_empty() => writeln!(out, "    {row}"),
            None => writeln!(out, "{row}"),
        };
    }
    out
}

fn unknown(check: &str) -> String {
    let check: String = check.chars().take(100).collect();
    let meant: Vec<String> = alike(&check).iter().map(|id| format!("`{id}`")).collect();
    let hint = match meant.is_empty() {
        true => "`explain` alone lists all".to_owned(),
        false => format!("did you mean {}?", meant.join(" or ")),
    };
    format!("there is no check `{}`; {hint}", check.escape_debug())
}
