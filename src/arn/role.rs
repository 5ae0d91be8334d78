//! Which text names an IAM role.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AccountId, InvalidName, Partition, Parts, as_text};

/// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(Arc<NameOfRole>);

/// What copies of a [`RoleArn`] share.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NameOfRole {
    text: String,
    partition: Partition,
    account: AccountId,
    /// Starts and ends with `/`.
    path: String,
    name: String,
}

impl RoleArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The partition that the role lives in.
    pub fn partition(&self) -> &Partition {
        &self.0.partition
    }

    /// The account that owns the role.
    pub fn account(&self) -> &AccountId {
        &self.0.account
    }

    /// The path, from `/` to `/`; `/` alone where the role has none.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The name without the path, as IAM's API calls want it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Roles under `/aws-service-role/` belong to a service: IAM refuses every change of them.
    pub fn is_service_linked(&self) -> bool {
        self.0.path.starts_with("/aws-service-role/")
    }

    /// The ARN of a session of this role, as a policy's `Principal` would name it.
    pub fn session(&self, session_name: &str) -> String {
        format!(
            "arn:{}:sts::{}:assumed-role/{}/{session_name}",
            self.0.partition, self.0.account, self.0.name
        )
    }
}

impl FromStr for RoleArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new(
                "a role ARN",
                text,
                "expected `arn:PARTITION:iam::ACCOUNT:role/NAME`, with letters, digits and `+=,.@_-` in the name",
            )
        };
        let arn = Parts::of(text).ok_or_else(invalid)?;
        let resource = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
        let (path, name) = match resource.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), resource),
        };
        let name_is_valid = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
        // IAM allows every printable ASCII character in a path; a quote or a space never helped anyone there.
        let path_is_valid = path.len() <= 512
            && path
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b));
        if arn.service != "iam" || !arn.region.is_empty() || !name_is_valid || !path_is_valid {
            return Err(invalid());
        }
        Ok(Self(Arc::new(NameOfRole {
            text: text.to_owned(),
            partition: arn.partition.parse().map_err(|_| invalid())?,
            account: arn.account.parse().map_err(|_| invalid())?,
            path,
            name: name.to_owned(),
        })))
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.text)
    }
}

as_text!(RoleArn);
