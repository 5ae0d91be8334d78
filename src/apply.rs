//! Makes the changes of a reviewed plan: reads again what each was made from, writes, and reads what was written.
//!
//! Nothing is decided here. A change whose basis is no longer as it was is refused; one that is in place already is left
//! alone; so whoever is killed half-way, or comes second, ends where the first would have. What takes away comes last, and
//! only when everything that allows is in place.
//!
//! IAM and KMS take up to about five minutes until a change works everywhere:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/programming-eventual-consistency.html>.

use jiff::Timestamp;
use serde::Serialize;

use crate::arn::KeyReference;
use crate::mode::WriteAccess;
use crate::observed::Observed;
use crate::plan::canonical::canonical;
use crate::plan::key_grant;
use crate::plan::review::ReviewedPlan;
use crate::plan::{Basis, Change, GrantRevocation, Planned, RolePolicyChange};
use crate::policy::{NamedPolicy, PolicyDocument};
use crate::source::{Reader, RoleRecord, Source};
use crate::target::{GrantRequest, Target, WriteFailure, Written};

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// In one word.
    pub status: Status,
    /// Change by change, in the order of the plan.
    pub changes: Vec<ChangeOutcome>,
    /// When it can be known whether it helped; none where nothing was written. Whoever has a clock sets it.
    pub verify_after: Option<Timestamp>,
    /// Will this program look again then, and tell if it finds something else?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow_up: bool,
}

/// What became of a plan as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing was tried.
    Planned,
    /// Every change is in place, and at least one was made now.
    Applied,
    /// Every change was in place before.
    AlreadyInPlace,
    /// Nothing was written, because something is not as it was when the plan was made.
    Refused,
    /// Nothing was written, because AWS refused or did not answer.
    Failed,
    /// Some changes are in place and some are not.
    PartlyApplied,
}

impl Status {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applied => "applied",
            Self::AlreadyInPlace => "already-in-place",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::PartlyApplied => "partly-applied",
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeOutcome {
    /// In one word.
    pub status: ChangeStatus,
    /// AWS's request id, for finding it in CloudTrail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The grant that there is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    /// Why it was not made, or what could not be verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Would it be worth trying again?
    #[serde(skip)]
    pub retryable: bool,
}

/// What became of a change, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatus {
    /// Nothing was tried.
    Planned,
    /// It was made.
    Applied,
    /// Somebody, perhaps we ourselves, had made it before.
    AlreadyInPlace,
    /// Something is not as it was when the plan was made, or a change before it was not made.
    Refused,
    /// AWS refused it, did not answer, or shows something else than was written.
    Failed,
}

impl ChangeStatus {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applied => "applied",
            Self::AlreadyInPlace => "already-in-place",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl ChangeOutcome {
    fn new(status: ChangeStatus) -> Self {
        Self {
            status,
            request_id: None,
            grant_id: None,
            error: None,
            retryable: false,
        }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self {
            error: Some(reason.into()),
            ..Self::new(ChangeStatus::Refused)
        }
    }

    fn failed(failure: &WriteFailure) -> Self {
        Self {
            error: Some(failure.to_string()),
            retryable: failure.retryable,
            ..Self::new(ChangeStatus::Failed)
        }
    }

    fn in_place(grant_id: Option<&str>) -> Self {
        Self {
            grant_id: grant_id.map(str::to_owned),
            ..Self::new(ChangeStatus::AlreadyInPlace)
        }
    }

    fn applied(written: Written, seen: Seen) -> Self {
        let (status, error) = match seen {
            Seen::AsWritten => (ChangeStatus::Applied, None),
            Seen::NotYet => (
                ChangeStatus::Applied,
                Some("AWS accepted it and does not show it yet".to_owned()),
            ),
            Seen::Unread(code) => (
                ChangeStatus::Applied,
                Some(format!("AWS accepted it; it could not be read again ({code})")),
            ),
            Seen::Otherwise => (
                ChangeStatus::Failed,
                Some("AWS accepted it and shows something else: somebody else is writing as well".to_owned()),
            ),
        };
        Self {
            request_id: written.request_id,
            grant_id: written.grant_id,
            error,
            ..Self::new(status)
        }
    }

    fn is_in_place(&self) -> bool {
        match self.status {
            ChangeStatus::Applied | ChangeStatus::AlreadyInPlace => true,
            ChangeStatus::Planned | ChangeStatus::Refused | ChangeStatus::Failed => false,
        }
    }
}

impl Outcome {
    /// A plan that was told and not applied.
    pub fn planned(plan: &ReviewedPlan) -> Self {
        let planned = ChangeOutcome::new(ChangeStatus::Planned);
        Self {
            status: Status::Planned,
            changes: vec![planned; plan.plan().changes.len()],
            verify_after: None,
            follow_up: false,
        }
    }

