//! Every form of the answers, held against files in `forms/`.
//!
//! `UPDATE_FORMS=1 cargo test --test cli` writes them anew, for a person to read in the diff, and to look at in a browser.

use std::fs;
use std::path::Path;

use s3_replication_remediator::arn::BucketName;
use s3_replication_remediator::cli::arguments::Format;
use s3_replication_remediator::cli::configuration::Configuration;
use s3_replication_remediator::cli::look::{Looked, Question, Session};
use s3_replication_remediator::cli::output::{Answers, File};
use s3_replication_remediator::cli::settings::Given;
use s3_replication_remediator::report::Caller;
use s3_replication_remediator::snapshot::Replication;
use serde_json::{Value, json};

use crate::account::World;
use crate::story::Story;

pub(crate) const BROKEN: &str = include_str!("../core/handler/many-reasons.json");
pub(crate) const SOURCE: &str = "amzn-s3-demo-source-bucket";
const CONFIGURATION: &str = include_str!("forms/replication.json");

/// What a stranger would call things.
pub(crate) const HOSTILE: &str = "\"'><img src=x onerror=alert(1)> </title><script>alert(1)</script> @everyone #1 https://evil.example \
                       [a](javascript:alert(1)) | `$(id)` ``` {{ 7*7 }}\r\nHEALTHY\u{202e}\u{1b}[31m\u{7}\u{200b}";

/// The twelve buckets of an account that has seen everything.
pub(crate) const TWELVE: [&str; 12] = [
    "healthy/aws-two-keys-with-bucket-keys",
    "role-gone-and-destination-gone",
    "four-denials-that-used-to-take-a-month",
    "metrics-off",
    "key-policy-unread",
    "healthy/filter-with-tags",
    "replica-key-in-the-sources-region",
    "one-of-two-rules-is-wrong",
    "destination-of-a-stranger",
    "healthy/another-account-with-a-member-role",
    "replica-key-named-by-alias",
    "every-rule-disabled",
];

pub(crate) fn look(world: &World, bucket: &str, planned: Option<&Replication>) -> Looked {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let session = Session {
            aws: world,
            identity: world.identity(),
            config: Given::default().config(std::iter::empty()).unwrap(),
            caller: Caller::CommandLine {
                region: "eu-west-1".parse().unwrap(),
                options: " --profile prod".to_owned(),
            },
        };
        let bucket: BucketName = bucket.parse().unwrap();
        let question = planned.map_or(Question::Check, Question::CheckPlanned);
        let now = "2026-09-14T09:13:00Z".parse().unwrap();
        session.ask(&bucket, None, &question, now).await.unwrap()
    })
}

fn one(world: &World, bucket: &str) -> Answers {
    Answers::new(vec![look(world, bucket, None)], false, None).unwrap()
}

/// A story with its buckets called otherwise.
pub(crate) fn told_as(story: &str, number: usize) -> Looked {
    let account = Story::named(story).account.to_string();
    let name = format!("invoices-{number:02}");
    let world = World::new(&account.replace("invoices", &name));
    look(&world, &name, None)
}

pub(crate) fn twelve() -> Answers {
    let looked = TWELVE
        .iter()
        .enumerate()
        .map(|(at, story)| told_as(story, at + 1))
        .collect();
    Answers::new(looked, true, None).unwrap()
}

/// The story of many reasons, in which every text that a stranger may choose is hostile.
pub(crate) fn among_strangers() -> Answers {
    let world = World::new(BROKEN);
    world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        let rule = &mut source.replication.as_mut().unwrap().rules[0];
        rule.id = HOSTILE.to_owned();
        rule.filter = serde_json::from_value(json!({"Prefix": HOSTILE})).unwrap();
        let (_, role) = state.roles.iter_mut().next().unwrap();
        role.tags.clear();
        role.tags.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
        let policy = role.inline.remove("replication").unwrap();
        role.inline.insert(HOSTILE.to_owned(), policy);
    });
    one(&world, SOURCE)
}

/// A file that is about to be put for a bucket of that account.
fn before_the_put() -> Answers {
    let configuration = Configuration::parse(CONFIGURATION).unwrap();
    let looked = look(&World::new(BROKEN), SOURCE, Some(&configuration.replication));
    let file = File {
        path: "infra/replication.json".to_owned(),
        configuration,
    };
    Answers::new(vec![looked], false, Some(file)).unwrap()
}

#[track_caller]
fn is_written(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/forms")
        .join(name);
    if std::env::var_os("UPDATE_FORMS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs from what is written now",
        file.display()
    );
}

