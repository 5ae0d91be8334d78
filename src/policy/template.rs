//! Decides what a text of a policy stands for once its policy variables are filled in from the request.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>: variables exist from
//! policy version 2012-10-17 on, the names are those of condition keys, what is filled in is literal text, and
//! `${*}`, `${?}` and `${$}` are the characters themselves.

use std::borrow::Cow;

use super::pattern::Token;
use super::request::{Context, Values, fold};

/// A text that may hold policy variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    source: String,
    /// `None` where the text holds no variable, which is nearly always.
    pieces: Option<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text of the policy: `*` and `?` are wildcards where the position takes wildcards.
    Text(String),
    /// A character that was escaped with `${}`.
    Literal(char),
    Variable {
        folded: String,
        default: Option<String>,
    },
}

/// A variable without a value and without a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing<'t> {
    /// The condition key, in lower case.
    pub(crate) key: &'t str,
    /// Why there is no value.
    pub(crate) why: Lack,
}

/// Why a variable has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The request lacks the key.
    Absent,
    /// The key has several values.
    SeveralValues,
    /// Nobody here knows what the request has.
    Unknown,
}

impl Template {
    pub(crate) fn parse(text: &str, variables: bool) -> Self {
        Self {
            source: text.to_owned(),
            pieces: (variables && text.contains("${")).then(|| pieces(text)),
        }
    }

    /// The text as it stands in the policy.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The text, if it holds no variable.
    pub(crate) fn plain(&self) -> Option<&str> {
        self.pieces.is_none().then_some(self.source.as_str())
    }

    /// The text with its variables filled in, for operators without wildcards.
    pub(crate) fn fill(&self, context: &Context) -> Result<Cow<'_, str>, Missing<'_>> {
        let Some(pieces) = &self.pieces else {
            return Ok(Cow::Borrowed(&self.source));
        };
        let mut filled = String::with_capacity(self.source.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Literal(character) => filled.push(*character),
                Piece::Variable { folded, default } => filled.push_str(value(folded, default, context)?),
            }
        }
        Ok(Cow::Owned(filled))
    }

    /// The pattern with its variables filled in: wildcards of the policy stay, those of the request are literal.
    pub(crate) fn tokens(&self, context: &Context) -> Result<Vec<Token>, Missing<'_>> {
        let Some(pieces) = &self.pieces else {
            return Ok(Token::of_pattern(&self.source).collect());
        };
        let mut tokens = Vec::with_capacity(self.source.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => tokens.extend(Token::of_pattern(text)),
                Piece::Literal(character) => {
                    tokens.extend(Token::of_literal(character.encode_utf8(&mut [0; 4])));
                }
                Piece::Variable { folded, default } => {
                    tokens.extend(Token::of_literal(value(folded, default, context)?));
                }
            }
        }
        Ok(tokens)
    }
}

/// Splits at the first `limit - 1` colons that are not part of a variable.
pub(crate) fn split_at_colons(text: &str, limit: usize, variables: bool) -> Vec<&str> {
    let mut parts = Vec::with_capacity(limit);
    let mut rest = text;
    while parts.len() + 1 < limit {
        let Some(colon) = colon_outside_variables(rest, variables) else {
            break;
        };
        let Some((part, after)) = rest.split_at_checked(colon) else {
            break;
        };
        parts.push(part);
        rest = after.strip_prefix(':').unwrap_or(after);
    }
    parts.push(rest);
    parts
}

