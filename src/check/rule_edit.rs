//! The command that changes rules of a bucket's replication configuration, for a person to paste.
//!
//! S3 knows no change of one rule: the whole configuration is read, changed and put
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>). Rules of the first version know fewer
//! elements, and that a configuration may mix versions is not documented, so all are rewritten where a change needs the second
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html#replication-backward-compat-considerations>).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::arn::{BucketName, RoleArn};
use crate::shell::shell_quote;
use crate::snapshot::{Rule, Schema};

/// What makes a rule of the second version of one of the first, and changes nothing of what it does: users' delete markers
/// are replicated as before. Rules of the first version do not overlap, so any priorities will do.
const TO_SECOND_VERSION: &str = "[rule.update({\"Filter\": {\"Prefix\": rule.pop(\"Prefix\", \"\")}, \"Priority\": number, \
                                 \"DeleteMarkerReplication\": {\"Status\": \"Enabled\"}}) for number, rule in \
                                 enumerate(c[\"Rules\"], 1) if \"Filter\" not in rule]; ";

/// What only rules of the second version have. `SseKmsEncryptedObjects` is older.
const OF_SECOND_VERSION: &str = "Destination.Metrics.";

/// The command that sets these elements, each a path and a text, in these rules and in no other, however many they are.
pub(super) fn rule_edit<'a>(
    bucket: &BucketName,
    rules: impl IntoIterator<Item = &'a Rule>,
    elements: &[(&str, &str)],
) -> String {
    let mut is_first_version = false;
    let mut ids = BTreeSet::new();
    for rule in rules {
        is_first_version |= rule.schema == Schema::V1;
        ids.insert(rule.id.as_str());
    }
    let needs_second = |(path, _): &(&str, &str)| path.starts_with(OF_SECOND_VERSION);
    let is_rewritten = is_first_version && elements.iter().any(needs_second);
    let changes: Vec<String> = elements
        .iter()
        .map(|(path, text)| format!("{}.update({})", holder(path), json!({last(path): text})))
        .collect();
    // A rule that is not there by this id any more, or that a terminal has changed on the way, is no reason to put the
    // configuration back as it was and to be content.
    let change = format!(
        "{}ids = json.loads(sys.argv[1]); rules = [rule for rule in c[\"Rules\"] if rule[\"ID\"] in ids]; \
         len(rules) == len(ids) or sys.exit(\"no such rule\"); [({}) for rule in rules]",
        if is_rewritten { TO_SECOND_VERSION } else { "" },
        changes.join(", ")
    );
    let command = configuration_edit(bucket, &change, Some(json!(ids)));
    if is_rewritten {
        format!(
            "{command}\nthe rule is of the first version, which has no metrics, so the command also gives it Filter, Priority \
             and DeleteMarkerReplication: the first version replicates delete markers, the second only where that is \
             Enabled, as it is set here"
        )
    } else {
        command
    }
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
    fn a_rule_of_the_first_version_is_rewritten_only_for_what_that_version_lacks() {
        let first = Rule {
            schema: Schema::V1,
            ..rule("all")
        };
        let bucket = "logs".parse().unwrap();
        for (path, is_rewritten) in [
            ("Destination.Metrics.Status", true),
            ("SourceSelectionCriteria.SseKmsEncryptedObjects.Status", false),
            ("Destination.EncryptionConfiguration.ReplicaKmsKeyID", false),
            ("Destination.Account", false),
            ("Status", false),
        ] {
            let edit = |rule| rule_edit(&bucket, [rule], &[(path, "x")]);
            assert_eq!(
                edit(&first).contains("rule.pop(\"Prefix\""),
                is_rewritten,
                "{path}"
            );
            assert!(!edit(&rule("all")).contains("Priority"), "{path}");
        }
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
