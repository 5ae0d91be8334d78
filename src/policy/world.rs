//! A small account to evaluate in: what the tests of this module build their cases from.

use serde_json::{Value, json};

use crate::observed::Observed;

use super::{
    Answer, Caller, Context, Grant, Layers, Mistake, NamedPolicy, PolicyDocument, PolicyLevel, PolicySet,
    Request, evaluate, explain, mistakes,
};

pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/crr";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/crr/s3-replication";

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) identity: PolicySet,
    pub(crate) boundary: Observed<NamedPolicy>,
    pub(crate) resource: Observed<NamedPolicy>,
    pub(crate) scps: Vec<PolicyLevel>,
    pub(crate) rcps: Vec<PolicyLevel>,
    pub(crate) grants: Observed<Vec<Grant>>,
    pub(crate) request: Request,
}

pub(crate) fn named(name: &str, statements: Value) -> NamedPolicy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    NamedPolicy::new(name, PolicyDocument::from_value(document).unwrap())
}

pub(crate) fn world(action: &str, resource: &str) -> World {
    let role = ROLE.parse().unwrap();
    World {
        identity: PolicySet::default(),
        boundary: Observed::Absent,
        resource: Observed::Absent,
        scps: Vec::new(),
        rcps: Vec::new(),
        grants: Observed::Absent,
        request: Request {
            caller: Caller::session_of(&role, "s3-replication"),
            action: action.into(),
            resource: resource.into(),
            resource_account: "111122223333".parse().unwrap(),
            context: Context::new()
                .with("kms:ViaService", "s3.eu-west-1.amazonaws.com")
                .with("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::src"),
        },
    }
}

impl World {
    pub(crate) fn role(mut self, statements: Value) -> Self {
        self.identity = PolicySet::complete(vec![named("replication-policy", statements)]);
        self
    }

    pub(crate) fn resource(mut self, statements: Value) -> Self {
        self.resource = Observed::Found(named("key policy", statements));
        self
    }

    pub(crate) fn boundary(mut self, statements: Value) -> Self {
        self.boundary = Observed::Found(named("limits", statements));
        self
    }

    pub(crate) fn layers(&self) -> Layers<'_> {
        Layers {
            identity: &self.identity,
            boundary: &self.boundary,
            resource: &self.resource,
            scps: &self.scps,
            rcps: &self.rcps,
            grants: &self.grants,
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        evaluate(&self.request, &self.layers())
    }

    pub(crate) fn told(&self) -> String {
        explain(&self.request, &self.answer())
    }

    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        mistakes(&self.request, &self.layers(), &self.answer())
    }

    /// The same call on something of another account.
    pub(crate) fn of_account(mut self, account: &str) -> Self {
        self.request.resource_account = account.parse().unwrap();
        self
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.request.context = self.request.context.with(key, value);
        self
    }
}

pub(crate) fn delegation() -> Value {
    json!([{"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}])
}
