//! The JSON of Report v1, held against `docs/report-v1.schema.json`: the fields of real reports are those that it names.
//!
//! A schema lets readers ignore what it does not name, so no validator would notice a new field. This does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use s3_replication_remediator::handler::Answer;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use super::stage::{REPLICA_KEY, ROLE, SOURCE, Stage};
use super::{apply, check, failed, opt_out, put, undo, undo_as_shown};

/// The schema, and which of its fields were seen.
struct Contract {
    schema: Value,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Contract {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report-v1.schema.json");
        Self {
            schema: serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
            seen: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// What a pointer into the schema means.
    fn at(&self, pointer: &str) -> (String, Value) {
        let schema = self.schema.pointer(pointer).unwrap();
        match schema["$ref"].as_str() {
            Some(reference) => self.at(reference.trim_start_matches('#')),
            None => (pointer.to_owned(), schema.clone()),
        }
    }

    fn compare(&mut self, value: &Value, pointer: &str, path: &str) {
        let (pointer, schema) = self.at(pointer);
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let is_listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
        let is_const = schema.get("const").is_none_or(|only| only == value);
        if !is_listed || !is_const || !(types.is_empty() || types.contains(&kind)) {
            self.wrong
                .push(format!("{path}: {value} is not what the schema says"));
        }
        if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            for name in required.iter().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    self.wrong
                        .push(format!("{path}.{name} is required and not there"));
                }
            }
            for (name, value) in fields {
                if known.contains_key(name) {
                    let field = format!("{pointer}/properties/{name}");
                    self.seen.insert(field.clone());
                    self.compare(value, &field, &format!("{path}.{name}"));
                } else {
                    self.wrong.push(format!("{path}.{name} is not in the schema"));
                }
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.compare(item, &format!("{pointer}/items"), &format!("{path}[]"));
        }
    }

    /// Every field that the schema names.
    fn named(schema: &Value, pointer: &str, named: &mut BTreeSet<String>) {
        let Some(fields) = schema.as_object() else { return };
        for (name, inner) in fields {
            let inside = format!("{pointer}/{name}");
            if name == "properties" {
                for (field, schema) in inner.as_object().unwrap() {
                    named.insert(format!("{inside}/{field}"));
                    Self::named(schema, &format!("{inside}/{field}"), named);
                }
            } else {
                Self::named(inner, &inside, named);
            }
        }
    }
}

/// Reports in which together every field occurs.
fn reports() -> Vec<Value> {
    let mut reports = Vec::new();
    let mut add = |answer: Answer| match answer {
        Answer::Report(report) => reports.push(json!(report)),
        Answer::Reports(all) => reports.extend(all.iter().map(|report| json!(report))),
        Answer::Batch(_) | Answer::Sweep(_) => panic!("this answers no report"),
    };
    for mode in [Mode::DryRun, Mode::Approve, Mode::Auto] {
        for stage in [Stage::broken(mode), Stage::repairable(mode)] {
            add(stage.handle(&put()).unwrap());
            add(stage.handle(&failed()).unwrap());
            let shown = stage.command(&undo());
            if let Some(digest) = shown.digest() {
                add(stage.handle(&undo_as_shown(digest)).unwrap());
            }
            add(Answer::Report(Box::new(shown)));
            add(stage
                .handle(&apply(&format!("sha256:{}", "0".repeat(64))))
                .unwrap());
        }
    }
    // What it leaves in its own queue, as a topic would bring it.
    for left in [
        json!({"drift": {"call": "DisableKey", "resource": "arn:aws:kms:eu-west-1:111122223333:key/1"}}),
        json!({"promised": format!("sha256:{}", "0".repeat(64))}),
    ] {
        let mut check = left;
        check["command"] = json!("check");
        check["bucket"] = json!(SOURCE);
        let notification = json!({"EventSource": "aws:sns", "Sns": {"Message": check.to_string()}});
        add(Stage::broken(Mode::DryRun)
            .handle(&json!({"Records": [notification]}))
            .unwrap());
    }
    for with_role in [true, false] {
        let mut jobs = Stage::healthy(Mode::Approve);
        jobs.batch_role = with_role.then(|| "arn:aws:iam::111122223333:role/batch".parse().unwrap());
        add(jobs.handle(&json!({"command": "backlog", "bucket": SOURCE})).unwrap());
    }
    let withheld = Stage::repairable(Mode::Auto);
    opt_out(&withheld);
    add(withheld.handle(&check()).unwrap());
    let unread = Stage::healthy(Mode::Auto);
    unread.world.deny("s3:GetBucketVersioning", "*");
    add(unread.handle(&put()).unwrap());
    let refused = Stage::repairable(Mode::Auto);
    refused.world.deny("iam:PutRolePolicy", "*");
    add(refused.handle(&put()).unwrap());
    let again = Stage::repairable_by_a_grant(Mode::Auto);
    add(again.handle(&put()).unwrap());
    super::records::forget_the_end(&again);
    add(again.handle(&put()).unwrap());
    reports
}

#[test]
fn the_schema_names_the_fields_of_a_report_no_more_and_no_less() {
    let mut contract = Contract::read();
    for report in reports() {
        contract.compare(&report, "", "report");
    }
    assert!(contract.wrong.is_empty(), "{}", contract.wrong.join("\n"));
    let mut named = BTreeSet::new();
    Contract::named(&contract.schema, "", &mut named);
    let never: Vec<&String> = named.difference(&contract.seen).collect();
    assert!(never.is_empty(), "in the schema, and in no report: {never:?}");
}

#[test]
fn commands_are_answered_with_the_report_itself_and_name_what_they_were_asked_about() {
    let stage = Stage::repairable(Mode::Approve);
    let report = json!(stage.command(&check()));
    assert_eq!(report["bucket"]["name"], SOURCE);
    assert_eq!(report["trigger"]["kind"], "command");
    let undo = report["commands"]["undo"].as_str().unwrap();
    assert!(undo.contains(ROLE) && undo.contains(REPLICA_KEY), "{undo}");
}
