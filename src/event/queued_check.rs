//! How this program writes itself a message that asks for a look at a bucket. `command.rs` beside it reads it back.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Drift, PlanDigest, Resource, SweepId};
use crate::arn::BucketName;

/// A look that this program asks itself for, by a message in its own queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "command", rename = "check")]
pub struct QueuedCheck {
    /// The bucket.
    pub bucket: BucketName,
    /// The sweep that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepId>,
    /// What a repair promised that this look is to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised: Option<PlanDigest>,
    /// The change that the look is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftCause>,
}

/// What an event said of a change, as far as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftCause {
    call: String,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
}

impl QueuedCheck {
    /// A look at a bucket, for no reason that its report would name.
    pub fn of(bucket: BucketName) -> Self {
        Self {
            bucket,
            sweep: None,
            promised: None,
            drift: None,
        }
    }

    /// The message as [`decode`](super::decode) reads it.
    pub fn to_json(&self) -> Value {
        json!(self)
    }
}

impl DriftCause {
    /// What is told of the change of one resource.
    pub fn new(drift: &Drift, resource: &Resource) -> Self {
        Self {
            call: drift.call.clone(),
            resource: resource.to_string(),
            event_id: drift.event_id.clone(),
            event_time: drift.event_time,
            actor: drift.actor.clone(),
            source_ip: drift.source_ip.clone(),
        }
    }
}
