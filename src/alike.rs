//! Suggests known names for a misspelt one.

/// The names that are most like `text` in any case of letters, the most alike first; `similarity` from 0 (anything) to 1.
pub fn alike<'a>(text: &str, names: &[&'a str], similarity: f64) -> Vec<&'a str> {
    // Comparing costs the product of the lengths, and no name is this long.
    const LONGEST: usize = 64;
    let wanted: String = text
        .chars()
        .take(LONGEST)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let mut found: Vec<(f64, &str)> = names
        .iter()
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &name.to_ascii_lowercase()),
                *name,
            )
        })
        .filter(|(likeness, _)| *likeness >= similarity)
        .collect();
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn exchanged_letters_and_another_case_are_one_name_and_the_nearest_comes_first() {
        assert_eq!(alike("CHEKC", &["apply", "check"], 0.6), ["check"]);
        assert_eq!(
            alike("bucket", &["budget", "buckets"], 0.6),
            ["buckets", "budget"]
        );
        assert!(alike("logs", &["bucket"], 0.6).is_empty());
        assert!(alike("", &["bucket"], 0.6).is_empty());
    }

    #[test]
    fn a_text_of_any_length_costs_no_more_than_a_long_name() {
        assert!(alike(&"check".repeat(1_000_000), &["check"], 0.6).is_empty());
    }
}
