//! Decides when two documents are the same, and what their digest is: by their JSON with sorted keys and no white space.

use serde_json::Value;

use crate::digest;

/// The JSON with the keys of every object sorted and without white space.
pub fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// SHA-256 of the canonical JSON, in hexadecimal digits.
pub fn sha256(value: &Value) -> String {
    digest::sha256(canonical(value))
}

/// The first twelve digits of the digest: enough to tell apart the few parts of one document.
pub fn short_hash(value: &Value) -> String {
    sha256(value).chars().take(12).collect()
}

/// JSON as ASCII alone. Text from strangers can then neither reorder nor colour what a person reads and pastes.
pub fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // Outside strings JSON is ASCII, so every other character stands in a string, where an escape means the same.
        if character.is_ascii() && character != '\u{7f}' {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_count_and_that_of_items_does() {
        assert_eq!(
            canonical(&json!({"b": [{"d": 1, "c": 2}], "a": null})),
            r#"{"a":null,"b":[{"c":2,"d":1}]}"#
        );
        assert_ne!(sha256(&json!([1, 2])), sha256(&json!([2, 1])));
    }

    #[test]
    fn escaped_json_means_the_same_and_is_ascii() {
        let value = json!({"k\u{202e}": "é 😀 \u{7f}\u{9b} ' \" \\ \u{1}"});
        let escaped = ascii(&value.to_string());
        assert!(
            escaped.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{escaped}"
        );
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
    }
}
