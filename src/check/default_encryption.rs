//! The command that gives a bucket another default key, for a person to paste.
//!
//! A put replaces all of a bucket's default encryption, so what is not meant to change is said again as it was read:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>.

use serde_json::json;

use crate::arn::KeyArn;
use crate::observed::Observed;
use crate::shell::shell_quote;
use crate::snapshot::Bucket;

/// Names this key as the bucket's default, or one that a person chooses.
pub(super) fn another_default_key(bucket: &Bucket, key: Option<&KeyArn>) -> String {
    let default = bucket.encryption.found();
    let algorithm = default
        .and_then(|default| default.kind.kms_algorithm())
        .unwrap_or("aws:kms");
    let configuration = json!({"Rules": [{
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": algorithm,
            "KMSMasterKeyID": key.map_or("KEY_ARN", KeyArn::as_str),
        },
        "BucketKeyEnabled": default.is_some_and(|default| default.bucket_key),
    }]});
    let what = match (key, &bucket.region) {
        (Some(key), _) => {
            format!("give the bucket the default key {key}, the related multi-Region key of its Region:")
        }
        (None, Observed::Found(region)) => {
            format!("give the bucket another default key, of {region}, with its ARN in place of KEY_ARN:")
        }
        (None, Observed::Absent | Observed::Unreadable(_)) => {
            "give the bucket another default key, of its Region, with its ARN in place of KEY_ARN:".to_owned()
        }
    };
    format!(
        "{what}\naws s3api put-bucket-encryption --bucket {} --server-side-encryption-configuration {}",
        bucket.name,
        shell_quote(&configuration.to_string())
    )
}
