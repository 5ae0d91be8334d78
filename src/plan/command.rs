//! Writes the command of the AWS command line that undoes a change, safe to paste whatever names strangers chose.
//!
//! Values are joined to their option with `=`, so that none can pass for an option.

use serde_json::{Value, json};

use super::canonical::ascii;
use super::key_grant::parameters;
use crate::arn::{KeyArn, RoleArn};
use crate::policy::PolicyDocument;
use crate::shell::shell_quote;
use crate::target::GrantRequest;

fn command(words: &[&str], options: &[(&str, &str)]) -> String {
    let mut command = words.join(" ");
    for (option, value) in options {
        command.push(' ');
        command.push_str(&shell_quote(&format!("--{option}={value}")));
    }
    command
}

/// Deletes the inline policy.
pub fn delete_role_policy(role: &RoleArn, name: &str) -> String {
    command(
        &["aws", "iam", "delete-role-policy"],
        &[("role-name", role.name()), ("policy-name", name)],
    )
}

/// Writes the inline policy as it was.
pub fn put_role_policy(role: &RoleArn, name: &str, document: &PolicyDocument) -> String {
    command(
        &["aws", "iam", "put-role-policy"],
        &[
            ("role-name", role.name()),
            ("policy-name", name),
            ("policy-document", &ascii(&document.raw().to_string())),
        ],
    )
}

/// Looks up the grant by its name, since only KMS knows its id, and revokes it.
pub fn revoke_grant_by_name(grant: &GrantRequest) -> String {
    let key = grant.key.to_string();
    let region = grant.key.region().as_str();
    // JMESPath takes JSON between backticks; the name is of an alphabet that needs no escaping there.
    let query = format!("Grants[?Name==`{}`].GrantId|[0]", json!(grant.name));
    let lookup = command(
        &["aws", "kms", "list-grants"],
        &[
            ("region", region),
            ("key-id", &key),
            ("grantee-principal", &grant.grantee.to_string()),
            ("query", &query),
            ("output", "text"),
        ],
    );
    let revoke = command(
        &["aws", "kms", "revoke-grant"],
        &[("region", region), ("key-id", &key)],
    );
    format!("{revoke} --grant-id=\"$({lookup})\"")
}

/// Makes a revoked grant again; it gets another id.
pub fn create_grant(grant: &GrantRequest) -> String {
    let key: &KeyArn = &grant.key;
    let mut text = command(
        &["aws", "kms", "create-grant"],
        &[
            ("region", key.region().as_str()),
            ("key-id", &key.to_string()),
            ("grantee-principal", &grant.grantee.to_string()),
            ("retiring-principal", &grant.retiring_principal),
            ("name", &grant.name),
        ],
    );
    if let Some(Value::Object(constraints)) = parameters(grant).get("constraints") {
        let constraints = ascii(&Value::Object(constraints.clone()).to_string());
        text.push(' ');
        text.push_str(&shell_quote(&format!("--constraints={constraints}")));
    }
    text.push_str(" --operations");
    for operation in &grant.operations {
        text.push(' ');
        text.push_str(&shell_quote(operation));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_whose_name_looks_like_an_option_stays_a_value() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/--help".parse().unwrap();
        assert_eq!(
            delete_role_policy(&role, "p"),
            "aws iam delete-role-policy --role-name=--help --policy-name=p"
        );
    }
}
