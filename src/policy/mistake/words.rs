//! Decides in which words a mistake is told: what is wrong, and what would be right.

use std::fmt;

use super::super::explain::{quoted, quoted_list};
use super::{Mistake, MistakeKind};

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "{statement}: {}", self.kind),
            None => write!(f, "{} {}: {}", self.layer, quoted(&self.policy), self.kind),
        }
    }
}

impl fmt::Display for MistakeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EncryptionContextKey { key } => write!(
                f,
                "S3 sends no {}; the condition key is `kms:EncryptionContext:aws:s3:arn`",
                quoted(key)
            ),
            Self::WildcardTakenLiterally { operator, key, value } => write!(
                f,
                "{} takes the wildcard in {} literally; {} needs `StringLike`",
                quoted(operator),
                quoted(value),
                quoted(key)
            ),
            Self::ViaServiceRegion { named, found } => write!(
                f,
                "`kms:ViaService` must name the Region of the key, {}, not {}",
                quoted(found),
                quoted(named)
            ),
            Self::ViaServiceSuffix { named, found } => write!(
                f,
                "`kms:ViaService` ends in `.amazonaws.com` in China too: {}, not {}",
                quoted(found),
                quoted(named)
            ),
            Self::ObjectContextWithBucketKey { named, sent } => write!(
                f,
                "with a Bucket Key the encryption context is the bucket, {}, which {} does not match; allow both",
                quoted(sent),
                quoted(named)
            ),
            Self::BucketContextWithoutBucketKey { named, sent } => write!(
                f,
                "without a Bucket Key the encryption context is the object, {}, which {} does not match; allow both",
                quoted(sent),
                quoted(named)
            ),
            Self::SourceConditionOnRole { key } => write!(
                f,
                "{} is set for calls that a service makes in its own name; S3 replicates as the role, so the condition never holds",
                quoted(key)
            ),
            Self::RegionDenied { region } => {
                write!(f, "it denies by Region, and {} is not spared", quoted(region))
            }
            Self::AliasAsResource { alias } => write!(
                f,
                "KMS authorises on the ARN of the key, so the alias {} never matches; name the key",
                quoted(alias)
            ),
            Self::BucketWithoutObjects { named } => write!(
                f,
                "{} is the bucket without its objects; they are {}",
                quoted(named),
                quoted(&format!("{named}/*"))
            ),
            Self::ObjectsWithoutBucket { named } => write!(
                f,
                "{} is objects without their bucket, on which this action is authorised",
                quoted(named)
            ),
            Self::OtherBucketsIncluded { pattern } => write!(
                f,
                "{} matches every bucket whose name begins so; name the bucket, and its objects with `/*`",
                quoted(pattern)
            ),
            Self::SimilarAction { named, needed } => {
                write!(
                    f,
                    "replication needs {}; {} does not include it",
                    quoted(needed),
                    quoted(named)
                )
            }
            Self::GenerateDataKeyWithoutEncrypt => {
                f.write_str("replication needs `kms:Encrypt`; `kms:GenerateDataKey` does not include it")
            }
            Self::BoundaryWithoutService { service } => {
                write!(
                    f,
                    "it allows no action of {}, whatever the role's policies allow",
                    quoted(service)
                )
            }
            Self::ServiceInPlaceOfRole { service } => write!(
                f,
                "it names the service {}, but S3 replicates as the role; name the role",
                quoted(service)
            ),
            Self::DeletedPrincipal { id } => write!(
                f,
                "{} is what is left of a role or user that was deleted; a new one of the same name must be named again",
                quoted(id)
            ),
            Self::AccountMayOnlyLook { actions } => write!(
                f,
                "it leaves only {} to the account, so the role's own policies cannot allow more",
                quoted_list(actions)
            ),
            Self::OnlyOthersNamed { named } => {
                write!(
                    f,
                    "it names only {}, and neither the role nor its account",
                    quoted_list(named)
                )
            }
            Self::CallerAccountNotNamed { account } => write!(
                f,
                "the key is in another account, and its policy names neither the role nor the role's account {}",
                quoted(account)
            ),
        }
    }
}