    /// A plan that was not tried at all, such as one whose digest is not the one that was approved.
    pub fn refused(plan: &ReviewedPlan, reason: &str) -> Self {
        let refused = ChangeOutcome::refused(reason);
        Self {
            status: Status::Refused,
            changes: vec![refused; plan.plan().changes.len()],
            verify_after: None,
            follow_up: false,
        }
    }

    /// Is nothing left to do?
    pub fn is_in_place(&self) -> bool {
        match self.status {
            Status::Applied | Status::AlreadyInPlace => true,
            Status::Planned | Status::Refused | Status::Failed | Status::PartlyApplied => false,
        }
    }

    /// Was anything changed?
    pub fn has_written(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.status == ChangeStatus::Applied)
    }

    /// Would it be worth trying again?
    pub fn is_retryable(&self) -> bool {
        self.changes.iter().any(|change| change.retryable)
    }

    fn of(changes: Vec<ChangeOutcome>) -> Self {
        let has = |status| changes.iter().any(|change| change.status == status);
        let all_in_place = changes.iter().all(ChangeOutcome::is_in_place);
        let some_in_place = changes.iter().any(ChangeOutcome::is_in_place);
        let status = match (all_in_place, some_in_place) {
            (true, _) if has(ChangeStatus::Applied) => Status::Applied,
            (true, _) => Status::AlreadyInPlace,
            (false, true) => Status::PartlyApplied,
            (false, false) if has(ChangeStatus::Failed) => Status::Failed,
            (false, false) => Status::Refused,
        };
        Self {
            status,
            verify_after: None,
            follow_up: false,
            changes,
        }
    }
}

/// Applies a plan. The value of [`WriteAccess`] is what a dry run does not have.
pub async fn apply<S: Source, T: Target>(
    _access: &WriteAccess,
    source: &S,
    target: &T,
    plan: &ReviewedPlan,
) -> Outcome {
    let mut outcomes: Vec<ChangeOutcome> = Vec::new();
    for planned in &plan.plan().changes {
        let is_safe = !planned.change.only_takes_away() || outcomes.iter().all(ChangeOutcome::is_in_place);
        let outcome = if is_safe {
            apply_one(source, target, planned).await
        } else {
            ChangeOutcome::refused("a change before it was not made, and this one takes something away")
        };
        outcomes.push(outcome);
    }
    Outcome::of(outcomes)
}

