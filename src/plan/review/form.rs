//! Decides whether a document or grant is of the only form that we write: allowing, named, bound, and small enough.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length> and
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Fault, Objection, Reviewer};
use crate::arn::{BucketName, KeyArn, Partition};
use crate::plan::size;
use crate::plan::{Change, RolePolicyChange};
use crate::policy::PolicyDocument;
use crate::target::GrantRequest;

/// All that S3 replication ever needs of S3.
const S3_ACTIONS: [&str; 13] = [
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:ReplicateDelete",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
];
/// And of KMS.
const KMS_ACTIONS: [&str; 3] = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];
const VIA_SERVICE: &str = "kms:ViaService";
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";

pub(super) fn of(change: &Change, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    match change {
        Change::PutRolePolicy(change) => policy(change, reviewer, objections),
        Change::CreateGrant(request) => grant(request, objections),
        Change::RevokeGrant(_) => {}
    }
}

fn policy(change: &RolePolicyChange, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let mut object = |fault, detail: String| objections.push(Objection::new(fault, detail));
    let name_is_valid = change.name.len() <= 128
        && change
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    if !name_is_valid {
        object(
            Fault::Form,
            format!("`{}` is not the name of a policy", change.name.escape_debug()),
        );
    }
    for removed in only_in(change.before.as_ref(), change.after.as_ref()) {
        if let Err(reason) = statement(&removed) {
            object(
                Fault::NotOurs,
                format!("a statement goes that {reason}, so that it is not ours"),
            );
        }
    }
    let Some(after) = &change.after else { return };
    if ![change.before.as_ref(), Some(after)]
        .into_iter()
        .flatten()
        .all(is_plain)
    {
        let detail = "there is something else than statements in the document, or it is of another version";
        object(Fault::Form, detail.to_owned());
    }
    for added in only_in(change.after.as_ref(), change.before.as_ref()) {
        if let Err(reason) = statement(&added) {
            object(Fault::Form, format!("a statement {reason}"));
        }
    }
    let statements = statements(Some(after));
    let sids: Vec<&str> = statements
        .iter()
        .filter_map(|statement| statement.get("Sid").and_then(Value::as_str))
        .collect();
    if sids.iter().collect::<BTreeSet<_>>().len() != sids.len() {
        object(Fault::Form, "two statements share one name".to_owned());
    }
    let inline = reviewer.role.inline.policies.iter();
    let others: usize = inline
        .filter(|policy| policy.name != change.name)
        .map(|policy| size::characters(&policy.document))
        .sum();
    if others + size::characters(after) > size::LIMIT {
        object(
            Fault::TooLarge,
            "the role's inline policies would be too large".to_owned(),
        );
    }
}

/// Are there but statements and the version under which they mean what is judged here?
fn is_plain(document: &PolicyDocument) -> bool {
    let raw = document.raw();
    raw.as_object().is_some_and(|object| object.len() == 2)
        && raw.get("Version").and_then(Value::as_str) == Some("2012-10-17")
        && raw.get("Statement").is_some_and(Value::is_array)
}

/// Is the statement of our form?
pub(super) fn statement(statement: &Value) -> Result<(), String> {
    let object = statement.as_object().ok_or("is not an object")?;
    if let Some(unknown) = object
        .keys()
        .find(|key| !["Sid", "Effect", "Action", "Resource", "Condition"].contains(&key.as_str()))
    {
        return Err(format!("has the element `{}`", unknown.escape_debug()));
    }
    let sid = statement.get("Sid").and_then(Value::as_str).unwrap_or_default();
    if sid.is_empty() || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("has no valid name".to_owned());
    }
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return Err("does not allow".to_owned());
    }
    let actions = texts(statement.get("Action"))?;
    let resources = texts(statement.get("Resource"))?;
    if actions.iter().all(|action| S3_ACTIONS.contains(action)) && object.get("Condition").is_none() {
        if resources.iter().all(|resource| is_bucket_or_objects(resource)) {
            return Ok(());
        }
        return Err("names something that is neither one bucket nor objects of one".to_owned());
    }
    if !actions.iter().all(|action| KMS_ACTIONS.contains(action)) {
        return Err("allows actions that replication does not need".to_owned());
    }
    for resource in &resources {
        let key: KeyArn = resource
            .parse()
            .map_err(|_| "names something that is not one key".to_owned())?;
        let via_service = format!("s3.{}.amazonaws.com", key.region());
        let condition = object.get("Condition").and_then(Value::as_object);
        let is_bound = condition.is_some_and(|condition| {
            let service = only(condition.get("StringEquals"), VIA_SERVICE).and_then(Value::as_str);
            let contexts = texts(only(condition.get("StringLike"), ENCRYPTION_CONTEXT));
            condition.len() == 2
                && service == Some(via_service.as_str())
                && contexts.is_ok_and(|arns| arns.iter().all(|arn| is_bucket_or_objects(arn)))
        });
        if !is_bound {
            return Err("does not bind the use of a key to S3 and to objects".to_owned());
        }
    }
    Ok(())
}

