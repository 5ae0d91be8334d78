//! Which ARNs an entry of an allow-list names.
//!
//! Matches as IAM does, part by part, so that `*` never crosses a colon before the resource
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).

use std::fmt;

use crate::policy::pattern::glob;

/// An ARN in which `*` stands for any text, `/` included, and `?` for one character.
///
/// Which patterns an operator may write is decided where the settings are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedArn(String);

impl AllowedArn {
    /// The pattern as it was written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it name this ARN?
    pub fn matches(&self, arn: &str) -> bool {
        let mut patterns = self.0.splitn(6, ':');
        let mut parts = arn.splitn(6, ':');
        loop {
            match (patterns.next(), parts.next()) {
                (Some(pattern), Some(part)) if glob(pattern, part) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

impl fmt::Display for AllowedArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_crosses_slashes_but_no_colon_before_the_resource() {
        let role = AllowedArn::new;
        let exact = role("arn:aws:iam::111122223333:role/crr");
        assert!(exact.matches("arn:aws:iam::111122223333:role/crr"));
        assert!(!exact.matches("arn:aws:iam::111122223333:role/crr2"));
        assert!(!exact.matches("arn:aws:iam::111122223333:role/CRR"));
        let path = role("arn:aws:iam::111122223333:role/replication/*");
        assert!(path.matches("arn:aws:iam::111122223333:role/replication/eu/crr"));
        assert!(!path.matches("arn:aws:iam::111122223333:role/crr"));
        let inner = role("arn:aws:iam::*:role/*-crr-?");
        assert!(inner.matches("arn:aws:iam::111122223333:role/a-crr-b-crr-1"));
        assert!(!inner.matches("arn:aws:iam::111122223333:role/a-crr-"));
        assert!(!role("arn:aws:iam::1*:role/crr").matches("arn:aws:iam::1:x:role/crr"));
        assert!(!role("arn:aws:iam::*:role/crr").matches("nonsense"));
    }

    #[test]
    fn matching_takes_no_exponential_time() {
        let pattern = AllowedArn::new(format!("arn:aws:iam::1:role/{}b", "a*".repeat(30)));
        assert!(!pattern.matches(&format!("arn:aws:iam::1:role/{}", "a".repeat(500))));
    }
}
