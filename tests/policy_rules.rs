//! The evaluator against the rules of `tests/iam-corpus/rules.jsonl`: one line, one rule, and the AWS page that states it.

#[path = "iam-corpus/case.rs"]
mod case;

use std::collections::BTreeSet;

use case::{BadCase, Case};
use s3_replication_remediator::policy::evaluate;
use serde_json::{Map, Value, json};

const CASES: usize = 660;

/// The whole form of a line, as the corpus has it: what a line leaves out is usual.
fn whole(line: &Value) -> Value {
    let text = |name: &str, usual: &str| line.get(name).and_then(Value::as_str).unwrap_or(usual).to_owned();
    let action = text("action", "s3:ReplicateObject");
    let mut context = usual_context(&action);
    context.extend(line["context"].as_object().cloned().unwrap_or_default());
    let document = |name: &str| match line.get(name) {
        None => Value::Null,
        Some(statements @ Value::Array(_)) => {
            json!({"Version": text("version", "2012-10-17"), "Statement": statements})
        }
        Some(document) => document.clone(),
    };
    let role: Vec<Value> = [document("role")]
        .into_iter()
        .filter(|policy| !policy.is_null())
        .collect();
    json!({
        "id": line["id"],
        "class": text("id", "").rsplit_once('-').map(|(class, _)| class),
        "note": line["rule"],
        "request": {
            "principal": text("caller", "arn:aws:sts::111122223333:assumed-role/repl/s3-replication"),
            "action": action,
            "resource": text("resource", "arn:aws:s3:::dst/logs/a.txt"),
            "resourceAccount": text("owner", "111122223333"),
            "context": context,
        },
        "identityPolicies": role,
        "boundary": document("boundary"),
        "resourcePolicy": document("policy"),
        "grants": line.get("grants").cloned().unwrap_or_else(|| json!([])),
        "expected": line["expected"],
    })
}

fn usual_context(action: &str) -> Map<String, Value> {
    let of_all = json!({"aws:SecureTransport": "true", "aws:CurrentTime": "2026-05-04T10:20:30Z"});
    let of_sessions = json!({
        "aws:PrincipalArn": "arn:aws:iam::111122223333:role/service-role/repl",
        "aws:PrincipalAccount": "111122223333",
        "aws:PrincipalType": "AssumedRole",
    });
    let of_keys = json!({
        "kms:CallerAccount": "111122223333",
        "kms:ViaService": "s3.eu-west-1.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::dst",
        "kms:EncryptionContextKeys": ["aws:s3:arn"],
    });
    let mut context = Map::new();
    for (part, is_in) in [
        (of_all, true),
        (of_sessions, !action.starts_with("sts:")),
        (of_keys, action.starts_with("kms:")),
    ] {
        if let (Value::Object(part), true) = (part, is_in) {
            context.extend(part);
        }
    }
    context
}

/// What is wrong with the answer to a line, if anything is.
fn disagreement(line: &str) -> Result<Option<String>, BadCase> {
    let line: Value = serde_json::from_str(line).map_err(|error| BadCase(error.to_string()))?;
    let case = Case::read(&whole(&line).to_string())?;
    let answer = evaluate(&case.request, &case.layers());
    let Case {
        id,
        class,
        note,
        expected,
        ..
    } = &case;
    if answer.decision != *expected {
        return Ok(Some(format!(
            "{id} ({class}) {note}: expected {expected:?}, got {:?}",
            answer.decision
        )));
    }
    let rests_on: BTreeSet<&str> = answer
        .absent_keys
        .iter()
        .map(|absent| absent.key.as_str())
        .collect();
    let expected: BTreeSet<&str> = line
        .get("restsOn")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Ok((!expected.is_subset(&rests_on))
        .then(|| format!("{id} {note}: rests on the absence of {expected:?}, told was {rests_on:?}")))
}

#[test]
fn every_rule_holds_that_an_aws_page_states_and_what_none_states_is_undetermined() {
    let lines = include_str!("iam-corpus/rules.jsonl");
    let disagreements: Vec<String> = lines
        .lines()
        .filter_map(|line| disagreement(line).unwrap())
        .collect();
    assert!(
        disagreements.is_empty(),
        "{} of {CASES}:\n{}",
        disagreements.len(),
        disagreements.join("\n")
    );
    assert_eq!(lines.lines().count(), CASES);
}

#[test]
fn every_rule_names_a_page_of_aws_and_no_two_have_one_name() {
    let mut ids = BTreeSet::new();
    for line in include_str!("iam-corpus/rules.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(
            line["source"]
                .as_str()
                .is_some_and(|page| page.starts_with("https://docs.aws.amazon.com/")),
            "{line}"
        );
        assert!(ids.insert(line["id"].to_string()), "{line}");
    }
}
