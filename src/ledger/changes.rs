//! What is written down about changes: for each role and key that we changed for a bucket, what was done there, by whom
//! it was caused, and whether it is known what became of it.
//!
//! A record says where to look, and never what is there: whoever may write the table may forge one. What stands in the
//! account counts, and of that only what is ours by name and by form. So a forged record costs a few reads, and a lost one
//! costs that something of ours is not found again.
//!
//! A change is written down as begun before the call to AWS, and with its end after it. Whoever finds one that was only
//! begun looks at the account, and completes it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apply::{ChangeOutcome, ChangeStatus, Entry, State};
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::ledger::{Item, ItemKey, bucket_key, bucket_of};
use crate::observed::Observed;
use crate::plan::canonical::canonical;
use crate::plan::{Change, key_grant};
use crate::policy::Grant;
use crate::snapshot::Snapshot;

/// What the `sort` of a record begins with.
pub const SORT: &str = "change#";

/// How long a record is kept after what it tells of was taken back.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// No invocation of a Lambda function lasts longer (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>):
/// what was begun before that and is not in place was never done.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// How many characters of earlier changes a record keeps beside the last one.
const HISTORY: usize = 100_000;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChangeTarget {
    /// Our policy in a role.
    Role {
        /// The role.
        role: RoleArn,
    },
    /// A grant of ours on a key.
    Key {
        /// The key.
        key: KeyArn,
        /// Who may use it.
        grantee: RoleArn,
        /// The grant's name.
        grant: String,
    },
}

/// What is written down about one role or one grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRecord {
    /// What it is about.
    pub holder: ChangeTarget,
    /// What was done, in order; never empty.
    pub changes: Vec<Entry>,
}

impl ChangeTarget {
    /// What a change is about.
    pub fn of(change: &Change) -> Self {
        let of_grant = |key: &KeyArn, grantee: &RoleArn, grant: &str| Self::Key {
            key: key.clone(),
            grantee: grantee.clone(),
            grant: grant.to_owned(),
        };
        match change {
            Change::PutRolePolicy(change) => Self::Role {
                role: change.role.clone(),
            },
            Change::CreateGrant(request) => of_grant(&request.key, &request.grantee, &request.name),
            Change::RevokeGrant(revocation) => {
                let again = &revocation.again;
                of_grant(&again.key, &again.grantee, &again.name)
            }
        }
    }

    /// Where its record stands.
    pub fn key(&self, bucket: &BucketName) -> ItemKey {
        let sort = match self {
            Self::Role { role } => format!("{SORT}role#{role}"),
            Self::Key { key, grant, .. } => format!("{SORT}key#{key}#{grant}"),
        };
        ItemKey {
            partition: bucket_key(bucket),
            sort,
        }
    }

    /// What is there now; none where that was not read.
    fn now(&self, snapshot: &Snapshot) -> Option<Value> {
        match self {
            Self::Role { role } => {
                let current = snapshot.role.found().filter(|current| current.arn == *role);
                if let Some(current) = current {
                    let name = crate::plan::role_policy::policy_name(&snapshot.source.name);
                    let ours = current.inline.policies.iter().find(|policy| policy.name == name);
                    return match ours {
                        Some(policy) => Some(policy.document.raw().clone()),
                        None => current.inline.is_complete().then_some(Value::Null),
                    };
                }
                let former = snapshot.former.roles.iter().find(|former| former.arn == *role)?;
                match &former.policy {
                    Observed::Found(policy) => Some(policy.document.raw().clone()),
                    Observed::Absent => Some(Value::Null),
                    Observed::Unreadable(_) => None,
                }
            }
            Self::Key { key, grantee, grant } => {
                let is_current = snapshot.role.found().is_some_and(|role| role.arn == *grantee);
                let of_rules = snapshot
                    .keys
                    .values()
                    .filter(|known| {
                        is_current && known.metadata.found().is_some_and(|found| found.arn == *key)
                    })
                    .map(|known| &known.grants);
                let former = snapshot.former.keys.iter();
                let of_former = former
                    .filter(|former| former.arn == *key && former.grantee == *grantee)
                    .map(|former| &former.grants);
                let grants: &[Grant] = match of_rules.chain(of_former).next()? {
                    Observed::Found(grants) => grants,
                    Observed::Absent => &[],
                    Observed::Unreadable(_) => return None,
                };
                let named = grants.iter().find(|found| {
                    found.name.as_deref() == Some(grant) && key_grant::is_ours(found, &snapshot.source.name)
                });
                Some(named.map_or(Value::Null, |found| {
                    key_grant::parameters(&key_grant::as_request(found, grantee, &snapshot.identity))
                }))
            }
        }
    }
}

/// A grant's id belongs to the grant that is there, not to what was asked for.
fn same(there: &Value, text: &Value) -> bool {
    let plain = |value: &Value| {
        let mut value = value.clone();
        if let Value::Object(object) = &mut value {
            object.remove("grantId");
        }
        canonical(&value)
    };
    plain(there) == plain(text)
}

