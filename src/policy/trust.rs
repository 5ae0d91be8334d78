//! Decides whom a key policy trusts with a request: the account, the role, both, or nobody.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam>:
//! a key policy trusts nobody by default, so a role's own policies count only where the key policy leaves the decision
//! to the account, for this action and under these conditions.

use crate::observed::Observed;

use super::answer::Layer;
use super::evaluate::side_of_policy;
use super::layers::NamedPolicy;
use super::matching::Subject;
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

impl KeyTrust {
    /// Do the policies of the role count?
    #[must_use]
    pub fn delegates(self) -> bool {
        match self {
            Self::Account | Self::AccountAndRole => true,
            Self::Role | Self::Nobody | Self::Denied | Self::Unknown => false,
        }
    }
}

/// Whom does the key policy trust with this request?
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
    let subject = Subject::of(request, Truth::Unknown);
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
