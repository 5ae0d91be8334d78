//! Decides what one statement says: reads its elements, and names what it does not understand.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html>.

use serde_json::{Map, Value};

use super::action::ActionPattern;
use super::answer::Layer;
use super::condition::{Condition, Conditions};
use super::document::kind_of;
use super::matching::{Notes, PreparedRequest, Reach};
use super::principal::Principal;
use super::resource::ResourcePattern;
use super::truth::Judged;

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub(super) sid: Option<String>,
    /// `None` where it is missing or unknown: the statement might allow or deny.
    pub(super) effect: Option<Effect>,
    pub(super) principals: Listed<Principal>,
    pub(super) actions: Listed<ActionPattern>,
    pub(super) resources: Listed<ResourcePattern>,
    pub(super) conditions: Conditions,
    /// What is not understood about the statement as a whole.
    pub(super) flaws: Vec<Flaw>,
}

/// What a statement does where it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// An element of a statement that lists what it is about, or what it is not about (`NotAction` and so on).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Listed<T> {
    /// Neither form is there.
    Missing,
    /// About these.
    These(Vec<T>),
    /// About all but these.
    AllBut(Vec<T>),
    /// Not understood.
    Flawed(Flaw),
}

/// Something in a policy that we do not understand, and that IAM would for the most part refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// An element that we do not know.
    UnknownElement(String),
    /// A policy version that we do not know.
    UnknownVersion(String),
    /// A condition operator that we do not know.
    UnknownOperator(String),
    /// An element that must be there is missing.
    Missing(&'static str),
    /// An element that must not be there.
    Misplaced(&'static str),
    /// `Action` beside `NotAction`, and so on.
    BothForms(&'static str),
    /// An element of a form that it cannot have.
    Malformed {
        /// The element.
        element: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl Statement {
    /// The statement's own name.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Whether it allows or denies; `None` where it says neither.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        self.effect
    }

    pub(super) fn read(statement: &Value, variables: bool, document_flaws: &[Flaw]) -> Self {
        let mut flaws = document_flaws.to_vec();
        let empty = Map::new();
        let elements = match statement {
            Value::Object(elements) => elements,
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                flaws.push(malformed("Statement", "an object", other));
                &empty
            }
        };
        for key in elements.keys() {
            const KNOWN: [&str; 9] = [
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ];
            if !KNOWN.contains(&key.as_str()) {
                flaws.push(Flaw::UnknownElement(key.clone()));
            }
        }
        let effect = match elements.get("Effect") {
            Some(Value::String(effect)) if effect == "Allow" => Some(Effect::Allow),
            Some(Value::String(effect)) if effect == "Deny" => Some(Effect::Deny),
            Some(other) => {
                flaws.push(malformed("Effect", "`Allow` or `Deny`", other));
                None
            }
            None => {
                flaws.push(Flaw::Missing("Effect"));
                None
            }
        };
        Self {
            sid: elements.get("Sid").and_then(Value::as_str).map(str::to_owned),
            effect,
            principals: listed(elements, "Principal", "NotPrincipal", Principal::read_all),
            actions: listed(elements, "Action", "NotAction", |element, value| {
                Ok(strings(element, value)?
                    .into_iter()
                    .map(ActionPattern::read)
                    .collect())
            }),
            resources: listed(elements, "Resource", "NotResource", |element, value| {
                Ok(strings(element, value)?
                    .into_iter()
                    .map(|text| ResourcePattern::read(text, variables))
                    .collect())
            }),
            conditions: Condition::read_all(elements.get("Condition"), variables),
            flaws,
        }
    }

    /// Does the statement apply to the request, as a statement with this effect? A statement whose own effect is
    /// not known is asked for both.
    ///
    /// With `notes`, every element is looked at and each that does not fit is noted; without, the first that
    /// certainly does not fit ends the work.
    pub(super) fn reach(
        &self,
        subject: &PreparedRequest<'_>,
        layer: Layer,
        effect: Effect,
        mut notes: Option<&mut Notes>,
    ) -> Reach {
        let thorough = notes.is_some();
        let mut elsewhere = self.covers_action(subject, notes.as_deref_mut());
        if elsewhere.is_settled_no() && !thorough {
            return Reach::NONE;
        }
        elsewhere = elsewhere.and(self.covers_resource(subject, layer, effect, notes.as_deref_mut()));
        if elsewhere.is_settled_no() && !thorough {
            return Reach::NONE;
        }
        let reach = self.covers_caller(subject, layer, effect, notes.as_deref_mut());
        if reach.any().is_settled_no() && !thorough {
            return Reach::NONE;
        }
        elsewhere = elsewhere.and(self.conditions.hold(subject.context, notes.as_deref_mut()));
        if !self.flaws.is_empty() {
            elsewhere = elsewhere.and(Judged::UNKNOWN);
            if let Some(notes) = notes {
                notes
                    .doubts
                    .extend(self.flaws.iter().cloned().map(super::answer::DoubtReason::Flaw));
            }
        }
        reach.and(elsewhere)
    }
}

fn listed<T>(
    elements: &Map<String, Value>,
    positive: &'static str,
    negative: &'static str,
    read: impl Fn(&'static str, &Value) -> Result<Vec<T>, Flaw>,
) -> Listed<T> {
    match (elements.get(positive), elements.get(negative)) {
        (None, None) => Listed::Missing,
        (Some(_), Some(_)) => Listed::Flawed(Flaw::BothForms(positive)),
        (Some(value), None) => read(positive, value).map_or_else(Listed::Flawed, Listed::These),
        (None, Some(value)) => read(negative, value).map_or_else(Listed::Flawed, Listed::AllBut),
    }
}

/// A string, or a list of at least one.
pub(super) fn strings<'v>(element: &str, value: &'v Value) -> Result<Vec<&'v str>, Flaw> {
    const EXPECTED: &str = "a string or a list of strings";
    one_or_more(value)
        .iter()
        .map(|value| value.as_str().ok_or_else(|| malformed(element, EXPECTED, value)))
        .collect()
}

/// The values of a position that takes one or a list. An empty list is no list of values, but a value of a wrong form.
pub(super) fn one_or_more(value: &Value) -> &[Value] {
    match value.as_array() {
        Some(values) if !values.is_empty() => values,
        Some(_) | None => std::slice::from_ref(value),
    }
}

pub(super) fn malformed(element: &str, expected: &'static str, found: &Value) -> Flaw {
    Flaw::Malformed {
        element: element.to_owned(),
        expected,
        found: match (found.as_str(), found.as_array()) {
            (Some(text), _) => format!("\"{text}\""),
            (None, Some(values)) if values.is_empty() => "an empty list".to_owned(),
            (None, _) => kind_of(found).to_owned(),
        },
    }
}