impl ChangeRecord {
    /// The record in an item of the ledger; none where the item is something else.
    pub fn read(item: &Item) -> Option<Self> {
        if !item.key.sort.starts_with(SORT) {
            return None;
        }
        let record: Self = serde_json::from_value(item.value.clone()).ok()?;
        // Whoever may write the table must not have one thing written down as another.
        let bucket = bucket_of(&item.key.partition)?;
        (!record.changes.is_empty() && record.holder.key(&bucket) == item.key).then_some(record)
    }

    /// The item that this record is written as.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn item(&self, bucket: &BucketName, version: u64, now: Timestamp) -> Result<Item, serde_json::Error> {
        Ok(Item {
            key: self.holder.key(bucket),
            version,
            value: serde_json::to_value(self)?,
            expires: match self.may_hold() {
                true => None,
                false => now.checked_add(KEPT).ok(),
            },
        })
    }

    /// Adds a change that is about to be made, as the last of its changes; `record` is what stood there.
    pub fn begin(record: Option<Self>, change: &Change, mut entry: Entry) -> Self {
        let mut record = record.unwrap_or_else(|| Self {
            holder: ChangeTarget::of(change),
            changes: Vec::new(),
        });
        // The account was just read: what was begun before shows in what is there now.
        for open in &mut record.changes {
            if open.state == State::Begun {
                let state = if same(&entry.before, &open.after) {
                    State::FoundMade
                } else if same(&entry.before, &open.before) {
                    State::NotMade
                } else {
                    State::Overtaken
                };
                open.settle(state, entry.begun);
            }
        }
        entry.number = record
            .changes
            .last()
            .map_or(1, |last| last.number.saturating_add(1));
        record.changes.push(entry);
        record.forget();
        record
    }

    /// Notes what became of a change. None where the record does not tell of it.
    pub fn end(mut self, number: u64, outcome: &ChangeOutcome) -> Option<Self> {
        let entry = self
            .changes
            .iter_mut()
            .rev()
            .find(|entry| entry.number == number)?;
        let begun = entry.begun;
        entry.request_id.clone_from(&outcome.request_id);
        entry.grant_id.clone_from(&outcome.grant_id);
        entry.error.clone_from(&outcome.error);
        match outcome.status {
            ChangeStatus::Applied | ChangeStatus::AlreadyInPlace => entry.settle(State::Made, begun),
            // No answer is no proof that the call did not arrive.
            ChangeStatus::Failed if outcome.retryable => entry.state = State::Begun,
            ChangeStatus::Failed if outcome.request_id.is_some() => entry.settle(State::Overtaken, begun),
            ChangeStatus::Failed | ChangeStatus::Refused | ChangeStatus::Planned => {
                entry.settle(State::NotMade, begun);
            }
        }
        Some(self)
    }

    /// Compares what was only begun with the account. None where nothing is learnt.
    pub fn resolve(&self, snapshot: &Snapshot) -> Option<Self> {
        let last = self.changes.last().filter(|last| last.state == State::Begun)?;
        let there = self.holder.now(snapshot)?;
        let now = snapshot.taken_at;
        let is_over = now.duration_since(last.begun) > LONGEST;
        let state = if same(&there, &last.after) {
            State::FoundMade
        } else if !is_over {
            return None;
        } else if same(&there, &last.before) {
            State::NotMade
        } else {
            State::Overtaken
        };
        let mut resolved = self.clone();
        resolved.changes.last_mut()?.settle(state, now);
        Some(resolved)
    }

    /// Notes what people were told of. None where that is nothing.
    pub fn told(&self, is_told: impl Fn(&Entry) -> bool) -> Option<Self> {
        let mut noted = self.clone();
        for entry in &mut noted.changes {
            // What is not over yet is not told yet.
            entry.untold &= entry.state == State::Begun || !is_told(entry);
        }
        (noted != *self).then_some(noted)
    }

    /// May there be something of ours, as far as the record tells?
    pub fn may_hold(&self) -> bool {
        self.changes.last().is_none_or(|last| match last.state {
            State::Begun | State::Overtaken => true,
            State::Made | State::FoundMade => !last.after.is_null(),
            State::NotMade => !last.before.is_null(),
        })
    }

    /// Drops the earliest changes where there are too many.
    fn forget(&mut self) {
        let length = |entry: &Entry| serde_json::to_string(entry).map_or(HISTORY, |text| text.len());
        let mut room = HISTORY;
        let mut kept = 0;
        for entry in self.changes.iter().rev().skip(1) {
            match room.checked_sub(length(entry)) {
                Some(left) => {
                    room = left;
                    kept += 1;
                }
                None => break,
            }
        }
        let superfluous = self.changes.len().saturating_sub(kept + 1);
        self.changes.drain(..superfluous);
    }
}

/// The roles and keys that may hold something of ours.
pub fn places<'r>(records: impl Iterator<Item = &'r ChangeRecord>) -> (BTreeSet<RoleArn>, BTreeSet<KeyArn>) {
    let (mut roles, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for record in records.filter(|record| record.may_hold()) {
        match &record.holder {
            ChangeTarget::Role { role } => {
                roles.insert(role.clone());
            }
            ChangeTarget::Key { key, grantee, .. } => {
                roles.insert(grantee.clone());
                keys.insert(key.clone());
            }
        }
    }
    (roles, keys)
}
