//! The command that changes rules of a bucket's replication configuration, for a person to paste.
//!
//! S3 knows no change of one rule: the whole configuration is read, changed and put
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>).

use std::collections::BTreeSet;

use serde_json::json;

use crate::arn::{BucketName, RoleArn};
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
    configuration_edit(
        bucket,
        &format!(
            "[({}) for rule in c[\"Rules\"] if rule[\"ID\"] in {}]",
            changes.join(", "),
            json!(ids)
        ),
    )
}

/// The command that has S3 use another role.
pub(super) fn role_edit(bucket: &BucketName, role: &RoleArn) -> String {
    configuration_edit(bucket, &format!("c.update({})", json!({"Role": role})))
}

/// Reads the configuration, changes it as a line of Python says, and puts it. Python is there wherever the AWS command
/// line is; jq is not.
fn configuration_edit(bucket: &BucketName, change: &str) -> String {
    let program = format!("import json, sys; c = json.load(sys.stdin); {change}; json.dump(c, sys.stdout)");
    format!(
        "aws s3api get-bucket-replication --bucket {bucket} --query ReplicationConfiguration --output json | \
         python3 -c {} > replication.json && aws s3api put-bucket-replication --bucket {bucket} \
         --replication-configuration file://replication.json",
        quoted(&program)
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

/// One word for a shell. A rule's id is its author's text; as JSON it is a text to Python too.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
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
            r#"aws s3api get-bucket-replication --bucket logs --query ReplicationConfiguration --output json | python3 -c 'import json, sys; c = json.load(sys.stdin); [(rule.setdefault("Destination", {}).setdefault("Metrics", {}).update({"Status":"Enabled"})) for rule in c["Rules"] if rule["ID"] in ["'\''; rm -rf \"$HOME\" #\n"]]; json.dump(c, sys.stdout)' > replication.json && aws s3api put-bucket-replication --bucket logs --replication-configuration file://replication.json"#
        );
    }
}
