//! Files with a replication configuration: what is understood, and what is told of what is not.

use s3_replication_remediator::cli::configuration::Configuration;
use s3_replication_remediator::snapshot::Schema;
use serde_json::{Value, json};

fn rule() -> Value {
    json!({
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": "arn:aws:s3:::replica"},
    })
}

fn with(rules: &[Value]) -> Value {
    json!({"Role": "arn:aws:iam::111122223333:role/crr", "Rules": rules})
}

/// The configuration with one rule that is changed in a field.
fn changed(field: &str, value: Value) -> Value {
    let mut rule = rule();
    rule[field] = value;
    with(&[rule])
}

fn read(value: &Value) -> Configuration {
    Configuration::parse(&format!("{value:#}")).unwrap_or_else(|error| panic!("{error}\n{value:#}"))
}

fn error(value: &Value) -> String {
    let error = Configuration::parse(&value.to_string()).unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error}");
    error.to_string()
}

#[test]
fn the_bare_and_the_wrapped_spelling_mean_the_same() {
    let bare = with(&[rule()]);
    let wrapped = json!({"ReplicationConfiguration": bare});
    let (bare, wrapped) = (read(&bare), read(&wrapped));
    assert_eq!(bare.replication, wrapped.replication);
    assert_eq!((bare.lines, wrapped.lines), (vec![4], vec![5]));
}

