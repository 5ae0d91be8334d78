//! Decides whether an ARN matches a pattern part by part: no wildcard crosses a colon into the next part.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>
//! and, for policy variables, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-wheretouse>:
//! only the last part takes them.

use super::answer::ArnPart;
use super::pattern::{glob, glob_tokens};
use super::request::Context;
use super::template::{Missing, Template, split_at_colons};

/// A pattern of six parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArnPattern {
    pub(super) head: [String; 5],
    last: Template,
}

impl ArnPattern {
    /// `None` for fewer than six parts.
    pub(super) fn read(text: &str, variables: bool) -> Option<Self> {
        Self::of_parts(split_at_colons(text, 6, variables).into_iter(), variables)
    }

    /// As a `Resource`, with `*` for the parts that are not there. Is it complete? Where the last part that there is ends
    /// in `*`, that stands for them too.
    pub(super) fn read_resource(text: &str, variables: bool) -> (Self, bool) {
        let parts = split_at_colons(text, 6, variables);
        let is_complete = parts.len() == 6 || text.ends_with('*');
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or("*").to_owned();
        let head = [next(), next(), next(), next(), next()];
        let last = Template::parse(&next(), variables);
        (Self { head, last }, is_complete)
    }

    fn of_parts<'t>(mut parts: impl Iterator<Item = &'t str>, variables: bool) -> Option<Self> {
        let mut next = || parts.next();
        let head = [next()?, next()?, next()?, next()?, next()?];
        Some(Self {
            head: head.map(str::to_owned),
            last: Template::parse(next()?, variables),
        })
    }

    /// Does a part before the last end in `*`?
    pub(super) fn has_open_part(&self) -> bool {
        self.head.iter().any(|part| part.ends_with('*'))
    }

    /// The first part that differs, if one does.
    pub(super) fn difference(
        &self,
        found: &[&str; 6],
        context: &Context,
    ) -> Result<Option<ArnPart>, Missing<'_>> {
        const HEAD: [ArnPart; 5] = [
            ArnPart::Whole,
            ArnPart::Partition,
            ArnPart::Service,
            ArnPart::Region,
            ArnPart::Account,
        ];
        for ((wanted, found), part) in self.head.iter().zip(found).zip(HEAD) {
            if !glob(wanted, found) {
                return Ok(Some(part));
            }
        }
        let [.., found] = found;
        let matches = match self.last.plain() {
            Some(wanted) => glob(wanted, found),
            None => glob_tokens(&self.last.tokens(context)?, found),
        };
        Ok((!matches).then_some(ArnPart::Resource))
    }
}
