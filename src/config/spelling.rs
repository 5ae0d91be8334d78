//! Whether the name of a variable is probably a misspelt setting.
//!
//! A guard whose name is misspelt is a guard that is not there, and nobody would notice; so the program does not start.

use std::collections::BTreeSet;

use strsim::osa_distance;

/// The settings without which more is changed than with them. Of these, a word left out or added counts as well.
const GUARDS: [&str; 3] = ["OPT_IN_TAG", "OPT_OUT_TAG", "REQUIRED_PERMISSIONS_BOUNDARY_ARN"];

/// The setting that `name` was probably meant to be. `name` is none itself.
///
/// Two edits (a letter more, less, other, or two swapped) are few in a long name and much in a short one: `HOME` and
/// `NODE` are two edits and one away from `MODE`. A short name must therefore begin alike. How the words are joined does
/// not count: `OptOutTag` is what the template calls `OPT_OUT_TAG`.
pub(super) fn meant<'a>(name: &str, settings: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORT: usize = 6;
    const RUNTIME: [&str; 3] = ["AWS_", "LAMBDA_", "_"];
    if RUNTIME.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let found = joined(name);
    let mut settings: Vec<&str> = settings.into_iter().collect();
    settings.sort_by_key(|setting| osa_distance(&found, &joined(setting)));
    let is_near = |setting: &&str| {
        (setting.len() >= SHORT || found.as_bytes().first() == setting.as_bytes().first())
            && osa_distance(&found, &joined(setting)) <= 2
    };
    let has_the_words = |setting: &&str| GUARDS.contains(setting) && has_the_words_of(name, setting);
    let near = settings.iter().copied().find(is_near);
    near.or_else(|| settings.into_iter().find(has_the_words))
}

/// Only the letters and digits, in capitals.
fn joined(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

/// Have the two names at least two words in common, and one of them no other?
fn has_the_words_of(name: &str, setting: &str) -> bool {
    let (found, known) = (words(name), words(setting));
    let common = found.intersection(&known).count();
    common >= 2 && common == found.len().min(known.len())
}

/// The words of a name, however they are told apart, in capitals and in the singular.
fn words(name: &str) -> BTreeSet<String> {
    let mut words = vec![String::new()];
    let mut is_lower = false;
    for character in name.chars() {
        if !character.is_ascii_alphanumeric() || (is_lower && character.is_ascii_uppercase()) {
            words.push(String::new());
        }
        if let (Some(word), true) = (words.last_mut(), character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_uppercase());
        }
        is_lower = character.is_ascii_lowercase();
    }
    let singular = |word: String| word.strip_suffix('S').map(str::to_owned).unwrap_or(word);
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .map(singular)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_recognised_by_its_words_however_they_are_joined() {
        let settings = [
            "MODE",
            "OPT_IN_TAG",
            "OPT_OUT_TAG",
            "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            "QUEUE_URL",
        ];
        for (name, setting) in [
            (
                "REQUIRED_PERMISSIONS_BOUNDARY",
                "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            ),
            (
                "RequiredPermissionsBoundaryArn",
                "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            ),
            ("PERMISSION_BOUNDARY_ARN", "REQUIRED_PERMISSIONS_BOUNDARY_ARN"),
            ("required-boundary-arn", "REQUIRED_PERMISSIONS_BOUNDARY_ARN"),
            (
                "REQUIRED_IAM_PERMISSIONS_BOUNDARY_ARN",
                "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            ),
            ("OPT_OUT", "OPT_OUT_TAG"),
            ("OptOutTags", "OPT_OUT_TAG"),
            ("OPT_OUT_TAG_KEY", "OPT_OUT_TAG"),
            ("BUCKET_OPT_OUT_TAG", "OPT_OUT_TAG"),
        ] {
            assert_eq!(meant(name, settings), Some(setting), "{name}");
        }
        for name in [
            "PATH",
            "TAG",
            "ARN",
            "OPTIONS",
            "TOPIC_ARN",
            "QUEUE",
            "NODE_OPTIONS",
            "HOME",
            "TAG_VALUE",
            "",
        ] {
            assert_eq!(meant(name, settings), None, "{name}");
        }
    }

    #[test]
    fn edits_are_counted_as_people_make_them() {
        for (a, b, count) in [
            ("MODE", "MODE", 0),
            ("MOED", "MODE", 1),
            ("MDE", "MODE", 1),
            ("MODES", "MODE", 1),
            ("HOME", "MODE", 2),
            ("ALLOWED_KEYS_ARNS", "ALLOWED_KEY_ARNS", 1),
            ("", "AB", 2),
            ("AB", "", 2),
            ("CA", "ABC", 3),
        ] {
            assert_eq!(osa_distance(a, b), count, "{a} {b}");
        }
    }
}
