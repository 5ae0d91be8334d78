//! AWS in memory: several accounts as readable data, the reads and writes of both ports, and what AWS refuses.
//!
//! It answers as AWS documents (each rule names its page) and evaluates no permission: a read is refused because the
//! data says so (`failing`), or because the resource belongs to another account and does not say `sharedReads`.

pub(crate) mod model;
mod reads;
mod replication;
pub(crate) mod steps;
#[cfg(test)]
mod tests;
mod writes;

use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use s3_replication_remediator::arn::AccountId;
use s3_replication_remediator::observed::{Observed, ReadFailure};
use s3_replication_remediator::snapshot::Identity;
use s3_replication_remediator::source::read::is_refusal;
use s3_replication_remediator::source::{Read, Reader};
use serde_json::Value;

pub(crate) use model::State;

/// At the first call of which operation somebody else does what.
type Meanwhile = (&'static str, fn(&mut State));

/// AWS as one test sees it.
#[derive(Debug)]
pub(crate) struct World {
    state: RefCell<State>,
    calls: RefCell<Vec<Call>>,
    writes: RefCell<Vec<Write>>,
    /// How long every call takes; with tokio's paused clock, time then counts the rounds.
    latency: Duration,
    /// What somebody else does at the first call of an operation.
    meanwhile: Cell<Option<Meanwhile>>,
    /// When it may be stopped.
    pub(crate) steps: steps::Steps,
}

/// A call that was made, reads and writes alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// `s3:GetBucketPolicy`
    pub(crate) operation: String,
    /// ARN of the bucket, object, key, alias, role or policy.
    pub(crate) resource: String,
}

/// A write that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    /// `iam:PutRolePolicy`
    pub(crate) operation: &'static str,
    /// ARN of the role or key.
    pub(crate) resource: String,
    /// The policy's or grant's name, document and so on.
    pub(crate) detail: Value,
}

impl World {
    /// The world that the JSON text describes; [`model::State`] says in which form.
    #[track_caller]
    pub(crate) fn new(json: &str) -> Self {
        match serde_json::from_str(json) {
            Ok(state) => Self::from_state(state),
            Err(error) => panic!("this is no account: {error}\n{json}"),
        }
    }

    pub(crate) fn from_state(state: State) -> Self {
        Self {
            state: RefCell::new(state),
            calls: RefCell::default(),
            writes: RefCell::default(),
            latency: Duration::ZERO,
            meanwhile: Cell::default(),
            steps: steps::Steps::default(),
        }
    }

    /// The same world, in which every call takes as long.
    pub(crate) fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Who we are in it.
    pub(crate) fn identity(&self) -> Identity {
        self.state().identity.to_identity()
    }

    /// What there is now.
    pub(crate) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// Changes what there is, as somebody else would.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.borrow_mut());
    }

    /// Changes what there is when an operation is called for the first time from now on.
    pub(crate) fn when_called(&self, operation: &'static str, change: fn(&mut State)) {
        self.meanwhile.set(Some((operation, change)));
    }

    /// All calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// How often each operation was called so far.
    pub(crate) fn call_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls.borrow().iter() {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }

    /// How often an operation was called on a resource.
    pub(crate) fn called(&self, operation: &str, resource: &str) -> usize {
        self.calls
            .borrow()
            .iter()
            .filter(|call| call.operation == operation && call.resource == resource)
            .count()
    }

    /// All accepted writes so far, in order.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.borrow().clone()
    }

    /// Makes an operation fail; `resource` is an ARN or `*`.
    pub(crate) fn fail(&self, operation: &str, resource: &str, code: &str) {
        self.edit(|state| {
            state.failing.push(model::Switch {
                operation: operation.to_owned(),
                resource: resource.to_owned(),
                code: code.to_owned(),
                times: None,
            });
        });
    }

    /// Refuses an operation; `resource` is an ARN or `*`.
    pub(crate) fn deny(&self, operation: &str, resource: &str) {
        self.fail(operation, resource, "AccessDenied");
    }

    async fn call(&self, operation: &str, resource: &str) {
        self.calls.borrow_mut().push(Call {
            operation: operation.to_owned(),
            resource: resource.to_owned(),
        });
        if let Some((_, change)) = self.meanwhile.get().filter(|(called, _)| *called == operation) {
            self.meanwhile.set(None);
            self.edit(change);
        }
        self.steps.turn().await;
        self.wait().await;
    }

    async fn wait(&self) {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
    }

    /// The code with which an operation is switched to fail.
    fn switched(&self, operation: &str, resource: &str) -> Option<String> {
        let mut state = self.state.borrow_mut();
        let switch = state.failing.iter_mut().find(|switch| {
            switch.operation == operation
                && (switch.resource == "*" || switch.resource == resource)
                && switch.times != Some(0)
        })?;
        if let Some(times) = &mut switch.times {
            *times -= 1;
        }
        Some(switch.code.clone())
    }

    /// The account whose credentials are used, or the refusal of the member role.
    fn reading_account(&self, reader: &Reader) -> Result<AccountId, ReadFailure> {
        match reader {
            Reader::Own => Ok(self.state().identity.account.clone()),
            Reader::Member(account) => {
                let role = format!("arn:aws:iam::{account}:role/member");
                let read = Read::AssumeMemberRole;
                let code = self.switched(read.operation(), &role).or_else(|| {
                    let there = self.state().member_roles.contains(account);
                    (!there).then(|| "AccessDenied".to_owned())
                });
                match code {
                    Some(code) => Err(failure(read, format!("account {account}"), &code, &role)),
                    None => Ok(account.clone()),
                }
            }
        }
    }
}

/// A failed read, with the statement that would permit it where that is the obstacle.
fn failure(read: Read, what: String, code: &str, resource: &str) -> ReadFailure {
    ReadFailure {
        permit: if is_refusal(code) {
            read.permit(resource)
        } else {
            String::new()
        },
        ..read.failed(what, code)
    }
}

fn unreadable<T>(read: Read, what: String, code: &str, resource: &str) -> Observed<T> {
    Observed::Unreadable(failure(read, what, code, resource))
}
