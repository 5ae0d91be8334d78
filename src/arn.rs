//! The names of things in AWS, as types: which text may be an account, a Region, a bucket, a role or a key.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
//!
//! Every type has a private field and a fallible constructor, so that a value of it is proof of its form: text that
//! comes from an event can reach an AWS call, a policy that we write or a printed command only through one of these.

mod key;
mod role;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use key::{AliasArn, KeyArn, KeyReference};
pub use role::RoleArn;

/// A text that is not a name of the wanted kind: which kind, what was found, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {kind}: {rule}", found.escape_debug())]
pub struct InvalidName {
    kind: &'static str,
    found: String,
    rule: &'static str,
}

impl InvalidName {
    fn new(kind: &'static str, found: &str, rule: &'static str) -> Self {
        const SHOWN: usize = 200;
        Self {
            kind,
            found: found.chars().take(SHOWN).collect(),
            rule,
        }
    }
}

/// Declares a name that is one checked string. Copies share it: thousands of requests name the same few things.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidName::new($kind, text, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// An AWS account id: 12 decimal digits.
    AccountId,
    "an AWS account id",
    "expected 12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);

name!(
    /// A Region code such as `eu-west-1`. The list of Regions grows, so only the form is checked.
    Region,
    "an AWS Region",
    "expected lower-case letters, digits and hyphens, such as `eu-west-1`",
    |text| {
        (3..=32).contains(&text.len())
            && text.contains('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && text.bytes().last().is_some_and(|b| b.is_ascii_digit())
    }
);

name!(
    /// An AWS partition such as `aws`, `aws-cn` or `aws-us-gov`.
    Partition,
    "an AWS partition",
    "expected `aws` or `aws-…` in lower-case letters and hyphens",
    |text| {
        text == "aws"
            || text.strip_prefix("aws-").is_some_and(|rest| {
                !rest.is_empty() && rest.len() <= 20 && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            })
    }
);

name!(
    /// The name of a general purpose bucket.
    ///
    /// Buckets made in us-east-1 before March 2018 may have upper-case letters and underscores and up to 255
    /// characters; they still exist, so they are accepted. Nothing here needs escaping in an ARN, a shell or JSON.
    BucketName,
    "a bucket name",
    "expected 3 to 255 letters, digits, hyphens, periods or underscores, not starting with a hyphen or period",
    |text| {
        (3..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
);

impl Region {
    /// The Region in which a bucket lies whose location constraint is empty.
    pub fn us_east_1() -> Self {
        Self("us-east-1".into())
    }

    /// The partition that the Region belongs to: <https://docs.aws.amazon.com/general/latest/gr/rande.html>
    pub fn partition(&self) -> Partition {
        const PARTITIONS: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("eusc-", "aws-eusc"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
        ];
        let known = PARTITIONS.iter().find(|(regions, _)| self.0.starts_with(regions));
        Partition(known.map_or("aws", |(_, partition)| partition).into())
    }
}

impl AccountId {
    /// An account that is not `own`: stands for an owner who could not be determined.
    pub fn other_than(own: &Self) -> Self {
        let stranger = Self("000000000000".into());
        if *own == stranger {
            Self("999999999999".into())
        } else {
            stranger
        }
    }
}

impl BucketName {
    /// `arn:PARTITION:s3:::BUCKET`
    pub fn arn(&self, partition: &Partition) -> String {
        format!("arn:{partition}:s3:::{self}")
    }

    /// The bucket that `arn:PARTITION:s3:::BUCKET` names.
    ///
    /// # Errors
    /// The text is no S3 bucket ARN, or names an object or an access point.
    pub fn from_arn(text: &str) -> Result<Self, InvalidName> {
        const KIND: &str = "a bucket ARN";
        const RULE: &str = "expected `arn:PARTITION:s3:::BUCKET`";
        let invalid = || InvalidName::new(KIND, text, RULE);
        let arn = Parts::of(text).ok_or_else(invalid)?;
        if arn.service != "s3" || !arn.region.is_empty() || !arn.account.is_empty() {
            return Err(invalid());
        }
        arn.resource.parse().map_err(|_| invalid())
    }
}

impl Partition {
    /// The commercial partition, `aws`.
    pub fn aws() -> Self {
        Self("aws".into())
    }

    /// Is it certain that S3 calls itself `s3.REGION.amazonaws.com` towards KMS here? In China and the isolated
    /// partitions, whose endpoints have other suffixes, AWS does not say which of them `kms:ViaService` takes.
    pub fn has_known_service_names(&self) -> bool {
        matches!(self.as_str(), "aws" | "aws-us-gov")
    }
}

/// An ARN split at its first five colons. The parts may be empty; only the leading `arn:` and the count are checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// `s3`, `kms`, `iam`, …
    pub service: String,
    /// Empty for S3 buckets and IAM.
    pub region: String,
    /// Empty for S3 buckets.
    pub account: String,
    /// Everything after the fifth colon, further colons included.
    pub resource: String,
}

/// The parts of an [`Arn`] in the text that they were found in.
struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (partition, rest) = text.strip_prefix("arn:")?.split_once(':')?;
        let (service, rest) = rest.split_once(':')?;
        let (region, rest) = rest.split_once(':')?;
        let (account, resource) = rest.split_once(':')?;
        (!partition.is_empty() && !service.is_empty() && !resource.is_empty()).then_some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }
}

