//! Why a key cannot be used, or soon not any more: what the checks of source and replica keys share.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use jiff::{SignedDuration, Timestamp};

use super::{Examination, Severity};
use crate::arn::KeyArn;
use crate::observed::ReadFailure;
use crate::snapshot::{KeyMetadata, KeyState};

/// Imported key material that expires sooner than this is worth a warning: time to import it again.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is wrong with a key.
pub(super) struct Fault {
    pub(super) severity: Severity,
    /// The predicate of a sentence about the key.
    pub(super) short: &'static str,
    pub(super) expected: String,
    /// What there is, in the words of DescribeKey.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: String,
}

/// S3 can only use symmetric encryption keys:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html>.
pub(super) fn wrong_type(key: &KeyMetadata) -> Option<Fault> {
    (!key.is_symmetric()).then(|| Fault {
        severity: Severity::Error,
        short: "is not a symmetric encryption key",
        expected: "KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT".to_owned(),
        found: format!("KeySpec {}, KeyUsage {}", key.spec, key.usage),
        remedy: format!(
            "use a symmetric encryption key of {} instead: the type of a key cannot be changed",
            key.arn.region()
        ),
    })
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>: only the same material will do.
fn import_again(key: &KeyArn) -> String {
    let (region, id) = (key.region(), key.id());
    format!(
        "import the same key material again; for a key to wrap it with, and an import token:\naws kms \
         get-parameters-for-import --region {region} --key-id {id} --wrapping-algorithm RSAES_OAEP_SHA_256 \
         --wrapping-key-spec RSA_4096\nand with the wrapped material and the token in files:\naws kms \
         import-key-material --region {region} --key-id {id} --encrypted-key-material fileb://material.bin \
         --import-token fileb://token.bin --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE"
    )
}

/// Judges the state of a key.
pub(super) fn fault(key: &KeyMetadata, now: Timestamp, examination: &mut Examination) -> Option<Fault> {
    let arn = &key.arn;
    let id = arn.id();
    let region = arn.region();
    let state = key.state.as_str();
    let Some(usable) = key.state.is_usable() else {
        examination.unread(&ReadFailure {
            what: format!("what key state `{}` of {arn} means", state.escape_debug()),
            operation: "kms:DescribeKey".to_owned(),
            error_code: "NotUnderstood".to_owned(),
            permit: String::new(),
        });
        return None;
    };
    if usable {
        if key.origin == "EXTERNAL_KEY_STORE" {
            examination.not_evaluated(format!(
                "whether the external key manager of {arn} answers: KMS calls the key Enabled even when it does not"
            ));
        }
        let expires = key
            .material_expires
            .filter(|expires| expires.duration_since(now) < SOON)?;
        return Some(Fault {
            severity: Severity::Warning,
            short: "will soon lose its imported key material, and nothing can be encrypted or decrypted then",
            expected: "key material that does not expire within 30 days".to_owned(),
            found: format!("KeyState {state}, ExpirationModel KEY_MATERIAL_EXPIRES, ValidTo {expires}"),
            remedy: format!("before {expires}, {}", import_again(arn)),
        });
    }
    let (short, remedy) = match key.state {
        KeyState::Disabled => (
            "is disabled",
            format!("aws kms enable-key --region {region} --key-id {id}"),
        ),
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => (
            "is about to be deleted",
            format!(
                "aws kms cancel-key-deletion --region {region} --key-id {id} && aws kms enable-key --region {region} \
                 --key-id {id}\nonce the key is deleted, nothing that it encrypted can be read again"
            ),
        ),
        KeyState::PendingImport => ("has no key material", import_again(arn)),
        KeyState::Unavailable => (
            "is cut off from its custom key store",
            format!(
                "connect the key store; its id, and what is wrong with it, is in the answer to:\naws kms \
                 describe-custom-key-stores --region {region}\nand with the id in place of KEY_STORE_ID:\naws kms \
                 connect-custom-key-store --region {region} --custom-key-store-id KEY_STORE_ID"
            ),
        ),
        KeyState::Creating | KeyState::Enabled | KeyState::Updating | KeyState::Other(_) => {
            ("is still being made", "wait until the key is ready".to_owned())
        }
    };
    let when = key
        .deletion_date
        .map(|date| format!(", DeletionDate {date}"))
        .unwrap_or_default();
    Some(Fault {
        severity: Severity::Error,
        short,
        expected: "KeyState Enabled".to_owned(),
        found: format!("KeyState {state}{when}"),
        remedy,
    })
}