fn only<'a>(operator: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    operator?.as_object().filter(|object| object.len() == 1)?.get(key)
}

fn texts(value: Option<&Value>) -> Result<Vec<&str>, String> {
    value
        .and_then(Value::as_array)
        .filter(|items| !items.is_empty())
        .and_then(|items| items.iter().map(Value::as_str).collect())
        .ok_or_else(|| "does not list texts".to_owned())
}

/// One bucket, or objects of one: no wildcard up to the first `/`, and after it none but the last character.
fn is_bucket_or_objects(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let head: Vec<&str> = parts.by_ref().take(5).collect();
    let (["arn", partition, "s3", "", ""], Some(resource)) = (head.as_slice(), parts.next()) else {
        return false;
    };
    let (bucket, objects) = match resource.split_once('/') {
        Some((bucket, objects)) => (bucket, Some(objects)),
        None => (resource, None),
    };
    let objects_are_literal = objects.is_none_or(|objects| {
        objects.strip_suffix('*').is_some_and(|literal| {
            let rest = literal
                .replace("${*}", "")
                .replace("${?}", "")
                .replace("${$}", "");
            !rest.contains(['*', '?', '$'])
        })
    });
    partition.parse::<Partition>().is_ok() && bucket.parse::<BucketName>().is_ok() && objects_are_literal
}

fn grant(request: &GrantRequest, objections: &mut Vec<Objection>) {
    let name_is_valid = (1..=256).contains(&request.name.len())
        && request
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte));
    let operations_are_known = request
        .operations
        .iter()
        .all(|operation| KMS_ACTIONS.contains(&format!("kms:{operation}").as_str()));
    let context_is_a_bucket = request.context_equals.len() <= 1
        && request
            .context_equals
            .iter()
            .all(|(key, arn)| key == "aws:s3:arn" && BucketName::from_arn(arn).is_ok());
    if !name_is_valid || request.operations.is_empty() || !operations_are_known || !context_is_a_bucket {
        objections.push(Objection::new(
            Fault::Form,
            format!("grant `{}` is not of our form", request.name.escape_debug()),
        ));
    }
    if request.context_equals.values().any(|arn| arn.len() > 384) {
        objections.push(Objection::new(
            Fault::TooLarge,
            "the grant's encryption context is too large",
        ));
    }
}

/// The statements of a document.
pub(super) fn statements(document: Option<&PolicyDocument>) -> Vec<Value> {
    match document.and_then(|document| document.raw().get("Statement")) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// The statements of `one` that `other` has not word by word.
pub(super) fn only_in(one: Option<&PolicyDocument>, other: Option<&PolicyDocument>) -> Vec<Value> {
    let known = statements(other);
    let mut own = statements(one);
    own.retain(|statement| !known.contains(statement));
    own
}

/// Does a change of our policy take away statements of our form, and nothing else?
pub(super) fn only_takes_away(change: &RolePolicyChange) -> bool {
    only_in(change.before.as_ref(), change.after.as_ref())
        .iter()
        .all(|removed| statement(removed).is_ok())
        && only_in(change.after.as_ref(), change.before.as_ref()).is_empty()
}

/// All texts in a JSON value.
pub(super) fn collect(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            texts.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(object) => object.values().for_each(|item| collect(item, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