impl FromStr for Arn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parts = Parts::of(text).ok_or_else(|| {
            InvalidName::new(
                "an ARN",
                text,
                "expected `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`",
            )
        })?;
        Ok(Self {
            partition: parts.partition.to_owned(),
            service: parts.service.to_owned(),
            region: parts.region.to_owned(),
            account: parts.account.to_owned(),
            resource: parts.resource.to_owned(),
        })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:{}:{}:{}:{}",
            self.partition, self.service, self.region, self.account, self.resource
        )
    }
}

/// Gives a type that has `Display` and `FromStr` the JSON form of its text.
macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.to_string()
            }
        }
    };
}

use as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_belongs_to_one_part_of_aws() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-east-2", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(region.parse::<Region>().unwrap().partition().as_str(), partition);
        }
    }

    #[test]
    fn a_role_arn_keeps_its_path_apart_from_its_name() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/service-role/crr".parse().unwrap();
        assert_eq!((role.path(), role.name()), ("/service-role/", "crr"));
        assert_eq!(
            role.to_string(),
            "arn:aws:iam::111122223333:role/service-role/crr"
        );
        assert_eq!(
            role.session("s3-replication"),
            "arn:aws:sts::111122223333:assumed-role/crr/s3-replication"
        );
        let role: RoleArn = "arn:aws:iam::111122223333:role/crr".parse().unwrap();
        assert_eq!((role.path(), role.name()), ("/", "crr"));
    }

    #[test]
    fn names_that_could_break_out_of_a_command_or_an_arn_are_refused() {
        for bad in [
            "", "ab", "a b c", "x;reboot", "$(id)", "a/b", "a:b", "a\nb", "-rf", "`id`", "…",
        ] {
            assert!(bad.parse::<BucketName>().is_err(), "{bad}");
        }
        for bad in [
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/a b",
            "arn:aws:iam::111122223333:role/a/$(id)/b",
            "arn:aws:iam::11112222333:role/a",
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:sts::111122223333:role/a",
            "arn:aws:iam:us-east-1:111122223333:role/a",
            "crr",
        ] {
            assert!(bad.parse::<RoleArn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_arn_is_never_an_alias() {
        assert!(
            "arn:aws:kms:eu-west-1:111122223333:alias/tax"
                .parse::<KeyArn>()
                .is_err()
        );
        let reference: KeyReference = "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3".parse().unwrap();
        assert!(matches!(&reference, KeyReference::Alias(alias) if alias.is_aws_managed()));
    }

    #[test]
    fn a_bare_key_id_means_the_buckets_account_and_region() {
        let in_bucket = |text: &str| {
            KeyReference::in_bucket(
                text,
                &Partition::aws(),
                &"eu-west-1".parse().unwrap(),
                &"111122223333".parse().unwrap(),
            )
            .map(|key| key.to_string())
        };
        assert_eq!(
            in_bucket("1234abcd").unwrap(),
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
        );
        assert_eq!(
            in_bucket("alias/tax").unwrap(),
            "arn:aws:kms:eu-west-1:111122223333:alias/tax"
        );
        assert!(in_bucket("key with spaces").is_err());
    }

    #[test]
    fn the_error_says_what_was_expected_and_shows_what_was_found_escaped() {
        let error = "a\nb c".parse::<BucketName>().unwrap_err().to_string();
        assert!(
            error.starts_with("`a\\nb c` is not a bucket name: expected 3 to 255 letters"),
            "{error}"
        );
    }

    #[test]
    fn only_where_aws_says_so_is_the_name_of_s3_towards_kms_known() {
        let known = |text: &str| text.parse::<Partition>().unwrap().has_known_service_names();
        assert!(known("aws") && known("aws-us-gov"));
        assert!(!known("aws-cn") && !known("aws-iso") && !known("aws-iso-b"));
    }

    #[test]
    fn a_bucket_arn_has_neither_region_nor_object() {
        assert_eq!(
            BucketName::from_arn("arn:aws:s3:::logs").unwrap().as_str(),
            "logs"
        );
        assert!(BucketName::from_arn("arn:aws:s3:::logs/key").is_err());
        assert!(BucketName::from_arn("arn:aws:s3:eu-west-1:111122223333:accesspoint/ap").is_err());
    }
}
