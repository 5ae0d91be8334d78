//! Decides whether a text matches a pattern of IAM: `*` is any run of characters, `?` exactly one, all else itself.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards>.
//!
//! The matcher is iterative and returns only to the last `*` seen, which is enough: what an earlier `*` took can be
//! left as it is, since the later one can take any run as well. So the cost is at most pattern length times text length,
//! nothing is allocated, and no pattern in a policy can stall an invocation.

/// One element of a pattern whose substituted parts are literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// This byte of UTF-8.
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Run,
}

impl Token {
    fn read(byte: u8) -> Self {
        match byte {
            b'*' => Self::Run,
            b'?' => Self::One,
            other => Self::Byte(other),
        }
    }

    /// The tokens of a text in which `*` and `?` are wildcards.
    pub(crate) fn of_pattern(text: &str) -> impl Iterator<Item = Self> {
        text.bytes().map(Self::read)
    }

    /// The tokens of a text in which every character stands for itself.
    pub(crate) fn of_literal(text: &str) -> impl Iterator<Item = Self> {
        text.bytes().map(Self::Byte)
    }
}

/// Does the whole text match, letter case included? `*` crosses `/` and `:`.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    if !has_wildcard(pattern) {
        return pattern == text;
    }
    let pattern = pattern.as_bytes();
    run(
        |at| pattern.get(at).copied().map(Token::read),
        text.as_bytes(),
        |a, b| a == b,
    )
}

/// Does the whole text match, whatever the case of ASCII letters?
#[must_use]
pub fn glob_ignoring_case(pattern: &str, text: &str) -> bool {
    let pattern = pattern.as_bytes();
    run(
        |at| pattern.get(at).copied().map(Token::read),
        text.as_bytes(),
        |a, b| a.eq_ignore_ascii_case(&b),
    )
}

/// Does the text hold a `*` or `?`?
#[must_use]
pub fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

pub(crate) fn glob_tokens(pattern: &[Token], text: &str) -> bool {
    run(|at| pattern.get(at).copied(), text.as_bytes(), |a, b| a == b)
}

fn run(token: impl Fn(usize) -> Option<Token>, text: &[u8], mut same: impl FnMut(u8, u8) -> bool) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the pattern goes on after the last `*`, and where the run that it takes ends.
    let mut last_run: Option<(usize, usize)> = None;
    loop {
        let fits = match (token(at), text.get(read)) {
            (None, None) => return true,
            (Some(Token::Run), _) => {
                at += 1;
                last_run = Some((at, read));
                continue;
            }
            (Some(Token::One), Some(_)) => {
                read = after_character(text, read);
                at += 1;
                continue;
            }
            (Some(Token::Byte(wanted)), Some(found)) => same(wanted, *found),
            (None, Some(_)) | (Some(Token::One | Token::Byte(_)), None) => false,
        };
        if fits {
            at += 1;
            read += 1;
            continue;
        }
        match last_run {
            Some((after, end)) if end < text.len() => {
                last_run = Some((after, end + 1));
                at = after;
                read = end + 1;
            }
            Some(_) | None => return false,
        }
    }
}

/// The start of the next character. A run may end inside a character; what is left of it then counts as the one
/// character, which is the same as the run ending before it.
fn after_character(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while text
        .get(next)
        .is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
    {
        next += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, as a table over all prefixes: independent of the matcher's way of working.
    fn by_definition(pattern: &str, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let mut reached: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
        for wanted in pattern.chars() {
            let mut next = vec![false; text.len() + 1];
            for end in 0..=text.len() {
                next[end] = match wanted {
                    '*' => reached[end] || (end > 0 && next[end - 1]),
                    '?' => end > 0 && reached[end - 1],
                    other => end > 0 && reached[end - 1] && text[end - 1] == other,
                };
            }
            reached = next;
        }
        reached[text.len()]
    }

    #[test]
    fn wildcards_match_as_iam_describes_them() {
        for (pattern, text, expected, why) in [
            ("*ab", "aaab", true, "a run gives back what it took too much"),
            ("*", "", true, "a run may be empty"),
            ("?", "", false, "one character is not none"),
            ("?", "é", true, "a character is one whatever its bytes"),
            ("??", "é", false, "the bytes of a character are not characters"),
            ("*?", "é", true, "a run may be empty before a character"),
            ("?*?", "é", false, "one character cannot be two"),
            ("a.c", "abc", false, "a period is a period"),
            ("[a]+", "a", false, "brackets and plus are text"),
            (
                "arn:aws:s3:::b/*",
                "arn:aws:s3:::b/x/y:z",
                true,
                "a run crosses slashes and colons",
            ),
            ("b*", "B", false, "case counts"),
            ("a*b*c", "a-b-b-c", true, "several runs"),
            ("a*b*c", "a-c-b", false, "runs keep the order"),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}: {why}");
        }
        assert!(glob_ignoring_case("s3:getobject*", "S3:GetObjectVersion"));
        assert!(!glob_ignoring_case("s3:getobject", "S3:GetObjectVersion"));
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_pattern_times_text() {
        for (pattern, text) in [
            ("*a*a*a*a*a*a*a*a*b".repeat(8), "a".repeat(2_000)),
            ("*a".repeat(200), "b".repeat(2_000)),
            (format!("*{}b", "a".repeat(100)), "a".repeat(2_000)),
            ("?*".repeat(100), "é".repeat(1_000)),
        ] {
            let mut steps = 0_usize;
            let bytes = pattern.as_bytes();
            run(
                |at| bytes.get(at).copied().map(Token::read),
                text.as_bytes(),
                |a, b| {
                    steps += 1;
                    a == b
                },
            );
            assert!(
                steps <= pattern.len() * text.len(),
                "{steps} steps for {} x {}",
                pattern.len(),
                text.len()
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_matcher_agrees_with_the_definition(pattern in "[ab*?é/]{0,8}", text in "[abé/]{0,10}") {
            prop_assert_eq!(glob(&pattern, &text), by_definition(&pattern, &text));
            let tokens: Vec<Token> = Token::of_pattern(&pattern).collect();
            prop_assert_eq!(glob_tokens(&tokens, &text), by_definition(&pattern, &text));
        }

        #[test]
        fn a_literal_matches_only_itself(literal in "[ab*?]{0,4}", text in "[ab*?]{0,4}") {
            let tokens: Vec<Token> = Token::of_literal(&literal).collect();
            prop_assert_eq!(glob_tokens(&tokens, &text), literal == text);
        }
    }
}
