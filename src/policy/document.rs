//! Decides which text is a policy document, and keeps it whole beside its parsed form.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.
//!
//! A text that is no policy at all is an error. A policy with a part that we do not understand is not: that part makes
//! undetermined what depends on it, and the raw document loses nothing.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::statement::{Flaw, Statement};

/// A policy document: the JSON as it was read, and what of it we understand. Copies share both.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct PolicyDocument {
    raw: Arc<Value>,
    statements: Arc<[Statement]>,
}

/// A text that is not a policy document: which element is wrong, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a policy document: {element}: expected {expected}, found {found}")]
pub struct InvalidPolicy {
    element: String,
    expected: &'static str,
    found: String,
}

impl InvalidPolicy {
    /// The element that is wrong.
    #[must_use]
    pub fn element(&self) -> &str {
        &self.element
    }
}

/// A character that no document holds that is read here, so that only wildcards match a name made of it. IAM and KMS take
/// none beyond U+00FF (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>,
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>); a bucket policy with it is not evaluated.
pub const UNWRITABLE: char = '\u{f8ff}';

/// Does any text of it hold the character?
fn holds(value: &Value, character: char) -> bool {
    match value {
        Value::String(text) => text.contains(character),
        Value::Array(values) => values.iter().any(|value| holds(value, character)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains(character) || holds(value, character)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl PolicyDocument {
    /// Reads plain JSON, the form of key and bucket policies.
    ///
    /// # Errors
    /// The text is not JSON, names an element of an object twice (of which AWS might have meant either), or is no
    /// object with a `Statement`.
    pub fn parse(json: &str) -> Result<Self, InvalidPolicy> {
        let unique: UniqueKeys = serde_json::from_str(json).map_err(|error| InvalidPolicy {
            element: "the text".to_owned(),
            expected: "JSON in which no object has two elements of one name",
            found: error.to_string(),
        })?;
        Self::from_value(unique.0)
    }

    /// Reads JSON in percent-encoding (RFC 3986), the form in which IAM returns policies. Plain JSON is accepted as
    /// well: it starts with a brace, which the encoded form never does.
    ///
    /// # Errors
    /// As for [`PolicyDocument::parse`]; also, the decoded bytes are not UTF-8.
    pub fn parse_url_encoded(text: &str) -> Result<Self, InvalidPolicy> {
        if text.trim_start().starts_with('{') {
            return Self::parse(text);
        }
        let json = percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .map_err(|error| InvalidPolicy {
                element: "the text".to_owned(),
                expected: "percent-encoded UTF-8",
                found: error.to_string(),
            })?;
        Self::parse(&json)
    }

    /// Takes JSON that is already parsed.
    ///
    /// # Errors
    /// It is no object with a `Statement`.
    pub fn from_value(raw: Value) -> Result<Self, InvalidPolicy> {
        let invalid = |element: &str, expected, found: &str| InvalidPolicy {
            element: element.to_owned(),
            expected,
            found: found.to_owned(),
        };
        let Value::Object(document) = &raw else {
            return Err(invalid("the document", "an object", kind_of(&raw)));
        };
        if holds(&raw, UNWRITABLE) {
            return Err(invalid("the document", "no character U+F8FF", "one"));
        }
        let mut flaws: Vec<Flaw> = document
            .keys()
            .filter(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
            // Each statement has them: the first few say as much, and do not multiply with the statements.
            .take(8)
            .map(|key| Flaw::UnknownElement(key.clone()))
            .collect();
        let variables = match document.get("Version") {
            None => false,
            Some(Value::String(version)) if version == "2008-10-17" => false,
            Some(Value::String(version)) if version == "2012-10-17" => true,
            Some(other) => {
                flaws.push(Flaw::UnknownVersion(other.to_string()));
                true
            }
        };
        const STATEMENTS: &str = "an object or a list of objects";
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.as_slice(),
            Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
            Some(other) => return Err(invalid("`Statement`", STATEMENTS, kind_of(other))),
            None => return Err(invalid("`Statement`", STATEMENTS, "nothing")),
        };
        let statements = statements
            .iter()
            .map(|statement| Statement::read(statement, variables, &flaws))
            .collect();
        Ok(Self {
            statements,
            raw: Arc::new(raw),
        })
    }

    /// The document as it was read, with everything that we do not model.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// The statements as they were read, in their order.
    pub fn raw_statements(&self) -> &[Value] {
        match self.raw.get("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }

    /// Is some statement about `service:Name`, or may it be? If not, the document is silent on it, on any resource.
    #[must_use]
    pub fn is_about(&self, action: &str) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.may_be_about(action))
    }

    /// The statements in their order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// Two documents are the same if their JSON is: the parsed form follows from it.
impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl fmt::Debug for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyDocument({})", self.raw)
    }
}

impl TryFrom<Value> for PolicyDocument {
    type Error = InvalidPolicy;

    fn try_from(raw: Value) -> Result<Self, InvalidPolicy> {
        Self::from_value(raw)
    }
}

impl From<PolicyDocument> for Value {
    fn from(document: PolicyDocument) -> Self {
        Arc::unwrap_or_clone(document.raw)
    }
}

/// The kind of a JSON value, in the words of an error message.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// JSON in which no object names an element twice. serde_json by itself keeps the last one silently, and a second
/// `Statement` could so hide a first one that denies.
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeysVisitor).map(Self)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueKeys(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut elements = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let UniqueKeys(value) = object.next_value()?;
            if elements.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "`{}` twice in one object",
                    key.escape_debug()
                )));
            }
            elements.insert(key, value);
        }
        Ok(Value::Object(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_which_element_what_was_expected_and_what_was_found() {
        for (text, expected) in [
            (
                "[]",
                "not a policy document: the document: expected an object, found a list",
            ),
            (
                r#"{"Version":"2012-10-17"}"#,
                "not a policy document: `Statement`: expected an object or a list of objects, found nothing",
            ),
            (
                r#"{"Statement":"x"}"#,
                "not a policy document: `Statement`: expected an object or a list of objects, found a string",
            ),
        ] {
            let error = PolicyDocument::parse(text).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(
            PolicyDocument::parse("null").unwrap_err().element(),
            "the document"
        );
        assert!(
            PolicyDocument::parse("{")
                .unwrap_err()
                .to_string()
                .contains("EOF")
        );
    }

    #[test]
    fn a_second_element_of_the_same_name_is_an_error_because_it_could_hide_a_denial() {
        let text = r#"{"Statement":[{"Effect":"Deny"}],"Statement":[]}"#;
        let error = PolicyDocument::parse(text).unwrap_err().to_string();
        assert!(error.contains("`Statement` twice in one object"), "{error}");
    }

    #[test]
    fn iams_percent_encoded_form_and_plain_json_are_both_read() {
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Sid%22%3A%22a%2Bb+c%22%7D%5D%7D";
        let document = PolicyDocument::parse_url_encoded(encoded).unwrap();
        assert_eq!(document.raw()["Statement"][0]["Sid"], "a+b+c");
        let document = PolicyDocument::parse_url_encoded(r#" {"Statement":{"Resource":"a%20b"}}"#).unwrap();
        assert_eq!(document.raw()["Statement"]["Resource"], "a%20b");
        assert!(PolicyDocument::parse_url_encoded("%FF").is_err());
    }

    #[test]
    fn a_document_is_about_an_action_unless_certainly_none_of_its_statements_is() {
        for (action, is_about) in [
            (r#""Action":"KMS:De*""#, true),
            (r#""Action":["s3:*","kms:Encrypt"]"#, false),
            (r#""NotAction":"s3:*""#, true),
            (r#""NotAction":"kms:*""#, false),
            (r#""Action":"kms*""#, true),
            (r#""Action":1"#, true),
            (r#""Resource":"*""#, true),
        ] {
            let text = format!(r#"{{"Statement":[{{"Effect":"Deny","Action":"sns:*"}},{{{action}}}]}}"#);
            let document = PolicyDocument::parse(&text).unwrap();
            assert_eq!(document.is_about("kms:Decrypt"), is_about, "{action}");
        }
    }

    #[test]
    fn nothing_of_the_document_is_lost() {
        let text =
            r#"{"Z":1.50,"Statement":[{"Foo":[null,true,-3,18446744073709551615,"é"],"Effect":"Allow"}]}"#;
        let document = PolicyDocument::parse(text).unwrap();
        assert_eq!(document.raw(), &serde_json::from_str::<Value>(text).unwrap());
        let printed = serde_json::to_string(&document).unwrap();
        assert_eq!(
            serde_json::from_str::<PolicyDocument>(&printed).unwrap(),
            document
        );
        assert!(format!("{document:?}").contains("Foo"));
        let other = PolicyDocument::parse(r#"{"Statement":[]}"#).unwrap();
        assert_ne!(other, document);
    }

    #[test]
    fn deeply_nested_text_is_refused_instead_of_overflowing_the_stack() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(PolicyDocument::parse(&text).is_err());
    }
}
