//! Decides what of the policy that bears our name is ours, and what somebody else wrote into it.
//!
//! A statement counts as ours if every permission that it gives is one that replication may need, and if writing these
//! permissions down makes the very same statement. Whoever may edit our policy can therefore not have us take for ours
//! what we never give: it stays theirs, word by word.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::canonical::canonical;
use super::prefix::is_literal;
use super::role_policy::{ENCRYPTION_CONTEXT, KeyContext, Permission, VIA_SERVICE, statements};
use crate::policy::PolicyDocument;

const VERSION: &str = "2012-10-17";

/// Our policy as it is: what it gives by statements of ours, and the statements that somebody else wrote into it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OurPolicy {
    /// What our own statements give.
    pub(super) permissions: BTreeSet<Permission>,
    /// Other statements, word by word.
    pub(super) foreign: Vec<Value>,
    /// Is the document as a whole of another form than ours?
    pub(super) is_foreign: bool,
}

impl OurPolicy {
    /// Takes the document apart.
    pub(super) fn read(document: &PolicyDocument, source: &str) -> Self {
        let raw = document.raw();
        let statements = match (raw.as_object(), raw.get("Statement")) {
            (Some(object), Some(Value::Array(statements)))
                if object.len() == 2 && object.get("Version").and_then(Value::as_str) == Some(VERSION) =>
            {
                statements
            }
            _ => {
                return Self {
                    is_foreign: true,
                    ..Self::default()
                };
            }
        };
        let mut ours = Self::default();
        for statement in statements {
            match permissions_of(statement, source) {
                Some(permissions) => ours.permissions.extend(permissions),
                None => ours.foreign.push(statement.clone()),
            }
        }
        ours
    }

    /// The document that gives `permissions` and keeps what others wrote; none where that leaves nothing.
    pub(super) fn with(&self, permissions: &BTreeSet<Permission>, source: &str) -> Option<PolicyDocument> {
        let mut all = statements(permissions, source);
        all.extend(self.foreign.iter().cloned());
        if all.is_empty() {
            return None;
        }
        PolicyDocument::from_value(json!({"Version": VERSION, "Statement": all})).ok()
    }

    /// A statement name that both we and somebody else would use: IAM refuses such a document.
    pub(super) fn clash(&self, permissions: &BTreeSet<Permission>, source: &str) -> Option<String> {
        let ours = statements(permissions, source);
        self.foreign
            .iter()
            .filter_map(|statement| statement.get("Sid").and_then(Value::as_str))
            .find(|sid| {
                ours.iter()
                    .any(|statement| statement.get("Sid").and_then(Value::as_str) == Some(sid))
            })
            .map(str::to_owned)
    }
}

/// What a statement of ours gives; none where it is not of our form.
fn permissions_of(statement: &Value, source: &str) -> Option<BTreeSet<Permission>> {
    let object = statement.as_object()?;
    let actions = texts(object.get("Action")?)?;
    let resources = texts(object.get("Resource")?)?;
    let mut permissions = BTreeSet::new();
    match object.get("Condition") {
        None => {
            for resource in resources {
                permissions.extend(actions.iter().map(|action| Permission {
                    resource: resource.to_owned(),
                    context: None,
                    action: (*action).to_owned(),
                }));
            }
        }
        Some(condition) => {
            let (via_service, contexts) = key_condition(condition.as_object()?)?;
            for resource in resources {
                for context in &contexts {
                    permissions.extend(actions.iter().map(|action| Permission {
                        resource: resource.to_owned(),
                        context: Some(KeyContext {
                            via_service: via_service.to_owned(),
                            arn: (*context).to_owned(),
                        }),
                        action: (*action).to_owned(),
                    }));
                }
            }
        }
    }
    if !permissions
        .iter()
        .all(|permission| may_be_ours(permission, source))
    {
        return None;
    }
    let again = statements(&permissions, source);
    match again.as_slice() {
        [one] if canonical(one) == canonical(statement) => Some(permissions),
        _ => None,
    }
}

