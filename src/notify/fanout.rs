//! Several publishers as one. A failure of one does not stop the others.

use futures_util::future::join;

use super::{Publication, PublishFailure, Publisher};

/// Two publishers, which are told side by side; each may itself be two.
#[derive(Debug)]
pub struct Fanout<A, B>(
    /// One.
    pub A,
    /// The other.
    pub B,
);

impl<A: Publisher, B: Publisher> Publisher for Fanout<A, B> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        match join(self.0.publish(publication), self.1.publish(publication)).await {
            (Ok(()), Ok(())) => Ok(()),
            (Err(failure), Ok(())) | (Ok(()), Err(failure)) => Err(failure),
            (Err(one), Err(other)) => Err(PublishFailure {
                reason: format!("{}; {}", one.reason, other.reason),
            }),
        }
    }

    fn unusable(&self, messages: usize) {
        self.0.unusable(messages);
        self.1.unusable(messages);
    }
}

/// A publisher that may not be set up.
impl<P: Publisher> Publisher for Option<P> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        match self {
            Some(publisher) => publisher.publish(publication).await,
            None => Ok(()),
        }
    }

    fn unusable(&self, messages: usize) {
        if let Some(publisher) = self {
            publisher.unusable(messages);
        }
    }
}
