//! Which changes, in KMS, IAM or S3, may break a replication that works: what was changed, and by whom. Which buckets that
//! concerns no event says; whoever looked at them knows.
//!
//! Implements <https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html> and, for what KMS does by
//! itself, <https://docs.aws.amazon.com/kms/latest/developerguide/kms-events.html>. Good news counts as well: a key that
//! is enabled again ends what was told.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use super::cloudtrail::{self, ACTOR_BYTES, EVENT_ID_BYTES, SOURCE_IP_BYTES};
use super::envelope::PartResult;
use super::field::Field;
use super::{Content, DropReason, InvalidEvent};
use crate::arn::{AccountId, AliasArn, Arn, BucketName, KeyArn, Region, RoleArn};

/// Longer than any name of an operation.
const CALL_BYTES: usize = 64;
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RevokeGrant.html>
const GRANT_BYTES: usize = 128;
/// AWS names one or two. More than a message may name are an error, for which so many are enough.
const MOST_RESOURCES: usize = 100;

/// Something that a replication may depend on was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What was changed.
    pub resources: BTreeSet<Resource>,
    /// The grant that is gone, where it was one.
    pub grant: Option<String>,
    /// How: the operation, such as `DisableKey`.
    pub call: String,
    /// The event's own id.
    pub event_id: Option<String>,
    /// When, according to the event.
    pub event_time: Option<Timestamp>,
    /// By whom, according to CloudTrail.
    pub actor: Option<String>,
    /// From where, according to CloudTrail.
    pub source_ip: Option<String>,
}

/// No ARN of a policy is longer: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html>.
const ARN_BYTES: usize = 2048;

/// Something that replication may depend on, named so that an event and a look at a bucket name it alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A KMS key.
    Key(KeyArn),
    /// A KMS alias.
    Alias(AliasArn),
    /// A role, by account and name: IAM's events do not tell its path. Names differ by more than case.
    Role(AccountId, String),
    /// A managed policy, by its ARN.
    Policy(String),
    /// A bucket.
    Bucket(BucketName),
}

impl Resource {
    /// A role.
    pub fn role(role: &RoleArn) -> Self {
        Self::Role(role.account().clone(), role.name().to_ascii_lowercase())
    }

    /// A managed policy that an account owns; AWS's own change without an event in any account.
    pub fn policy(arn: &str) -> Option<Self> {
        let parsed: Arn = arn.parse().ok()?;
        let is_policy = parsed.service == "iam"
            && parsed.resource.starts_with("policy/")
            && arn.len() <= ARN_BYTES
            && arn.bytes().all(|byte| byte.is_ascii_graphic());
        (is_policy && parsed.account.parse::<AccountId>().is_ok()).then(|| Self::Policy(arn.to_owned()))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
            Self::Role(account, name) => write!(f, "role/{account}/{name}"),
            Self::Policy(arn) => f.write_str(arn),
            Self::Bucket(bucket) => write!(f, "bucket/{bucket}"),
        }
    }
}

/// An EventBridge event `AWS API Call via CloudTrail` about anything but replication configurations.
pub(super) fn decode(event: &Field<'_>, own_role: Option<&RoleArn>) -> PartResult {
    let call = event.get("detail");
    let (name, service) = (call.get("eventName"), call.get("eventSource"));
    let parameters = call.get("requestParameters");
    let about = match (
        service.text().unwrap_or_default(),
        name.text().unwrap_or_default(),
    ) {
        (
            "kms.amazonaws.com",
            "DisableKey"
            | "EnableKey"
            | "ScheduleKeyDeletion"
            | "CancelKeyDeletion"
            | "PutKeyPolicy"
            | "DeleteImportedKeyMaterial"
            | "ImportKeyMaterial"
            | "RevokeGrant"
            | "RetireGrant",
        ) => keys,
        ("kms.amazonaws.com", "CreateAlias" | "UpdateAlias" | "DeleteAlias") => aliases,
        (
            "iam.amazonaws.com",
            "PutRolePolicy"
            | "DeleteRolePolicy"
            | "AttachRolePolicy"
            | "DetachRolePolicy"
            | "UpdateAssumeRolePolicy"
            | "CreateRole"
            | "DeleteRole"
            | "PutRolePermissionsBoundary"
            | "DeleteRolePermissionsBoundary",
        ) => role,
        ("iam.amazonaws.com", "SetDefaultPolicyVersion") => policy,
        // A version that is not the default one is in force nowhere.
        ("iam.amazonaws.com", "CreatePolicyVersion") if is_true(&parameters.get("setAsDefault")) => policy,
        (
            "s3.amazonaws.com",
            "CreateBucket"
            | "DeleteBucket"
            | "PutBucketVersioning"
            | "PutBucketEncryption"
            | "DeleteBucketEncryption"
            | "PutBucketPolicy"
            | "DeleteBucketPolicy"
            | "PutBucketOwnershipControls"
            | "DeleteBucketOwnershipControls"
            | "PutObjectLockConfiguration"
            | "PutBucketObjectLockConfiguration"
            | "PutBucketRequestPayment"
            | "PutBucketAcl",
        ) => bucket,
        _ => {
            return Ok(Content::Dropped(DropReason::OtherCall {
                name: name.quoted(),
                service: service.quoted(),
            }));
        }
    };
    if let Some(reason) = cloudtrail::is_nothing_new(&call, own_role) {
        return Ok(Content::Dropped(reason));
    }
    let identity = call.get("userIdentity");
    Ok(Content::Drift(Drift {
        resources: about(event)?,
        grant: [
            parameters.get("grantId"),
            call.get("additionalEventData").get("grantId"),
        ]
        .iter()
        .find_map(|grant| grant.cut(GRANT_BYTES)),
        call: name.cut(CALL_BYTES).unwrap_or_default(),
        event_id: call.get("eventID").cut(EVENT_ID_BYTES),
        event_time: call.get("eventTime").time(),
        actor: cloudtrail::actor(&identity),
        source_ip: call.get("sourceIPAddress").cut(SOURCE_IP_BYTES),
    }))
}

