//! Makes the changes of a reviewed plan: reads again what each was made from, writes, and reads what was written.
//!
//! Nothing is decided here. A change whose basis is no longer as it was is refused; one that is already in place is
//! left alone. So an invocation that is killed half-way, or runs second, reaches the same end state. Revocations come
//! last, and only once everything that allows is in place. A change that cannot be recorded is not made: nobody could
//! say later who made it.
//!
//! IAM and KMS take up to about five minutes until a change works everywhere:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/programming-eventual-consistency.html>.

mod entry;
mod journal;
mod outcome;

use std::future::Future;

use crate::arn::{KeyArn, KeyReference};
use crate::mode::WriteAccess;
use crate::observed::Observed;
use crate::plan::canonical::canonical;
use crate::plan::key_grant;
use crate::plan::review::ReviewedPlan;
use crate::plan::{Basis, Change, GrantRevocation, Planned, RolePolicyChange};
use crate::policy::{NamedPolicy, PolicyDocument};
use crate::source::read::is_temporary;
use crate::source::{Reader, RoleRecord, Source};
use crate::target::{GrantRequest, Target, WriteFailure, Written};

pub use entry::{Cause, Entry, State};
pub use journal::{Journal, NoJournal, NotRecorded};
pub use outcome::{Applied, ChangeOutcome, ChangeStatus, Status};

use outcome::ReadBack;

/// Applies a plan. The value of [`WriteAccess`] is what a dry run does not have.
pub async fn apply<S: Source, T: Target, J: Journal>(
    _access: &WriteAccess,
    source: &S,
    target: &T,
    journal: &J,
    plan: &ReviewedPlan,
) -> Applied {
    let executor = Executor {
        source,
        target,
        journal,
    };
    let mut outcomes: Vec<ChangeOutcome> = Vec::new();
    for planned in &plan.plan().changes {
        let is_safe = !planned.change.only_takes_away() || outcomes.iter().all(ChangeOutcome::is_in_place);
        let outcome = if is_safe {
            executor.apply(planned).await
        } else {
            ChangeOutcome::refused("a change before it was not made, and this one takes something away")
        };
        outcomes.push(outcome);
    }
    Applied::of(outcomes)
}

type Attempt = Result<ChangeOutcome, ChangeOutcome>;

/// What it takes to make changes.
struct Executor<'a, S, T, J> {
    source: &'a S,
    target: &'a T,
    journal: &'a J,
}

