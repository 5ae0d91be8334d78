//! Which ARNs an allow-list names: patterns in which `*` stands for any text, `/` included, and `?` for one character.
//!
//! Matches as IAM does, part by part, so that `*` never crosses a colon before the resource
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).

use std::fmt;

use crate::policy::pattern::glob;

/// What a list may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// IAM roles.
    Role,
    /// KMS keys.
    Key,
}

/// A pattern of ARNs of one kind that does not name everything there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnPattern(String);

/// Why a text is no such pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPattern {
    #[error("expected ARN patterns of roles such as `arn:aws:iam::111122223333:role/replication/*`")]
    NotARole,
    #[error(
        "expected ARN patterns of keys such as `arn:aws:kms:eu-west-1:111122223333:key/1234abcd-*`; an alias is not \
         accepted, because it can be pointed at another key"
    )]
    NotAKey,
    #[error("it would allow every role; name roles or a path, or tag the roles that may be changed")]
    EveryRole,
    #[error("it would allow every key; name keys, or tag the keys that may be changed")]
    EveryKey,
}

impl ArnPattern {
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Self, InvalidPattern> {
        let (service, prefix, malformed, too_wide) = match kind {
            Kind::Role => (
                "iam",
                "role/",
                InvalidPattern::NotARole,
                InvalidPattern::EveryRole,
            ),
            Kind::Key => ("kms", "key/", InvalidPattern::NotAKey, InvalidPattern::EveryKey),
        };
        if !text.is_empty() && text.chars().all(|c| "*?:".contains(c)) {
            return Err(too_wide);
        }
        let known = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/:*?".contains(c);
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, its_service, region, account, resource] = parts.as_slice() else {
            return Err(malformed);
        };
        let has_region = match kind {
            Kind::Role => region.is_empty(),
            Kind::Key => !region.is_empty(),
        };
        let account_is_valid = account.contains(['*', '?'])
            || (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
        if *arn != "arn"
            || partition.is_empty()
            || *its_service != service
            || !has_region
            || !account_is_valid
            || !text.chars().all(known)
        {
            return Err(malformed);
        }
        match resource.strip_prefix(prefix) {
            None if resource.chars().all(|c| "*?".contains(c)) && !resource.is_empty() => Err(too_wide),
            None => Err(malformed),
            Some("") => Err(malformed),
            // Every id of a key has hyphens.
            Some(name) if name.chars().all(|c| "*?/-".contains(c)) => Err(too_wide),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it name this ARN?
    pub fn matches(&self, arn: &str) -> bool {
        let mut patterns = self.0.splitn(6, ':');
        let mut parts = arn.splitn(6, ':');
        loop {
            match (patterns.next(), parts.next()) {
                (Some(pattern), Some(part)) if glob(pattern, part) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

impl fmt::Display for ArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_crosses_slashes_but_no_colon_before_the_resource() {
        let role = |pattern| ArnPattern::parse(pattern, Kind::Role).unwrap();
        let exact = role("arn:aws:iam::111122223333:role/crr");
        assert!(exact.matches("arn:aws:iam::111122223333:role/crr"));
        assert!(!exact.matches("arn:aws:iam::111122223333:role/crr2"));
        assert!(!exact.matches("arn:aws:iam::111122223333:role/CRR"));
        let path = role("arn:aws:iam::111122223333:role/replication/*");
        assert!(path.matches("arn:aws:iam::111122223333:role/replication/eu/crr"));
        assert!(!path.matches("arn:aws:iam::111122223333:role/crr"));
        let inner = role("arn:aws:iam::*:role/*-crr-?");
        assert!(inner.matches("arn:aws:iam::111122223333:role/a-crr-b-crr-1"));
        assert!(!inner.matches("arn:aws:iam::111122223333:role/a-crr-"));
        assert!(!role("arn:aws:iam::1*:role/crr").matches("arn:aws:iam::1:x:role/crr"));
        assert!(!role("arn:aws:iam::*:role/crr").matches("nonsense"));
    }

    #[test]
    fn matching_takes_no_exponential_time() {
        let pattern = ArnPattern(format!("arn:aws:iam::1:role/{}b", "a*".repeat(30)));
        assert!(!pattern.matches(&format!("arn:aws:iam::1:role/{}", "a".repeat(500))));
    }

    #[test]
    fn what_would_allow_everything_is_refused() {
        for (kind, too_wide, patterns) in [
            (
                Kind::Role,
                InvalidPattern::EveryRole,
                [
                    "*",
                    "**",
                    "arn:aws:iam::111122223333:*",
                    "arn:aws:iam::111122223333:role/*",
                    "arn:aws:iam::*:role/?*",
                ],
            ),
            (
                Kind::Key,
                InvalidPattern::EveryKey,
                [
                    "*",
                    "?",
                    "arn:aws:kms:*:*:*",
                    "arn:aws:kms:eu-west-1:111122223333:key/*",
                    "arn:*:kms:*:*:key/**",
                ],
            ),
        ] {
            for pattern in patterns {
                assert_eq!(
                    ArnPattern::parse(pattern, kind),
                    Err(too_wide.clone()),
                    "{pattern}"
                );
            }
        }
    }

    #[test]
    fn what_names_nothing_of_the_kind_is_refused() {
        for role in [
            "crr",
            "arn:aws:iam::111122223333:user/crr",
            "arn:aws:iam::11112222333:role/crr",
            "arn:aws:iam:eu-west-1:111122223333:role/crr",
            "arn:aws:*::111122223333:role/crr",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/a b",
            "arn:aws:iam::*",
        ] {
            assert_eq!(
                ArnPattern::parse(role, Kind::Role),
                Err(InvalidPattern::NotARole),
                "{role}"
            );
        }
        for key in [
            "1234abcd",
            "arn:aws:kms:eu-west-1:111122223333:alias/tax",
            "arn:aws:kms::111122223333:key/1234abcd",
        ] {
            assert_eq!(
                ArnPattern::parse(key, Kind::Key),
                Err(InvalidPattern::NotAKey),
                "{key}"
            );
        }
    }
}
