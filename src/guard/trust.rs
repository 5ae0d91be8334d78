//! Decides whether a role's trust policy lets in S3 and nobody else. An unknown principal counts as a stranger.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html> (who must be
//! trusted) and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.
//!
//! Conditions are not looked at: they can only narrow whom a statement lets in.

use serde_json::Value;

/// S3 assumes the role to replicate; Batch Operations may share it to replicate what failed before.
const REPLICATION: [&str; 2] = ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"];

/// The elements that a denial may have.
const DENIAL: [&str; 7] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Condition",
];

/// Nobody but S3 is trusted.
///
/// # Errors
/// A clause that says who or what else is, to follow "the trust policy".
pub(super) fn only_replication(document: &Value) -> Result<(), String> {
    let object = document
        .as_object()
        .ok_or_else(|| "is not an object".to_owned())?;
    if let Some(unknown) = object
        .keys()
        .find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
    {
        return Err(format!("has an unknown element `{}`", shown(unknown)));
    }
    match object.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().try_for_each(statement),
        Some(one) => statement(one),
        None => Err("has no statements".to_owned()),
    }
}

fn statement(statement: &Value) -> Result<(), String> {
    let object = statement
        .as_object()
        .ok_or_else(|| "has a statement that is not an object".to_owned())?;
    match object.get("Effect").and_then(Value::as_str) {
        // A denial lets nobody in, if it is a whole one: a second spelling of an element might say the contrary.
        Some("Deny") if object.keys().all(|key| DENIAL.contains(&key.as_str())) => return Ok(()),
        Some("Deny") => return Err("has a denial with an element that is not known".to_owned()),
        Some("Allow") => {}
        Some(_) | None => return Err("has a statement whose effect is not known".to_owned()),
    }
    if let Some(unknown) = object
        .keys()
        .find(|key| !["Sid", "Effect", "Principal", "Action", "Condition"].contains(&key.as_str()))
    {
        return Err(format!(
            "has a statement with the element `{}`, which this program does not judge",
            shown(unknown)
        ));
    }
    let Some(Value::Object(principals)) = object.get("Principal") else {
        return Err("lets in anyone".to_owned());
    };
    for (kind, names) in principals {
        if kind != "Service" {
            return Err(format!("lets in principals of kind `{}`", shown(kind)));
        }
        match names {
            Value::String(name) => service(name)?,
            Value::Array(names) => {
                for name in names {
                    service(name.as_str().unwrap_or("?"))?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return Err("names a service in a way that is not known".to_owned());
            }
        }
    }
    Ok(())
}

fn service(name: &str) -> Result<(), String> {
    if REPLICATION.contains(&name) {
        Ok(())
    } else {
        Err(format!("lets in the service `{}`", shown(name)))
    }
}

fn shown(text: &str) -> String {
    text.chars()
        .take(100)
        .collect::<String>()
        .escape_debug()
        .to_string()
}
