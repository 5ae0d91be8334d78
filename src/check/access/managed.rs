//! What to do about a policy that AWS manages: nobody but AWS can edit it, so it is detached, or another one takes its
//! place.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html>

use serde_json::Value;

use crate::check::Facts;
use crate::policy::{Layer, StatementRef};
use crate::shell::shell_quote;
use crate::snapshot::Role;

/// Is this the ARN of a policy that AWS manages?
pub(super) fn is_of_aws(policy: &str) -> bool {
    let parts: Vec<&str> = policy.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", "aws", name] if name.starts_with("policy/"))
}

/// What to do about a statement of such a policy that denies; `None` where it can be edited.
pub(super) fn without(facts: &Facts<'_>, denying: &StatementRef) -> Option<String> {
    let role = facts
        .snapshot
        .role
        .found()
        .filter(|_| is_of_aws(&denying.policy))?;
    match denying.layer {
        Layer::Identity => Some(format!(
            "no Allow outweighs {denying}, and AWS manages that policy, so nobody can edit it. Where it was not attached \
             to lock the role, detach it; what else of it the role needs can stand in a policy of your own:\n\
             aws iam detach-role-policy --role-name {} --policy-arn {}",
            shell_quote(role.arn.name()),
            shell_quote(&denying.policy)
        )),
        Layer::Boundary => Some(format!(
            "no Allow outweighs {denying}, and AWS manages that policy, so nobody can edit it. Make a policy of your own \
             without this statement, and put it in its place as the boundary:\n{}",
            put_boundary(role)
        )),
        Layer::Resource | Layer::Scp | Layer::Rcp | Layer::Grant => None,
    }
}

/// What to do about a boundary that lacks a statement.
pub(super) fn add_to_boundary(role: Option<&Role>, statement: &Value) -> String {
    let boundary = role
        .and_then(|role| role.boundary_arn.as_deref())
        .unwrap_or_default();
    match role.filter(|_| is_of_aws(boundary)) {
        Some(role) => format!(
            "AWS manages the permissions boundary {boundary}, so nobody can add to it. Make a policy of your own that \
             allows the same and this statement:\n{statement}\nand put it in its place as the boundary:\n{}",
            put_boundary(role)
        ),
        None => format!("add to the permissions boundary {boundary}:\n{statement}"),
    }
}

fn put_boundary(role: &Role) -> String {
    format!(
        "aws iam put-role-permissions-boundary --role-name {} --permissions-boundary arn:{}:iam::{}:policy/NAME",
        shell_quote(role.arn.name()),
        role.arn.partition(),
        role.arn.account()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_aws_is_known_by_its_account() {
        for (policy, expected) in [
            ("arn:aws:iam::aws:policy/AWSDenyAll", true),
            ("arn:aws-cn:iam::aws:policy/service-role/AWSDenyAll", true),
            ("arn:aws:iam::111122223333:policy/aws:policy/mine", false),
            ("arn:aws:iam::111122223333:policy/AWSDenyAll", false),
            ("AWSDenyAll", false),
        ] {
            assert_eq!(is_of_aws(policy), expected, "{policy}");
        }
    }
}
