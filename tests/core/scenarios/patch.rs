//! An account that is like another one but for a change: JSON Merge Patch (RFC 7386), and a way into lists.
//!
//! An object that meets a list addresses its elements: by the value of their `Sid`, `ID` or `key`, or by position.
//! `null` removes the element; the name `+` appends one.

use serde_json::{Map, Value};

pub(super) fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if let Value::Array(elements) = target {
        into_list(elements, changes);
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("made so above");
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            apply(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

fn into_list(elements: &mut Vec<Value>, changes: &Map<String, Value>) {
    for (name, change) in changes {
        if name.starts_with('+') {
            let mut new = Value::Null;
            apply(&mut new, change);
            elements.push(new);
            continue;
        }
        let named = |element: &Value| {
            ["Sid", "ID", "key"]
                .iter()
                .any(|field| element[*field] == *name.as_str())
        };
        let at = elements
            .iter()
            .position(named)
            .or_else(|| name.parse().ok())
            .unwrap_or_else(|| panic!("no element `{name}` in {elements:?}"));
        if change.is_null() {
            elements.remove(at);
        } else {
            apply(&mut elements[at], change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_replaces_removes_and_appends() {
        let mut account =
            json!({"a": {"b": 1, "c": 2}, "list": [{"Sid": "one", "x": 1}, {"Sid": "two"}, "three"]});
        let change =
            json!({"a": {"b": null, "d": 3}, "list": {"one": {"x": 2}, "two": null, "+": {"Sid": "four"}}});
        apply(&mut account, &change);
        assert_eq!(
            account,
            json!({"a": {"c": 2, "d": 3}, "list": [{"Sid": "one", "x": 2}, "three", {"Sid": "four"}]})
        );
    }
}
