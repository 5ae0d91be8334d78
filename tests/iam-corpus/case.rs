//! Decides how a line of the corpus becomes a request, the layers around it and the verdict that is expected.
//!
//! The schema is described in README.md beside this file. Shared by the corpus test, the example and the benchmark.

use std::collections::BTreeMap;

use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{
    Caller, Context, Decision, Grant, GrantConstraints, Layers, NamedPolicy, PolicyDocument, PolicyLevel,
    PolicySet, Request,
};
use serde_json::Value;

/// A line that is not a case of the corpus: what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadCase(pub(crate) String);

impl std::fmt::Display for BadCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One case of the corpus.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) note: String,
    pub(crate) request: Request,
    pub(crate) expected: Decision,
    pub(crate) identity: PolicySet,
    pub(crate) boundary: Observed<NamedPolicy>,
    pub(crate) resource: Observed<NamedPolicy>,
    pub(crate) scps: Vec<PolicyLevel>,
    pub(crate) rcps: Vec<PolicyLevel>,
    pub(crate) grants: Observed<Vec<Grant>>,
}

impl Case {
    pub(crate) fn read(line: &str) -> Result<Self, BadCase> {
        let case: Value = serde_json::from_str(line).map_err(|error| BadCase(error.to_string()))?;
        let request = field(&case, "request")?;
        let expected = match text(&case, "expected")? {
            "Allowed" => Decision::Allowed,
            "ExplicitlyDenied" => Decision::ExplicitlyDenied,
            "ImplicitlyDenied" => Decision::ImplicitlyDenied,
            "Undetermined" => Decision::Undetermined,
            other => return Err(BadCase(format!("`expected`: `{other}` is not a verdict"))),
        };
        Ok(Self {
            id: text(&case, "id")?.to_owned(),
            class: text(&case, "class")?.to_owned(),
            note: text(&case, "note").unwrap_or_default().to_owned(),
            request: read_request(request)?,
            expected,
            identity: read_set("role policy", field(&case, "identityPolicies")?)?,
            boundary: read_one("boundary", case.get("boundary"))?,
            resource: read_one("resource policy", case.get("resourcePolicy"))?,
            scps: read_levels(case.get("scps"))?,
            rcps: read_levels(case.get("rcps"))?,
            grants: read_grants(case.get("grants"))?,
        })
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
}

fn field<'v>(value: &'v Value, name: &str) -> Result<&'v Value, BadCase> {
    value
        .get(name)
        .ok_or_else(|| BadCase(format!("`{name}` is missing")))
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, BadCase> {
    field(value, name)?
        .as_str()
        .ok_or_else(|| BadCase(format!("`{name}` is not a string")))
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn bad(error: &dyn std::fmt::Display) -> BadCase {
    BadCase(error.to_string())
}

fn read_request(request: &Value) -> Result<Request, BadCase> {
    let mut context = Context::new();
    for (key, value) in field(request, "context")?.as_object().into_iter().flatten() {
        context = match value {
            Value::Array(values) => context.with_set(key.as_str(), values.iter().filter_map(Value::as_str)),
            Value::String(text) => context.with(key.as_str(), text.as_str()),
            Value::Null => context.with_unknown(key.as_str()),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return Err(BadCase(format!(
                    "context key `{key}` is neither a string, a list nor null"
                )));
            }
        };
    }
    let principal = text(request, "principal")?;
    let caller = if principal.starts_with("arn:") {
        let role = context
            .get("aws:PrincipalArn")
            .and_then(|values| values.as_slice().first())
            .ok_or_else(|| BadCase("a session without `aws:PrincipalArn`".to_owned()))?;
        Caller::Role {
            role: role.parse().map_err(|error| bad(&error))?,
            session: principal.to_owned(),
        }
    } else {
        Caller::Service(principal.to_owned())
    };
    Ok(Request {
        caller,
        action: text(request, "action")?.to_owned(),
        resource: text(request, "resource")?.to_owned(),
        resource_account: text(request, "resourceAccount")?
            .parse()
            .map_err(|error| bad(&error))?,
        context,
    })
}

fn read_policy(name: String, document: &Value) -> Result<NamedPolicy, BadCase> {
    let document = PolicyDocument::from_value(document.clone()).map_err(|error| bad(&error))?;
    Ok(NamedPolicy::new(name, document))
}

fn read_one(name: &str, document: Option<&Value>) -> Result<Observed<NamedPolicy>, BadCase> {
    match document {
        None | Some(Value::Null) => Ok(Observed::Absent),
        Some(document) => Ok(Observed::Found(read_policy(name.to_owned(), document)?)),
    }
}

fn read_set(name: &str, documents: &Value) -> Result<PolicySet, BadCase> {
    let policies = list(Some(documents))
        .iter()
        .enumerate()
        .map(|(index, document)| read_policy(format!("{name} {}", index + 1), document))
        .collect::<Result<_, _>>()?;
    Ok(PolicySet::complete(policies))
}

fn read_levels(levels: Option<&Value>) -> Result<Vec<PolicyLevel>, BadCase> {
    list(levels)
        .iter()
        .map(|level| {
            let name = text(level, "level")?;
            Ok(PolicyLevel {
                name: name.to_owned(),
                policies: read_set(&format!("{name} policy"), field(level, "policies")?)?,
            })
        })
        .collect()
}

fn read_grants(grants: Option<&Value>) -> Result<Observed<Vec<Grant>>, BadCase> {
    let pairs = |value: Option<&Value>| -> Option<BTreeMap<String, String>> {
        let pairs = value?.as_object()?;
        Some(
            pairs
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        )
    };
    let Some(grants) = grants else {
        return Ok(Observed::Absent);
    };
    let grants = list(Some(grants))
        .iter()
        .map(|grant| {
            let constraints = grant.get("constraints").filter(|value| !value.is_null());
            let constraint = |name| constraints.and_then(|all| all.get(name));
            Ok(Grant {
                id: text(grant, "grantId").unwrap_or("grant").to_owned(),
                name: None,
                key: text(grant, "keyArn")?.parse().map_err(|error| bad(&error))?,
                grantee: text(grant, "granteePrincipal")?.to_owned(),
                retiring_principal: None,
                operations: list(grant.get("operations"))
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                constraints: GrantConstraints {
                    equals: pairs(constraint("EncryptionContextEquals")),
                    subset: pairs(constraint("EncryptionContextSubset")),
                    unknown: constraints
                        .and_then(Value::as_object)
                        .into_iter()
                        .flat_map(|all| all.keys())
                        .filter(|kind| {
                            !["EncryptionContextEquals", "EncryptionContextSubset"].contains(&kind.as_str())
                        })
                        .cloned()
                        .collect(),
                },
            })
        })
        .collect::<Result<_, BadCase>>()?;
    Ok(Observed::Found(grants))
}
