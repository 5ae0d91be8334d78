//! Who owns a destination bucket, proven by reading it; and what it is like, read as its owner.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>. The `Account` that
//! a rule claims is checked by nobody: here it only says which trusted account to ask first.

use std::collections::BTreeSet;

use futures_util::join;

use crate::arn::{AccountId, BucketName, Region};
use crate::observed::Observed;
use crate::snapshot::{Bucket, Identity, Rule};
use crate::source::{BucketAt, BucketHead, Read, Reader, Source};

use super::bucket::{Facts, Questions};
use super::{CONCURRENT, Scope, at_most};

/// The search for the owner of one destination.
pub(super) struct Search<'a, S> {
    source: &'a S,
    own: BucketAt,
    /// The trusted accounts, those first that rules claim.
    others: Vec<BucketAt>,
    questions: Questions,
}

impl<'a, S: Source> Search<'a, S> {
    pub(super) fn new(
        source: &'a S,
        identity: &Identity,
        scope: &Scope,
        name: &BucketName,
        rules: &[&Rule],
        source_region: &Region,
        questions: Questions,
    ) -> Self {
        // A replica key has to lie where its bucket lies, so it tells where to ask; if it is wrong, S3 redirects.
        let region = rules
            .iter()
            .find_map(|rule| rule.replica_key().ok().flatten())
            .map_or_else(|| source_region.clone(), |key| key.region().clone());
        let at = |owner: &AccountId, reader: Reader| BucketAt {
            name: name.clone(),
            region: region.clone(),
            owner: owner.clone(),
            reader,
        };
        let is_claimed = |account: &AccountId| {
            rules
                .iter()
                .any(|rule| rule.claimed_account.as_ref() == Some(account))
        };
        let mut trusted: Vec<&AccountId> = scope
            .trusted_accounts
            .iter()
            .filter(|account| **account != identity.account)
            .collect();
        trusted.sort_by_key(|account| !is_claimed(account));
        Self {
            source,
            own: at(&identity.account, Reader::Own),
            others: trusted
                .into_iter()
                .map(|account| at(account, scope.reader(identity, account)))
                .collect(),
            questions,
        }
    }

    /// `Absent` where there is no such bucket: names are global, so whoever hears so knows it for all accounts.
    pub(super) async fn run(mut self) -> Observed<Bucket> {
        let head = self.source.head_bucket(&self.own).await;
        if let Some(region) = &head.region {
            self.own.region = region.clone();
            for at in &mut self.others {
                at.region = region.clone();
            }
        }
        match &head.exists {
            Observed::Absent => return Observed::Absent,
            Observed::Found(()) => return Observed::Found(self.describe(&self.own, head).await),
            Observed::Unreadable(_) => {}
        }

        // Perhaps it is of an account that we trust; perhaps it is ours, and only HeadBucket is denied to us.
        let heads = self.others.iter().map(|at| self.source.head_bucket(at));
        let heads = at_most(CONCURRENT, heads).await;
        let mut refused = Vec::new();
        for (at, other) in self.others.iter().zip(heads) {
            match &other.exists {
                Observed::Absent => return Observed::Absent,
                Observed::Found(()) => return Observed::Found(self.describe(at, other).await),
                // Without a session in that account every other read would fail alike.
                Observed::Unreadable(failure) if failure.operation == Read::AssumeMemberRole.operation() => {}
                Observed::Unreadable(_) => refused.push((at, other)),
            }
        }

        let tries = refused.into_iter().map(|(at, other)| async move {
            let facts = Facts::read(self.source, at, self.questions).await;
            facts
                .prove_the_owner()
                .then(|| facts.into_bucket(at, other, true))
        });
        let (facts, tries) = join!(
            Facts::read(self.source, &self.own, self.questions),
            at_most(CONCURRENT, tries),
        );
        if facts.prove_the_owner() {
            return Observed::Found(facts.into_bucket(&self.own, head, true));
        }
        match tries.into_iter().flatten().next() {
            Some(bucket) => Observed::Found(bucket),
            None => Observed::Found(facts.into_bucket(&self.own, head, false)),
        }
    }

    async fn describe(&self, at: &BucketAt, head: BucketHead) -> Bucket {
        let at = BucketAt {
            region: head.region.clone().unwrap_or_else(|| at.region.clone()),
            ..at.clone()
        };
        Facts::read(self.source, &at, self.questions)
            .await
            .into_bucket(&at, head, false)
    }
}

impl Scope {
    /// The accounts that are read with a role of theirs.
    pub(super) fn members(&self, identity: &Identity) -> BTreeSet<AccountId> {
        let trusted = self.trusted_accounts.iter();
        let others = trusted.filter(|account| self.member_role && **account != identity.account);
        others.cloned().collect()
    }

    /// With whose credentials to read what `owner` owns.
    pub(super) fn reader(&self, identity: &Identity, owner: &AccountId) -> Reader {
        if self.member_role && *owner != identity.account && self.trusted_accounts.contains(owner) {
            Reader::Member(owner.clone())
        } else {
            Reader::Own
        }
    }
}
