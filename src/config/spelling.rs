//! Whether the name of a variable is probably a misspelt setting.
//!
//! A guard whose name is misspelt is a guard that is not there, and nobody would notice; so the program does not start.

/// The setting that `name` was probably meant to be. `name` is none itself.
///
/// Two edits (a letter more, less, other, or two swapped) are few in a long name and much in a short one: `HOME` and
/// `NODE` are two edits and one away from `MODE`. A short name must therefore begin alike.
pub(super) fn meant<'a>(name: &str, settings: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORT: usize = 6;
    const RUNTIME: [&str; 3] = ["AWS_", "LAMBDA_", "_"];
    if RUNTIME.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    settings
        .into_iter()
        .filter(|setting| setting.len() >= SHORT || upper.bytes().next() == setting.bytes().next())
        .map(|setting| (edits(upper.as_bytes(), setting.as_bytes()), setting))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, setting)| setting)
}

/// How many edits lead from one text to the other: optimal string alignment, row by row.
fn edits(a: &[u8], b: &[u8]) -> usize {
    // Names that differ that much in length need no table.
    if a.len().abs_diff(b.len()) > 2 {
        return a.len().abs_diff(b.len());
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut a_before = None;
    for (row, &a_now) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut b_before = None;
        for (column, &b_now) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&last, column) + usize::from(a_now != b_now))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            if a_before == Some(b_now) && b_before == Some(a_now) {
                let swapped = column
                    .checked_sub(1)
                    .map_or(usize::MAX - 1, |column| at(&before_last, column));
                least = least.min(swapped + 1);
            }
            current.push(least);
            b_before = Some(b_now);
        }
        a_before = Some(a_now);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(edits(a.as_bytes(), b.as_bytes()), count, "{a} {b}");
        }
    }
}
