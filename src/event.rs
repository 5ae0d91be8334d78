//! What invoked us: decides for each part of a Lambda payload whether it is a reason to look at a bucket, a command,
//! none of our business, or meant for us but unusable.
//!
//! An event is a pointer, never a fact. Anyone who may change a bucket, or write to a queue or topic before us, chooses
//! what it says; so only the bucket's name, checked, leads anywhere, and everything else is shown and never believed.
//! The payload is taken apart as plain JSON, part by part: one odd record must not cost the others of its batch, and
//! S3's `replicationEventData` has no field in the common event crates.
//!
//! Forms: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html>.

mod alarm;
mod cloudtrail;
mod command;
mod drift;
mod envelope;
mod field;
mod plan_digest;
mod queued_check;
mod s3_notification;
mod schedule;
mod shown;
mod sweep;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::command::Command;
pub use self::drift::{Drift, Resource};
pub use self::plan_digest::{InvalidPlanDigest, PlanDigest};
pub use self::queued_check::{DriftCause, QueuedCheck};
pub use self::shown::Quoted;
pub use self::sweep::{Counts, InvalidSweepId, Progress, SweepId};
use crate::arn::{BucketName, InvalidName, Region, RoleArn};

/// Takes a Lambda payload apart. `own_role` is the role that we run as: what it did itself is no news.
///
/// Every message of an SQS batch, or of the array that EventBridge Pipes sends, gives at least one record.
pub fn decode(payload: &Value, own_role: Option<&RoleArn>) -> Decoded {
    envelope::open(payload, own_role)
}

/// A payload taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What the invoker expects for an answer.
    pub answer: AnswerForm,
    /// The parts, in the order of the payload.
    pub records: Vec<Record>,
}

/// What the invoker expects for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// `{"batchItemFailures":[…]}`: an SQS event source mapping, or a pipe.
    SqsBatch,
    /// `{"reports":[…]}`: any other event.
    Reports,
    /// What the command asks for.
    Command,
}

/// One part of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The SQS message that it came in; several records may share one. `None` outside SQS, and where an SQS message
    /// has no id: such a message cannot be named in the answer, so its error must fail the whole invocation.
    pub message_id: Option<String>,
    /// How often SQS has handed the message out, this time included; 1 outside SQS.
    pub receive_count: u32,
    /// What it is.
    pub content: Result<Content, InvalidEvent>,
}

impl Record {
    /// The same record, with a put that S3 refused as a reason to look at its bucket.
    pub fn or_refused_put(self) -> Self {
        let content = match self.content {
            Ok(Content::Dropped(DropReason::FailedCall {
                refused_put: Some(trigger),
                ..
            })) => Ok(Content::Trigger(*trigger)),
            other => other,
        };
        Self { content, ..self }
    }
}

/// What a part of a payload is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A reason to look at a bucket.
    Trigger(Trigger),
    /// A change of something that buckets may depend on.
    Drift(Drift),
    /// An order.
    Command(Command),
    /// Well-formed, and none of our business.
    Dropped(DropReason),
}

/// A reason to look at a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What happened.
    pub kind: TriggerKind,
    /// The bucket to look at. It may not exist, and it may not be ours.
    pub bucket: BucketName,
    /// Where the event says the bucket lies.
    pub region_hint: Option<Region>,
    /// The event's own id, for finding it again in CloudTrail or S3's logs.
    pub event_id: Option<String>,
    /// When it happened, according to the event.
    pub event_time: Option<Timestamp>,
    /// Who did it, according to CloudTrail.
    pub actor: Option<String>,
    /// From where, according to CloudTrail: an address, or the name of an AWS service.
    pub source_ip: Option<String>,
    /// For `ReplicationConfigured`: what was done.
    pub change: Option<Change>,
    /// For a change that was refused: why.
    pub refusal: Option<CallError>,
    /// For `ReplicationFailed`: what failed.
    pub objects: Vec<FailedObject>,
    /// For `Drift`: what was changed, and how.
    pub drift: Option<Changed>,
    /// The sweep that left this look to the queue.
    pub sweep: Option<SweepId>,
    /// What a repair promised that this look is to confirm.
    pub promised: Option<PlanDigest>,
}

impl Trigger {
    /// A reason of which only the kind and the bucket are known.
    pub fn new(kind: TriggerKind, bucket: BucketName) -> Self {
        Self {
            kind,
            bucket,
            region_hint: None,
            event_id: None,
            event_time: None,
            actor: None,
            source_ip: None,
            change: None,
            refusal: None,
            objects: Vec::new(),
            drift: None,
            sweep: None,
            promised: None,
        }
    }
}

