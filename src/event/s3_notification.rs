//! Which of S3's notifications are a reason to look at a bucket, and which object they name.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics-events.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>: the major version of the
//! structure must be the known one, a minor one only adds fields, and unknown fields are ignored.

use percent_encoding::percent_decode_str;

use super::cloudtrail::actor;
use super::envelope::PartResult;
use super::field::Field;
use super::{Content, DropReason, FailedObject, InvalidEvent, Trigger, TriggerKind};
use crate::arn::BucketName;

/// The longest object key, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>; a version id has
/// the same limit, and the 255 characters of a rule id need no more.
const NAME_BYTES: usize = 1024;
const REASON_BYTES: usize = 128;
const REQUEST_ID_BYTES: usize = 128;
const SOURCE_IP_BYTES: usize = 128;

/// An element of `Records` from `aws:s3`.
pub(super) fn decode(record: &Field<'_>) -> PartResult {
    let version = record.get("eventVersion");
    if version.text().and_then(|version| version.split('.').next()) != Some("2") {
        return Err(version.invalid("version 2 of S3's event structure"));
    }
    let name = record.get("eventName");
    let event = name.text().unwrap_or_default();
    let (kind, objects) = match event.strip_prefix("s3:").unwrap_or(event) {
        "Replication:OperationFailedReplication" => (TriggerKind::ReplicationFailed, vec![object(record)?]),
        // The object is late, or S3 has stopped measuring it. Neither says that it failed, so it is not listed as
        // failed; but a healthy rule should not do that, so the bucket deserves a look.
        "Replication:OperationMissedThreshold" | "Replication:OperationNotTracked" => {
            (TriggerKind::Alarm, Vec::new())
        }
        "Replication:OperationReplicatedAfterThreshold" => {
            return Ok(Content::Dropped(DropReason::ReplicatedLate));
        }
        _ => return Ok(Content::Dropped(DropReason::OtherS3Event(name.quoted()))),
    };
    Ok(Content::Trigger(Trigger {
        region_hint: record.get("awsRegion").hint(),
        event_id: record
            .get("responseElements")
            .get("x-amz-request-id")
            .cut(REQUEST_ID_BYTES),
        event_time: record.get("eventTime").time(),
        actor: actor(&record.get("userIdentity")),
        source_ip: record
            .get("requestParameters")
            .get("sourceIPAddress")
            .cut(SOURCE_IP_BYTES),
        objects,
        ..Trigger::new(kind, bucket(record)?)
    }))
}

fn bucket(record: &Field<'_>) -> Result<BucketName, InvalidEvent> {
    let bucket = record.get("s3").get("bucket");
    let name = bucket.get("name");
    match bucket.get("arn").text().filter(|_| !name.is_present()) {
        Some(arn) => {
            BucketName::from_arn(arn).map_err(|rule| bucket.get("arn").invalid("a bucket ARN").because(rule))
        }
        None => name.parse("a bucket name"),
    }
}

fn object(record: &Field<'_>) -> Result<FailedObject, InvalidEvent> {
    let object = record.get("s3").get("object");
    let failure = record.get("replicationEventData");
    Ok(FailedObject {
        key: key(&object)?,
        version_id: object
            .get("versionId")
            .whole(NAME_BYTES, "a version id of at most 1024 bytes")?,
        failure_reason: failure.get("failureReason").cut(REASON_BYTES),
        rule_id: failure
            .get("replicationRuleId")
            .whole(NAME_BYTES, "a rule id of at most 1024 bytes")?,
    })
}

/// Keys are encoded as HTML forms are: `+` is a blank, the rest percent-encoded UTF-8. Some libraries that pass events on
/// add the decoded key.
fn key(object: &Field<'_>) -> Result<String, InvalidEvent> {
    const EXPECTED: &str = "an object key of 1 to 1024 bytes of UTF-8";
    let decoded = object.get("urlDecodedKey");
    if let Some(key) = decoded.whole(NAME_BYTES, EXPECTED)? {
        return Ok(key);
    }
    let encoded = object.get("key");
    encoded
        .text()
        .and_then(|text| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .ok()
                .map(String::from)
        })
        .filter(|key| (1..=NAME_BYTES).contains(&key.len()))
        .ok_or_else(|| encoded.invalid(EXPECTED))
}
