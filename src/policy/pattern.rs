//! Decides whether a text matches a pattern of IAM: `*` is any run of characters, `?` exactly one, all else itself.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards>.
//!
//! The matcher returns only to the last `*` seen, which is enough: what an earlier `*` took can be left as it is, since
//! the later one can take any run as well. That is quick and allocates nothing, but a pattern such as `*aaaa…b` has it
//! compare much of itself at each byte of a text like `aaaa…`. Whoever may write a bucket policy could make a look take
//! minutes by that, so after a few looks at each byte another matcher takes over, which no pattern can keep busy.

use std::collections::BTreeMap;

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

/// How letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Exact,
    /// Without regard to the case of ASCII letters.
    OfAnyCase,
}

impl Letters {
    fn same(self, one: u8, other: u8) -> bool {
        match self {
            Self::Exact => one == other,
            Self::OfAnyCase => one.eq_ignore_ascii_case(&other),
        }
    }

    fn folded(self, character: char) -> char {
        match self {
            Self::Exact => character,
            Self::OfAnyCase => character.to_ascii_lowercase(),
        }
    }
}

/// Does the whole text match, letter case included? `*` crosses `/` and `:`.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    if !has_wildcard(pattern) {
        return pattern == text;
    }
    matches(pattern, text, Letters::Exact)
}

/// Does the whole text match, whatever the case of ASCII letters?
#[must_use]
pub fn glob_ignoring_case(pattern: &str, text: &str) -> bool {
    matches(pattern, text, Letters::OfAnyCase)
}

fn matches(pattern: &str, text: &str, letters: Letters) -> bool {
    let bytes = pattern.as_bytes();
    let token = |at: usize| bytes.get(at).copied().map(Token::read);
    by_turning_back(token, text.as_bytes(), letters)
        .unwrap_or_else(|| by_all_ways(Token::of_pattern(pattern), text, letters))
}

/// Does the text hold a `*` or `?`?
#[must_use]
pub fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

pub(crate) fn glob_tokens(pattern: &[Token], text: &str) -> bool {
    by_turning_back(|at| pattern.get(at).copied(), text.as_bytes(), Letters::Exact)
        .unwrap_or_else(|| by_all_ways(pattern.iter().copied(), text, Letters::Exact))
}

/// The matcher for nearly all there is. `None`: the pattern was written to keep it busy.
fn by_turning_back(token: impl Fn(usize) -> Option<Token>, text: &[u8], letters: Letters) -> Option<bool> {
    /// How often each byte of the text may be looked at.
    const LOOKS: usize = 3;
    let mut left = LOOKS * text.len();
    let (mut at, mut read) = (0, 0);
    // Where the pattern goes on after the last `*`, and where the run that it takes ends.
    let mut last_run: Option<(usize, usize)> = None;
    loop {
        let fits = match (token(at), text.get(read)) {
            (None, None) => return Some(true),
            (Some(Token::Run), _) => {
                at += 1;
                last_run = Some((at, read));
                continue;
            }
            (Some(Token::One), Some(_)) => {
                read = after_character(text, read);
                at += 1;
                left = left.checked_sub(1)?;
                continue;
            }
            (Some(Token::Byte(wanted)), Some(found)) => letters.same(wanted, *found),
            (None, Some(_)) | (Some(Token::One | Token::Byte(_)), None) => false,
        };
        left = left.checked_sub(1)?;
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
            Some(_) | None => return Some(false),
        }
    }
}

/// The matcher for patterns of which much fits nearly everywhere: it follows all ways through the pattern at once, one bit
/// for each, so that a character of the text costs a step for every 64 characters of the pattern.
fn by_all_ways(tokens: impl Iterator<Item = Token>, text: &str, letters: Letters) -> bool {
    let mut wanted: Vec<Option<char>> = Vec::new();
    let mut runs: Vec<usize> = Vec::new();
    let mut bytes: Vec<u8> = Vec::new();
    let spell = |bytes: &mut Vec<u8>, wanted: &mut Vec<Option<char>>| {
        wanted.extend(
            String::from_utf8_lossy(bytes)
                .chars()
                .map(|one| Some(letters.folded(one))),
        );
        bytes.clear();
    };
    for token in tokens {
        match token {
            Token::Byte(byte) => bytes.push(byte),
            Token::One => {
                spell(&mut bytes, &mut wanted);
                wanted.push(None);
            }
            Token::Run => {
                spell(&mut bytes, &mut wanted);
                runs.push(wanted.len());
            }
        }
    }
    spell(&mut bytes, &mut wanted);
    // A way that has come to `n` stands for: the first `n` characters of the pattern fit what was read.
    let end = wanted.len();
    let stays = Ways::at(end, runs);
    let any: Vec<usize> = (0..end).filter(|at| wanted.get(*at) == Some(&None)).collect();
    let mut goes_on_with: BTreeMap<char, Ways> = BTreeMap::new();
    for (at, character) in wanted.iter().enumerate() {
        if let Some(character) = character {
            let ways = goes_on_with
                .entry(*character)
                .or_insert_with(|| Ways::at(end, any.iter().copied()));
            ways.add(at);
        }
    }
    let other = Ways::at(end, any);
    let mut ways = Ways::at(end, [0]);
    for character in text.chars() {
        let going_on = goes_on_with.get(&letters.folded(character)).unwrap_or(&other);
        ways.go_on(going_on, &stays);
    }
    ways.contain(end)
}