fn colon_outside_variables(text: &str, mut variables: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        if variables && rest.starts_with("${") {
            match end_of_variable(rest) {
                Some(end) => at += end,
                // Where one has no end, none after it has.
                None => variables = false,
            }
        } else {
            let character = rest.chars().next()?;
            if character == ':' {
                return Some(at);
            }
            at += character.len_utf8();
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some((before, variable)) = rest.split_at_checked(start) else {
            break;
        };
        // An opening without an end is text.
        let Some((variable, after)) =
            end_of_variable(variable).and_then(|end| variable.split_at_checked(end))
        else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(piece(variable));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// The length of the variable that the text starts with. A brace inside a quoted default does not end it.
fn end_of_variable(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    // A quote that never closes cannot have been one.
    text.find('}').map(|at| at + 1)
}

fn piece(variable: &str) -> Piece {
    let inner = variable.strip_prefix("${").unwrap_or(variable);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    match inner {
        "*" => Piece::Literal('*'),
        "?" => Piece::Literal('?'),
        "$" => Piece::Literal('$'),
        _ => {
            let (key, default) = match inner.split_once(',') {
                Some((key, default)) => (key, quoted(default.trim())),
                None => (inner, None),
            };
            Piece::Variable {
                folded: fold(key.trim()),
                default,
            }
        }
    }
}

fn quoted(default: &str) -> Option<String> {
    Some(default.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())
}

fn value<'v, 't: 'v, 'c: 'v>(
    key: &'t str,
    default: &'t Option<String>,
    context: &'c Context,
) -> Result<&'v str, Missing<'t>> {
    match (context.get_folded(key), default) {
        (Some(Values::One(value)), _) => Ok(value),
        (Some(Values::Unknown | Values::OneOf(_)), _) => Err(Missing {
            key,
            why: Lack::Unknown,
        }),
        (Some(Values::Many(_)) | None, Some(default)) => Ok(default),
        (Some(Values::Many(_)), None) => Err(Missing {
            key,
            why: Lack::SeveralValues,
        }),
        (None, None) => Err(Missing {
            key,
            why: Lack::Absent,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::pattern::glob_tokens;

    fn context() -> Context {
        Context::new()
            .with("aws:PrincipalTag/team", "a*b")
            .with_set("aws:PrincipalOrgPaths", ["o-1/", "o-2/"])
    }

    fn filled(text: &str) -> Option<String> {
        Template::parse(text, true)
            .fill(&context())
            .ok()
            .map(Cow::into_owned)
    }

    #[test]
    fn an_opening_without_an_end_hides_no_colon() {
        assert_eq!(split_at_colons("${a:b:c", 3, true), ["${a", "b", "c"]);
        assert_eq!(split_at_colons("${a:b}:${c:d", 3, true), ["${a:b}", "${c", "d"]);
        assert_eq!(split_at_colons("${'a:b}:c", 2, true), ["${'a:b}", "c"]);
    }

    #[test]
    fn a_variable_takes_the_value_of_its_key_or_its_default() {
        assert_eq!(filled("x-${AWS:principaltag/TEAM}-y").as_deref(), Some("x-a*b-y"));
        assert_eq!(
            filled("${aws:PrincipalTag/none, 'it {is} none'}").as_deref(),
            Some("it {is} none")
        );
        assert_eq!(filled("${aws:PrincipalTag/team,'other'}").as_deref(), Some("a*b"));
        assert_eq!(filled("${aws:PrincipalTag/none}"), None);
        assert_eq!(filled("${aws:PrincipalTag/none, unquoted}"), None);
        assert_eq!(filled("${aws:PrincipalOrgPaths}"), None);
        assert_eq!(filled("${aws:PrincipalOrgPaths, 'o'}").as_deref(), Some("o"));
        assert_eq!(filled("${*}${?}${$}{x}").as_deref(), Some("*?${x}"));
    }

    #[test]
    fn a_missing_variable_says_whether_its_key_is_absent_or_has_several_values() {
        let missing = |text: &str| {
            let template = Template::parse(text, true);
            let missing = template.tokens(&context()).unwrap_err();
            (missing.key.to_owned(), missing.why)
        };
        assert_eq!(missing("a${aws:X}"), ("aws:x".to_owned(), Lack::Absent));
        assert_eq!(
            missing("a${aws:PrincipalOrgPaths}"),
            ("aws:principalorgpaths".to_owned(), Lack::SeveralValues)
        );
    }

    #[test]
    fn what_is_not_a_whole_variable_is_text() {
        for text in ["${", "a${b", "$", "{}", "$ {x}", "${'a"] {
            assert_eq!(filled(text).as_deref(), Some(text));
        }
        let context = Context::new().with("it's", "v");
        let lone_quote = Template::parse("${it's}x", true);
        assert_eq!(
            lone_quote.fill(&context).unwrap(),
            "vx",
            "a lone quote does not hide the end"
        );
    }

    #[test]
    fn before_2012_10_17_a_variable_is_text() {
        let template = Template::parse("${aws:PrincipalTag/team}", false);
        assert_eq!(template.plain(), Some("${aws:PrincipalTag/team}"));
    }

    #[test]
    fn a_wildcard_in_a_filled_in_value_is_literal_and_one_of_the_policy_is_not() {
        let tokens = Template::parse("${aws:PrincipalTag/team}/*${*}é", true)
            .tokens(&context())
            .unwrap();
        assert!(glob_tokens(&tokens, "a*b/x*é"));
        assert!(!glob_tokens(&tokens, "aXb/x*é"));
        assert!(!glob_tokens(&tokens, "a*b/xé"));
    }

    #[test]
    fn a_colon_inside_a_variable_separates_nothing() {
        let text = "a:${b:c, 'd:e'}:f:g";
        assert_eq!(split_at_colons(text, 3, true), ["a", "${b:c, 'd:e'}", "f:g"]);
        assert_eq!(split_at_colons(text, 3, false), ["a", "${b", "c, 'd:e'}:f:g"]);
        assert_eq!(split_at_colons("é:${", 6, true), ["é", "${"]);
        assert_eq!(split_at_colons("", 6, true), [""]);
    }
}