#[track_caller]
fn are_written(name: &str, answers: &Answers, formats: &[Format]) {
    for format in formats {
        let ending = match format {
            Format::Text => "txt",
            Format::Json => "json",
            Format::Markdown => "markdown",
            Format::Sarif => "sarif",
            Format::Html => "html",
        };
        let text = answers.written(*format).unwrap();
        let text = match format {
            Format::Text => anstream::adapter::strip_str(&text).to_string(),
            Format::Sarif => without_help(&text),
            Format::Json | Format::Markdown | Format::Html => text,
        };
        is_written(&format!("{name}.{ending}"), &text);
    }
}

/// What docs/CHECKS.md says is held against that document elsewhere, and changes with it alone.
fn without_help(sarif: &str) -> String {
    let mut sarif: Value = serde_json::from_str(sarif).unwrap();
    for rule in sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array_mut()
        .unwrap()
    {
        assert!(!rule["help"]["markdown"].as_str().unwrap().is_empty());
        *rule = json!({"id": rule["id"]});
    }
    format!("{sarif:#}\n")
}

fn json(answers: &Answers, format: Format) -> Value {
    serde_json::from_str(&answers.written(format).unwrap()).unwrap()
}

#[test]
fn a_bucket_that_is_broken_for_many_reasons_is_written_in_every_form() {
    let answers = one(&World::new(BROKEN), SOURCE);
    are_written(
        "many-reasons",
        &answers,
        &[Format::Text, Format::Markdown, Format::Sarif, Format::Html],
    );
}

#[test]
fn a_bucket_with_one_rule_that_works_is_written_in_every_form() {
    let answers = Answers::new(vec![told_as(TWELVE[0], 1)], false, None).unwrap();
    are_written(
        "healthy",
        &answers,
        &[Format::Markdown, Format::Sarif, Format::Html],
    );
}

#[test]
fn twelve_buckets_at_once_are_written_in_every_form() {
    are_written(
        "twelve",
        &twelve(),
        &[Format::Text, Format::Markdown, Format::Html],
    );
}

#[test]
fn a_file_before_it_is_put_is_written_in_every_form() {
    are_written(
        "before-the-put",
        &before_the_put(),
        &[Format::Markdown, Format::Sarif],
    );
}

#[test]
fn json_is_report_v1_for_one_bucket_and_a_list_for_several() {
    let one = one(&World::new(BROKEN), SOURCE);
    assert_eq!(
        json(&one, Format::Json)["schema"],
        "s3-replication-remediator/report/v1"
    );
    let several = json(&twelve(), Format::Json);
    assert_eq!(several.as_array().unwrap().len(), 12);
    let none = Answers::new(Vec::new(), true, None).unwrap();
    assert_eq!(json(&none, Format::Json), json!([]));
    let one_of_all = Answers::new(one.looked, true, None).unwrap();
    assert_eq!(json(&one_of_all, Format::Json).as_array().unwrap().len(), 1);
}

#[test]
fn a_report_that_was_kept_in_a_file_is_written_the_same() {
    let kept = twelve();
    let text = serde_json::to_string(&kept.looked).unwrap();
    let read: Vec<Looked> = serde_json::from_str(&text).unwrap();
    let read = Answers::new(read, true, None).unwrap();
    for format in [
        Format::Text,
        Format::Json,
        Format::Markdown,
        Format::Sarif,
        Format::Html,
    ] {
        assert_eq!(read.written(format).unwrap(), kept.written(format).unwrap());
    }
}