#[test]
fn a_configuration_is_understood_as_if_s3_gave_it_back() {
    let mut full = rule();
    full["Filter"] =
        json!({"And": {"Prefix": "tax/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]}});
    full["SourceSelectionCriteria"] = json!({
        "SseKmsEncryptedObjects": {"Status": "Enabled"}, "ReplicaModifications": {"Status": "Enabled"},
    });
    full["ExistingObjectReplication"] = json!({"Status": "Disabled"});
    full["Destination"] = json!({
        "Bucket": "arn:aws:s3:::replica", "Account": "444455556666", "StorageClass": "STANDARD_IA",
        "AccessControlTranslation": {"Owner": "Destination"},
        "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:eu-central-1:444455556666:key/1"},
        "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
    });
    let first_generation = json!({
        "ID": "old", "Prefix": "logs/", "Status": "Disabled", "Destination": {"Bucket": "arn:aws:s3:::replica"},
    });
    let replication = read(&with(&[full, first_generation])).replication;
    let [full, old] = replication.rules.as_slice() else {
        panic!()
    };
    assert_eq!(full.filter.prefix, "tax/");
    assert_eq!(full.filter.tags.len(), 2);
    assert!(full.sse_kms_objects && full.replica_modifications && full.owner_override && full.metrics);
    assert!(full.delete_markers && full.enabled);
    assert_eq!(
        full.replica_key.as_deref(),
        Some("arn:aws:kms:eu-central-1:444455556666:key/1")
    );
    assert_eq!(full.claimed_account.as_ref().unwrap().as_str(), "444455556666");
    assert_eq!(
        (old.schema, old.enabled, old.delete_markers),
        (Schema::V1, false, true)
    );
    assert_eq!(old.filter.prefix, "logs/");
}

#[test]
fn a_field_that_is_wrong_is_named() {
    for (value, expected) in [
        (json!([]), "invalid type: sequence, expected an object"),
        (
            changed("Filter", json!([])),
            "field `Rules[0].Filter`: invalid type: sequence, expected an object",
        ),
        (
            with(&[json!(["all"])]),
            "field `Rules[0]`: invalid type: sequence, expected an object",
        ),
        (json!({"Rules": []}), "missing field `Role`"),
        (
            json!({"Role": "arn:aws:iam::111122223333:role/crr"}),
            "missing field `Rules`",
        ),
        (with(&[]), "field `Rules`: expected at least one rule"),
        (
            json!({"Role": "crr", "Rules": [rule()]}),
            "field `Role`: `crr` is not",
        ),
        (
            json!({"ReplicationConfiguration": {"Role": "crr", "Rules": [rule()]}}),
            "field `ReplicationConfiguration.Role`: `crr` is not",
        ),
        (
            changed("Staus", json!("Enabled")),
            "field `Rules[0].Staus`: unknown field `Staus`",
        ),
        (
            changed("Status", json!("enabled")),
            "field `Rules[0].Status`: unknown variant `enabled`",
        ),
        (
            changed("Priority", json!("1")),
            "field `Rules[0].Priority`: invalid type: string \"1\", expected i32",
        ),
        (
            changed("Destination", json!({})),
            "field `Rules[0].Destination`: missing field `Bucket`",
        ),
        (
            changed("Destination", json!({"Bucket": "replica"})),
            "field `Rules[0].Destination.Bucket`: `replica` is not",
        ),
        (
            changed(
                "Destination",
                json!({"Bucket": "arn:aws:s3:::replica", "Account": "1"}),
            ),
            "field `Rules[0].Destination.Account`: `1` is not an AWS account id",
        ),
        (
            changed(
                "Destination",
                json!({"Bucket": "arn:aws:s3:::replica", "EncryptionConfiguration": {"ReplicaKmsKeyId": "x"}}),
            ),
            "field `Rules[0].Destination.EncryptionConfiguration.ReplicaKmsKeyId`: unknown field `ReplicaKmsKeyId`, \
             expected `ReplicaKmsKeyID`",
        ),
        (
            changed(
                "Filter",
                json!({"Prefix": "a", "Tag": {"Key": "b", "Value": "c"}}),
            ),
            "field `Rules[0].Filter`: expected one of `Prefix`, `Tag` and `And`",
        ),
        (
            changed("Prefix", json!("a")),
            "field `Rules[0].Prefix`: a rule has either `Filter` or the older `Prefix`",
        ),
        (
            changed("Priority", Value::Null),
            "field `Rules[0].Priority`: a rule with `Filter` needs one",
        ),
        (
            changed("DeleteMarkerReplication", Value::Null),
            "field `Rules[0].DeleteMarkerReplication`: a rule with `Filter` needs it",
        ),
        (
            with(&[rule(), rule()]),
            "field `Rules[1].ID`: another rule has this id",
        ),
        (
            changed("\u{1b}[31mID", json!("x")),
            "field `Rules[0].\\u{1b}[31mID`: unknown field `\\u{1b}[31mID`",
        ),
    ] {
        let error = error(&value);
        assert!(error.starts_with(expected), "{error}\nexpected: {expected}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut first = rule();
    first["Destination"]["Bucket"] = json!("replica");
    let mut second = rule();
    second["Priority"] = Value::Null;
    let error = error(&json!({"Role": "crr", "Rules": [first, second]}));
    for field in ["`Role`", "`Rules[0].Destination.Bucket`", "`Rules[1].Priority`"] {
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn text_that_is_no_json_says_where_it_stops_being_so() {
    let error = Configuration::parse("{\"Role\": \"x\",\n \"Rules\": [}").unwrap_err();
    assert!(error.to_string().contains("line 2 column 12"), "{error}");
    let trailing = format!("{} x", with(&[rule()]));
    let error = Configuration::parse(&trailing).unwrap_err();
    assert!(error.to_string().contains("trailing characters"), "{error}");
    for (text, told) in [
        ("", "it is empty: "),
        (
            "<ReplicationConfiguration><Role>x</Role></ReplicationConfiguration>",
            "it is XML: ",
        ),
        (
            "resource \"aws_s3_bucket_replication_configuration\" \"a\" {}",
            "it is not JSON: ",
        ),
        ("Role: x\nRules: []\n", "it is not JSON: "),
    ] {
        let error = Configuration::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
        assert!(
            error.ends_with("expected is the JSON that `aws s3api get-bucket-replication` prints"),
            "{error}"
        );
    }
}

#[test]
fn the_spelling_of_other_tools_is_told_with_the_field_that_is_meant() {
    let terraform = json!({"role": "arn:aws:iam::111122223333:role/crr", "rule": []});
    assert!(
        error(&terraform).contains("unknown field `role`, expected `Role` or `Rules`"),
        "{}",
        error(&terraform)
    );
    // AWS::S3::Bucket calls it so.
    let cloudformation = changed("Id", json!("all"));
    assert!(
        error(&cloudformation).contains("unknown field `Id`, expected one of `ID`"),
        "{}",
        error(&cloudformation)
    );
}

#[test]
fn a_rule_without_an_id_is_named_by_its_place() {
    let mut rule = rule();
    rule["ID"] = Value::Null;
    let configuration = read(&with(&[rule]));
    assert_eq!(configuration.replication.rules[0].id, "Rules[0]");
    assert_eq!(configuration.line_of(&["Rules[0]".to_owned()]), Some(4));
    assert_eq!(configuration.line_of(&["other".to_owned()]), None);
}

#[test]
fn rules_on_one_line_lie_on_that_line() {
    let configuration = Configuration::parse(&with(&[rule()]).to_string()).unwrap();
    assert_eq!(configuration.lines, [1]);
}
