//! The JSON of Report v1 and of the events made of it, held against their schemas in `docs/`: the fields of real reports
//! are those that the schemas name, and the words are all that the code has.
//!
//! A schema lets readers ignore what it does not name, so no validator would notice a new field. This does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use s3_replication_remediator::apply::{ChangeStatus, Status};
use s3_replication_remediator::check::{RemedyKind, Severity, Verdict};
use s3_replication_remediator::event::{Change, TriggerKind};
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::events;
use s3_replication_remediator::report::Report;
use serde_json::{Value, json};

use super::messages::take_only_tagged;
use super::stage::{REPLICA_KEY, ROLE, SOURCE, Stage};
use super::{apply, check, failed, opt_out, put, undo, undo_as_shown};

const REPORT: &str = "report-v1.schema.json";
const CHECK_RESULT: &str = "event-check-result.schema.json";
const REPAIR_APPLIED: &str = "event-repair-applied.schema.json";

fn schema(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The schemas, and which of their fields were seen, by `file#pointer`.
struct Contract {
    schemas: BTreeMap<&'static str, Value>,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Contract {
    fn read() -> Self {
        let files = [REPORT, CHECK_RESULT, REPAIR_APPLIED];
        Self {
            schemas: files.map(|file| (file, schema(file))).into(),
            seen: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// What `file#pointer` means.
    fn at(&self, place: &str) -> (String, Value) {
        let (file, pointer) = place.split_once('#').unwrap();
        let schema = self.schemas[file].pointer(pointer).unwrap();
        match schema["$ref"].as_str() {
            Some(same) if same.starts_with('#') => self.at(&format!("{file}{same}")),
            Some(other) if other.contains('#') => self.at(other),
            Some(other) => self.at(&format!("{other}#")),
            None => (place.to_owned(), schema.clone()),
        }
    }

    /// The whole that an event is where it says nothing of omissions.
    fn compare_whole(&mut self, detail: &Value, file: &str, path: &str) {
        assert_eq!(
            self.schemas[file]["if"],
            json!({"not": {"required": ["omitted"]}})
        );
        self.compare(detail, &format!("{file}#/then"), path);
    }

    fn compare(&mut self, value: &Value, place: &str, path: &str) {
        let (place, schema) = self.at(place);
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
        let is_named = schema["anyOf"].as_array().is_none_or(|_| is_omission(value));
        let is_const = schema.get("const").is_none_or(|only| only == value);
        if !is_listed || !is_const || !is_named || !(types.is_empty() || types.contains(&kind)) {
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
                    let field = format!("{place}/properties/{name}");
                    self.seen.insert(field.clone());
                    self.compare(value, &field, &format!("{path}.{name}"));
                } else {
                    self.wrong.push(format!("{path}.{name} is not in the schema"));
                }
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.compare(item, &format!("{place}/items"), &format!("{path}[]"));
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

/// What an event may say that it lacks.
fn is_omission(value: &Value) -> bool {
    let name = value.as_str().unwrap_or_default();
    let is_rest = name
        .strip_prefix("findings[")
        .and_then(|rest| rest.strip_suffix(":]"))
        .is_some_and(|count| count.parse::<usize>().is_ok());
    is_rest || name == "*" || events::omissible().any(|known| known == name)
}

/// Reports in which together every field occurs.
fn reports() -> Vec<Report> {
    let mut reports = Vec::new();
    let mut add = |answer: Response| match answer {
        Response::Report(report) => reports.push(*report),
        Response::Reports(all) => reports.extend(all),
        Response::Batch(_) | Response::Sweep(_) => panic!("this answers no report"),
    };
    for mode in [Mode::DryRun, Mode::Approve, Mode::Auto] {
        for stage in [Stage::broken(mode), Stage::repairable(mode)] {
            add(stage.handle(&put()).unwrap());
            add(stage.handle(&failed()).unwrap());
            let shown = stage.command(&undo());
            if let Some(digest) = shown.digest() {
                add(stage.handle(&undo_as_shown(digest)).unwrap());
            }
            add(Response::Report(Box::new(shown)));
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
        add(jobs
            .handle(&json!({"command": "backlog", "bucket": SOURCE}))
            .unwrap());
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
    let tagged = Stage::broken(Mode::Auto);
    take_only_tagged(&tagged);
    add(tagged.handle(&put()).unwrap());
    let again = Stage::repairable_by_a_grant(Mode::Auto);
    add(again.handle(&put()).unwrap());
    super::records::forget_the_end(&again);
    super::records::later(&again, 3);
    add(again.handle(&put()).unwrap());
    reports
}

#[test]
fn the_schema_names_the_fields_of_a_report_no_more_and_no_less() {
    let mut contract = Contract::read();
    for report in reports() {
        contract.compare(&json!(report), "report-v1.schema.json#", "report");
    }
    assert!(contract.wrong.is_empty(), "{}", contract.wrong.join("\n"));
    let mut named = BTreeSet::new();
    Contract::named(&contract.schemas[REPORT], "report-v1.schema.json#", &mut named);
    let never: Vec<&String> = named.difference(&contract.seen).collect();
    assert!(never.is_empty(), "in the schema, and in no report: {never:?}");
}

#[test]
fn events_whole_and_cut_are_what_their_schemas_say() {
    let mut contract = Contract::read();
    let partition = Stage::broken(Mode::DryRun).world.identity().partition;
    let mut cut = 0;
    for report in reports() {
        for most in [usize::MAX, 8_000, 6_000, 4_000, 3_000, 2_000, 1_200, 700] {
            for event in events::render_within(&report, &partition, most) {
                let file = match event.detail_type {
                    events::CHECK_RESULT => CHECK_RESULT,
                    _ => REPAIR_APPLIED,
                };
                let detail: Value = serde_json::from_str(&event.detail).unwrap();
                let path = format!("{} of {most} bytes", event.detail_type);
                contract.compare(&detail, &format!("{file}#"), &path);
                match detail.get("omitted") {
                    None if file == CHECK_RESULT => contract.compare_whole(&detail, file, &path),
                    None => {}
                    Some(_) => cut += 1,
                }
            }
        }
    }
    contract.wrong.dedup();
    assert!(contract.wrong.is_empty(), "{}", contract.wrong.join("\n"));
    assert!(cut > 100, "{cut} were cut");
    for file in [CHECK_RESULT, REPAIR_APPLIED] {
        let fields = contract.schemas[file]["properties"].as_object().unwrap();
        for name in fields.keys() {
            let (place, _) = contract.at(&format!("{file}#/properties/{name}"));
            let is_seen = contract.seen.contains(&format!("{file}#/properties/{name}"));
            assert!(is_seen, "{file} names {name}, which no event has ({place})");
        }
    }
}

#[test]
fn schemas_name_whatever_an_event_may_omit() {
    for file in [CHECK_RESULT, REPAIR_APPLIED] {
        let schema = schema(file);
        let named = schema.pointer("/$defs/omitted/items/anyOf/0/enum").unwrap();
        let mut all: Vec<String> = events::omissible().collect();
        all.push("*".to_owned());
        assert_eq!(named, &json!(all), "{file}");
    }
}

/// All words of a type, in which a variant that is left out does not compile.
macro_rules! words {
    ($type:ident: $($variant:ident),*) => {{
        let _all = |value: $type| match value { $($type::$variant)|* => () };
        [$(json!($type::$variant)),*].to_vec()
    }};
}

#[test]
fn the_schema_has_every_word_of_the_code() {
    let schema = schema(REPORT);
    for (pointer, words) in [
        ("/properties/mode", words!(Mode: DryRun, Approve, Auto)),
        (
            "/properties/trigger/properties/kind",
            words!(TriggerKind: ReplicationConfigured, ReplicationFailed, Alarm, Drift, Sweep, Command),
        ),
        (
            "/properties/trigger/properties/change",
            words!(Change: Configured, Removed, Refused),
        ),
        (
            "/properties/verdict",
            words!(Verdict: Healthy, Broken, AtRisk, Undetermined),
        ),
        (
            "/properties/outcome/properties/status",
            words!(Status: Planned, Applied, AlreadyInPlace, Refused, Failed, PartlyApplied),
        ),
        (
            "/properties/outcome/properties/changes/items/properties/status",
            words!(ChangeStatus: Planned, Applied, AlreadyInPlace, Refused, Failed),
        ),
        (
            "/$defs/finding/properties/severity",
            words!(Severity: Error, Warning, Advice),
        ),
        (
            "/$defs/finding/properties/remedy/properties/kind",
            words!(RemedyKind: Automatic, Propose, None),
        ),
    ] {
        let named = schema.pointer(pointer).unwrap()["enum"].as_array().unwrap();
        let named: BTreeSet<String> = named
            .iter()
            .filter(|word| !word.is_null())
            .map(Value::to_string)
            .collect();
        let words: BTreeSet<String> = words.iter().map(Value::to_string).collect();
        assert_eq!(named, words, "{pointer}");
    }
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
