//! Which API calls that CloudTrail recorded are a reason to look at a bucket: a replication configuration was put or
//! deleted, with success, by someone else than us.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html> and
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>.
//! The recorded configuration is not read: it varies in form, is cut off beyond 100 KB, and S3 knows better.

use super::envelope::PartResult;
use super::field::Field;
use super::{CallError, Change, Content, DropReason, InvalidEvent, Trigger, TriggerKind, drift};
use crate::arn::{Arn, BucketName, RoleArn};

pub(super) const EVENT_ID_BYTES: usize = 128;
pub(super) const ACTOR_BYTES: usize = 512;
pub(super) const SOURCE_IP_BYTES: usize = 128;
const REFUSAL_BYTES: usize = 512;

/// An EventBridge event `AWS API Call via CloudTrail` from `aws.s3`.
pub(super) fn decode(event: &Field<'_>, own_role: Option<&RoleArn>) -> PartResult {
    let call = event.get("detail");
    let (name, service) = (call.get("eventName"), call.get("eventSource"));
    // S3 on Outposts has operations of the same names.
    let change = match name.text().filter(|_| service.is("s3.amazonaws.com")) {
        Some("PutBucketReplication") => Change::Configured,
        Some("DeleteBucketReplication") => Change::Removed,
        _ => return drift::decode(event, own_role),
    };
    let identity = call.get("userIdentity");
    let trigger = |change, bucket| Trigger {
        region_hint: call.get("awsRegion").hint(),
        event_id: call.get("eventID").cut(EVENT_ID_BYTES),
        event_time: call.get("eventTime").time(),
        actor: actor(&identity),
        source_ip: call.get("sourceIPAddress").cut(SOURCE_IP_BYTES),
        change: Some(change),
        ..Trigger::new(TriggerKind::ReplicationConfigured, bucket)
    };
    let error_code = call.get("errorCode");
    if error_code.is_present() && !error_code.is("") {
        let refusal = CallError {
            code: error_code.cut(REFUSAL_BYTES).unwrap_or_default(),
            message: call.get("errorMessage").cut(REFUSAL_BYTES).unwrap_or_default(),
        };
        // Without a usable name of a bucket there is nothing to explain.
        let refused_put = bucket(&call).ok().map(|bucket| {
            Box::new(Trigger {
                refusal: Some(refusal),
                ..trigger(Change::Refused, bucket)
            })
        });
        return Ok(Content::Dropped(DropReason::FailedCall {
            name: name.quoted(),
            code: error_code.quoted(),
            refused_put: refused_put.filter(|_| change == Change::Configured),
        }));
    }
    if let Some(reason) = is_nothing_new(&call, own_role) {
        return Ok(Content::Dropped(reason));
    }
    Ok(Content::Trigger(trigger(change, bucket(&call)?)))
}

/// A call that failed, or that we made ourselves.
pub(super) fn is_nothing_new(call: &Field<'_>, own_role: Option<&RoleArn>) -> Option<DropReason> {
    let (name, error_code) = (call.get("eventName").quoted(), call.get("errorCode"));
    if error_code.is_present() && !error_code.is("") {
        return Some(DropReason::FailedCall {
            name,
            code: error_code.quoted(),
            refused_put: None,
        });
    }
    own_role
        .is_some_and(|role| is_session_of(role, &call.get("userIdentity")))
        .then_some(DropReason::OwnCall(name))
}

/// Who acted, by the most telling name that CloudTrail gives: which there are depends on the type of identity. S3's
/// notifications carry the same structure.
pub(super) fn actor(identity: &Field<'_>) -> Option<String> {
    [
        identity.get("arn"),
        identity.get("principalId"),
        identity.get("userName"),
        // Somebody of IAM Identity Center has no principal in any account.
        identity.get("onBehalfOf").get("userId"),
        identity.get("invokedBy"),
        identity.get("accountId"),
    ]
    .iter()
    .find_map(|name| name.cut(ACTOR_BYTES))
}

/// The bucket's name is the one parameter that every record has, but an all-digit name arrives as a number and may have
/// lost leading zeros; the ARN under `resources` has not.
pub(super) fn bucket(call: &Field<'_>) -> Result<BucketName, InvalidEvent> {
    const EXPECTED: &str = "a bucket name";
    let name = call.get("requestParameters").get("bucketName");
    if name.text().is_some() {
        return name.parse(EXPECTED);
    }
    let by_arn = call
        .get("resources")
        .items()
        .find_map(|resource| BucketName::from_arn(resource.get("ARN").text()?).ok());
    match (by_arn, name.coerced_text()) {
        (Some(bucket), _) => Ok(bucket),
        (None, Some(text)) => text.parse().map_err(|rule| name.invalid(EXPECTED).because(rule)),
        (None, None) => Err(name.invalid(EXPECTED)),
    }
}

/// Is this the work of a session of the role? Account and name say it: a session's ARN leaves out the role's path.
fn is_session_of(role: &RoleArn, identity: &Field<'_>) -> bool {
    let issuer = identity.get("sessionContext").get("sessionIssuer");
    let is_role = |arn: Arn| {
        let name = match arn.resource.split_once('/') {
            Some(("role", path)) => path.rsplit('/').next(),
            Some(("assumed-role", session)) => session.split('/').next(),
            _ => None,
        };
        arn.account == role.account().as_str() && name == Some(role.name())
    };
    [issuer, identity.clone()]
        .iter()
        .filter_map(|holder| holder.get("arn").hint::<Arn>())
        .any(is_role)
}