/// The same value once for each text in it, with another text in that place.
fn each_text_replaced(value: &Value, text: &str) -> Vec<Value> {
    fn places(value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(place.to_owned()),
            Value::Array(values) => values
                .iter()
                .enumerate()
                .for_each(|(at, value)| places(value, &format!("{place}/{at}"), found)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{place}/{name}"), found);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    places(value, "", &mut found);
    let replaced = |place: &String| {
        let mut value = value.clone();
        *value.pointer_mut(place).unwrap() = json!(text);
        value
    };
    found.iter().map(replaced).collect()
}

#[test]
fn no_text_of_a_report_that_somebody_changed_in_its_file_acts_in_any_form() {
    const CONTROL: &str = "2026\0\u{1b}[31m\u{202e}\u{200b}\u{7}";
    let kept = twelve().looked;
    let changed = kept
        .iter()
        .flat_map(|looked| each_text_replaced(&looked.report, CONTROL));
    let mut read = 0;
    for report in changed {
        let looked = Looked {
            report,
            text: CONTROL.to_owned(),
            picture: Default::default(),
        };
        let Ok(answers) = Answers::new(vec![looked], false, None) else {
            continue;
        };
        read += 1;
        for format in [Format::Text, Format::Markdown, Format::Html, Format::Sarif] {
            let written = answers.written(format).unwrap();
            // Colours of our own begin with an escape, in the text alone.
            let is_ours = |c: char| c == '\n' || (format == Format::Text && c == '\u{1b}');
            let acts = |c: char| (c.is_control() && !is_ours(c)) || matches!(c, '\u{202e}' | '\u{200b}');
            assert!(!written.contains(acts), "{format:?}: {}", written.escape_debug());
        }
    }
    assert!(read > 300, "{read}");
}

#[test]
fn without_a_bucket_every_form_says_so() {
    let none = Answers::new(Vec::new(), true, None).unwrap();
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = none.written(format).unwrap().to_lowercase();
        assert!(
            text.contains("no bucket with a replication configuration"),
            "{text}"
        );
    }
    assert_eq!(json(&none, Format::Sarif)["runs"][0]["results"], json!([]));
}

#[test]
fn nothing_of_a_stranger_becomes_markup_in_the_page() {
    let page = among_strangers().written(Format::Html).unwrap();
    assert!(
        page.contains("&#60;img src=x") || page.contains("&lt;img src=x"),
        "it is shown"
    );
    let lower = page.to_lowercase();
    for markup in [
        "<img",
        "<script",
        "</title><",
        "<iframe",
        "javascript:alert(1)\"",
        "onerror=alert(1)>",
    ] {
        assert!(!lower.contains(markup), "{markup}");
    }
    // Nothing leads out of the page but to the manual, and nothing is fetched.
    for part in page.split("href=\"").skip(1) {
        let is_ours = part.starts_with('#') || part.starts_with("https://docs.aws.amazon.com/");
        assert!(is_ours, "{}", part.chars().take(80).collect::<String>());
    }
    for fetched in [" src=", "url(", "@import", "<link", " style=", " onclick"] {
        assert!(!lower.replace("img src=x", "").contains(fetched), "{fetched}");
    }
    assert!(!page.contains(['\u{202e}', '\u{1b}', '\u{7}', '\u{200b}']));
}

#[test]
fn nothing_of_a_stranger_acts_in_markdown() {
    let text = among_strangers().written(Format::Markdown).unwrap();
    assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{7}', '\u{200b}']));
    // What stands in code is code; the rest is looked at.
    let mut is_fenced = false;
    for row in text.lines() {
        if row.trim_start_matches('`').len() + 3 <= row.len() {
            is_fenced = !is_fenced;
            continue;
        }
        if is_fenced {
            continue;
        }
        for markup in ["<img", "<script", "</title>"] {
            for (at, _) in row.match_indices(markup) {
                let ticks = row.get(..at).unwrap().matches('`').count();
                assert!(ticks > 0, "{markup} outside of code: {row}");
            }
        }
    }
}

#[test]
fn nothing_of_a_stranger_reaches_a_terminal_or_a_log_of_sarif() {
    let answers = among_strangers();
    let text = anstream::adapter::strip_str(&answers.written(Format::Text).unwrap()).to_string();
    assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{7}', '\u{200b}', '<']));
    let sarif = json(&answers, Format::Sarif);
    let message = sarif["runs"][0]["results"][0]["message"]["text"]
        .as_str()
        .unwrap();
    assert!(!message.contains(['\u{202e}', '\u{1b}', '\u{7}', '\u{200b}']));
}

#[test]
fn the_same_finding_keeps_its_fingerprint_when_its_words_change() {
    let prints = |answers: &Answers| -> Vec<String> {
        let sarif = json(answers, Format::Sarif);
        let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
        results
            .iter()
            .map(|result| result["partialFingerprints"]["bucketCheckSubject/v1"].to_string())
            .collect()
    };
    let before = prints(&one(&World::new(BROKEN), SOURCE));
    let unique: std::collections::BTreeSet<&String> = before.iter().collect();
    assert_eq!(unique.len(), before.len());
    assert_eq!(prints(&one(&World::new(BROKEN), SOURCE)), before);
    // The rule is called otherwise, and there is another place where it stands.
    let renamed = World::new(BROKEN);
    renamed.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        source.replication.as_mut().unwrap().rules[0].id = "renamed".to_owned();
    });
    assert_eq!(prints(&one(&renamed, SOURCE)), before);
}

#[test]
fn a_finding_of_a_file_points_at_the_line_of_its_rule() {
    let sarif = json(&before_the_put(), Format::Sarif);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "infra/replication.json");
        let line = place["region"]["startLine"].as_u64().unwrap();
        let rule = CONFIGURATION
            .lines()
            .nth(usize::try_from(line).unwrap() - 1)
            .unwrap();
        let has_rule = !result["properties"]["ruleIds"].as_array().unwrap().is_empty();
        assert!(line == 1 || rule.trim_start().starts_with('{'), "{line}: {rule}");
        assert!(!has_rule || line > 1, "{result}");
    }
    let lines: std::collections::BTreeSet<u64> = results
        .iter()
        .map(|result| {
            result["locations"][0]["physicalLocation"]["region"]["startLine"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(lines.len() > 1, "{lines:?}");
}
