//! Decides what one call looks like to IAM: who calls, which action, on what, and with which condition keys.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-reqcontext.html>.

use std::sync::Arc;

use crate::arn::{AccountId, RoleArn};

/// One call, to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who calls.
    pub caller: Caller,
    /// `service:Name`; letter case does not count.
    pub action: String,
    /// The ARN that the call is authorised on; for KMS always that of the key.
    pub resource: String,
    /// The account that owns the resource. S3's ARNs do not say it.
    pub resource_account: AccountId,
    /// The condition keys of the call. A key that is not in it is absent, which is not the same as empty.
    pub context: Context,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A session of a role, as S3 uses it for replication.
    Role {
        /// The role itself.
        role: RoleArn,
        /// The ARN of the session, `arn:…:sts::ACCOUNT:assumed-role/NAME/SESSION`.
        session: String,
    },
    /// An AWS service in its own name, such as `s3.amazonaws.com` when it assumes the role.
    Service(String),
}

impl Caller {
    /// A session of the role, such as S3's `s3-replication`.
    #[must_use]
    pub fn session_of(role: &RoleArn, session_name: &str) -> Self {
        Self::Role {
            session: role.session(session_name),
            role: role.clone(),
        }
    }

    /// The account that the caller acts in; services act in none.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Role { role, .. } => Some(role.account()),
            Self::Service(_) => None,
        }
    }
}

/// The value or values that a request has for a condition key.
///
/// IAM tells the two kinds of key apart, even where a multivalued key has one value:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// A single-valued key.
    One(String),
    /// A multivalued key.
    Many(Vec<String>),
    /// A single-valued key that has one of these values: what does not hold for all of them alike is undetermined.
    OneOf(Vec<String>),
    /// A key that the request may have, with a value that nobody here knows: what turns on it is undetermined.
    Unknown,
}

impl Values {
    /// The values, however many; those that are possible.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) | Self::OneOf(values) => values,
            Self::Unknown => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// The key in lower case, by which it is found.
    folded: String,
    /// The key as it was given: grants compare encryption context keys with letter case.
    key: String,
    values: Values,
}

/// The condition keys of a request. Letter case of a key does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Sorted by the folded key, each key once. Shared, because the contexts of one role's requests agree in nearly all
    /// of them, and a thousand rules make ten thousand requests.
    entries: Arc<Vec<Arc<Entry>>>,
}

/// Before the name of a pair of the encryption context, folded.
const ENCRYPTION_CONTEXT: &str = "kms:encryptioncontext:";

impl Context {
    /// No key at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same context with one more single-valued key; a value that the key had is replaced.
    #[must_use]
    pub fn with(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.insert(key.into(), Values::One(value.into()))
    }

    /// The same context with one more multivalued key; the values that the key had are replaced.
    #[must_use]
    pub fn with_set<V: Into<String>>(
        self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.insert(
            key.into(),
            Values::Many(values.into_iter().map(Into::into).collect()),
        )
    }

    /// The same context with one more single-valued key, which has one of these values.
    #[must_use]
    pub fn with_one_of<V: Into<String>>(
        self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.insert(
            key.into(),
            Values::OneOf(values.into_iter().map(Into::into).collect()),
        )
    }

    /// The same context with one more key, of which neither presence nor value is known.
    #[must_use]
    pub fn with_unknown(self, key: impl Into<String>) -> Self {
        self.insert(key.into(), Values::Unknown)
    }

    /// The same context without the key.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        let folded = fold(key);
        Arc::make_mut(&mut self.entries).retain(|entry| entry.folded != folded);
        self
    }

    /// What the request has for the key, whatever its letter case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Values> {
        self.get_folded(&fold(key))
    }

    /// Every key as it was given, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.entries
            .iter()
            .map(|entry| (entry.key.as_str(), &entry.values))
    }

    /// The pairs of the KMS encryption context, keys with the letter case that they were given.
    pub(crate) fn encryption_context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|entry| {
            entry.folded.starts_with(ENCRYPTION_CONTEXT).then_some(())?;
            match &entry.values {
                Values::One(value) => Some((entry.key.get(ENCRYPTION_CONTEXT.len()..)?, value.as_str())),
                Values::Many(_) | Values::OneOf(_) | Values::Unknown => None,
            }
        })
    }

    /// Is there a pair of the encryption context whose value is not known?
    pub(crate) fn has_unknown_encryption_context(&self) -> bool {
        self.entries.iter().any(|entry| {
            entry.folded.starts_with(ENCRYPTION_CONTEXT)
                && matches!(entry.values, Values::Unknown | Values::OneOf(_))
        })
    }

    pub(crate) fn get_folded(&self, folded: &str) -> Option<&Values> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.folded.as_str().cmp(folded))
            .ok()?;
        self.entries.get(at).map(|entry| &entry.values)
    }

    fn insert(mut self, key: String, values: Values) -> Self {
        let folded = fold(&key);
        let entry = Arc::new(Entry { folded, key, values });
        match self
            .entries
            .binary_search_by(|other| other.folded.cmp(&entry.folded))
        {
            Ok(at) => {
                if let Some(place) = Arc::make_mut(&mut self.entries).get_mut(at) {
                    *place = entry;
                }
            }
            Err(at) => Arc::make_mut(&mut self.entries).insert(at, entry),
        }
        self
    }
}

/// The form in which condition keys are compared.
pub(crate) fn fold(key: &str) -> String {
    key.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_of_a_condition_key_does_not_count() {
        let context = Context::new()
            .with("aws:PrincipalTag/Team", "a")
            .with("AWS:principaltag/team", "b");
        assert_eq!(
            context.get("aws:PRINCIPALTAG/TEAM"),
            Some(&Values::One("b".into()))
        );
        assert_eq!(context.iter().count(), 1);
        let context = context.with("aws:userid", "u").without("AWS:PrincipalTag/TEAM");
        assert_eq!(
            context.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            ["aws:userid"]
        );
        let context = context.with_unknown("AWS:PrincipalOrgID");
        assert_eq!(context.get("aws:principalorgid"), Some(&Values::Unknown));
        assert_eq!(context.iter().count(), 2, "what was known stays");
    }

    #[test]
    fn a_role_acts_in_its_account_and_a_service_in_none() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/crr".parse().unwrap();
        let caller = Caller::session_of(&role, "s");
        assert_eq!(caller.account().map(AccountId::as_str), Some("111122223333"));
        assert_eq!(Caller::Service("s3.amazonaws.com".into()).account(), None);
    }

    #[test]
    fn the_encryption_context_keeps_the_case_of_its_keys_and_leaves_their_list_out() {
        let context = Context::new()
            .with("KMS:encryptioncontext:Tenant", "t1")
            .with_set("kms:EncryptionContextKeys", ["Tenant"])
            .with("aws:PrincipalAccount", "111122223333");
        assert_eq!(
            context.encryption_context().collect::<Vec<_>>(),
            [("Tenant", "t1")]
        );
    }
}
