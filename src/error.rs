//! How an error is shown: with its whole chain of causes, each once, on one line.

use std::error::Error;
use std::fmt::Write;

/// The error and its sources, separated by colons.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::BucketName;

    #[derive(Debug, thiserror::Error)]
    #[error("the command cannot be used")]
    struct Outer(#[source] crate::arn::InvalidName);

    #[test]
    fn a_chain_tells_each_cause_once() {
        let inner = "a b".parse::<BucketName>().unwrap_err();
        let told = chain(&Outer(inner.clone()));
        assert_eq!(told, format!("the command cannot be used: {inner}"));
    }
}
