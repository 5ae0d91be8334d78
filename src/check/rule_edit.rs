//! The command that changes rules of a bucket's replication configuration, for a person to paste.
//!
//! S3 knows no change of one rule: the whole configuration is read, changed and put
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>).

use std::collections::BTreeSet;

use crate::arn::BucketName;
use crate::snapshot::Rule;

/// A command that names more rules than this would be no help.
const MOST_RULES: usize = 20;

/// The command that makes `assignment` (jq, on a rule) in these rules.
pub(super) fn rule_edit<'a>(
    bucket: &BucketName,
    rules: impl IntoIterator<Item = &'a Rule>,
    assignment: &str,
) -> String {
    let ids: BTreeSet<String> = rules
        .into_iter()
        .map(|rule| serde_json::json!(rule.id).to_string())
        .collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let selected = match ids.as_slice() {
        [id] => format!("select(.ID == {id})"),
        ids if ids.len() <= MOST_RULES => format!("select(.ID | IN({}))", ids.join(", ")),
        _ => "select(.Status == \"Enabled\")".to_owned(),
    };
    format!(
        "aws s3api get-bucket-replication --bucket {bucket} --query ReplicationConfiguration --output json | jq {} > \
         replication.json && aws s3api put-bucket-replication --bucket {bucket} --replication-configuration \
         file://replication.json",
        quoted(&format!("(.Rules[] | {selected}){assignment}"))
    )
}

/// One word for a shell. A rule's id is its author's text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{RuleFilter, Schema};

    #[test]
    fn a_rules_id_cannot_break_out_of_the_command() {
        let rule = Rule {
            id: "'; rm -rf \"$HOME\" #\n".to_owned(),
            enabled: true,
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
        };
        let command = rule_edit(
            &"logs".parse().unwrap(),
            [&rule],
            ".Destination.Metrics.Status = \"Enabled\"",
        );
        assert!(
            command.contains(r#"jq '(.Rules[] | select(.ID == "'\''; rm -rf \"$HOME\" #\n"))"#),
            "{command}"
        );
    }
}
