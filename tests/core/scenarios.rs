//! Stories: an account, an event, and everything that must be told about them, no more and no less.
//!
//! `tests/scenarios/README.md` says how one is written. Each is run through decoding, collecting, assessing and
//! checking. `UPDATE_SCENARIOS=1 cargo test` writes what is told anew, for a person to read in the diff.

mod causes;
mod crash;
mod defects;
mod document;
mod many_rules;
mod messages;
mod patch;
mod properties;
mod render;
mod story;

use std::collections::BTreeSet;
use std::fs;

use s3_replication_remediator::check::CheckId;

use render::render;
use story::Story;

#[test]
fn every_story_is_told_as_it_should_be() {
    let mut wrong = Vec::new();
    for story in Story::all() {
        let told = story.tell();
        wrong.extend(
            story
                .deviations(&told)
                .iter()
                .map(|line| format!("{}: {line}", story.name)),
        );
        let file = story.path("told.txt");
        let text = render(&told);
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&file, &text).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push(format!(
                "{}: told.txt differs from what is told now:\n{text}",
                story.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_says_which_call_gave_which_value_and_what_to_do() {
    for story in Story::all() {
        for finding in story.tell().outcome.findings {
            let name = format!("{}: {}", story.name, finding.check.as_str());
            let calls = ["s3:", "kms:", "iam:"];
            assert!(
                finding
                    .evidence
                    .iter()
                    .any(|one| calls.iter().any(|call| one.source.starts_with(call))),
                "{name}: no call is named in {:?}",
                finding.evidence
            );
            let texts = [
                &finding.summary,
                &finding.expected,
                &finding.found,
                &finding.remedy.owner,
            ]
            .into_iter()
            // A remedy has its commands on lines of their own.
            .map(String::as_str)
            .chain(finding.remedy.text.lines())
            .chain(
                finding
                    .evidence
                    .iter()
                    .flat_map(|one| [one.source.as_str(), &one.detail]),
            );
            for text in texts {
                assert!(!text.trim().is_empty(), "{name}: an empty text");
                for leftover in ["Some(", "None", "Found(", "{:?}", "  ", "\n", "Denied("] {
                    assert!(!text.contains(leftover), "{name}: `{leftover}` in `{text}`");
                }
            }
        }
    }
}

#[test]
fn a_healthy_story_has_neither_error_nor_warning() {
    let healthy: Vec<Story> = Story::all()
        .into_iter()
        .filter(|story| story.name.starts_with("healthy/"))
        .collect();
    assert!(healthy.len() >= 20, "only {}", healthy.len());
    for story in healthy {
        assert_eq!(story.tell().verdict(), "healthy", "{}", story.name);
    }
}

#[test]
fn every_check_is_heard_in_some_story() {
    let heard: BTreeSet<CheckId> = Story::all()
        .iter()
        .flat_map(|story| story.tell().outcome.findings)
        .map(|finding| finding.check)
        .collect();
    let silent: Vec<&str> = CheckId::ALL
        .iter()
        .filter(|id| !heard.contains(id))
        .map(|id| id.as_str())
        .collect();
    assert!(silent.is_empty(), "no story of {silent:?}");
}
