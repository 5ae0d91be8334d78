//! The publishers that AWS provides: the topic and the chat for people, the bus and Security Hub for machines.

use tracing::info;

use crate::arn::Arn;
use crate::config::EventBus;
use crate::error::chain;
use crate::notify::{Publication, PublishFailure, Publisher, chat, events, security_hub};

use super::Aws;
use super::error::CallFailure;

/// The topic for people. Without one the log has what would be told: nobody reads what is answered to a queue.
#[derive(Debug)]
pub struct Topic<'a> {
    /// How it is reached.
    pub aws: &'a Aws,
    /// The topic.
    pub arn: Option<Arn>,
}

impl Publisher for Topic<'_> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let (Publication::Alert(_, message) | Publication::Summary(message)) = publication else {
            return Ok(());
        };
        let Some(arn) = &self.arn else {
            info!(report = message.text, "{}", message.subject);
            return Ok(());
        };
        self.aws
            .publish(arn, &message.subject, &message.text, &message.attributes)
            .await
            .map(drop)
            .map_err(failure)
    }
}

/// The bus for machines, which are told of each look.
#[derive(Debug)]
pub struct Bus<'a> {
    /// How it is reached.
    pub aws: &'a Aws,
    /// The bus.
    pub bus: EventBus,
}

impl Publisher for Bus<'_> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let Publication::CheckResult(report, _) = publication else {
            return Ok(());
        };
        let partition = &self.aws.identity().await.map_err(failure)?.partition;
        for event in events::render(report, partition) {
            self.aws.put_event(&self.bus, &event).await.map_err(failure)?;
        }
        Ok(())
    }
}

/// The topic of a chat, for people.
#[derive(Debug)]
pub struct Chat<'a> {
    /// How it is reached.
    pub aws: &'a Aws,
    /// The topic.
    pub arn: Arn,
}

impl Publisher for Chat<'_> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let (Publication::Alert(_, message) | Publication::Summary(message)) = publication else {
            return Ok(());
        };
        let partition = &self.aws.identity().await.map_err(failure)?.partition;
        let text = match publication.report() {
            Some(report) => chat::render(report, message, partition),
            None => chat::summary(message, partition),
        };
        self.aws
            .publish(&self.arn, &message.subject, &text, &message.attributes)
            .await
            .map(drop)
            .map_err(failure)
    }
}

/// Security Hub, which keeps the state of each bucket as a finding.
#[derive(Debug)]
pub struct Hub<'a> {
    /// How it is reached.
    pub aws: &'a Aws,
}

impl Publisher for Hub<'_> {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        let Publication::CheckResult(report, _) = publication else {
            return Ok(());
        };
        let own = self.aws.identity().await.map_err(failure)?;
        let finding = security_hub::render(report, own, self.aws.region().as_str());
        self.aws.import_finding(&finding).await.map_err(failure)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an error is mapped by value")]
fn failure(error: CallFailure) -> PublishFailure {
    PublishFailure {
        reason: chain(&error),
    }
}