/// What happened, the most telling first: of several reasons for one bucket the first kind is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// Somebody put or removed the replication configuration.
    ReplicationConfigured,
    /// S3 gave up on an object.
    ReplicationFailed,
    /// A measurement says that replication does badly, and names no failed object.
    Alarm,
    /// Something that replication needs has changed.
    Drift,
    /// The regular look at every bucket, or a `check` that came through the queue.
    Sweep,
    /// A person or program asked.
    Command,
}

/// What was done to a replication configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// `PutBucketReplication`
    Configured,
    /// `DeleteBucketReplication`
    Removed,
    /// `PutBucketReplication`, which S3 refused: nothing changed.
    Refused,
}

/// Why S3 refused a call, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The error code.
    pub code: String,
    /// The message; empty where there is none.
    pub message: String,
}

/// What was changed of that on which a bucket depends. The event's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The operation, such as `DisableKey`.
    pub call: String,
    /// A key, alias, role, policy or bucket.
    pub resource: String,
}

/// An object version that S3 could not replicate.
///
/// All text is S3's word or a forger's: it may hold control characters, and is escaped where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedObject {
    /// The key as its owner wrote it, at most 1,024 bytes.
    pub key: String,
    /// The version; `null` is the name of the one made before versioning.
    pub version_id: Option<String>,
    /// S3's word for it, such as `DstKmsKeyNotFound`. New words appear over time.
    pub failure_reason: Option<String>,
    /// The rule that S3 followed.
    pub rule_id: Option<String>,
}

/// Why a well-formed event is none of our business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DropReason {
    /// S3 tries a new notification out.
    #[error("the test event that S3 sends when a notification is configured")]
    TestEvent,
    /// S3 reports something else than failed replication.
    #[error("the S3 event {0} is not about replication that fails")]
    OtherS3Event(Quoted),
    /// The object arrived after all.
    #[error("the object was replicated, later than S3 Replication Time Control promises")]
    ReplicatedLate,
    /// An API call about something else.
    #[error("the call {name} to {service} changes nothing that the replication of an S3 bucket depends on")]
    OtherCall {
        /// The operation.
        name: Quoted,
        /// The service.
        service: Quoted,
    },
    /// An API call that changed nothing, because it failed.
    #[error("the call {name} failed with {code}, so nothing changed")]
    FailedCall {
        /// The operation.
        name: Quoted,
        /// The error code.
        code: Quoted,
        /// For a put of a replication configuration: what it would be to those who want refusals explained.
        refused_put: Option<Box<Trigger>>,
    },
    /// An API call of our own.
    #[error("the call {0} was made by this function's own role")]
    OwnCall(Quoted),
    /// An alarm that tells of no failure now.
    #[error("the alarm {name} is in state {state}, not `ALARM`")]
    AlarmState {
        /// The alarm.
        name: Quoted,
        /// Its new state.
        state: Quoted,
    },
    /// An alarm on something else.
    #[error("the alarm {0} does not watch the metric `OperationsFailedReplication` of `AWS/S3`")]
    OtherAlarm(Quoted),
    /// An alarm on the metrics of many buckets, as a whole: for each that is concerned comes an event of its own.
    #[error("the alarm {0} watches many buckets, and names those that it is about one by one")]
    AlarmOfMany(Quoted),
    /// An EventBridge event of another kind.
    #[error("the EventBridge event {detail_type} from {sender} is none that this function acts on")]
    OtherEventBridge {
        /// The kind.
        detail_type: Quoted,
        /// The `source`.
        sender: Quoted,
    },
    /// SNS asks whether its subscription is wanted.
    #[error("the SNS message of type {0} carries no event; a subscription is confirmed by its owner")]
    SnsControl(Quoted),
    /// A command that changes access, from somewhere that cannot prove who sent it.
    #[error("the command `{0}` is taken only from a direct invocation, never from a queue or topic")]
    CommandNotDirect(&'static str),
    /// Well-formed JSON of no kind that we know.
    #[error("no event that this function knows: {0}")]
    Foreign(String),
}

/// An event that is meant for us but cannot be used: which field, what was expected there, what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{}`: expected {expected}, found {found}", path.escape_debug())]
pub struct InvalidEvent {
    path: String,
    expected: Cow<'static, str>,
    found: String,
    #[source]
    rule: Option<Box<InvalidName>>,
}

/// Our own paths are shorter; one that ends in a stranger's field name need not be.
const PATH_BYTES: usize = 200;

impl InvalidEvent {
    fn new(path: &str, expected: impl Into<Cow<'static, str>>, found: String) -> Self {
        Self {
            path: shown::cut(path, PATH_BYTES),
            expected: expected.into(),
            found,
            rule: None,
        }
    }

    fn because(self, rule: InvalidName) -> Self {
        Self {
            rule: Some(Box::new(rule)),
            ..self
        }
    }

    /// Where in the payload; JSON inside a text counts on from the text's own path.
    pub fn path(&self) -> &str {
        &self.path
    }
}
