//! How text that strangers wrote is shown in an error or a log line: escaped, in backticks, and short.

use std::fmt;

use serde_json::Value;

/// Enough to recognise a value by, too little to flood a log with.
const SHOWN_BYTES: usize = 120;
/// How many field names of a foreign object are shown.
const SHOWN_FIELDS: usize = 8;

/// Foreign text, cut short; `Display` escapes it and puts it in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    pub(super) fn new(text: &str) -> Self {
        Self(cut(text, SHOWN_BYTES))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_debug())
    }
}

/// At most `max_bytes` of the text, and an ellipsis where that is not all of it.
pub(super) fn cut(text: &str, max_bytes: usize) -> String {
    match text.get(..text.floor_char_boundary(max_bytes)) {
        Some(start) if start.len() < text.len() => format!("{start}…"),
        _ => text.to_owned(),
    }
}

/// What kind of value this is, with as much of it as helps to recognise it.
pub(super) fn describe(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::Bool(truth)) => format!("the truth value `{truth}`"),
        Some(Value::Number(number)) => format!("the number `{number}`"),
        Some(Value::String(text)) => Quoted::new(text).to_string(),
        Some(Value::Array(items)) => format!("an array of {}", items.len()),
        Some(Value::Object(object)) if object.is_empty() => "an empty object".to_owned(),
        Some(Value::Object(object)) => {
            let names: Vec<_> = object
                .keys()
                .take(SHOWN_FIELDS)
                .map(|name| Quoted::new(name).to_string())
                .collect();
            let more = object.len().saturating_sub(SHOWN_FIELDS);
            let rest = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("an object with {}{rest}", names.join(", "))
        }
    }
}
