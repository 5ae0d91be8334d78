//! Decides whether a key may be named in a policy of ours or given a grant.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html> for grants.

use super::{Guard, Guards, Refusal, is_listed};
use crate::arn::KeyArn;
use crate::assessment::key_of;
use crate::observed::Observed;
use crate::snapshot::{FormerKey, KeyManager, KeyMetadata, KeyState, Tags};

impl Guards<'_> {
    pub(super) fn key(&self, arn: &KeyArn, for_grant: bool) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let account = arn.account();
        if *arn.partition() != self.snapshot.identity.partition {
            refusals.push(Refusal::always(
                Guard::KeyAccount,
                format!("`{arn}` lies in another partition"),
                "replication stays within one",
            ));
        }
        if !self.is_own(account) {
            if for_grant {
                refusals.push(Refusal::always(
                    Guard::KeyAccount,
                    format!("`{arn}` lies in another account, where nothing is ever written"),
                    "its owner must make the grant",
                ));
            } else if !self.is_own_or_trusted(account) {
                refusals.push(Refusal::unless(
                    Guard::KeyAccount,
                    format!("`{arn}` lies in another account"),
                    format!("`TRUSTED_ACCOUNTS={account}`"),
                ));
            }
        }
        if !for_grant && !arn.partition().has_known_service_names() {
            refusals.push(Refusal::always(
                Guard::Partition,
                format!(
                    "which `kms:ViaService` S3 sends in partition {} is not documented",
                    arn.partition()
                ),
                "write the statement by hand, and try it",
            ));
        }
        let key = key_of(self.snapshot, arn);
        match key.map(|key| &key.metadata) {
            Some(Observed::Found(metadata)) => refusals.extend(usable(metadata, for_grant)),
            Some(Observed::Unreadable(failure)) => {
                refusals.push(Refusal::unread(&format!("`{arn}`"), failure));
            }
            Some(Observed::Absent) | None => refusals.push(Refusal::always(
                Guard::FactsUnread,
                format!("`{arn}` was not looked at"),
                "only what was read may be changed",
            )),
        }
        refusals.extend(self.key_opt_in(arn, key.map(|key| &key.tags)));
        refusals
    }

    /// A key on which only a grant of ours ends. Its account was looked at before it was read.
    pub(super) fn former_key(&self, key: &FormerKey) -> Vec<Refusal> {
        self.key_opt_in(&key.arn, Some(&key.tags)).into_iter().collect()
    }

    fn key_opt_in(&self, arn: &KeyArn, tags: Option<&Observed<Tags>>) -> Option<Refusal> {
        if is_listed(&self.settings.allowed_keys, arn) {
            return None;
        }
        let reason = match tags {
            Some(Observed::Found(tags)) if self.has_opted_in(tags) => return None,
            Some(Observed::Unreadable(_)) => {
                format!("`{arn}` is not allow-listed, and its tags could not be read")
            }
            Some(Observed::Found(_) | Observed::Absent) | None => {
                format!("`{arn}` is neither tagged nor allow-listed")
            }
        };
        let permit = self.opt_in("key", "ALLOWED_KEY_ARNS", &arn.to_string());
        Some(Refusal::unless(Guard::KeyOptIn, reason, permit))
    }
}

fn usable(metadata: &KeyMetadata, for_grant: bool) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if metadata.manager != KeyManager::Customer {
        refusals.push(Refusal::always(
            Guard::KeyManager,
            format!("`{}` is managed by AWS", metadata.arn),
            "use a key of your own",
        ));
    }
    if for_grant && metadata.state.is_usable() != Some(true) {
        refusals.push(Refusal::unless(
            Guard::KeyState,
            format!(
                "KMS makes no grants on `{}` while it is {}",
                metadata.arn,
                metadata.state.as_str().escape_debug()
            ),
            "bring the key back into state Enabled",
        ));
    }
    // Access to a key that is being given up helps nobody unless the deletion is called off.
    if !for_grant
        && matches!(
            metadata.state,
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion
        )
    {
        refusals.push(Refusal::unless(
            Guard::KeyState,
            format!("`{}` is to be deleted", metadata.arn),
            format!(
                "call the deletion off (`aws kms cancel-key-deletion --region {} --key-id {}`), or name another key",
                metadata.arn.region(),
                metadata.arn.id()
            ),
        ));
    }
    refusals
}
