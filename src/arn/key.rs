//! Which text names a KMS key: the key itself, an alias, or either as people write them.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AccountId, InvalidName, Partition, Parts, Region, as_text};

/// `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`: a key itself, never an alias.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyArn(Arc<NameOfKey>);

/// What copies of a [`KeyArn`] share: a thousand rules name the same few keys in ten thousand requests.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NameOfKey {
    text: String,
    partition: Partition,
    region: Region,
    account: AccountId,
    id: String,
}

impl KeyArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The partition that the key lives in.
    pub fn partition(&self) -> &Partition {
        &self.0.partition
    }

    /// The only Region in which this key can be used.
    pub fn region(&self) -> &Region {
        &self.0.region
    }

    /// The account that owns the key.
    pub fn account(&self) -> &AccountId {
        &self.0.account
    }

    /// The key id: a UUID, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Is this one of a set of related multi-Region keys?
    pub fn is_multi_region(&self) -> bool {
        self.0.id.starts_with("mrk-")
    }

    /// The ARN that the related multi-Region key in `region` has, if there is one there.
    pub fn in_region(&self, region: &Region) -> Self {
        let NameOfKey {
            partition,
            account,
            id,
            ..
        } = self.0.as_ref();
        Self(Arc::new(NameOfKey {
            text: format!("arn:{partition}:kms:{region}:{account}:key/{id}"),
            partition: partition.clone(),
            region: region.clone(),
            account: account.clone(),
            id: id.clone(),
        }))
    }
}

impl FromStr for KeyArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new(
                "a KMS key ARN",
                text,
                "expected `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`",
            )
        };
        let arn = Parts::of(text).ok_or_else(invalid)?;
        let id = arn.resource.strip_prefix("key/").ok_or_else(invalid)?;
        let id_is_valid =
            (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if arn.service != "kms" || !id_is_valid {
            return Err(invalid());
        }
        Ok(Self(Arc::new(NameOfKey {
            text: text.to_owned(),
            partition: arn.partition.parse().map_err(|_| invalid())?,
            region: arn.region.parse().map_err(|_| invalid())?,
            account: arn.account.parse().map_err(|_| invalid())?,
            id: id.to_owned(),
        })))
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.text)
    }
}

as_text!(KeyArn);

/// `arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME`: a name that points at a key today and may point elsewhere tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasArn {
    partition: Partition,
    region: Region,
    account: AccountId,
    name: Arc<str>,
}

impl AliasArn {
    /// The Region that the alias lives in; it can only point at a key of that Region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that owns the alias.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The name with its prefix, such as `alias/tax`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `alias/aws/…` points at a key that AWS manages.
    pub fn is_aws_managed(&self) -> bool {
        self.name.starts_with("alias/aws/")
    }
}

impl FromStr for AliasArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new(
                "a KMS alias ARN",
                text,
                "expected `arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME`",
            )
        };
        let arn = Parts::of(text).ok_or_else(invalid)?;
        let name = arn.resource.strip_prefix("alias/").ok_or_else(invalid)?;
        let name_is_valid = (1..=250).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'));
        if arn.service != "kms" || !name_is_valid {
            return Err(invalid());
        }
        Ok(Self {
            partition: arn.partition.parse().map_err(|_| invalid())?,
            region: arn.region.parse().map_err(|_| invalid())?,
            account: arn.account.parse().map_err(|_| invalid())?,
            name: arn.resource.into(),
        })
    }
}

impl fmt::Display for AliasArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:kms:{}:{}:{}",
            self.partition, self.region, self.account, self.name
        )
    }
}

as_text!(AliasArn);

/// What a replication rule or a bucket's default encryption may name as its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyReference {
    /// The key itself.
    Key(KeyArn),
    /// An alias, which KMS resolves at each call.
    Alias(AliasArn),
}

impl KeyReference {
    /// What default encryption and HEAD may return besides ARNs: a bare key id or `alias/NAME`, meant in the bucket's
    /// own account and Region.
    ///
    /// # Errors
    /// The text is neither an ARN of a key or an alias, nor a bare id or alias name.
    pub fn in_bucket(
        text: &str,
        partition: &Partition,
        region: &Region,
        account: &AccountId,
    ) -> Result<Self, InvalidName> {
        if text.starts_with("arn:") {
            return text.parse();
        }
        let resource = if text.starts_with("alias/") {
            text.to_owned()
        } else {
            format!("key/{text}")
        };
        format!("arn:{partition}:kms:{region}:{account}:{resource}").parse()
    }

    /// The Region of the key.
    pub fn region(&self) -> &Region {
        match self {
            Self::Key(key) => key.region(),
            Self::Alias(alias) => alias.region(),
        }
    }

    /// The account that owns the key or alias.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Key(key) => key.account(),
            Self::Alias(alias) => alias.account(),
        }
    }
}

impl FromStr for KeyReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.parse()
            .map(Self::Key)
            .or_else(|_| text.parse().map(Self::Alias))
            .map_err(|_| {
                InvalidName::new(
                    "a KMS key or alias ARN",
                    text,
                    "expected `arn:PARTITION:kms:REGION:ACCOUNT:key/ID` or `…:alias/NAME`",
                )
            })
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}