/// What KMS tells of a key by itself: that its material has expired, or that it is deleted.
pub(super) fn decode_kms(event: &Field<'_>) -> PartResult {
    let place = event.get("resources");
    let resources: BTreeSet<Resource> = place
        .items()
        .take(MOST_RESOURCES)
        .filter_map(|resource| Some(Resource::Key(resource.text()?.parse().ok()?)))
        .collect();
    if resources.is_empty() {
        return Err(place.invalid("the ARN of a KMS key"));
    }
    Ok(Content::Drift(Drift {
        resources,
        grant: None,
        call: event.get("detail-type").cut(CALL_BYTES).unwrap_or_default(),
        event_id: event.get("id").cut(EVENT_ID_BYTES),
        event_time: event.get("time").time(),
        actor: event.get("source").cut(ACTOR_BYTES),
        source_ip: None,
    }))
}

type Named = Result<BTreeSet<Resource>, InvalidEvent>;

/// CloudTrail writes truth values as such in IAM's records, and as text elsewhere.
fn is_true(field: &Field<'_>) -> bool {
    field.coerced_text().as_deref() == Some("true")
}

/// The account that a call without an ARN is about: CloudTrail hands each account its own record.
fn account(event: &Field<'_>) -> Result<AccountId, InvalidEvent> {
    let field = event.get("detail").get("recipientAccountId");
    match field.hint().or_else(|| event.get("account").hint()) {
        Some(account) => Ok(account),
        None => Err(field.invalid("the id of an account")),
    }
}

/// The names that a KMS record gives: ARNs under `resources` and in the answer, and what the caller wrote.
fn named_in_kms<'a>(event: &Field<'a>, parameter: &str) -> impl Iterator<Item = Field<'a>> + use<'a> {
    let call = event.get("detail");
    let listed: Vec<Field<'a>> = call
        .get("resources")
        .items()
        .take(MOST_RESOURCES)
        .map(|resource| resource.get("ARN"))
        .collect();
    let asked = call.get("requestParameters").get(parameter);
    listed.into_iter().chain([asked])
}

/// Keys that are named by their ARN, or by an id, which means the caller's Region and account.
fn keys(event: &Field<'_>) -> Named {
    let call = event.get("detail");
    let keys: BTreeSet<Resource> = named_in_kms(event, "keyId")
        .chain([call.get("responseElements").get("keyId")])
        .filter_map(|name| in_full(event, name.text()?, "key/").parse().ok())
        .map(Resource::Key)
        .collect();
    if keys.is_empty() {
        let asked = call.get("requestParameters").get("keyId");
        return Err(asked.invalid("a KMS key, here or by its ARN under `resources`"));
    }
    Ok(keys)
}

fn aliases(event: &Field<'_>) -> Named {
    let aliases: BTreeSet<Resource> = named_in_kms(event, "aliasName")
        .filter_map(|name| in_full(event, name.text()?, "").parse().ok())
        .map(Resource::Alias)
        .collect();
    if aliases.is_empty() {
        let asked = event.get("detail").get("requestParameters").get("aliasName");
        return Err(asked.invalid("the name of a KMS alias"));
    }
    Ok(aliases)
}

/// The ARN, also where the caller left out what is the same for all that it may mean.
fn in_full(event: &Field<'_>, name: &str, kind: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let call = event.get("detail");
    let region: Option<Region> = call.get("awsRegion").text().and_then(|text| text.parse().ok());
    match (region, account(event)) {
        (Some(region), Ok(account)) => {
            format!("arn:{}:kms:{region}:{account}:{kind}{name}", region.partition())
        }
        _ => String::new(),
    }
}

fn role(event: &Field<'_>) -> Named {
    const EXPECTED: &str = "the name of a role";
    let field = event.get("detail").get("requestParameters").get("roleName");
    let name = field.coerced_text().ok_or_else(|| field.invalid(EXPECTED))?;
    let arn: RoleArn = format!("arn:aws:iam::{}:role/{name}", account(event)?)
        .parse()
        .map_err(|rule| field.invalid(EXPECTED).because(rule))?;
    Ok([Resource::role(&arn)].into())
}

fn policy(event: &Field<'_>) -> Named {
    let field = event.get("detail").get("requestParameters").get("policyArn");
    match field.text().and_then(Resource::policy) {
        Some(policy) => Ok([policy].into()),
        None => Err(field.invalid("the ARN of a managed policy of an account")),
    }
}

fn bucket(event: &Field<'_>) -> Named {
    cloudtrail::bucket(&event.get("detail")).map(|bucket| [Resource::Bucket(bucket)].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_by_an_arn_that_stays_on_its_line() {
        let longest = format!("arn:aws:iam::111122223333:policy/{}", "x".repeat(ARN_BYTES));
        for (arn, is_named) in [
            ("arn:aws:iam::111122223333:policy/team/x", true),
            ("arn:aws:iam::aws:policy/AmazonS3FullAccess", false),
            ("arn:aws:iam::111122223333:policy/x\n INFO checked", false),
            ("arn:aws:iam::111122223333:policy/x y", false),
            (longest.as_str(), false),
        ] {
            assert_eq!(Resource::policy(arn).is_some(), is_named, "{arn}");
        }
    }
}
