//! The page for a browser, of accounts that strain it: whatever it shows, its links lead somewhere and nothing is called alike.
//!
//! `PAGES=folder cargo test --test cli pages` leaves the pages there, for a person to look at, on a phone and on paper too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use s3_replication_remediator::cli::arguments::Format;
use s3_replication_remediator::cli::look::Looked;
use s3_replication_remediator::cli::output::Answers;
use serde_json::{Value, json};

use crate::account::World;
use crate::forms::{BROKEN, SOURCE, TWELVE, among_strangers, look, told_as, twelve};

/// Every value of an attribute, in the order of the page.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.split(&format!(" {name}=\""))
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0))
        .collect()
}

#[track_caller]
fn is_a_page(name: &str, looked: Vec<Looked>, is_list: bool) -> String {
    let answers = Answers::new(looked, is_list, None).unwrap();
    let page = answers.written(Format::Html).unwrap();
    if let Some(folder) = std::env::var_os("PAGES") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.html")), &page).unwrap();
    }
    let ids = attributes(&page, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an id stands twice");
    for target in attributes(&page, "href")
        .iter()
        .filter_map(|href| href.strip_prefix('#'))
    {
        assert!(unique.contains(target), "nothing is called {target}");
    }
    for tag in [
        "section", "details", "div", "ol", "ul", "dl", "svg", "a", "p", "li", "pre",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert_eq!(page.matches("<h1").count(), 1);
    assert!(page.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"));
    page
}

/// The account of many reasons, with other rules.
fn with_rules(rules: impl Iterator<Item = Value>) -> Looked {
    let mut account: Value = serde_json::from_str(BROKEN).unwrap();
    account["buckets"][SOURCE]["replication"]["Rules"] = rules.collect();
    look(&World::new(&account.to_string()), SOURCE, None)
}

fn rule(number: usize, id: &str, prefix: &str, destination: &str) -> Value {
    let account: Value = serde_json::from_str(BROKEN).unwrap();
    let mut rule = account["buckets"][SOURCE]["replication"]["Rules"][0].clone();
    rule["ID"] = json!(id);
    rule["Priority"] = json!(number);
    rule["Filter"] = json!({"Prefix": prefix});
    rule["Destination"]["Bucket"] = json!(format!("arn:aws:s3:::{destination}"));
    rule
}

#[test]
fn a_healthy_bucket_and_a_broken_one_are_drawn_as_recorded() {
    is_a_page("healthy", vec![told_as(TWELVE[0], 1)], false);
    is_a_page("broken", vec![look(&World::new(BROKEN), SOURCE, None)], false);
}

#[test]
fn twelve_buckets_are_drawn_on_a_map() {
    let page = is_a_page("twelve", twelve().looked, true);
    assert!(page.contains("class=\"map\""));
}

#[test]
fn two_hundred_buckets_are_a_list_without_a_map() {
    let looked = (1..=200)
        .map(|number| told_as(TWELVE[number % TWELVE.len()], number))
        .collect();
    let page = is_a_page("two-hundred", looked, true);
    assert!(!page.contains("class=\"map\""));
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
}

#[test]
fn a_hundred_rules_are_drawn_into_one_bucket_and_into_forty() {
    let one = with_rules((0..100).map(|number| {
        let prefix = format!("team-{number:03}/");
        rule(
            number,
            &format!("to-archive-{number:03}"),
            &prefix,
            "amzn-s3-demo-destination-bucket",
        )
    }));
    let page = is_a_page("hundred-rules", vec![one], false);
    assert!(page.contains(" and 94 more"));
    let forty = with_rules((0..100).map(|number| {
        let prefix = format!("team-{number:03}/");
        let destination = format!("amzn-s3-demo-destination-bucket-{:02}", number % 40);
        rule(number, &format!("to-archive-{number:03}"), &prefix, &destination)
    }));
    let page = is_a_page("forty-destinations", vec![forty], false);
    assert!(page.contains(" more ways, none worse than these"));
}

#[test]
fn names_of_strangers_are_drawn_however_long_and_whichever_way_they_run() {
    is_a_page("strangers", among_strangers().looked, false);
    let long = "k".repeat(1_024);
    let names = [
        "شركة-النسخ-الاحتياطي",
        "\u{202e}txt.exe\u{202d}",
        "日本語のルール",
        &"r".repeat(255),
    ];
    let looked = with_rules(names.iter().enumerate().map(|(number, name)| {
        let prefix = match number {
            0 => "مجلد/",
            1 => "\u{2066}a\u{2069}/",
            2 => "\u{1f4be}/e\u{301}/",
            _ => &long,
        };
        rule(number, name, prefix, "amzn-s3-demo-destination-bucket")
    }));
    let page = is_a_page("long-names", vec![looked], false);
    assert!(page.contains("شركة"));
    assert!(!page.contains(['\u{202e}', '\u{202d}', '\u{2066}', '\u{2069}']));
}

#[test]
fn buckets_of_other_accounts_are_drawn_as_such() {
    let stories = [
        "role-lacks-the-other-accounts-key",
        "destination-of-a-stranger",
        "healthy/another-account-with-a-member-role",
    ];
    for (number, story) in stories.into_iter().enumerate() {
        is_a_page(
            &format!("other-account-{number}"),
            vec![told_as(story, number)],
            false,
        );
    }
}

#[test]
fn buckets_are_named_in_the_partition_in_which_they_lie() {
    let china = BROKEN
        .replace("arn:aws:", "arn:aws-cn:")
        .replace("eu-west-1", "cn-north-1")
        .replacen("{\"role\"", "{\"region\": \"cn-north-1\", \"role\"", 1)
        .replace("eu-central-1", "cn-northwest-1");
    let page = is_a_page("china", vec![look(&World::new(&china), SOURCE, None)], false);
    assert!(page.contains(&format!("arn:aws-cn:s3:::{SOURCE}")));
    assert!(!page.contains("arn:aws:"), "{page}");
}
