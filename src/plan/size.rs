//! Decides whether the role's inline policies still fit.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>:
//! all inline policies of a role together hold at most 10,240 characters, and white space is not counted. White space
//! inside strings is counted here all the same: whether IAM does so is not said, and to count it is to be safe.

use crate::policy::PolicyDocument;

/// What IAM takes for one role.
pub const LIMIT: usize = 10_240;

/// The characters of a document.
pub fn characters(document: &PolicyDocument) -> usize {
    document.raw().to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_elements_is_not_counted() {
        let document =
            PolicyDocument::parse("{ \"Version\" : \"2012-10-17\",\n\t\"Statement\": [] }").unwrap();
        assert_eq!(
            characters(&document),
            r#"{"Version":"2012-10-17","Statement":[]}"#.len()
        );
    }
}
