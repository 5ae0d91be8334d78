//! Shows a change as people read changes: the lines of the indented JSON that go, and those that come.

use diffy::DiffOptions;
use serde_json::Value;

use super::canonical::ascii;

/// A unified diff of two JSON documents; `null` stands for a document that is not there.
pub fn diff(before: &Value, after: &Value) -> String {
    let (before, after) = (pretty(before), pretty(after));
    if before == after {
        return String::new();
    }
    DiffOptions::new()
        .set_original_filename("now")
        .set_modified_filename("planned")
        .create_patch(&before, &after)
        .to_string()
}

fn pretty(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    // `{:#}` of a JSON value is its indented form.
    format!("{}\n", ascii(&format!("{value:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_new_document_is_all_additions() {
        let diff = diff(&Value::Null, &json!({"a": ["b"]}));
        assert_eq!(
            diff,
            "--- now\n+++ planned\n@@ -0,0 +1,5 @@\n+{\n+  \"a\": [\n+    \"b\"\n+  ]\n+}\n"
        );
    }

    #[test]
    fn equal_documents_have_no_diff() {
        assert_eq!(diff(&json!({"a": 1}), &json!({"a": 1})), "");
    }

    #[test]
    fn hostile_text_cannot_break_out_of_its_line() {
        let diff = diff(
            &Value::Null,
            &json!("\n-  \"Effect\": \"Deny\"\u{2028}\u{202e}\u{1b}[31m"),
        );
        assert_eq!(diff.lines().count(), 4, "{diff}");
        assert!(diff.is_ascii() && !diff.contains('\u{1b}'));
    }
}
