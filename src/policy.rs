//! Decides whether a request is allowed, by the rules that AWS documents for IAM and KMS, and says why.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html> and
//! <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html>. `iam:SimulatePrincipalPolicy` does not
//! do: it sees neither key policies nor bucket policies for roles, grants or resource control policies.
//!
//! Read [`evaluate()`] first: it puts the layers together. Below it one file per element of a statement. Everything
//! here is a pure function of its arguments. What was not read, or is not understood, makes undetermined exactly what
//! depends on it.
//!
//! Not judged here, because nothing about replication shows it: VPC endpoint policies, session policies, access control
//! lists and S3 Block Public Access.

mod action;
mod answer;
mod arn_pattern;
mod condition;
mod document;
mod evaluate;
mod explain;
mod grant;
mod layers;
mod matching;
mod mistake;
pub mod pattern;
mod principal;
mod request;
mod resource;
mod statement;
mod template;
mod trust;
mod truth;
#[cfg(test)]
mod world;

pub use answer::{
    AbsentKey, Answer, ArnPart, Decision, Doubt, DoubtReason, Guardrail, Layer, LayerAnswers, Levels,
    Mismatch, NearMiss, StatementRef,
};
pub use document::{InvalidPolicy, PolicyDocument, UNWRITABLE};
pub use evaluate::{decision, evaluate, identity_verdict, judge};
pub use explain::{explain, principal_tag, spared};
pub use grant::{Grant, GrantConstraints};
pub use layers::{Layers, NamedPolicy, PolicyLevel, PolicySet};
pub use mistake::{Mistake, MistakeKind, mistakes};
pub use request::{Caller, Context, Request, Values};
pub use statement::{Effect, Flaw, Statement};
pub use trust::{KeyTrust, key_trust};
pub use truth::Truth;
