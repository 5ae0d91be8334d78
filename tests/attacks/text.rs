//! What strangers name things goes into policies: it can say nothing there but itself.

use s3_replication_remediator::arn::BucketName;
use s3_replication_remediator::plan::size;
use serde_json::{Value, json};

use crate::world::*;

fn with_prefix(prefix: &str) -> Value {
    let mut account = bare();
    account["buckets"]["source"]["replication"]["Rules"] =
        json!([rule("r1", prefix, "replica", REPLICA_KEY)]);
    account
}

#[tokio::test]
async fn a_prefix_made_of_wildcards_and_variables_matches_itself_alone() {
    for (prefix, written) in [
        ("*", "${*}*"),
        ("?", "${?}*"),
        ("$", "${$}*"),
        ("${aws:username}", "${$}{aws:username}*"),
        ("${*}", "${$}{${*}}*"),
        ("$*{?}", "${$}${*}{${?}}*"),
        ("\"},{\"Effect\":\"Allow\"", "\"},{\"Effect\":\"Allow\"*"),
        ("\\", "\\*"),
        ("'; rm -rf /; '", "'; rm -rf /; '*"),
        ("../", "../*"),
        ("arn:aws:s3:::other/", "arn:aws:s3:::other/*"),
    ] {
        let checked = check_json(&with_prefix(prefix)).await;
        checked.reviewed();
        let document = checked.document().unwrap();
        let expected = format!("arn:aws:s3:::source/{written}");
        assert!(
            document.to_string().contains(&json!(expected).to_string()),
            "{prefix}: {document}"
        );
        for statement in document["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for resource in statement["Resource"].as_array().unwrap() {
                assert!(
                    ["arn:aws:s3:::source", "arn:aws:s3:::replica", "arn:aws:kms:"]
                        .iter()
                        .any(|start| resource.as_str().unwrap().starts_with(start)),
                    "{resource}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_prefix_that_no_policy_can_hold_is_withheld_and_never_widened() {
    for prefix in [
        "\n",
        "a\u{0}b",
        "\u{1f600}",
        "日本/",
        "\u{202e}",
        "\u{7f}",
        "a\tb",
    ] {
        let checked = check_json(&with_prefix(prefix)).await;
        checked.reviewed();
        let text = checked.document().unwrap_or_default().to_string();
        assert!(!text.contains("arn:aws:s3:::source/"), "{prefix:?} {text}");
        assert!(checked.guards().contains(&"prefix-characters"), "{prefix:?}");
    }
}

#[tokio::test]
async fn the_longest_prefix_is_written_whole_or_not_at_all() {
    for prefix in ["x".repeat(1024), "*".repeat(1024)] {
        let checked = check_json(&with_prefix(&prefix)).await;
        checked.reviewed();
        match checked.document() {
            Some(document) => assert!(document.to_string().chars().count() <= size::LIMIT),
            None => assert_eq!(checked.guards(), ["inline-policy-size"]),
        }
    }
}

#[tokio::test]
async fn more_rules_than_a_role_has_room_for_are_withheld_and_never_joined_into_something_wider() {
    let mut account = bare();
    let rules: Vec<Value> = (0..200)
        .map(|n| {
            rule(
                &format!("r{n}"),
                &format!("prefix-{n:04}/"),
                "replica",
                REPLICA_KEY,
            )
        })
        .collect();
    account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
    let checked = check_json(&account).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);
    assert_eq!(checked.guards(), ["inline-policy-size"]);
}

#[test]
fn no_name_of_a_bucket_can_carry_anything_but_a_name() {
    for name in [
        "a*b", "a?b", "a/b", "a:b", "a$b", "a b", "a'b", "a\"b", "a\nb", "a\\b", "a=b", "ab", "a;b", "a`b",
        "é", "a\u{0}b",
    ] {
        assert!(name.parse::<BucketName>().is_err(), "{name:?}");
    }
    assert!("a".repeat(256).parse::<BucketName>().is_err());
}
