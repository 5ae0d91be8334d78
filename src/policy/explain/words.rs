//! Decides in which words the parts of an answer are told.

use std::fmt;

use super::super::answer::{
    AbsentKey, Decision, Doubt, DoubtReason, Guardrail, Layer, Mismatch, NearMiss, StatementRef,
};
use super::super::condition::{Base, Operator};
use super::super::statement::Flaw;
use super::{principal_tag, quoted, quoted_list};

const ENCRYPTION_CONTEXT: &str = "kms:encryptioncontext:aws:s3:arn";

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::ExplicitlyDenied => "explicitly denied",
            Self::ImplicitlyDenied => "implicitly denied",
            Self::Undetermined => "undetermined",
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "role policy",
            Self::Boundary => "permissions boundary",
            Self::Resource => "resource policy",
            Self::Scp => "service control policy",
            Self::Rcp => "resource control policy",
            Self::Grant => "grant",
        })
    }
}

/// "statement `Decrypt` of `replication-policy`"; statements without a name are counted from 1.
impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = quoted(&self.policy);
        if self.layer == Layer::Grant {
            return write!(f, "grant {policy}");
        }
        match &self.sid {
            Some(sid) if !sid.is_empty() => write!(f, "statement {} of ", quoted(sid))?,
            Some(_) | None => write!(f, "statement {} of ", self.index + 1)?,
        }
        match self.layer {
            Layer::Boundary | Layer::Scp | Layer::Rcp => write!(f, "the {} {policy}", self.layer),
            Layer::Identity | Layer::Resource | Layer::Grant => f.write_str(&policy),
        }
    }
}

impl fmt::Display for AbsentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tests {}, which the request lacks",
            self.statement,
            quoted(&self.key)
        )
    }
}

/// "statement 1 of `p` allows it only on `arn:…`"
impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allows it {}", self.statement, only(&self.mismatches))
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExplicitDeny(statement) => write!(f, "{statement} denies it"),
            Self::Boundary { policy } => {
                write!(f, "the permissions boundary {} does not contain it", quoted(policy))
            }
            Self::Scp { level } => write!(f, "no service control policy at {} allows it", quoted(level)),
            Self::Rcp { level } => write!(f, "no resource control policy at {} allows it", quoted(level)),
            Self::KeyPolicyWithoutDelegation => f.write_str(
                "the key policy neither names the role nor leaves this to the account, so the role's own policies do not count",
            ),
        }
    }
}

/// "only where … and …; the request has …"
pub(super) fn only(mismatches: &[Mismatch]) -> String {
    joined(mismatches, " and ")
}

/// "it spares calls only where … or …; the request has …"
pub(super) fn spares(mismatches: &[Mismatch]) -> String {
    format!("it spares calls {}", joined(mismatches, " or "))
}

fn joined(mismatches: &[Mismatch], and: &str) -> String {
    let (limits, found): (Vec<String>, Vec<Option<String>>) = mismatches.iter().map(limit).unzip();
    let found: Vec<String> = found.into_iter().flatten().collect();
    let limits = limits.join(and);
    if found.is_empty() {
        format!("only {limits}")
    } else {
        format!("only {limits}; {}", found.join(", "))
    }
}

