//! Putting events on a bus, in the bus's own Region.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use serde_json::{Value, json};

use crate::config::EventBus;
use crate::notify::events::{Event, SOURCE};

use super::Aws;
use super::error::{CallFailure, Failure};
use super::json::{Address, JsonCall, response};
use super::signed::Limits;

const OPERATION: &str = "events:PutEvents";

impl Aws {
    /// Puts an event on a bus. One by one: all entries of a call together may be no larger than one.
    ///
    /// # Errors
    /// EventBridge refused it or gave no answer.
    pub async fn put_event(&self, bus: &EventBus, event: &Event) -> Result<(), CallFailure> {
        self.count(OPERATION);
        let call = async {
            let call = JsonCall {
                service: "events",
                operation: "PutEvents",
                address: Address::Target("application/x-amz-json-1.1", "AWSEvents"),
                region: bus.region.as_ref().unwrap_or(&self.region),
                limits: Limits::default(),
            };
            let entry = json!({
                "EventBusName": bus.name,
                "Source": SOURCE,
                "DetailType": event.detail_type,
                "Time": event.time.as_second(),
                "Resources": event.resources,
                "Detail": event.detail,
            });
            let answer = self
                .send_json(call, &json!({"Entries": [entry]}), response)
                .await?;
            // A call succeeds whatever becomes of its entries.
            let Some(entry) = answer.pointer("/Entries/0") else {
                return Err(Failure::local("BadAnswer", "nothing is said of the event"));
            };
            let text = |name| entry.get(name).and_then(Value::as_str);
            match (
                text("ErrorCode"),
                answer.get("FailedEntryCount").and_then(Value::as_u64),
            ) {
                (None, Some(0)) => Ok(()),
                (code, _) => Err(Failure::local(
                    code.unwrap_or("FailedEntry"),
                    text("ErrorMessage").unwrap_or_default(),
                )),
            }
        };
        call.await.map_err(|failure: Failure| failure.during(OPERATION))
    }
}
