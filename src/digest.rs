//! Decides how a digest is written: SHA-256 in lower-case hexadecimal digits, whole or its first half as an id.

use sha2::{Digest, Sha256};

/// How many digits a whole digest has.
const WHOLE: usize = 64;

/// How many digits an id has: 128 bits, which nobody makes collide by accident.
const ID: usize = 32;

/// The digest of the bytes: 64 digits.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    digits(&Sha256::digest(bytes))
}

/// An id that is the same for the same bytes: 32 digits.
pub(crate) fn id(bytes: impl AsRef<[u8]>) -> String {
    let mut id = sha256(bytes);
    id.truncate(ID);
    id
}

/// Is the text a whole digest as it is written here?
pub(crate) fn is_sha256(text: &str) -> bool {
    is_lower_hex(text, WHOLE)
}

/// Is the text an id as it is written here?
pub(crate) fn is_id(text: &str) -> bool {
    is_lower_hex(text, ID)
}

fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn digits(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // The empty message of FIPS 180-4's examples.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty);
        assert!(empty.starts_with(&id("")) && id("").len() == ID);
    }

    #[test]
    fn only_what_is_written_here_passes_for_a_digest_or_an_id() {
        assert!(is_sha256(&sha256("a")) && is_id(&id("a")));
        for text in [
            "",
            "a",
            &"A".repeat(64),
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(65),
        ] {
            assert!(!is_sha256(text) && !is_id(text), "{text}");
        }
    }
}
