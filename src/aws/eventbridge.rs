//! Putting events on a bus, in the bus's own Region.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;

use crate::config::EventBus;
use crate::notify::events::{Event, SOURCE};

use super::Aws;
use super::error::{CallFailure, Failure};

const OPERATION: &str = "events:PutEvents";

impl Aws {
    /// Puts an event on a bus. One by one: all entries of a call together may be no larger than one.
    ///
    /// # Errors
    /// EventBridge refused it or gave no answer.
    pub async fn put_event(&self, bus: &EventBus, event: &Event) -> Result<(), CallFailure> {
        self.count(OPERATION, &bus.name);
        let call = async {
            let entry = PutEventsRequestEntry::builder()
                .event_bus_name(&bus.name)
                .source(SOURCE)
                .detail_type(event.detail_type)
                .time(DateTime::from_secs(event.time.as_second()))
                .set_resources(Some(event.resources.clone()))
                .detail(&event.detail)
                .build();
            let answer = self
                .eventbridge(bus.region.as_ref().unwrap_or(&self.region))
                .await?
                .put_events()
                .entries(entry)
                .send()
                .await
                .map_err(|error| Failure::of(&error))?;
            // A call succeeds whatever becomes of its entries.
            match answer.entries().first() {
                Some(entry) if entry.error_code().is_none() && answer.failed_entry_count == 0 => Ok(()),
                Some(entry) => Err(Failure::ours(
                    entry.error_code().unwrap_or("FailedEntry"),
                    entry.error_message().unwrap_or_default(),
                )),
                None => Err(Failure::ours("BadAnswer", "nothing is said of the event")),
            }
        };
        call.await.map_err(|failure| CallFailure {
            operation: OPERATION,
            failure,
        })
    }
}
