//! Decides whom a key policy trusts with a request: the account, the role, both, or nobody.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam>:
//! a key policy trusts nobody by default, so a role's own policies count only where the key policy leaves the decision
//! to the account, for this action and under these conditions.

use crate::observed::Observed;

use super::answer::Layer;
use super::evaluate::side_of_policy;
use super::layers::NamedPolicy;
use super::matching::PreparedRequest;
use super::request::Request;
use super::truth::Truth;

/// Whom a key policy trusts with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyTrust {
    /// The account, not the role by name: the role's own policies decide.
    Account,
    /// The role (or its session, or everyone), not the account: the role's own policies do not count.
    Role,
    /// Both: the role is allowed already, and its own policies would count too.
    AccountAndRole,
    /// Neither. A grant, or a change of the key policy, is the only way.
    Nobody,
    /// The key policy denies it. Nothing else can help.
    Denied,
    /// The key policy was not read, or what it says of this request is not understood.
    Unknown,
}

/// Whom does the key policy trust with this request? The account is that of the caller, wherever the key is.
///
/// Whether the caller has a permissions boundary is not asked; a denial with `NotPrincipal` that depends on it gives
/// [`KeyTrust::Unknown`].
#[must_use]
pub fn key_trust(request: &Request, key_policy: &Observed<NamedPolicy>) -> KeyTrust {
    let policy = match key_policy {
        Observed::Found(policy) => policy,
        Observed::Absent => return KeyTrust::Nobody,
        Observed::Unreadable(_) => return KeyTrust::Unknown,
    };
    let subject = PreparedRequest::of(request, Truth::Unknown);
    let side = side_of_policy(&subject, Layer::Resource, policy, &mut Vec::new());
    let named = side.allows.direct.or(side.allows.role).truth;
    match (side.denies.truth, side.allows.account.truth, named) {
        (Truth::Yes, _, _) => KeyTrust::Denied,
        (Truth::Unknown, _, _) | (_, Truth::Unknown, _) => KeyTrust::Unknown,
        (Truth::No, Truth::Yes, Truth::Yes) => KeyTrust::AccountAndRole,
        (Truth::No, Truth::Yes, Truth::No | Truth::Unknown) => KeyTrust::Account,
        (Truth::No, Truth::No, Truth::Yes) => KeyTrust::Role,
        (Truth::No, Truth::No, Truth::No) => KeyTrust::Nobody,
        (Truth::No, Truth::No, Truth::Unknown) => KeyTrust::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::ReadFailure;
    use crate::policy::world::{KEY, ROLE, SESSION, named, world};
    use serde_json::{Value, json};

    fn trust(statements: Value) -> KeyTrust {
        let policy = Observed::Found(named("key policy", statements));
        key_trust(&world("kms:Decrypt", KEY).request, &policy)
    }

    fn statement(effect: &str, principal: Value) -> Value {
        json!({"Effect": effect, "Principal": principal, "Action": "kms:*", "Resource": "*"})
    }

    #[test]
    fn a_key_policy_trusts_exactly_whom_its_statements_name_for_this_request() {
        let allow = |principal| statement("Allow", principal);
        let account = || allow(json!({"AWS": "arn:aws:iam::111122223333:root"}));
        let conditional = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}});
        let unknown = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*",
            "Condition": {"StringIs": {"kms:ViaService": "x"}}});
        let unknown_role = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*", "Resource": "*", "Foo": 1});
        for (statements, expected, why) in [
            (json!([account()]), KeyTrust::Account, "delegation"),
            (
                json!([allow(json!({"AWS": ROLE}))]),
                KeyTrust::Role,
                "the role by name",
            ),
            (
                json!([allow(json!({"AWS": SESSION}))]),
                KeyTrust::Role,
                "the session",
            ),
            (json!([allow(json!("*"))]), KeyTrust::Role, "everyone"),
            (
                json!([account(), allow(json!({"AWS": ROLE}))]),
                KeyTrust::AccountAndRole,
                "both",
            ),
            (
                json!([allow(json!({"AWS": "arn:aws:iam::111122223333:role/admin"}))]),
                KeyTrust::Nobody,
                "another role",
            ),
            (
                json!([allow(json!({"AWS": "444455556666"}))]),
                KeyTrust::Nobody,
                "another account",
            ),
            (json!([conditional]), KeyTrust::Nobody, "a condition that fails"),
            (
                json!([account(), statement("Deny", json!({"AWS": "111122223333"}))]),
                KeyTrust::Denied,
                "a denial",
            ),
            (
                json!([unknown]),
                KeyTrust::Unknown,
                "a delegation that is not understood",
            ),
            (
                json!([unknown, allow(json!({"AWS": ROLE}))]),
                KeyTrust::Unknown,
                "the same beside the role",
            ),
            (
                json!([unknown_role]),
                KeyTrust::Unknown,
                "a naming that is not understood",
            ),
            (
                json!([unknown_role, account()]),
                KeyTrust::Account,
                "the same beside a delegation",
            ),
            (
                json!([account(), statement("Perhaps", json!("*"))]),
                KeyTrust::Unknown,
                "perhaps a denial",
            ),
        ] {
            assert_eq!(trust(statements), expected, "{why}");
        }
    }

    #[test]
    fn a_key_policy_that_was_not_read_is_not_taken_for_one_that_trusts_nobody() {
        let request = world("kms:Decrypt", KEY).request;
        let failure = ReadFailure {
            what: "key policy".into(),
            operation: "kms:GetKeyPolicy".into(),
            error_code: "AccessDeniedException".into(),
            permit: String::new(),
        };
        assert_eq!(
            key_trust(&request, &Observed::Unreadable(failure)),
            KeyTrust::Unknown
        );
        assert_eq!(key_trust(&request, &Observed::Absent), KeyTrust::Nobody);
    }
}
