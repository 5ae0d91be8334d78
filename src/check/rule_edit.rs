//! The command that changes rules of a bucket's replication configuration, for a person to paste.
//!
//! S3 knows no change of one rule: the whole configuration is read, changed and put
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::arn::{BucketName, RoleArn};
use crate::shell::shell_quote;
use crate::snapshot::Rule;

/// The command that sets these elements, each a path and a text, in these rules and in no other, however many they are.
pub(super) fn rule_edit<'a>(
    bucket: &BucketName,
    rules: impl IntoIterator<Item = &'a Rule>,
    elements: &[(&str, &str)],
) -> String {
    let ids: BTreeSet<&str> = rules.into_iter().map(|rule| rule.id.as_str()).collect();
    let changes: Vec<String> = elements
        .iter()
        .map(|(path, text)| format!("{}.update({})", holder(path), json!({last(path): text})))
        .collect();
    // A rule that is not there by this id any more, or that a terminal has changed on the way, is no reason to put the
    // configuration back as it was and to be content.
    let change = format!(
        "ids = json.loads(sys.argv[1]); rules = [rule for rule in c[\"Rules\"] if rule[\"ID\"] in ids]; \
         len(rules) == len(ids) or sys.exit(\"no such rule\"); [({}) for rule in rules]",
        changes.join(", ")
    );
    configuration_edit(bucket, &change, Some(json!(ids)))
}

/// The command that has S3 use another role.
pub(super) fn role_edit(bucket: &BucketName, role: &RoleArn) -> String {
    configuration_edit(bucket, &format!("c.update({})", json!({"Role": role})), None)
}

/// Reads the configuration, changes it as a line of Python says, and puts it. Python is there wherever the AWS command
/// line is; jq is not. Each step is taken only if the one before it succeeded, which a pipe would hide. What a rule's
/// author wrote is an argument in JSON: Python's own literals know other escapes.
fn configuration_edit(bucket: &BucketName, change: &str, argument: Option<Value>) -> String {
    let program = format!(
        "import json, sys; c = json.load(open(\"replication.json\")); {change}; \
         json.dump(c, open(\"replication.json\", \"w\"))"
    );
    let argument = argument.map_or_else(String::new, |argument| {
        format!(" {}", shell_quote(&argument.to_string()))
    });
    format!(
        "aws s3api get-bucket-replication --bucket {bucket} --query ReplicationConfiguration --output json > \
         replication.json && python3 -c {}{argument} && aws s3api put-bucket-replication --bucket {bucket} \
         --replication-configuration file://replication.json",
        shell_quote(&program)
    )
}

/// The object that holds the last element of a path; what is missing on the way is made.
fn holder(path: &str) -> String {
    let Some((parents, _)) = path.rsplit_once('.') else {
        return "rule".to_owned();
    };
    parents.split('.').fold("rule".to_owned(), |object, name| {
        format!("{object}.setdefault(\"{name}\", {{}})")
    })
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{RuleFilter, Schema};

    fn rule(id: &str) -> Rule {
        Rule {
            id: id.to_owned(),
            enabled: true,
            priority: None,
            superseded_by: None,
            schema: Schema::V2,
            filter: RuleFilter::default(),
            destination: "replica".parse().unwrap(),
            claimed_account: None,
            owner_override: false,
            sse_kms_objects: false,
            replica_modifications: false,
            replica_key: None,
            delete_markers: false,
            metrics: false,
        }
    }

    #[test]
    fn a_rule_that_is_not_meant_is_not_changed_however_many_are() {
        let meant: Vec<Rule> = (0..50).map(|number| rule(&format!("r{number:02}"))).collect();
        let command = rule_edit(&"logs".parse().unwrap(), &meant, &[("Status", "Disabled")]);
        assert!(
            command.contains("\"r00\"") && command.contains("\"r49\""),
            "{command}"
        );
        assert!(!command.contains("Enabled"), "{command}");
    }

    #[test]
    fn a_rules_id_cannot_break_out_of_the_command() {
        let rule = rule("'; rm -rf \"$HOME\" #\n");
        let command = rule_edit(
            &"logs".parse().unwrap(),
            [&rule],
            &[("Destination.Metrics.Status", "Enabled")],
        );
        assert_eq!(
            command,
            r#"aws s3api get-bucket-replication --bucket logs --query ReplicationConfiguration --output json > replication.json && python3 -c 'import json, sys; c = json.load(open("replication.json")); ids = json.loads(sys.argv[1]); rules = [rule for rule in c["Rules"] if rule["ID"] in ids]; len(rules) == len(ids) or sys.exit("no such rule"); [(rule.setdefault("Destination", {}).setdefault("Metrics", {}).update({"Status":"Enabled"})) for rule in rules]; json.dump(c, open("replication.json", "w"))' '["'\''; rm -rf \"$HOME\" #\n"]' && aws s3api put-bucket-replication --bucket logs --replication-configuration file://replication.json"#
        );
    }
}
