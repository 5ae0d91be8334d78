//! A place in an event: which value stands there, and the path that led to it, so that an error can name the field.
//!
//! CloudTrail turns XML into JSON mechanically: text that looks like a number or a truth value arrives as one, and a
//! list of one arrives as its element (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>).
//! Reading is therefore tolerant of form and strict about content: whoever needs a name parses it.

use std::borrow::Cow;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::InvalidEvent;
use super::shown::{Quoted, describe};
use crate::arn::InvalidName;

/// A place in an event. A missing field is a place too: one with nothing in it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    value: Option<&'a Value>,
    path: String,
}

impl<'a> Field<'a> {
    /// The event as a whole.
    pub(super) fn root(value: &'a Value) -> Self {
        Self::at(value, String::new())
    }

    /// JSON that was found inside a text at `path`.
    pub(super) fn at(value: &'a Value, path: String) -> Self {
        Self {
            value: Some(value),
            path,
        }
    }

    /// The field of that name, present or not.
    pub(super) fn get(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            value: self
                .value
                .and_then(|value| value.get(name))
                .filter(|value| !value.is_null()),
            path: format!("{}{dot}{name}", self.path),
        }
    }

    /// The elements of an array; of anything else, none.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let path = self.path.clone();
        let items = self
            .value
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        items.iter().enumerate().map(move |(index, value)| Self {
            value: Some(value),
            path: format!("{path}[{index}]"),
        })
    }

    /// How many elements the array here has; none where it is none.
    pub(super) fn count(&self) -> usize {
        self.value.and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The names of an object's fields; of anything else, none.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.value
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|object| object.keys().map(String::as_str))
    }

    /// What stands here, if anything does.
    pub(super) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Does anything but `null` stand here?
    pub(super) fn is_present(&self) -> bool {
        self.value.is_some_and(|value| !value.is_null())
    }

    /// Does an array stand here?
    pub(super) fn is_array(&self) -> bool {
        self.value.is_some_and(Value::is_array)
    }

    /// Where this is in the event.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What stands here, for people.
    pub(super) fn describe(&self) -> String {
        describe(self.value)
    }

    /// The text here, if it is one.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// Is it exactly this text?
    pub(super) fn is(&self, text: &str) -> bool {
        self.text() == Some(text)
    }

    /// The text here, also where CloudTrail made a number or a truth value of it.
    ///
    /// A number with a fraction or an exponent is refused: `1e3` and `1000` would read alike.
    pub(super) fn coerced_text(&self) -> Option<Cow<'a, str>> {
        match self.value? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) if number.is_u64() => Some(Cow::Owned(number.to_string())),
            Value::Bool(truth) => Some(Cow::Owned(truth.to_string())),
            Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The text here for a report, without blanks around it and cut to a length that a report can bear.
    pub(super) fn cut(&self, max_bytes: usize) -> Option<String> {
        let text = self.text()?.trim();
        (!text.is_empty()).then(|| super::shown::cut(text, max_bytes))
    }

    /// The text here for a log line.
    pub(super) fn quoted(&self) -> Quoted {
        Quoted::new(self.coerced_text().as_deref().unwrap_or_default())
    }

    /// The text here where it names something: never cut, because a cut name is another name.
    pub(super) fn whole(
        &self,
        max_bytes: usize,
        expected: &'static str,
    ) -> Result<Option<String>, InvalidEvent> {
        match self.value.and_then(Value::as_str) {
            None | Some("") => Ok(None),
            Some(text) if text.len() <= max_bytes => Ok(Some(text.to_owned())),
            Some(_) => Err(self.invalid(expected)),
        }
    }

    /// The name here, checked.
    pub(super) fn parse<T>(&self, expected: &'static str) -> Result<T, InvalidEvent>
    where
        T: FromStr<Err = InvalidName>,
    {
        self.text()
            .ok_or_else(|| self.invalid(expected))?
            .parse()
            .map_err(|rule| self.invalid(expected).because(rule))
    }

    /// The name here, where it only helps: a bad one is as good as none.
    pub(super) fn hint<T: FromStr>(&self) -> Option<T> {
        self.text()?.parse().ok()
    }

    /// The time here. Only reports show it, so a bad one is as good as none.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.hint()
    }

    /// The value here, for those who read a form of our own.
    pub(super) fn read<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, InvalidEvent> {
        self.value
            .and_then(|value| T::deserialize(value).ok())
            .ok_or_else(|| self.invalid(expected))
    }

    /// The error that this field does not hold what it should.
    pub(super) fn invalid(&self, expected: impl Into<Cow<'static, str>>) -> InvalidEvent {
        InvalidEvent::new(&self.path, expected, self.describe())
    }
}
