//! Decides what a grant of ours gives, and which grants are ours.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>: the same name with the same
//! parameters returns the grant that is there. The name is made of everything that the grant gives, so that it is ours
//! exactly if its name follows from the rest of it; nothing else needs to be remembered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::canonical::sha256;
use crate::arn::{BucketName, KeyArn, Partition, RoleArn};
use crate::policy::Grant;
use crate::snapshot::Identity;
use crate::target::GrantRequest;

const NAME: &str = "s3-replication-remediator/";
/// The key of the encryption context that S3 sends.
const CONTEXT_KEY: &str = "aws:s3:arn";

/// The account as a principal: it may retire our grants, so that they outlive neither our role nor its name.
pub fn retiring_principal(identity: &Identity) -> String {
    format!("arn:{}:iam::{}:root", identity.partition, identity.account)
}

/// A grant of ours for replication out of `source`.
pub fn grant(
    identity: &Identity,
    source: &BucketName,
    grantee: &RoleArn,
    key: &KeyArn,
    operations: BTreeSet<String>,
    bound_to: Option<&BucketName>,
) -> GrantRequest {
    let context_equals: BTreeMap<String, String> = bound_to
        .map(|bucket| (CONTEXT_KEY.to_owned(), bucket.arn(grantee.partition())))
        .into_iter()
        .collect();
    GrantRequest {
        name: name(source, &grantee.to_string(), key, &operations, &context_equals),
        key: key.clone(),
        grantee: grantee.clone(),
        retiring_principal: retiring_principal(identity),
        operations,
        context_equals,
    }
}

fn name(
    source: &BucketName,
    grantee: &str,
    key: &KeyArn,
    operations: &BTreeSet<String>,
    context: &BTreeMap<String, String>,
) -> String {
    let all = json!([source.as_str(), grantee, key, operations, context]);
    format!("{NAME}{}", sha256(&all))
}

/// Did we make this grant for replication out of `source`?
pub fn is_ours(grant: &Grant, source: &BucketName) -> bool {
    let context = match &grant.constraints.equals {
        Some(context) => context.clone(),
        None => BTreeMap::new(),
    };
    grant.constraints.subset.is_none()
        && grant.constraints.unknown.is_empty()
        && grant.name.as_deref()
            == Some(name(source, &grant.grantee, &grant.key, &grant.operations, &context).as_str())
}

/// Is this the grant that was asked for?
pub fn is(grant: &Grant, wanted: &GrantRequest) -> bool {
    let context = grant.constraints.equals.clone().unwrap_or_default();
    grant.name.as_deref() == Some(wanted.name.as_str())
        && grant.key == wanted.key
        && grant.grantee == wanted.grantee.to_string()
        && grant.operations == wanted.operations
        && context == wanted.context_equals
        && grant.constraints.subset.is_none()
        && grant.constraints.unknown.is_empty()
}

/// The grant as ListGrants will show it, for judging the account as it would be.
pub fn as_granted(wanted: &GrantRequest) -> Grant {
    let mut grant = Grant {
        id: String::new(),
        name: Some(wanted.name.clone()),
        key: wanted.key.clone(),
        grantee: wanted.grantee.to_string(),
        retiring_principal: Some(wanted.retiring_principal.clone()),
        operations: wanted.operations.clone(),
        constraints: crate::policy::GrantConstraints::default(),
    };
    if !wanted.context_equals.is_empty() {
        grant.constraints.equals = Some(wanted.context_equals.clone());
    }
    grant
}

/// The request that would make an existing grant of ours again.
pub fn as_request(grant: &Grant, grantee: &RoleArn, identity: &Identity) -> GrantRequest {
    GrantRequest {
        key: grant.key.clone(),
        grantee: grantee.clone(),
        retiring_principal: grant
            .retiring_principal
            .clone()
            .unwrap_or_else(|| retiring_principal(identity)),
        name: grant.name.clone().unwrap_or_default(),
        operations: grant.operations.clone(),
        context_equals: grant.constraints.equals.clone().unwrap_or_default(),
    }
}

/// The grant as people read it.
pub fn parameters(grant: &GrantRequest) -> Value {
    let mut parameters = json!({
        "keyId": grant.key,
        "granteePrincipal": grant.grantee,
        "retiringPrincipal": grant.retiring_principal,
        "name": grant.name,
        "operations": grant.operations,
    });
    if let (Value::Object(parameters), false) = (&mut parameters, grant.context_equals.is_empty()) {
        parameters.insert(
            "constraints".to_owned(),
            json!({"EncryptionContextEquals": grant.context_equals}),
        );
    }
    parameters
}

/// The ARN that S3 sends as encryption context for objects with a Bucket Key.
pub fn bound_to<'a>(context: &'a BTreeMap<String, String>, partition: &Partition) -> Option<&'a str> {
    let prefix = format!("arn:{partition}:s3:::");
    context
        .get(CONTEXT_KEY)
        .map(String::as_str)
        .filter(|arn| context.len() == 1 && arn.starts_with(&prefix))
}