async fn apply_one<S: Source, T: Target>(source: &S, target: &T, planned: &Planned) -> ChangeOutcome {
    let outcome = match &planned.change {
        Change::PutRolePolicy(change) => put_policy(source, target, change, &planned.basis).await,
        Change::CreateGrant(request) => create_grant(source, target, request, &planned.basis).await,
        Change::RevokeGrant(revocation) => revoke_grant(source, target, revocation).await,
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

type Applied = Result<ChangeOutcome, ChangeOutcome>;

async fn put_policy<S: Source, T: Target>(
    source: &S,
    target: &T,
    change: &RolePolicyChange,
    basis: &Basis,
) -> Applied {
    let now = source.inline_policy(&change.role, &change.name).await;
    let now = read(now, "our policy in the role")?;
    if same(now.as_ref(), change.after.as_ref()) {
        return Ok(ChangeOutcome::in_place(None));
    }
    if !same(now.as_ref(), change.before.as_ref()) {
        return Err(ChangeOutcome::refused(
            "our policy in the role is no longer as it was when the plan was made",
        ));
    }
    if let Basis::Role(then) = basis {
        match read(source.role(&change.role).await, "the role")? {
            Some(now) => unchanged(then, &now)?,
            None => return Err(ChangeOutcome::refused("the role is gone")),
        }
    }
    let written = match &change.after {
        Some(document) => target.put_role_policy(&change.role, &change.name, document).await,
        None => target.delete_role_policy(&change.role, &change.name).await,
    };
    let written = written.map_err(|failure| ChangeOutcome::failed(&failure))?;
    let seen = match source.inline_policy(&change.role, &change.name).await {
        Observed::Unreadable(failure) => Seen::Unread(failure.error_code),
        found @ (Observed::Found(_) | Observed::Absent) => {
            let found = found.found().map(|policy| policy.document.clone());
            if matches(found.as_ref(), change.after.as_ref()) {
                Seen::AsWritten
            } else if matches(found.as_ref(), change.before.as_ref()) {
                Seen::NotYet
            } else {
                Seen::Otherwise
            }
        }
    };
    Ok(ChangeOutcome::applied(written, seen))
}

async fn create_grant<S: Source, T: Target>(
    source: &S,
    target: &T,
    request: &GrantRequest,
    basis: &Basis,
) -> Applied {
    let grants = || source.grants(&request.key, &request.grantee, &Reader::Own);
    let now = read(grants().await, "the key's grants")?.unwrap_or_default();
    if let Some(grant) = now.iter().find(|grant| key_grant::is(grant, request)) {
        return Ok(ChangeOutcome::in_place(Some(&grant.id)));
    }
    let reference = KeyReference::Key(request.key.clone());
    let key = read(source.describe_key(&reference, &Reader::Own).await, "the key")?;
    if key.map(Basis::Key).as_ref() != Some(basis) {
        return Err(ChangeOutcome::refused(
            "the key is no longer as it was when the plan was made",
        ));
    }
    let failed = |failure: WriteFailure| ChangeOutcome::failed(&failure);
    target.try_grant(request).await.map_err(failed)?;
    let written = target.create_grant(request).await.map_err(failed)?;
    let seen = match grants().await {
        Observed::Unreadable(failure) => Seen::Unread(failure.error_code),
        found @ (Observed::Found(_) | Observed::Absent) => {
            let grants = found.found().map(Vec::as_slice).unwrap_or_default();
            let made = grants
                .iter()
                .find(|grant| Some(&grant.id) == written.grant_id.as_ref());
            match made {
                None => Seen::NotYet,
                Some(grant) if key_grant::is(grant, request) => Seen::AsWritten,
                Some(_) => Seen::Otherwise,
            }
        }
    };
    Ok(ChangeOutcome::applied(written, seen))
}

async fn revoke_grant<S: Source, T: Target>(source: &S, target: &T, revocation: &GrantRevocation) -> Applied {
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
    let written = target.revoke_grant(&grant.key, &grant.id).await;
    let written = written.map_err(|failure| ChangeOutcome::failed(&failure))?;
    let seen = match grants().await {
        Observed::Unreadable(failure) => Seen::Unread(failure.error_code),
        found @ (Observed::Found(_) | Observed::Absent) => {
            let is_there = found
                .found()
                .is_some_and(|grants| grants.iter().any(|found| found.id == grant.id));
            if is_there { Seen::NotYet } else { Seen::AsWritten }
        }
    };
    Ok(ChangeOutcome::applied(
        Written {
            grant_id: Some(grant.id.clone()),
            ..written
        },
        seen,
    ))
}

/// What AWS shows after a write.
enum Seen {
    AsWritten,
    /// What was there before: reads may lag behind writes.
    NotYet,
    Unread(String),
    Otherwise,
}

/// What cannot be read cannot be compared, so it is not changed.
fn read<T>(observed: Observed<T>, what: &str) -> Result<Option<T>, ChangeOutcome> {
    match observed {
        Observed::Found(fact) => Ok(Some(fact)),
        Observed::Absent => Ok(None),
        Observed::Unreadable(failure) => Err(ChangeOutcome::refused(format!(
            "{what} could not be read again ({})",
            failure.error_code.escape_debug()
        ))),
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
