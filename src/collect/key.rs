//! The keys that replication uses: their state, who may use them, and the role's grants.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>: KMS
//! shows another account neither the policy nor the tags of a key, whatever the key policy permits.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::join;

use crate::arn::{KeyArn, KeyReference, RoleArn};
use crate::observed::{Observed, ReadFailure};
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{Identity, Key, KeyMetadata, Tags};
use crate::source::read::NOT_AVAILABLE_ACROSS_ACCOUNTS;
use crate::source::{Read, Reader, Source};

use super::{CONCURRENT, Scope, at_most};

/// How keys are read for one replication role.
pub(super) struct Keys<'a, S> {
    pub(super) source: &'a S,
    pub(super) identity: &'a Identity,
    pub(super) scope: &'a Scope,
    /// Whose grants are wanted.
    pub(super) grantee: &'a RoleArn,
}

/// What is read of the key itself, never of an alias.
struct Rest {
    policy: Observed<NamedPolicy>,
    grants: Observed<Vec<Grant>>,
    tags: Observed<Tags>,
}

impl<S: Source> Keys<'_, S> {
    /// Reads what there is to know of each key: all at once where it is named by its ARN, else as soon as the alias is
    /// resolved.
    pub(super) async fn read(&self, references: BTreeSet<KeyReference>) -> BTreeMap<KeyReference, Key> {
        let keys = references.into_iter().map(|reference| async move {
            let (metadata, rest) = match &reference {
                KeyReference::Key(key) => join!(self.describe(&reference), self.rest(key)),
                KeyReference::Alias(_) => {
                    let metadata = self.describe(&reference).await;
                    let rest = match metadata.found() {
                        Some(found) => self.rest(&found.arn).await,
                        None => Rest::behind(&reference, &metadata),
                    };
                    (metadata, rest)
                }
            };
            let key = Key {
                reference: reference.clone(),
                metadata,
                policy: rest.policy,
                grants: rest.grants,
                tags: rest.tags,
            };
            (reference, key)
        });
        at_most(CONCURRENT, keys).await.into_iter().collect()
    }

    async fn describe(&self, reference: &KeyReference) -> Observed<KeyMetadata> {
        let reader = self.scope.reader(self.identity, reference.account());
        self.source.describe_key(reference, &reader).await
    }

    async fn rest(&self, key: &KeyArn) -> Rest {
        let reader = self.scope.reader(self.identity, key.account());
        if reader == Reader::Own && *key.account() != self.identity.account {
            return Rest {
                policy: across_accounts(Read::KeyPolicy, "key policy", key),
                grants: self.source.grants(key, self.grantee, &reader).await,
                tags: across_accounts(Read::KeyTags, "tags", key),
            };
        }
        let (policy, grants, tags) = join!(
            self.source.key_policy(key, &reader),
            self.source.grants(key, self.grantee, &reader),
            self.source.key_tags(key, &reader),
        );
        Rest { policy, grants, tags }
    }
}

impl Rest {
    /// What is known of the key behind an alias that did not resolve.
    fn behind(reference: &KeyReference, metadata: &Observed<KeyMetadata>) -> Self {
        if metadata.is_absent() {
            return Self {
                policy: Observed::Absent,
                grants: Observed::Absent,
                tags: Observed::Absent,
            };
        }
        Self {
            policy: Read::KeyPolicy.not_attempted(format!("key policy of the key behind {reference}")),
            grants: Read::Grants.not_attempted(format!("grants of the key behind {reference}")),
            tags: Read::KeyTags.not_attempted(format!("tags of the key behind {reference}")),
        }
    }
}

/// A read that KMS permits to the owning account alone. The statement is for a reader there: a member role's policy.
fn across_accounts<T>(read: Read, what: &str, key: &KeyArn) -> Observed<T> {
    Observed::Unreadable(ReadFailure {
        permit: read.permit(&key.to_string()),
        ..read.failed(
            format!("{what} of {key}, which only its own account can read"),
            NOT_AVAILABLE_ACROSS_ACCOUNTS,
        )
    })
}
