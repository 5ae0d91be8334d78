//! Whose policy the statement belongs into that would permit a read in another account.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>: with a role of
//! that account the role needs it; without one, both our role and the policy of the bucket or key there. And what else may
//! stand behind an answer:
//! <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>.

use serde_json::Value;

use super::{Facts, Unread};
use crate::arn::AccountId;

/// Where the thing lies that could not be read.
enum Place<'a> {
    /// A bucket; of whom, is known only where that is proven.
    Bucket(Option<&'a AccountId>),
    /// A key.
    Key(AccountId),
}

impl Facts<'_> {
    /// Says of a read in another account who has to be permitted it.
    pub(super) fn addressed(&self, mut unread: Unread) -> Unread {
        // That is how services answer in a Region that the account has not enabled.
        if unread.error_code == "UnrecognizedClientException" {
            unread
                .what
                .push_str(", whose Region may not be enabled for the account");
        }
        let Some(place) = self.place(&unread) else {
            return unread;
        };
        let members = &self.snapshot.member_accounts;
        let by = match place {
            Place::Bucket(Some(account)) if members.contains(account) => by_member(account),
            Place::Key(account) if members.contains(&account) => by_member(&account),
            Place::Bucket(None) if !members.is_empty() => {
                "to be permitted in the bucket policy too, or to the member role there".to_owned()
            }
            Place::Bucket(_) => "to be permitted in the bucket policy too".to_owned(),
            Place::Key(_) => "to be permitted in the key policy too".to_owned(),
        };
        Unread {
            what: format!("{}, {by}", unread.what),
            ..unread
        }
    }

    /// Where the thing lies that the statement is about, if that is another account.
    fn place(&self, unread: &Unread) -> Option<Place<'_>> {
        let statement: Value = serde_json::from_str(&unread.permit).ok()?;
        // What the owner has to write down for the replication role has been said to be so.
        if statement.get("Principal").is_some() {
            return None;
        }
        let own = &self.snapshot.identity.account;
        let resource = statement.get("Resource")?.as_str()?;
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        match parts.as_slice() {
            [_, _, "s3", _, _, name] => {
                let name = name.split('/').next()?;
                let (_, bucket) = self
                    .snapshot
                    .destinations
                    .iter()
                    .find(|(destination, _)| destination.as_str() == name)?;
                let owner = bucket.found()?.owner.found();
                (owner != Some(own)).then_some(Place::Bucket(owner))
            }
            [_, _, "kms", _, account, _] => {
                let account: AccountId = account.parse().ok()?;
                (account != *own).then_some(Place::Key(account))
            }
            _ => None,
        }
    }
}

fn by_member(account: &AccountId) -> String {
    format!("read as the member role of account {account}")
}
