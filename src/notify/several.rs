//! Several publishers as one. A failure of one does not stop the others.

use futures_util::future::join;

use super::{Bulletin, PublishFailure, Publisher};

/// Two publishers, which are told side by side; each may itself be two.
#[derive(Debug)]
pub struct Both<A, B>(
    /// One.
    pub A,
    /// The other.
    pub B,
);

impl<A: Publisher, B: Publisher> Publisher for Both<A, B> {
    async fn publish(&self, bulletin: Bulletin<'_>) -> Result<(), PublishFailure> {
        match join(self.0.publish(bulletin), self.1.publish(bulletin)).await {
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
    async fn publish(&self, bulletin: Bulletin<'_>) -> Result<(), PublishFailure> {
        match self {
            Some(publisher) => publisher.publish(bulletin).await,
            None => Ok(()),
        }
    }

    fn unusable(&self, messages: usize) {
        if let Some(publisher) = self {
            publisher.unusable(messages);
        }
    }
}
