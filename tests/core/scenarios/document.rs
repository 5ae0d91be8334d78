//! `docs/CHECKS.md` against the checks and the stories: no check is left out, and no example is invented.

use std::fs;
use std::path::{Path, PathBuf};

use s3_replication_remediator::check::CheckId;

use super::render::in_short;
use super::story::Story;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CHECKS.md")
}

#[test]
fn every_check_has_its_chapter_in_the_order_in_which_findings_are_told() {
    let text = fs::read_to_string(file()).unwrap();
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let ids: Vec<&str> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
    assert_eq!(headings, ids);
}

#[test]
fn every_check_has_a_file_of_its_name() {
    for id in CheckId::ALL {
        let name = format!("src/check/{}.rs", id.as_str().replace('-', "_"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let opening = format!("//! `{}`: ", id.as_str());
        assert!(
            text.starts_with(&opening),
            "{name} does not open with `{opening}`"
        );
    }
}

#[test]
fn every_example_is_what_its_story_tells() {
    let text = fs::read_to_string(file()).unwrap();
    let mut written = String::new();
    let mut chapter = "";
    let mut story = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        written.push_str(line);
        written.push('\n');
        if let Some(id) = line.strip_prefix("## ") {
            chapter = id;
        }
        if let Some(name) = line.strip_prefix("Story: `") {
            story = Some(name.trim_end_matches('`'));
        }
        if line == "```text" {
            let name = story
                .take()
                .unwrap_or_else(|| panic!("{chapter}: of which story?"));
            let findings = Story::named(name).tell().outcome.findings;
            let finding = findings.iter().find(|finding| finding.check.as_str() == chapter);
            written.push_str(&in_short(
                finding.unwrap_or_else(|| panic!("{name} tells nothing of {chapter}")),
            ));
            written.push_str("```\n");
            lines
                .by_ref()
                .find(|line| *line == "```")
                .expect("the end of the example");
        }
    }
    if std::env::var_os("UPDATE_SCENARIOS").is_some() {
        fs::write(file(), &written).unwrap();
    }
    assert!(
        text == written || std::env::var_os("UPDATE_SCENARIOS").is_some(),
        "an example has changed"
    );
}