/// What a statement asks for, and what the request has instead.
fn limit(mismatch: &Mismatch) -> (String, Option<String>) {
    match mismatch {
        Mismatch::Principal { named } => (format!("to {}", quoted_list(named)), None),
        Mismatch::PrincipalExcepted { named } => (format!("to others than {}", quoted_list(named)), None),
        Mismatch::Action { named } => (format!("for {}", quoted_list(named)), None),
        Mismatch::ActionExcepted { named } => (format!("for others than {}", quoted_list(named)), None),
        Mismatch::Resource { named, .. } => (format!("on {}", quoted_list(named)), None),
        Mismatch::ResourceExcepted { named } => (format!("on others than {}", quoted_list(named)), None),
        Mismatch::ConditionValue {
            key, found, wanted, ..
        } if key.eq_ignore_ascii_case(ENCRYPTION_CONTEXT) => (
            format!("for the encryption context {}", quoted_list(wanted)),
            Some(encryption_context_sent(found, wanted)),
        ),
        Mismatch::ConditionValue {
            operator,
            key,
            found,
            wanted,
        } => (
            test(operator, key, wanted),
            Some(match principal_tag(key) {
                Some(tag) => format!("the role's tag {} is {}", quoted(tag), quoted_list(found)),
                None => format!("the request has {}", quoted_list(found)),
            }),
        ),
        Mismatch::ConditionKeyAbsent {
            operator,
            key,
            wanted,
        } => (
            test(operator, key, wanted),
            Some(match principal_tag(key) {
                Some(tag) => format!("the role has no tag {}", quoted(tag)),
                None => format!("the request has no {}", quoted(key)),
            }),
        ),
        Mismatch::ConditionKeyPresent { key, found } => (
            format!("without {}", quoted(key)),
            Some(format!("the request has {}", quoted_list(found))),
        ),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html#bucket-key-changes>
fn encryption_context_sent(found: &[String], wanted: &[String]) -> String {
    let is_bucket = |arn: &String| arn.starts_with("arn:") && !arn.contains(['/', '*', '?']);
    let sent = quoted_list(found);
    if found.iter().all(is_bucket) {
        format!("with a Bucket Key S3 sends {sent}")
    } else if wanted.iter().any(is_bucket) {
        format!("without a Bucket Key S3 sends the ARN of the object, {sent}")
    } else {
        format!("S3 sends {sent}")
    }
}

fn test(operator: &str, key: &str, wanted: &[String]) -> String {
    let key = quoted(key);
    let wanted = quoted_list(wanted);
    match Operator::read(operator).map(|read| (read.base, read.negated)) {
        Some((Base::StringLike, false)) => format!("where {key} is like {wanted}"),
        Some((Base::StringLike, true)) => format!("where {key} is not like {wanted}"),
        Some((
            Base::StringEquals | Base::StringEqualsIgnoreCase | Base::Arn | Base::Bool | Base::IpAddress,
            negated,
        )) => format!("where {key} is{} {wanted}", if negated { " not" } else { "" }),
        Some((Base::Null, _)) => format!("where {key} is there"),
        Some((Base::Numeric(_) | Base::Date(_) | Base::Binary, _)) | None => {
            format!("where {key} is {} {wanted}", quoted(operator))
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "{statement}: {}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl fmt::Display for DoubtReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(failure) => write!(
                f,
                "{} could not be read ({}: {})",
                super::quote::cleaned(&failure.what),
                super::quote::cleaned(&failure.operation),
                super::quote::cleaned(&failure.error_code)
            ),
            Self::Flaw(flaw) => flaw.fmt(f),
            Self::PartialNotPrincipal => f.write_str(
                "`NotPrincipal` lists the caller only in part; AWS asks for session, role and account together",
            ),
            Self::NotPrincipalAndUnreadBoundary => f.write_str(
                "a denial with `NotPrincipal` hits every role with a permissions boundary, and whether there is one was not read",
            ),
            Self::Principal(principal) => write!(f, "whom the principal {} covers is not known", quoted(principal)),
            Self::ValueUnknown { key } => {
                write!(f, "the value of condition key {} in S3's request is not known here", quoted(key))
            }
            Self::SeveralValues { key } => {
                write!(f, "{} has several values, and the operator is for one", quoted(key))
            }
            Self::VariableWithoutValue { key } => {
                write!(f, "the policy variable {} has no value in a negated condition", quoted(key))
            }
            Self::ShortArn(pattern) => write!(f, "{} has fewer parts than an ARN", quoted(pattern)),
            Self::OpenPart(pattern) => write!(
                f,
                "{} has a part that ends in `*`, which may take in later parts or not",
                quoted(pattern)
            ),
            Self::MisplacedVariable(pattern) => write!(
                f,
                "{} has a policy variable where an ARN does not take one",
                quoted(pattern)
            ),
            Self::AnyValueIfExists { key } => write!(
                f,
                "`ForAnyValue:…IfExists` on {}, which the request lacks, is not documented",
                quoted(key)
            ),
            Self::GrantConstraint(kind) => write!(f, "the constraint {} is not modelled", quoted(kind)),
            Self::GrantToAccount => f.write_str("it is to the whole account"),
            Self::GrantAgainstBoundary => f.write_str(
                "whether the permissions boundary, which does not contain the action, limits a grant is not documented",
            ),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownElement(name) => write!(f, "the element {} is not known", quoted(name)),
            Self::UnknownVersion(version) => write!(f, "the policy version {} is not known", quoted(version)),
            Self::UnknownOperator(name) => write!(f, "the condition operator {} is not known", quoted(name)),
            Self::Missing(element) => write!(f, "`{element}` is missing"),
            Self::Misplaced(element) => write!(f, "`{element}` has no meaning in a policy of this kind"),
            Self::BothForms(element) => write!(f, "`{element}` stands beside `Not{element}`"),
            Self::Malformed {
                element,
                expected,
                found,
            } => write!(
                f,
                "{}: expected {expected}, found {}",
                quoted(element),
                super::quote::cleaned(found)
            ),
        }
    }
}
