//! Decides whether the conditions of a statement hold: all operators and keys, any of the values.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.
//!
//! The trap: a negated operator holds where the key is absent. A denial "unless the call comes from our endpoint" hits
//! the calls that S3 makes on its own, because those have no endpoint.

mod operand;
mod operator;

use serde_json::Value;

use super::answer::{DoubtReason, Mismatch};
use super::matching::Notes;
use super::request::{Context, Values, fold};
use super::statement::{Flaw, malformed, one_or_more};
use super::template::Lack;
use super::truth::{Judged, Truth};
use operand::{Operand, Test};
pub(super) use operator::{Base, Operator, Quantifier};

/// The `Condition` element.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conditions {
    pub(super) all: Vec<Condition>,
    /// What is not understood about the element as a whole.
    flaw: Option<Flaw>,
}

/// One operator with one key and its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) operator_name: String,
    pub(super) operator: Option<Operator>,
    /// The key as the policy writes it.
    pub(super) key: String,
    pub(super) folded: String,
    operands: Result<Vec<Operand>, Flaw>,
}

impl Conditions {
    /// Do all of them hold?
    pub(super) fn hold(&self, context: &Context, mut notes: Option<&mut Notes>) -> Judged {
        let mut judged = Judged::YES;
        for condition in &self.all {
            judged = judged.and(condition.holds(context, notes.as_deref_mut()));
            if judged.is_settled_no() && notes.is_none() {
                return judged;
            }
        }
        if let Some(flaw) = &self.flaw {
            judged = judged.and(Judged::UNKNOWN);
            if let Some(notes) = notes {
                notes.doubts.push(DoubtReason::Flaw(flaw.clone()));
            }
        }
        judged
    }
}

impl Condition {
    pub(super) fn read_all(element: Option<&Value>, variables: bool) -> Conditions {
        let mut all = Vec::new();
        let mut flaw = None;
        match element {
            None => {}
            Some(Value::Object(operators)) => {
                for (name, keys) in operators {
                    match keys {
                        Value::Object(keys) => {
                            all.extend(
                                keys.iter()
                                    .map(|(key, value)| Self::read(name, key, value, variables)),
                            );
                        }
                        other @ (Value::Null
                        | Value::Bool(_)
                        | Value::Number(_)
                        | Value::String(_)
                        | Value::Array(_)) => {
                            flaw = Some(malformed(name, "an object of condition keys", other))
                        }
                    }
                }
            }
            Some(other) => flaw = Some(malformed("Condition", "an object of operators", other)),
        }
        Conditions { all, flaw }
    }