/// Places in a pattern, a bit for each.
struct Ways(Vec<u64>);

impl Ways {
    fn at(end: usize, places: impl IntoIterator<Item = usize>) -> Self {
        let mut ways = Self(vec![0; end / 64 + 1]);
        for place in places {
            ways.add(place);
        }
        ways
    }

    fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn contain(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// One character further: on to the next place where it fits, and on the spot where a run takes it.
    fn go_on(&mut self, fitting: &Self, staying: &Self) {
        let mut carried = 0;
        for ((word, fitting), staying) in self.0.iter_mut().zip(&fitting.0).zip(&staying.0) {
            let moved = *word & fitting;
            *word = moved << 1 | carried | *word & staying;
            carried = moved >> 63;
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
    fn a_pattern_that_fits_nearly_everywhere_is_left_to_the_other_matcher_soon() {
        for (pattern, text, expected) in [
            ("*a*a*a*a*a*a*a*a*b".repeat(8), "a".repeat(2_000), false),
            (format!("*{}b", "a".repeat(200)), "a".repeat(1_000), false),
            (
                format!("*{}*", "a?".repeat(100)),
                format!("{}b", "a".repeat(1_000)),
                true,
            ),
            (
                format!("*{}b", "é".repeat(200)),
                format!("{}b", "é".repeat(1_000)),
                true,
            ),
        ] {
            let steps = std::cell::Cell::new(0_usize);
            let bytes = pattern.as_bytes();
            let answer = by_turning_back(
                |at| {
                    steps.set(steps.get() + 1);
                    bytes.get(at).copied().map(Token::read)
                },
                text.as_bytes(),
                Letters::Exact,
            );
            let steps = steps.get();
            assert!(
                steps <= 3 * text.len() + pattern.len() + 1,
                "{steps} steps: {pattern}"
            );
            assert!(answer.is_none_or(|answer| answer == expected), "{pattern}");
            assert_eq!(glob(&pattern, &text), expected, "{pattern}");
        }
    }

    #[test]
    fn all_ways_are_followed_across_the_words_that_hold_them() {
        for length in [1, 62, 63, 64, 65, 127, 128, 129, 200] {
            for (pattern, fits) in [
                (format!("{}*", "?".repeat(length)), true),
                (format!("*{}", "a".repeat(length)), true),
                (format!("*{}b", "a".repeat(length)), false),
                (format!("{}*?", "a".repeat(length)), false),
                (format!("*{}*", "A".repeat(length)), false),
            ] {
                let text = "a".repeat(length);
                let tokens = || Token::of_pattern(&pattern);
                assert_eq!(by_all_ways(tokens(), &text, Letters::Exact), fits, "{pattern}");
                let fits = fits || pattern.contains('A');
                assert_eq!(
                    by_all_ways(tokens(), &text, Letters::OfAnyCase),
                    fits,
                    "{pattern}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_matcher_agrees_with_the_definition(pattern in "[ab*?é/]{0,8}", text in "[abé/]{0,10}") {
            prop_assert_eq!(glob(&pattern, &text), by_definition(&pattern, &text));
            let tokens: Vec<Token> = Token::of_pattern(&pattern).collect();
            prop_assert_eq!(glob_tokens(&tokens, &text), by_definition(&pattern, &text));
            prop_assert_eq!(by_all_ways(tokens.iter().copied(), &text, Letters::Exact), by_definition(&pattern, &text));
        }

        #[test]
        fn a_literal_matches_only_itself(literal in "[ab*?]{0,4}", text in "[ab*?]{0,4}") {
            let tokens: Vec<Token> = Token::of_literal(&literal).collect();
            prop_assert_eq!(glob_tokens(&tokens, &text), literal == text);
        }
    }
}
