//! The result of applying a plan, as reports show it.

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::review::ReviewedPlan;
use crate::target::{WriteFailure, Written};

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
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
    /// Nothing was written, because something is not as it was when the plan was made, or could not be read again.
    Refused,
    /// No change is in place, because AWS refused, did not answer, or shows something else than was written.
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
    pub(super) fn new(status: ChangeStatus) -> Self {
        Self {
            status,
            request_id: None,
            grant_id: None,
            error: None,
            retryable: false,
        }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self {
            error: Some(reason.into()),
            ..Self::new(ChangeStatus::Refused)
        }
    }

    pub(super) fn failed(failure: &WriteFailure) -> Self {
        Self {
            error: Some(failure.to_string()),
            retryable: failure.retryable,
            ..Self::new(ChangeStatus::Failed)
        }
    }

    pub(super) fn in_place(grant_id: Option<&str>) -> Self {
        Self {
            grant_id: grant_id.map(str::to_owned),
            ..Self::new(ChangeStatus::AlreadyInPlace)
        }
    }

    pub(super) fn applied(written: Written, seen: ReadBack) -> Self {
        let (status, error) = match seen {
            ReadBack::AsWritten => (ChangeStatus::Applied, None),
            ReadBack::NotYet => (
                ChangeStatus::Applied,
                Some("AWS accepted it and does not show it yet".to_owned()),
            ),
            ReadBack::Unread(code) => (
                ChangeStatus::Applied,
                Some(format!("AWS accepted it; it could not be read again ({code})")),
            ),
            ReadBack::Otherwise => (
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

    pub(super) fn is_in_place(&self) -> bool {
        match self.status {
            ChangeStatus::Applied | ChangeStatus::AlreadyInPlace => true,
            ChangeStatus::Planned | ChangeStatus::Refused | ChangeStatus::Failed => false,
        }
    }
}

impl Applied {
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

    /// Was anything changed? What AWS accepted was, also where somebody else has written over it since.
    pub fn has_written(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.status == ChangeStatus::Applied || change.request_id.is_some())
    }

    /// Would it be worth trying again?
    pub fn is_retryable(&self) -> bool {
        self.changes.iter().any(|change| change.retryable)
    }

    pub(super) fn of(changes: Vec<ChangeOutcome>) -> Self {
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

/// What AWS shows after a write.
pub(super) enum ReadBack {
    AsWritten,
    /// What was there before: reads may lag behind writes.
    NotYet,
    Unread(String),
    Otherwise,
}
