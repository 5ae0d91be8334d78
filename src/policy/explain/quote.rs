//! Decides how text from a document is shown: nothing in it can break a line, forge a sentence or run on for pages.

/// No name in AWS that matters here is longer; a value that is gets cut.
const SHOWN: usize = 160;
const LISTED: usize = 3;

/// The text in backticks.
pub(in crate::policy) fn quoted(text: &str) -> String {
    format!("`{}`", cleaned(text))
}

/// Up to three texts in backticks, and how many more there are.
pub(in crate::policy) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let shown: Vec<String> = texts
        .iter()
        .take(LISTED)
        .map(|text| quoted(text.as_ref()))
        .collect();
    match texts.len().checked_sub(LISTED) {
        Some(more @ 1..) => format!("{} or {more} more", shown.join(", ")),
        Some(0) | None => match shown.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => "nothing".to_owned(),
        },
    }
}

/// The text without anything that a reader cannot see or a terminal would obey.
pub(in crate::policy) fn cleaned(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(SHOWN));
    for (at, character) in text.chars().enumerate() {
        if at == SHOWN {
            cleaned.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) || character == '`' {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Characters that change the direction or the look of others, or take no room.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_document_cannot_break_out_of_its_quotes() {
        assert_eq!(
            quoted("a\nb`c\u{202e}d\u{1b}[31m"),
            "`a\\u{a}b\\u{60}c\\u{202e}d\\u{1b}[31m`"
        );
        assert_eq!(quoted("Rôle-é*"), "`Rôle-é*`");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(quoted(&"é".repeat(SHOWN)).chars().count(), SHOWN + 2);
        let cut = quoted(&"é".repeat(SHOWN + 1));
        assert_eq!(cut.chars().count(), SHOWN + 3);
        assert!(cut.ends_with("é…`"));
    }

    #[test]
    fn a_list_is_shown_up_to_three() {
        assert_eq!(quoted_list::<&str>(&[]), "nothing");
        assert_eq!(quoted_list(&["a"]), "`a`");
        assert_eq!(quoted_list(&["a", "b"]), "`a` or `b`");
        assert_eq!(quoted_list(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(quoted_list(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` or 2 more");
    }
}
