//! What people read of each story, held against `message.txt` beside it: all but what stands in `told.txt`, and what is
//! the same in every message. `UPDATE_SCENARIOS=1 cargo test` writes it anew.

use std::fs;

use s3_replication_remediator::check::NOBODY_CAN_SEE;
use s3_replication_remediator::notify::Notification;

use super::story::Story;

/// As much of a line as a person sees.
const SHOWN: usize = 160;

/// The message without the body of each finding, and without what ends every message.
fn in_short(message: &Notification) -> String {
    let mut short = format!("{}\n\n", message.subject);
    let mut is_in_finding = false;
    let (text, _) = message
        .text
        .rsplit_once("\nReport ")
        .expect("it names the report");
    for line in text.lines() {
        let is_row = line.starts_with("   ");
        if !is_row {
            is_in_finding = line
                .split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        }
        let is_everywhere = NOBODY_CAN_SEE.contains(&line.trim())
            || line == "Check again:"
            || line.contains(r#"{"command":"check""#);
        if (is_row && is_in_finding) || is_everywhere {
            continue;
        }
        short.extend(line.chars().take(SHOWN));
        if line.chars().nth(SHOWN).is_some() {
            short.push('…');
        }
        short.push('\n');
    }
    short
}

#[test]
fn what_people_read_of_every_story_is_as_it_was_reviewed() {
    let mut wrong = Vec::new();
    for story in Story::all() {
        let file = story.path("message.txt");
        let text = in_short(&story.message());
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&file, &text).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push(format!(
                "{}: message.txt differs from what is sent now:\n{text}",
                story.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_message_has_a_line_that_says_nothing_or_more_than_sns_takes() {
    for story in Story::all() {
        let message = story.message();
        let name = &story.name;
        assert!(
            message.subject.len() < 100 && message.subject.is_ascii(),
            "{name}: {}",
            message.subject
        );
        assert!(message.text.len() < 250 * 1024, "{name}");
        assert!(
            message.text.contains("\nCheck again:\n"),
            "{name}: how to look again"
        );
        let (head, _) = message.text.split_once("\n\n").expect("a head by itself");
        assert!(
            head.lines().count() <= 5,
            "{name}: more than a phone shows:\n{head}"
        );
        for line in message.text.lines() {
            let said = line.trim();
            assert!(!said.ends_with(':') || said.len() > 5, "{name}: `{line}`");
            for leftover in ["None", "Some(", "null", "unknown", "not given", " ,", "()"] {
                let is_quoted = said.starts_with(['+', '-', '{', 'a']) || said.contains("aws ");
                assert!(
                    is_quoted || !said.ends_with(leftover),
                    "{name}: `{leftover}` in `{line}`"
                );
            }
        }
    }
}
