//! The statement that denies: what it says, and what it would say if it spared the role.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn>:
//! conditions of a statement must all hold, so one more that does not hold for the role makes it spare the role.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::managed;
use crate::assessment::resource_policy;
use crate::check::Facts;
use crate::policy::{Layer, NamedPolicy, Statement, StatementRef, principal_tag};
use crate::requirement::Area;
use crate::shell::shell_quote;

/// A statement that is longer than this is looked up, not read in a report.
const LONGEST: usize = 3000;

/// The statement as it stands in its policy.
pub(super) fn text_of<'a>(facts: &Facts<'a>, area: &Area, denying: &StatementRef) -> Option<&'a Value> {
    let policy = policy_of(facts, area, denying)?;
    policy.document.raw_statements().get(denying.index)
}

/// The same, as it was read.
pub(super) fn statement_of<'a>(
    facts: &Facts<'a>,
    area: &Area,
    denying: &StatementRef,
) -> Option<&'a Statement> {
    policy_of(facts, area, denying)?
        .document
        .statements()
        .get(denying.index)
}

fn policy_of<'a>(facts: &Facts<'a>, area: &Area, denying: &StatementRef) -> Option<&'a NamedPolicy> {
    let role = facts.snapshot.role.found()?;
    match denying.layer {
        Layer::Identity => role
            .inline
            .policies
            .iter()
            .chain(&role.managed.policies)
            .find(|policy| policy.name == denying.policy),
        Layer::Boundary => role.boundary.found(),
        Layer::Resource => match resource_policy(facts.snapshot, area) {
            Cow::Borrowed(policy) => policy.found(),
            Cow::Owned(_) => None,
        },
        Layer::Scp | Layer::Rcp | Layer::Grant => None,
    }
}

/// How to except the role from it.
pub(super) fn spare(facts: &Facts<'_>, area: &Area, denying: &StatementRef) -> String {
    if let Some(text) = managed::without(facts, denying) {
        return text;
    }
    if is_of_the_role_alone(facts, area, denying) {
        return format!("remove {denying}, which no Allow outweighs: it is about this role alone");
    }
    let statement = text_of(facts, area, denying);
    let instead = statement
        .and_then(|statement| sparing(facts, statement))
        .and_then(|statement| shown(&statement));
    let mut text = match instead {
        Some(statement) => format!(
            "remove {denying}, which no Allow outweighs, or put this in its place, so that it spares the role:\n{statement}"
        ),
        None => format!("remove {denying}, which no Allow outweighs, or except the role from it"),
    };
    let own = statement.filter(|_| is_own(facts, area, denying));
    if let Some(command) = own.and_then(|statement| tagging(facts, statement)) {
        text.push_str("\nor, if the role is one that it is meant to spare, tag the role:\n");
        text.push_str(&command);
    }
    text
}

/// Does the policy belong to our own account? What a stranger's policy asks of the role would be the stranger's to choose, and
/// a tag may open doors elsewhere.
fn is_own(facts: &Facts<'_>, area: &Area, denying: &StatementRef) -> bool {
    let own = &facts.snapshot.identity.account;
    match (denying.layer, area) {
        (Layer::Identity | Layer::Boundary, _) | (Layer::Resource, Area::Source) => true,
        (Layer::Resource, Area::Destination(bucket)) => facts.owner_of(bucket) == own.as_str(),
        (Layer::Resource, Area::SourceKey(key) | Area::ReplicaKey(key)) => key.account() == own,
        (Layer::Scp | Layer::Rcp | Layer::Grant, _) => false,
    }
}

/// By tags of this name owners open roles to this program, which must not be asked for.
const OPENS_TO_US: &str = "s3-replication-remediator";

/// How to give the role a tag that the statement spares, where it names one. That is for a person to judge: whoever tests
/// tags has a meaning for them.
fn tagging(facts: &Facts<'_>, statement: &Value) -> Option<String> {
    let role = facts.snapshot.role.found()?;
    let conditions = statement.get("Condition")?.as_object()?;
    let keys = conditions
        .iter()
        .filter(|(operator, _)| operator.starts_with("StringNot"))
        .filter_map(|(_, keys)| keys.as_object())
        .flatten();
    let (tag, value) = keys
        .filter_map(|(key, value)| Some((principal_tag(key)?, value.as_str()?)))
        .filter(|(tag, _)| !tag.eq_ignore_ascii_case(OPENS_TO_US))
        .find(|(_, value)| !value.contains(['*', '?', '$']))?;
    let tags = shown(&json!([{"Key": tag, "Value": value}]))?;
    Some(format!(
        "aws iam tag-role --role-name {} --tags {}",
        shell_quote(role.arn.name()),
        shell_quote(&tags)
    ))
}

/// Is it about nobody but the role, so that a statement that spares it would say nothing? It stands in an inline policy, or
/// names the role as its only principal.
fn is_of_the_role_alone(facts: &Facts<'_>, area: &Area, denying: &StatementRef) -> bool {
    let Some(role) = facts.snapshot.role.found() else {
        return false;
    };
    let is_inline = role
        .inline
        .policies
        .iter()
        .any(|policy| policy.name == denying.policy);
    let is_role = |value: &Value| value.as_str() == Some(&*role.arn.to_string());
    let named = text_of(facts, area, denying)
        .and_then(|statement| statement.get("Principal")?.as_object())
        .filter(|principal| principal.len() == 1)
        .and_then(|principal| principal.get("AWS"));
    let names_the_role = match named {
        Some(Value::Array(principals)) => !principals.is_empty() && principals.iter().all(is_role),
        Some(principal) => is_role(principal),
        None => false,
    };
    (denying.layer == Layer::Identity && is_inline) || names_the_role
}

/// The statement as text for a person, in ASCII: nobody's policy may rearrange our report. None where it is too long to
/// be of help.
pub(super) fn shown(statement: &Value) -> Option<String> {
    let mut text = String::new();
    for letter in statement.to_string().chars() {
        if letter.is_ascii() && !letter.is_ascii_control() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    (text.len() <= LONGEST).then_some(text)
}

/// The same statement, which does not hold for the role. None where that is already its condition, or where it is not
/// of the usual form.
fn sparing(facts: &Facts<'_>, statement: &Value) -> Option<Value> {
    const OPERATOR: &str = "ArnNotLike";
    const KEY: &str = "aws:PrincipalArn";
    let role = &facts.snapshot.replication.found()?.role;
    let mut statement = statement.clone();
    let condition = statement
        .as_object_mut()?
        .entry("Condition")
        .or_insert_with(|| json!({}));
    let keys = condition
        .as_object_mut()?
        .entry(OPERATOR)
        .or_insert_with(|| json!({}))
        .as_object_mut()?;
    let spared = keys.entry(KEY).or_insert_with(|| json!([]));
    if let Value::String(one) = spared {
        *spared = json!([one]);
    }
    let spared = spared.as_array_mut()?;
    if spared.contains(&json!(role)) {
        return None;
    }
    spared.push(json!(role));
    Some(statement)
}
