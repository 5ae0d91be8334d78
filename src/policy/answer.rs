//! Decides what an evaluation tells: the decision, what decided it, what nearly did, and what could not be known.
//!
//! The decisions are those of <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>,
//! and one more: an answer that rests on something unread or not understood is not an answer.

use crate::observed::ReadFailure;

use super::statement::Flaw;
use super::truth::Truth;

/// Whether a call succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It is allowed.
    Allowed,
    /// A statement that denies it applies.
    ExplicitlyDenied,
    /// Nothing that would be needed allows it.
    ImplicitlyDenied,
    /// It turns on something that was not read or is not understood.
    Undetermined,
}

impl Decision {
    /// Is it certain that the call succeeds?
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }

    /// Is it certain that the call fails?
    #[must_use]
    pub fn is_denied(self) -> bool {
        matches!(self, Self::ExplicitlyDenied | Self::ImplicitlyDenied)
    }
}

/// What kind of document a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The policies of the role, inline and managed.
    Identity,
    /// The permissions boundary of the role.
    Boundary,
    /// The policy of the resource: key policy, bucket policy or trust policy.
    Resource,
    /// The service control policies of the caller's account.
    Scp,
    /// The resource control policies of the resource's account.
    Rcp,
    /// The grants of the key.
    Grant,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementRef {
    /// The kind of document.
    pub layer: Layer,
    /// The name of the policy, or of the grant.
    pub policy: String,
    /// The statement's own name, if it has one.
    pub sid: Option<String>,
    /// The position in the document, from 0.
    pub index: usize,
}

/// Which of the principals of a resource policy's Allow statements cover the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Everyone, or the session itself.
    pub direct: Truth,
    /// The role.
    pub role: Truth,
    /// The whole account: leave for the account's own policies to decide.
    pub account: Truth,
}

/// The decision of each layer by itself; `None` where the layer does not exist or does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerAnswers {
    /// The policies of the role.
    pub identity: Option<Decision>,
    /// The permissions boundary.
    pub boundary: Option<Decision>,
    /// The policy of the resource. `Allowed` may mean no more than that the account is; see `levels`.
    pub resource: Option<Decision>,
    /// Which principals of the resource policy's Allow statements cover the caller.
    pub levels: Levels,
    /// The service control policies together.
    pub scps: Option<Decision>,
    /// The resource control policies together.
    pub rcps: Option<Decision>,
    /// The grants.
    pub grants: Option<Decision>,
}

/// The part of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArnPart {
    /// Not one part: the text is no ARN at all.
    Whole,
    /// `aws`, `aws-cn`, …
    Partition,
    /// `s3`, `kms`, …
    Service,
    /// The Region.
    Region,
    /// The account.
    Account,
    /// What follows the fifth colon.
    Resource,
}

/// Why a statement does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It is about other callers.
    Principal {
        /// The callers that it names.
        named: Vec<String>,
    },
    /// It excepts this caller.
    PrincipalExcepted {
        /// The callers that it excepts.
        named: Vec<String>,
    },
    /// It is about other actions.
    Action {
        /// The actions that it names.
        named: Vec<String>,
    },
    /// It excepts this action.
    ActionExcepted {
        /// The actions that it excepts.
        named: Vec<String>,
    },
    /// It is about other resources.
    Resource {
        /// The first part of the ARN that differs, in the pattern that comes nearest.
        part: ArnPart,
        /// The resources that it names.
        named: Vec<String>,
    },
    /// It excepts this resource.
    ResourceExcepted {
        /// The resources that it excepts.
        named: Vec<String>,
    },
    /// A condition fails on the value of a key.
    ConditionValue {
        /// The operator.
        operator: String,
        /// The condition key as the policy writes it.
        key: String,
        /// What the request has.
        found: Vec<String>,
        /// What the policy asks for (or, for a negated operator, forbids).
        wanted: Vec<String>,
    },
    /// A condition fails because the request lacks the key.
    ConditionKeyAbsent {
        /// The operator.
        operator: String,
        /// The condition key as the policy writes it.
        key: String,
        /// What the policy asks for.
        wanted: Vec<String>,
    },
    /// A condition asks that the key be absent, and the request has it.
    ConditionKeyPresent {
        /// The condition key as the policy writes it.
        key: String,
        /// What the request has.
        found: Vec<String>,
    },
}

