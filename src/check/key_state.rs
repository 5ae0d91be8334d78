//! Why a key cannot be used, or soon not any more: what the checks of source and replica keys share.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use jiff::{SignedDuration, Timestamp};

use super::Outcome;
use crate::finding::Severity;
use crate::observed::ReadFailure;
use crate::snapshot::{KeyMetadata, KeyState};

/// Imported key material that expires sooner than this is worth a warning: time to import it again.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is wrong with a key.
pub(super) struct Fault {
    pub(super) severity: Severity,
    /// What there is, in the words of DescribeKey.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: String,
}

/// Judges the state of a key.
pub(super) fn fault(key: &KeyMetadata, now: Timestamp, outcome: &mut Outcome) -> Option<Fault> {
    let arn = &key.arn;
    let region = arn.region();
    let Some(usable) = key.state.is_usable() else {
        outcome.unread(&ReadFailure {
            what: format!(
                "what key state `{}` of {arn} means",
                key.state.as_str().escape_debug()
            ),
            operation: "kms:DescribeKey".to_owned(),
            error_code: "NotUnderstood".to_owned(),
            permit: String::new(),
        });
        return None;
    };
    if usable {
        if key.origin == "EXTERNAL_KEY_STORE" {
            outcome.not_evaluated(format!(
                "whether the external key manager of {arn} answers: KMS calls the key Enabled even when it does not"
            ));
        }
        let expires = key
            .material_expires
            .filter(|expires| expires.duration_since(now) < SOON)?;
        return Some(Fault {
            severity: Severity::Warning,
            found: format!(
                "KeyState {}, imported key material expires at {expires}",
                key.state.as_str()
            ),
            remedy: format!(
                "import the key material again before {expires} (aws kms import-key-material --region {region} --key-id {})",
                arn.id()
            ),
        });
    }
    let when = key
        .deletion_date
        .map(|date| format!(", to be deleted at {date}"))
        .unwrap_or_default();
    let remedy = match key.state {
        KeyState::Disabled => format!("aws kms enable-key --region {region} --key-id {}", arn.id()),
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => format!(
            "if the key is still needed: aws kms cancel-key-deletion --region {region} --key-id {id} && aws kms \
             enable-key --region {region} --key-id {id}. Once it is deleted, nothing encrypted with it can be read again",
            id = arn.id()
        ),
        KeyState::PendingImport => {
            format!(
                "import the key material (aws kms import-key-material --region {region} --key-id {})",
                arn.id()
            )
        }
        KeyState::Unavailable => {
            "connect the custom key store of the key (aws kms connect-custom-key-store)".to_owned()
        }
        KeyState::Creating | KeyState::Enabled | KeyState::Updating | KeyState::Other(_) => {
            "wait until the key is ready".to_owned()
        }
    };
    Some(Fault {
        severity: Severity::Error,
        found: format!("KeyState {}{when}", key.state.as_str()),
        remedy,
    })
}