    fn read(name: &str, key: &str, value: &Value, variables: bool) -> Self {
        let operator = Operator::read(name);
        let values = one_or_more(value);
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            other @ (Value::Null | Value::Array(_) | Value::Object(_)) => Err(malformed(
                key,
                "a string, boolean or number, or a list of them",
                other,
            )),
        };
        let base = operator.map(|operator| operator.base);
        Self {
            operator_name: name.to_owned(),
            operator,
            key: key.to_owned(),
            folded: fold(key),
            operands: values
                .iter()
                .map(|value| Ok(Operand::read(base, &text(value)?, variables)))
                .collect(),
        }
    }

    /// The values as the policy writes them.
    pub(super) fn wanted(&self) -> Vec<String> {
        self.operands
            .iter()
            .flatten()
            .map(|operand| operand.source().to_owned())
            .collect()
    }

    fn holds(&self, context: &Context, notes: Option<&mut Notes>) -> Judged {
        let values = context.get_folded(&self.folded);
        let Some(Values::OneOf(possible)) = values else {
            return self.holds_with(values, context, notes);
        };
        let with = |value: &String| self.holds_with(Some(&Values::One(value.clone())), context, None);
        let alike = possible.split_first().and_then(|(first, others)| {
            let judged = with(first);
            let all_alike = others.iter().all(|other| with(other) == judged);
            all_alike.then(|| Values::One(first.clone()))
        });
        self.holds_with(Some(&alike.unwrap_or(Values::Unknown)), context, notes)
    }

    fn holds_with(
        &self,
        values: Option<&Values>,
        context: &Context,
        mut notes: Option<&mut Notes>,
    ) -> Judged {
        let unknown = |notes: Option<&mut Notes>, reason: DoubtReason| {
            if let Some(notes) = notes {
                notes.doubts.push(reason);
            }
            Judged::UNKNOWN
        };
        let (operator, operands) = match (self.operator, &self.operands) {
            (Some(operator), Ok(operands)) => (operator, operands),
            (None, _) => {
                let flaw = Flaw::UnknownOperator(self.operator_name.clone());
                return unknown(notes, DoubtReason::Flaw(flaw));
            }
            (Some(_), Err(flaw)) => return unknown(notes, DoubtReason::Flaw(flaw.clone())),
        };
        if values.is_none()
            && let Some(notes) = notes.as_deref_mut()
        {
            notes.absent.push(self.key.clone());
        }
        let is_null = values.is_none_or(|values| {
            !matches!(values, Values::Unknown) && values.as_slice().iter().all(String::is_empty)
        });
        let judged = match (values, operator.quantifier) {
            (Some(Values::Unknown | Values::OneOf(_)), _) => {
                let key = self.key.clone();
                return unknown(notes, DoubtReason::ValueUnknown { key });
            }
            (None, _) if operator.base == Base::Null => Judged::by_absence(null(operands, true)),
            (Some(_), _) if operator.base == Base::Null => Judged::both(null(operands, is_null)),
            // The test of every value of a key that has none, or an empty one, holds.
            (Some(_), Quantifier::All) if is_null => Judged::YES,
            (None, Quantifier::Any) if operator.if_exists => {
                let key = self.key.clone();
                return unknown(notes, DoubtReason::AnyValueIfExists { key });
            }
            (None, Quantifier::None) => Judged::by_absence((operator.if_exists || operator.negated).into()),
            (None, Quantifier::All) => Judged::by_absence(Truth::Yes),
            (None, Quantifier::Any) => Judged::by_absence(Truth::No),
            (Some(Values::One(value)), _) => one(operator, operands, value, context, notes.as_deref_mut()),
            // AWS says that a set operator is needed, not what happens without one.
            (Some(Values::Many(_)), Quantifier::None) => {
                let key = self.key.clone();
                return unknown(notes, DoubtReason::SeveralValues { key });
            }
            (Some(Values::Many(values)), Quantifier::All) => values.iter().fold(Judged::YES, |all, value| {
                all.and(one(operator, operands, value, context, notes.as_deref_mut()))
            }),
            (Some(Values::Many(values)), Quantifier::Any) => values.iter().fold(Judged::NO, |any, value| {
                any.or(one(operator, operands, value, context, notes.as_deref_mut()))
            }),
        };
        if judged.truth.is_no()
            && let Some(notes) = notes
        {
            // For `Null`, a key without a value is absent.
            let values = values.filter(|_| operator.base != Base::Null || !is_null);
            notes.mismatches.push(self.mismatch(operator, values));
        }
        judged
    }

    fn mismatch(&self, operator: Operator, values: Option<&Values>) -> Mismatch {
        let key = self.key.clone();
        let operator_name = self.operator_name.clone();
        let found = || values.map_or_else(Vec::new, |values| values.as_slice().to_vec());
        match (values, operator.base == Base::Null) {
            (Some(_), true) => Mismatch::ConditionKeyPresent { key, found: found() },
            (Some(_), false) => Mismatch::ConditionValue {
                operator: operator_name,
                key,
                found: found(),
                wanted: self.wanted(),
            },
            (None, _) => Mismatch::ConditionKeyAbsent {
                operator: operator_name,
                key,
                wanted: self.wanted(),
            },
        }
    }
}

/// `Null`: "true" asks that the key be absent or without a value, "false" that it have one.
fn null(operands: &[Operand], is_null: bool) -> Truth {
    operands.iter().fold(Truth::No, |any, operand| {
        any.or(match operand.flag() {
            Some(wants_null) => (wants_null == is_null).into(),
            None => Truth::Unknown,
        })
    })
}

/// One value of the request against all values of the policy: any of them, or for a negated operator none.
fn one(
    operator: Operator,
    operands: &[Operand],
    value: &str,
    context: &Context,
    mut notes: Option<&mut Notes>,
) -> Judged {
    let mut any = Judged::NO;
    for operand in operands {
        let judged = match operand.test(operator.base, value, context) {
            Test::Is(matches) => matches.into(),
            Test::Unsure(reason) => {
                if let Some(notes) = notes.as_deref_mut() {
                    notes.doubts.push(reason);
                }
                Judged::UNKNOWN
            }
            Test::NoValue(missing) => {
                // Without a value a variable matches nothing, so a negated operator does hold:
                // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
                let key = || missing.key.to_owned();
                let (judged, doubt) = match (missing.why, operator.negated) {
                    (Lack::Absent, _) => (Judged::by_absence(Truth::No), None),
                    (Lack::SeveralValues, false) => (Judged::NO, None),
                    (Lack::SeveralValues, true) => (
                        Judged::UNKNOWN,
                        Some(DoubtReason::VariableWithoutValue { key: key() }),
                    ),
                    (Lack::Unknown, _) => (Judged::UNKNOWN, Some(DoubtReason::ValueUnknown { key: key() })),
                };
                if let Some(notes) = notes.as_deref_mut() {
                    notes.doubts.extend(doubt);
                    notes.absent.extend((missing.why == Lack::Absent).then(key));
                }
                judged
            }
        };
        any = any.or(judged);
        if any == Judged::YES {
            break;
        }
    }
    if operator.negated { any.negated() } else { any }
}