/// An Allow statement that is about this call in part, and why it does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The statement.
    pub statement: StatementRef,
    /// Every reason why it does not apply.
    pub mismatches: Vec<Mismatch>,
}

/// What removed an access that would otherwise be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guardrail {
    /// A statement that denies.
    ExplicitDeny(StatementRef),
    /// The permissions boundary does not contain the action.
    Boundary {
        /// The name of the boundary.
        policy: String,
    },
    /// No service control policy of this level allows it.
    Scp {
        /// The name of the level.
        level: String,
    },
    /// No resource control policy of this level allows it.
    Rcp {
        /// The name of the level.
        level: String,
    },
    /// The key policy neither names the role nor leaves the decision to the account, so the role's own policies do
    /// not count.
    KeyPolicyWithoutDelegation,
}

/// Why something cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoubtReason {
    /// It was not read.
    Unread(ReadFailure),
    /// The statement holds something that we do not understand.
    Flaw(Flaw),
    /// `NotPrincipal` lists the caller only in part: AWS asks for session, role and account together.
    PartialNotPrincipal,
    /// A denial with `NotPrincipal` hits every caller with a permissions boundary, and whether there is one is unread.
    NotPrincipalAndUnreadBoundary,
    /// A principal of a form that we do not model.
    Principal(String),
    /// A key with several values, and an operator for single values.
    SeveralValues {
        /// The condition key.
        key: String,
    },
    /// A key that the request may have, with a value that nobody here knows.
    ValueUnknown {
        /// The condition key.
        key: String,
    },
    /// A negated operator against a policy variable whose key has several values.
    VariableWithoutValue {
        /// The key that the variable names.
        key: String,
    },
    /// An ARN pattern with fewer than six parts, where AWS does not say what it matches.
    ShortArn(String),
    /// An ARN pattern with a part that ends in `*`, where AWS does not say whether that takes in later parts.
    OpenPart(String),
    /// A policy variable in a part of an ARN where AWS does not take one.
    MisplacedVariable(String),
    /// `ForAnyValue:…IfExists`, and the request lacks the key.
    AnyValueIfExists {
        /// The condition key.
        key: String,
    },
    /// A kind of grant constraint that we do not model.
    GrantConstraint(String),
    /// The grant is to the whole account.
    GrantToAccount,
    /// The grant fits, but the boundary does not contain the action, and AWS does not say which of the two wins.
    GrantAgainstBoundary,
}

/// Something that cannot be known, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The kind of document.
    pub layer: Layer,
    /// The statement or grant, if it is about one.
    pub statement: Option<StatementRef>,
    /// Why it cannot be known.
    pub reason: DoubtReason,
}

/// A condition key that the request lacks, and on whose absence the decision rests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbsentKey {
    /// The condition key, as the statement writes it (in lower case where it stands in a policy variable).
    pub key: String,
    /// The statement that tests it.
    pub statement: StatementRef,
}

/// The decision on a request, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an unread decision protects nobody"]
pub struct Answer {
    /// Whether the call succeeds.
    pub decision: Decision,
    /// Each layer by itself.
    pub layers: LayerAnswers,
    /// The statements (and grants) that decided: those that deny, or those that together allow.
    pub deciding: Vec<StatementRef>,
    /// Where the call is not allowed: Allow statements that fit in part, the nearest first.
    pub near_misses: Vec<NearMiss>,
    /// What removed an access that would otherwise be granted.
    pub blocked_by: Vec<Guardrail>,
    /// Where the decision is `Undetermined`: what is not known.
    pub doubts: Vec<Doubt>,
    /// Absent condition keys on whose absence the decision rests.
    pub absent_keys: Vec<AbsentKey>,
}

impl Answer {
    /// Is it certain that the call succeeds?
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allowed()
    }

    /// Is it certain that the call fails?
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.decision.is_denied()
    }
}