fn key_condition(condition: &Map<String, Value>) -> Option<(&str, Vec<&str>)> {
    let via_service = condition.get("StringEquals")?.get(VIA_SERVICE)?.as_str()?;
    let contexts = texts(condition.get("StringLike")?.get(ENCRYPTION_CONTEXT)?)?;
    Some((via_service, contexts))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// Is it something that we write into our policy where a rule needs it? `source` is the ARN of the source bucket.
fn may_be_ours(permission: &Permission, source: &str) -> bool {
    let target = permission.target();
    let (bucket, objects) = match target.split_once('/') {
        Some((bucket, objects)) => (bucket, Some(objects)),
        None => (target, None),
    };
    let partition = source.rsplit_once(':').map(|(partition, _)| partition);
    let is_bucket =
        bucket.rsplit_once(':').map(|(partition, _)| partition) == partition && permission.bucket().is_some();
    let is_written = objects.is_none_or(|objects| objects.strip_suffix('*').is_some_and(is_literal));
    let actions: &[&str] = match (&permission.context, bucket == source, objects.is_some()) {
        (Some(_), true, _) => &["kms:Decrypt"],
        (Some(_), false, _) => &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
        (None, true, false) => &["s3:GetReplicationConfiguration", "s3:ListBucket"],
        (None, true, true) => &[
            "s3:GetObjectLegalHold",
            "s3:GetObjectRetention",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionTagging",
        ],
        (None, false, true) => &[
            "s3:ObjectOwnerOverrideToBucketOwner",
            "s3:PutObjectLegalHold",
            "s3:PutObjectRetention",
            "s3:ReplicateDelete",
            "s3:ReplicateObject",
            "s3:ReplicateTags",
        ],
        (None, false, false) => &[],
    };
    let is_through_s3 = permission.context.as_ref().is_none_or(|context| {
        permission
            .key()
            .is_some_and(|key| context.via_service == format!("s3.{}.amazonaws.com", key.region()))
    });
    is_bucket && is_written && is_through_s3 && actions.contains(&permission.action.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "arn:aws:s3:::source";
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/source";

    fn on_bucket(action: &str, resource: &str) -> Permission {
        Permission {
            resource: resource.to_owned(),
            context: None,
            action: action.to_owned(),
        }
    }

    fn on_key(action: &str, via_service: &str, arn: &str) -> Permission {
        Permission {
            resource: KEY.to_owned(),
            context: Some(KeyContext {
                via_service: via_service.to_owned(),
                arn: arn.to_owned(),
            }),
            action: action.to_owned(),
        }
    }

    #[test]
    fn what_is_written_as_we_write_it_is_ours_only_where_replication_may_need_it() {
        let s3 = "s3.eu-west-1.amazonaws.com";
        for (permission, is_ours) in [
            (on_bucket("s3:ListBucket", SOURCE), true),
            (on_bucket("s3:ReplicateObject", "arn:aws:s3:::replica/a/*"), true),
            (
                on_bucket("s3:ReplicateObject", "arn:aws:s3:::replica/${*}*"),
                true,
            ),
            (on_key("kms:Decrypt", s3, "arn:aws:s3:::source/*"), true),
            (on_key("kms:Encrypt", s3, "arn:aws:s3:::replica"), true),
            (on_bucket("s3:GetObject", "arn:aws:s3:::source/*"), false),
            (
                on_bucket("s3:ReplicateObject", "arn:aws:s3:::replica/*/x*"),
                false,
            ),
            (on_bucket("s3:ReplicateObject", "arn:aws:s3:::*"), false),
            (on_bucket("s3:ReplicateObject", "arn:aws:s3:::replica/a"), false),
            (
                on_bucket("s3:ReplicateObject", "arn:aws-cn:s3:::replica/*"),
                false,
            ),
            (on_bucket("s3:ListBucket", "arn:aws:s3:::replica"), false),
            (
                on_bucket("iam:PassRole", "arn:aws:iam::111122223333:role/r"),
                false,
            ),
            (
                on_key("kms:ScheduleKeyDeletion", s3, "arn:aws:s3:::source/*"),
                false,
            ),
            (on_key("kms:Encrypt", s3, "arn:aws:s3:::source/*"), false),
            (
                on_key(
                    "kms:Decrypt",
                    "dynamodb.eu-west-1.amazonaws.com",
                    "arn:aws:s3:::source/*",
                ),
                false,
            ),
            (on_key("kms:Decrypt", s3, "*"), false),
        ] {
            let document = json!({"Version": VERSION, "Statement": statements(&BTreeSet::from([permission.clone()]), SOURCE)});
            let read = OurPolicy::read(&PolicyDocument::from_value(document).unwrap(), SOURCE);
            assert_eq!(read.permissions.contains(&permission), is_ours, "{permission:?}");
            assert_eq!(read.foreign.is_empty(), is_ours, "{permission:?}");
        }
    }
}
