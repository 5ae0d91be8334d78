//! Decides whether replication out of a bucket, or into one, may be repaired.

use super::{Guard, Guards, Refusal};
use crate::arn::BucketName;
use crate::observed::Observed;
use crate::snapshot::Bucket;

impl Guards<'_> {
    pub(super) fn source(&self, bucket: &Bucket) -> Vec<Refusal> {
        let name = &bucket.name;
        let mut refusals = Vec::new();
        match &bucket.owner {
            Observed::Found(owner) if self.is_own(owner) => {}
            Observed::Found(_) | Observed::Absent => refusals.push(Refusal::always(
                Guard::SourceAccount,
                format!("`{name}` is not a bucket of this account"),
                "run this program in the bucket's account",
            )),
            Observed::Unreadable(failure) => {
                refusals.push(Refusal::unread(&format!("the owner of `{name}`"), failure));
            }
        }
        match (&bucket.tags, &self.settings.opt_out) {
            (Observed::Found(tags), Some(tag)) if tag.is_in(tags) => refusals.push(Refusal::unless(
                Guard::SourceOptOut,
                format!("`{name}` is tagged `{tag}`"),
                "remove the tag from the bucket",
            )),
            (Observed::Unreadable(failure), Some(_)) => {
                refusals.push(Refusal::unread(&format!("the tags of `{name}`"), failure));
            }
            (Observed::Found(_) | Observed::Absent, _) | (Observed::Unreadable(_), None) => {}
        }
        refusals
    }

    /// The account that the rule claims for its destination proves nothing: S3 does not check it.
    pub(super) fn destination(&self, name: &BucketName) -> Vec<Refusal> {
        let owner = match self.snapshot.destination(name) {
            Some(Observed::Found(bucket)) => bucket.owner.as_ref(),
            Some(Observed::Unreadable(failure)) => Observed::Unreadable(failure.clone()),
            Some(Observed::Absent) | None => Observed::Absent,
        };
        let reason = match owner {
            Observed::Found(owner) if self.is_own_or_trusted(owner) => return Vec::new(),
            Observed::Found(owner) => {
                return vec![Refusal::unless(
                    Guard::DestinationAccount,
                    format!("the destination `{name}` belongs to account {owner}"),
                    format!("`TRUSTED_ACCOUNTS={owner}`"),
                )];
            }
            Observed::Absent => format!("the destination `{name}` is not known to exist"),
            Observed::Unreadable(_) => format!("who owns the destination `{name}` is not proven"),
        };
        vec![Refusal::unless(
            Guard::DestinationAccount,
            reason,
            "`TRUSTED_ACCOUNTS` with its owner's account id, where S3 confirms that owner to `MEMBER_ROLE_NAME`",
        )]
    }
}
