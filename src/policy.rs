//! Stand-in for the evaluator's types until it lands.
#![expect(missing_docs, reason = "stand-in")]
use crate::arn::*;
use crate::observed::*;
use std::collections::{BTreeMap, BTreeSet};
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyDocument(serde_json::Value);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad")]
pub struct InvalidPolicy;
impl PolicyDocument {
    pub fn parse(json: &str) -> Result<Self, InvalidPolicy> {
        serde_json::from_str(json).map(Self).map_err(|_| InvalidPolicy)
    }
    pub fn parse_url_encoded(json: &str) -> Result<Self, InvalidPolicy> {
        Self::parse(json)
    }
    pub fn from_value(value: serde_json::Value) -> Result<Self, InvalidPolicy> {
        Ok(Self(value))
    }
    pub fn raw(&self) -> &serde_json::Value {
        &self.0
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct NamedPolicy {
    pub name: String,
    pub document: PolicyDocument,
}
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicySet {
    pub policies: Vec<NamedPolicy>,
    pub unread: Vec<ReadFailure>,
}
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantConstraints {
    pub equals: Option<BTreeMap<String, String>>,
    pub subset: Option<BTreeMap<String, String>>,
    pub unknown: Vec<String>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub name: Option<String>,
    pub key: KeyArn,
    pub grantee: String,
    pub retiring_principal: Option<String>,
    pub operations: BTreeSet<String>,
    pub constraints: GrantConstraints,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    Role { role: RoleArn, session: String },
    Service(String),
}
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);
impl Context {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
        self
    }
    pub fn with_unknown(self, _key: &str) -> Self {
        self
    }
    pub fn with_set(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.0
            .insert(key.to_ascii_lowercase(), values.into_iter().collect());
        self
    }
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub caller: Caller,
    pub action: String,
    pub resource: String,
    pub resource_account: AccountId,
    pub context: Context,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    ExplicitlyDenied,
    ImplicitlyDenied,
    Undetermined,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
}
#[derive(Debug, Clone, Copy)]
pub struct PolicyLevel;
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    pub identity: &'a PolicySet,
    pub boundary: &'a Observed<NamedPolicy>,
    pub resource: &'a Observed<NamedPolicy>,
    pub scps: &'a [PolicyLevel],
    pub rcps: &'a [PolicyLevel],
    pub grants: &'a Observed<Vec<Grant>>,
}
pub fn evaluate(_request: &Request, _layers: &Layers<'_>) -> Answer {
    Answer {
        verdict: Verdict::Allowed,
    }
}
pub fn explain(_request: &Request, _answer: &Answer) -> String {
    String::new()
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTrust {
    Account,
    Principal,
    Both,
    None,
    Denied,
    Unknown,
}
pub fn key_trust(_r: &Request, _p: &Observed<NamedPolicy>) -> KeyTrust {
    KeyTrust::None
}