impl<S: Source, T: Target, J: Journal> Executor<'_, S, T, J> {
    async fn apply(&self, planned: &Planned) -> ChangeOutcome {
        let change = &planned.change;
        let outcome = match change {
            Change::PutRolePolicy(put) => self.put_policy(change, put, &planned.basis).await,
            Change::CreateGrant(request) => self.create_grant(change, request, &planned.basis).await,
            Change::RevokeGrant(revocation) => self.revoke_grant(change, revocation).await,
        };
        outcome.unwrap_or_else(|refusal| refusal)
    }

    /// Writes, between the two entries of the journal; `seen` reads what was written.
    async fn write<R: Future<Output = ReadBack>>(
        &self,
        change: &Change,
        write: impl Future<Output = Result<Written, WriteFailure>>,
        seen: impl FnOnce(Written) -> (Written, R),
    ) -> Attempt {
        let entry = match self.journal.begin(change).await {
            Ok(entry) => entry,
            Err(NotRecorded(reason)) => {
                return Err(ChangeOutcome {
                    retryable: true,
                    ..ChangeOutcome::refused(format!(
                        "it could not be written down, and nothing is changed without a record: {reason}"
                    ))
                });
            }
        };
        let mut outcome = match write.await {
            Ok(written) => {
                let (written, seen) = seen(written);
                ChangeOutcome::applied(written, seen.await)
            }
            Err(failure) => ChangeOutcome::failed(&failure),
        };
        if let Err(NotRecorded(reason)) = self.journal.end(change, entry, &outcome).await {
            let note = format!("what became of it could not be written down: {reason}");
            outcome.error = Some(match outcome.error {
                Some(error) => format!("{error}; {note}"),
                None => note,
            });
        }
        Ok(outcome)
    }

    async fn put_policy(&self, change: &Change, put: &RolePolicyChange, basis: &Basis) -> Attempt {
        let (source, target) = (self.source, self.target);
        let now = source.inline_policy(&put.role, &put.name).await;
        let now = read(now, "our policy in the role")?;
        if same(now.as_ref(), put.after.as_ref()) {
            return Ok(ChangeOutcome::in_place(None));
        }
        if !same(now.as_ref(), put.before.as_ref()) {
            return Err(ChangeOutcome::refused(
                "our policy in the role is no longer as it was when the plan was made",
            ));
        }
        if let Basis::Role(then) = basis {
            match read(source.role(&put.role).await, "the role")? {
                Some(now) => unchanged(then, &now)?,
                None => return Err(ChangeOutcome::refused("the role is gone")),
            }
        }
        let write = async {
            match &put.after {
                Some(document) => target.put_role_policy(&put.role, &put.name, document).await,
                None => target.delete_role_policy(&put.role, &put.name).await,
            }
        };
        let seen = async {
            match source.inline_policy(&put.role, &put.name).await {
                Observed::Unreadable(failure) => ReadBack::Unread(failure.error_code),
                found @ (Observed::Found(_) | Observed::Absent) => {
                    let found = found.found().map(|policy| policy.document.clone());
                    if matches(found.as_ref(), put.after.as_ref()) {
                        ReadBack::AsWritten
                    } else if matches(found.as_ref(), put.before.as_ref()) {
                        ReadBack::NotYet
                    } else {
                        ReadBack::Otherwise
                    }
                }
            }
        };
        self.write(change, write, |written| (written, seen)).await
    }

    async fn create_grant(&self, change: &Change, request: &GrantRequest, basis: &Basis) -> Attempt {
        let (source, target) = (self.source, self.target);
        let grants = || source.grants(&request.key, &request.grantee, &Reader::Own);
        let now = read(grants().await, "the key's grants")?.unwrap_or_default();
        if let Some(grant) = now.iter().find(|grant| key_grant::is(grant, request)) {
            return Ok(ChangeOutcome::in_place(Some(&grant.id)));
        }
        self.unchanged_key(&request.key, basis).await?;
        let failed = |failure: WriteFailure| ChangeOutcome::failed(&failure);
        target.try_grant(request).await.map_err(failed)?;
        let seen = |written: Written| {
            let id = written.grant_id.clone();
            (written, async move {
                match grants().await {
                    Observed::Unreadable(failure) => ReadBack::Unread(failure.error_code),
                    found @ (Observed::Found(_) | Observed::Absent) => {
                        let grants = found.found().map(Vec::as_slice).unwrap_or_default();
                        match grants.iter().find(|grant| Some(&grant.id) == id.as_ref()) {
                            None => ReadBack::NotYet,
                            Some(grant) if key_grant::is(grant, request) => ReadBack::AsWritten,
                            Some(_) => ReadBack::Otherwise,
                        }
                    }
                }
            })
        };
        self.write(change, target.create_grant(request), seen).await
    }

    async fn unchanged_key(&self, key: &KeyArn, basis: &Basis) -> Result<(), ChangeOutcome> {
        const CHANGED: &str = "the key is no longer as it was when the plan was made";
        let Basis::Key { metadata, tags } = basis else {
            return Err(ChangeOutcome::refused(CHANGED));
        };
        let reference = KeyReference::Key(key.clone());
        let now = read(
            self.source.describe_key(&reference, &Reader::Own).await,
            "the key",
        )?;
        if now.as_ref() != Some(metadata) {
            return Err(ChangeOutcome::refused(CHANGED));
        }
        // Where they could not be read, it is the allow-list that opens the key.
        if let Some(tags) = tags {
            let now = read(self.source.key_tags(key, &Reader::Own).await, "the key's tags")?;
            if now.as_ref() != Some(tags) {
                return Err(ChangeOutcome::refused(format!("{CHANGED}: its tags")));
            }
        }
        Ok(())
    }

    async fn revoke_grant(&self, change: &Change, revocation: &GrantRevocation) -> Attempt {
        let (source, target) = (self.source, self.target);
        let grant = &revocation.grant;
        let grants = || source.grants(&grant.key, &revocation.again.grantee, &Reader::Own);
        let now = read(grants().await, "the key's grants")?.unwrap_or_default();
        match now.iter().find(|found| found.id == grant.id) {
            None => return Ok(ChangeOutcome::in_place(Some(&grant.id))),
            Some(found) if found != grant => {
                return Err(ChangeOutcome::refused(
                    "the grant is no longer as it was when the plan was made",
                ));
            }
            Some(_) => {}
        }
        let seen = |written: Written| {
            let written = Written {
                grant_id: Some(grant.id.clone()),
                ..written
            };
            (written, async {
                match grants().await {
                    Observed::Unreadable(failure) => ReadBack::Unread(failure.error_code),
                    found @ (Observed::Found(_) | Observed::Absent) => {
                        let is_there = found
                            .found()
                            .is_some_and(|grants| grants.iter().any(|found| found.id == grant.id));
                        if is_there {
                            ReadBack::NotYet
                        } else {
                            ReadBack::AsWritten
                        }
                    }
                }
            })
        };
        self.write(change, target.revoke_grant(&grant.key, &grant.id), seen)
            .await
    }
}

/// What cannot be read cannot be compared, so it is not changed.
fn read<T>(observed: Observed<T>, what: &str) -> Result<Option<T>, ChangeOutcome> {
    match observed {
        Observed::Found(fact) => Ok(Some(fact)),
        Observed::Absent => Ok(None),
        Observed::Unreadable(failure) => Err(ChangeOutcome {
            retryable: is_temporary(&failure.error_code),
            ..ChangeOutcome::refused(format!(
                "{what} could not be read again ({})",
                failure.error_code.escape_debug()
            ))
        }),
    }
}

fn same(now: Option<&NamedPolicy>, then: Option<&PolicyDocument>) -> bool {
    matches(now.map(|policy| &policy.document), then)
}

fn matches(one: Option<&PolicyDocument>, other: Option<&PolicyDocument>) -> bool {
    let text = |document: &PolicyDocument| canonical(document.raw());
    one.map(text) == other.map(text)
}

fn unchanged(then: &RoleRecord, now: &RoleRecord) -> Result<(), ChangeOutcome> {
    let changed: Vec<&str> = [
        (
            "another role has its name now",
            then.id != now.id || then.arn != now.arn,
        ),
        ("its trust policy", then.trust != now.trust),
        ("its tags", then.tags != now.tags),
        ("its permissions boundary", then.boundary != now.boundary),
    ]
    .into_iter()
    .filter_map(|(what, is_changed)| is_changed.then_some(what))
    .collect();
    if changed.is_empty() {
        Ok(())
    } else {
        Err(ChangeOutcome::refused(format!(
            "the role is no longer as it was when the plan was made: {}",
            changed.join(", ")
        )))
    }
}
