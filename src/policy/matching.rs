//! Decides how one statement is held against one request: what the request is split into, and what is noted on the way.

use crate::arn::AccountId;

use super::answer::{DoubtReason, Mismatch};
use super::request::{Caller, Context, Request};
use super::truth::{Judged, Truth};

/// A request, split once for all statements.
#[derive(Debug)]
pub(crate) struct PreparedRequest<'r> {
    pub(crate) caller: PreparedCaller<'r>,
    /// `kms` of `kms:Decrypt`
    pub(crate) service: &'r str,
    /// `Decrypt` of `kms:Decrypt`
    pub(crate) name: &'r str,
    pub(crate) resource: &'r str,
    /// `None` where the resource is no ARN.
    pub(crate) resource_parts: Option<[&'r str; 6]>,
    pub(crate) context: &'r Context,
    /// Has the caller a permissions boundary?
    pub(crate) bounded: Truth,
}

#[derive(Debug)]
pub(crate) enum PreparedCaller<'r> {
    Role {
        arn: &'r str,
        session: &'r str,
        account: &'r AccountId,
        partition: &'r str,
    },
    Service(&'r str),
}

impl<'r> PreparedRequest<'r> {
    pub(crate) fn of(request: &'r Request, bounded: Truth) -> Self {
        let (service, name) = split_action(&request.action);
        Self {
            caller: match &request.caller {
                Caller::Role { role, session } => PreparedCaller::Role {
                    arn: role.as_str(),
                    session,
                    account: role.account(),
                    partition: role.partition().as_str(),
                },
                Caller::Service(name) => PreparedCaller::Service(name),
            },
            service,
            name,
            resource: &request.resource,
            resource_parts: arn_parts(&request.resource),
            context: &request.context,
            bounded,
        }
    }

    pub(crate) fn is_service(&self, name: &str) -> bool {
        self.service.eq_ignore_ascii_case(name)
    }
}

/// The service and the name of an action; text without a colon is all name.
pub(crate) fn split_action(action: &str) -> (&str, &str) {
    action.split_once(':').unwrap_or(("", action))
}

/// The six parts of an ARN; colons after the fifth belong to the last part.
pub(crate) fn arn_parts(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    Some([next()?, next()?, next()?, next()?, next()?, next()?])
}

/// Why a statement applies or not. Taken only when someone will read it: most evaluations never allocate one.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) doubts: Vec<DoubtReason>,
    /// Condition keys that are tested and absent.
    pub(crate) absent: Vec<String>,
}

/// How far a statement covers the caller, by the level of the principal that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) direct: Judged,
    pub(crate) role: Judged,
    pub(crate) account: Judged,
}

impl Reach {
    pub(crate) const NONE: Self = Self {
        direct: Judged::NO,
        role: Judged::NO,
        account: Judged::NO,
    };
    pub(crate) const UNKNOWN: Self = Self {
        direct: Judged::UNKNOWN,
        role: Judged::UNKNOWN,
        account: Judged::UNKNOWN,
    };
    /// What a document without principals has: it is about this caller because it is attached to it.
    pub(crate) const ATTACHED: Self = Self::direct(Judged::YES);

    pub(crate) const fn direct(direct: Judged) -> Self {
        Self {
            direct,
            role: Judged::NO,
            account: Judged::NO,
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            direct: self.direct.or(other.direct),
            role: self.role.or(other.role),
            account: self.account.or(other.account),
        }
    }

    /// The same levels, where something else holds too.
    pub(crate) fn and(self, other: Judged) -> Self {
        Self {
            direct: self.direct.and(other),
            role: self.role.and(other),
            account: self.account.and(other),
        }
    }

    /// Covered at any level.
    pub(crate) fn any(self) -> Judged {
        self.direct.or(self.role).or(self.account)
    }
}
