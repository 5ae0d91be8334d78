//! Decides how a text is written for a shell, so that names which strangers chose are nothing but names.
//!
//! Quoting follows <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02>: inside single
//! quotes every character is itself.

/// The text as one word of a POSIX shell.
pub(crate) fn shell_quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_shell_would_read_otherwise_is_quoted() {
        for (text, quoted) in [
            ("plain-Name_1.2/3:4=5", "plain-Name_1.2/3:4=5"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("`reboot`", "'`reboot`'"),
            ("a;b&c|d>e", "'a;b&c|d>e'"),
            ("it's", r"'it'\''s'"),
            ("'; reboot; '", r"''\''; reboot; '\'''"),
            ("a\nb", "'a\nb'"),
            ("~root", "'~root'"),
            ("*?[x]", "'*?[x]'"),
            ("!!", "'!!'"),
            ("\\", "'\\'"),
        ] {
            assert_eq!(shell_quote(text), quoted);
        }
    }

    #[test]
    fn the_shell_reads_back_the_very_text() {
        let hostile = "a'b\"c$(id)`id`\\ \t\n;*?~#&|<>!{}[]é";
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", shell_quote(hostile))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), hostile);
    }
}
