//! Which patterns an allow-list of roles or keys may hold: those of ARNs of its kind that do not name everything there is.

use crate::guard::AllowedArn;

/// What a list may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// IAM roles.
    Role,
    /// KMS keys.
    Key,
}

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

/// The pattern, if a list of this kind may hold it.
pub(super) fn pattern(text: &str, kind: Kind) -> Result<AllowedArn, InvalidPattern> {
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
    let account_is_valid =
        account.contains(['*', '?']) || (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
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
        Some(_) => Ok(AllowedArn::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                assert_eq!(super::pattern(pattern, kind), Err(too_wide.clone()), "{pattern}");
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
                super::pattern(role, Kind::Role),
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
                super::pattern(key, Kind::Key),
                Err(InvalidPattern::NotAKey),
                "{key}"
            );
        }
    }
}
