//! How text from outside is shown in a message: on one line, with nothing in it that a terminal, a chat or a mail reader
//! would act upon.
//!
//! Rule ids, object keys, tags, policy names and error messages are written by whoever may change a bucket. Chat tools
//! take `<!channel>` and `<https://…|text>` out of plain text
//! (<https://api.slack.com/reference/surfaces/formatting#escaping>), terminals take control sequences.

/// The text on one line, control and direction characters as escapes, markup taken out of force, and cut at `limit`
/// characters.
pub fn line(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            shown.push('…');
            break;
        }
        push(&mut shown, character);
    }
    shown
}

/// The text with control and direction characters as escapes, for forms that take markup out of force themselves.
pub fn visible(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Several lines, each made safe; line ends stay.
pub fn block(text: &str) -> String {
    text.lines()
        .map(|text| line(text, usize::MAX))
        .collect::<Vec<_>>()
        .join("\n")
}

/// One line of what we wrote ourselves to be pasted: commands and statements. Text from outside stands in it as JSON
/// only, where `\u003c` means the same as the character. So that, control and direction characters are shown as JSON
/// escapes; `>` stays, since chats act on nothing that does not begin with `<`, and shells need it.
pub fn pasteable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character == '<' || character.is_control() || is_invisible(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text for places that take only printable ASCII, such as the subject of a message.
pub fn ascii(text: &str, limit: usize) -> String {
    line(text, usize::MAX)
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .take(limit)
        .collect()
}

fn push(shown: &mut String, character: char) {
    match character {
        '<' => shown.push_str("&lt;"),
        '>' => shown.push_str("&gt;"),
        c if c.is_control() || is_invisible(c) => shown.extend(c.escape_unicode()),
        c => shown.push(c),
    }
}

/// Characters that change how their neighbours are shown, or show as nothing.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_markup_loses_its_force() {
        assert_eq!(line("a\nb\r\u{1b}[31m", 99), "a\\u{a}b\\u{d}\\u{1b}[31m");
        assert_eq!(
            line("<!channel> & <https://evil|ok>", 99),
            "&lt;!channel&gt; & &lt;https://evil|ok&gt;"
        );
        assert_eq!(line("abc\u{202e}def", 99), "abc\\u{202e}def");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
    }

    #[test]
    fn what_is_to_be_pasted_means_the_same_and_calls_nobody() {
        let command = "jq '.ID == \"<!channel>\u{202e}\u{e0041}\"' > file";
        let shown = pasteable(command);
        assert_eq!(shown, r#"jq '.ID == "\u003c!channel>\u202e\udb40\udc41"' > file"#);
        let literal =
            |text: &str| serde_json::from_str::<String>(text.split('\'').nth(1).unwrap().split_at(7).1);
        assert_eq!(literal(&shown).unwrap(), literal(command).unwrap());
    }

    #[test]
    fn a_subject_is_printable_ascii() {
        assert_eq!(ascii("büc\nket", 99), "b?c\\u{a}ket");
        assert_eq!(ascii("abcdef", 3), "abc");
    }
}
