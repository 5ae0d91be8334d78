//! Decides how an answer is told to a person.

use super::answer::Answer;
use super::request::Request;

/// One or two sentences for a person.
#[must_use]
pub fn explain(request: &Request, answer: &Answer) -> String {
    format!("{} on {}: {:?}", request.action, request.resource, answer.verdict)
}
