//! Decides how a rule's prefix stands in a policy so that it matches the objects of the rule and no others.
//!
//! Implements
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>: `*`, `?`
//! and `$` have a meaning of their own in resources and in conditions with `StringLike`; `${*}`, `${?}` and `${$}` stand
//! for the bare characters.

/// The prefix as the beginning of a pattern, without the final `*`.
///
/// None where it holds a character that IAM takes in no policy
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>: from U+0020 to U+00FF), or a control
/// character, which nobody could see. A wildcard in its place would match more than the rule takes, so there is none.
pub fn literal(prefix: &str) -> Option<String> {
    let mut pattern = String::with_capacity(prefix.len());
    for character in prefix.chars() {
        match character {
            '*' | '?' | '$' => {
                pattern.push_str("${");
                pattern.push(character);
                pattern.push('}');
            }
            ' '..='~' | '\u{a0}'..='\u{ff}' => pattern.push(character),
            _ => return None,
        }
    }
    Some(pattern)
}

/// Is the pattern one that [`literal`] makes?
pub fn is_literal(pattern: &str) -> bool {
    let prefix = ["*", "?", "$"]
        .into_iter()
        .fold(pattern.to_owned(), |text, bare| {
            text.replace(&format!("${{{bare}}}"), bare)
        });
    literal(&prefix).as_deref() == Some(pattern)
}

/// Does every text that `inner` matches match `outer` as well? Both are literals, or literals with one final `*`.
pub fn covers(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix('*') {
        Some(stem) => inner.starts_with(stem),
        None => outer == inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_mean_something_to_iam_lose_their_meaning() {
        for (prefix, pattern) in [
            ("", Some("")),
            ("logs/2026/", Some("logs/2026/")),
            ("*", Some("${*}")),
            ("a?b", Some("a${?}b")),
            ("${aws:username}/", Some("${$}{aws:username}/")),
            ("é \"'\\", Some("é \"'\\")),
            ("\u{7f}", None),
            ("\n", None),
            ("\u{202e}", None),
            ("日本/", None),
        ] {
            assert_eq!(literal(prefix).as_deref(), pattern, "{prefix}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        assert!(covers("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/*"));
        assert!(covers("arn:aws:s3:::b", "arn:aws:s3:::b"));
        assert!(!covers("arn:aws:s3:::b/*", "arn:aws:s3:::b"));
        assert!(!covers("arn:aws:s3:::b/a/*", "arn:aws:s3:::b/*"));
        // A literal `*` at the end is written `${*}`, which is no wildcard.
        assert!(!covers("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x"));
    }
}
