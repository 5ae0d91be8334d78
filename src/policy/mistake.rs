//! Decides which frequent mistake stands behind a denial.

use super::answer::{Answer, StatementRef};
use super::layers::Layers;
use super::request::Request;

/// A frequent mistake, and where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The statement.
    pub statement: StatementRef,
    /// What is wrong with it.
    pub kind: MistakeKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MistakeKind {}

/// The frequent mistakes that bear on this request.
#[must_use]
pub fn mistakes(_request: &Request, _layers: &Layers<'_>, _answer: &Answer) -> Vec<Mistake> {
    Vec::new()
}
