//! What every recorded event in `events/` comes to, and what decoding does with events that nobody has recorded.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use s3_replication_remediator::arn::RoleArn;
use s3_replication_remediator::event::{
    AnswerForm, Content, Decoded, Drift, Record, Trigger, TriggerKind, decode,
};
use s3_replication_remediator::subject::subjects;
use serde_json::{Value, json};

const SOURCE: &str = "amzn-s3-demo-source-bucket";

/// What each file of `events/` comes to: the form of the answer, then a line for each record. The files under
/// `s3-notification/reason/` are not listed: their names say what they come to.
const EXPECTED: &str = r#"
alarm/event-bridge-composite.json: reports
    dropped: the alarm `storage-health` does not watch the metric `OperationsFailedReplication` of `AWS/S3`
alarm/event-bridge-contributor-without-bucket.json: reports
    invalid: field `detail.alarmContributor.attributes.SourceBucket`: expected the name of the source bucket, found nothing
alarm/event-bridge-contributor.json: reports
    alarm SOURCE
alarm/event-bridge-metric-math.json: reports
    alarm SOURCE
    alarm amzn-s3-demo-bucket2
alarm/event-bridge-ok.json: reports
    dropped: the alarm `replication-failures` is in state `OK`, not `ALARM`
alarm/event-bridge-other-metric.json: reports
    dropped: the alarm `orders-queue-age` does not watch the metric `OperationsFailedReplication` of `AWS/S3`
alarm/event-bridge-query.json: reports
    dropped: the alarm `replication-failures-anywhere` watches many buckets, and names those that it is about one by one
alarm/event-bridge-without-bucket.json: reports
    invalid: field `detail.configuration.metrics[0].metricStat.metric.dimensions.SourceBucket`: expected the name of the source bucket, found nothing
alarm/event-bridge.json: reports
    alarm SOURCE
alarm/lambda-action-contributor.json: reports
    alarm SOURCE
alarm/lambda-action.json: reports
    alarm SOURCE
alarm/sns-composite.json: reports
    dropped: the alarm `storage-health` does not watch the metric `OperationsFailedReplication` of `AWS/S3`
alarm/sns-metric-math.json: reports
    alarm SOURCE
alarm/sns-ok.json: reports
    dropped: the alarm `replication-failures` is in state `OK`, not `ALARM`
alarm/sns.json: reports
    alarm SOURCE
cloudtrail/delete.json: reports
    replication-configured SOURCE Removed by arn:aws:sts::111122223333:assumed-role/deploy/pipeline-4713
cloudtrail/put-access-denied.json: reports
    dropped: the call `PutBucketReplication` failed with `AccessDenied`, so nothing changed
cloudtrail/put-all-digit-bucket.json: reports
    replication-configured 0420420420 Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-by-account.json: reports
    replication-configured SOURCE Configured by AIDAEXAMPLEEXAMPLEEXA
cloudtrail/put-by-another-account.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::444455556666:assumed-role/platform/migration
cloudtrail/put-by-cloudformation.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::111122223333:assumed-role/cfn-execution/AWSCloudFormation
cloudtrail/put-by-federated-user.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::111122223333:federated-user/ada
cloudtrail/put-by-identity-center-user.json: reports
    replication-configured SOURCE Configured by 544894e8-80c1-707f-60e3-3ba6510dfac1
cloudtrail/put-by-own-role.json: reports
    dropped: the call `PutBucketReplication` was made by this function's own role
cloudtrail/put-by-root.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:root
cloudtrail/put-by-service.json: reports
    replication-configured SOURCE Configured by controltower.amazonaws.com
cloudtrail/put-by-unknown.json: reports
    replication-configured SOURCE Configured by 444455556666
cloudtrail/put-filter-as-string.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_StorageAdmin_0123456789abcdef/storage.admin
cloudtrail/put-kms-rule.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::111122223333:assumed-role/deploy/pipeline-4712
cloudtrail/put-lower-case-host-array.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-numbers-and-booleans.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-on-outposts.json: reports
    dropped: the call `PutBucketReplication` to `s3-outposts.amazonaws.com` changes nothing that the replication of an S3 bucket depends on
cloudtrail/put-one-rule.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-refused-wrong-region-key.json: reports
    dropped: the call `PutBucketReplication` failed with `InvalidRequest`, so nothing changed
cloudtrail/put-several-rules.json: reports
    replication-configured SOURCE Configured by arn:aws:sts::111122223333:assumed-role/deploy/pipeline-4711
cloudtrail/put-v1-rule.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-versioning.json: reports
    drift PutBucketVersioning of bucket/SOURCE by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-with-impossible-bucket.json: reports
    invalid: field `detail.requestParameters.bucketName`: expected a bucket name, found `../$(id)`
cloudtrail/put-without-configuration.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
cloudtrail/put-without-request-parameters.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
command/apply.json: command
    Apply { bucket: "SOURCE", plan: PlanDigest("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") }
command/check.json: command
    Check { bucket: "SOURCE" }
command/sweep.json: command
    Sweep
command/undo-with-role-and-keys.json: command
    Undo { bucket: "SOURCE", role: Some("arn:aws:iam::111122223333:role/service-role/s3crr_role_for_SOURCE"), keys: ["arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"], plan: Some(PlanDigest("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")) }
command/undo.json: command
    Undo { bucket: "SOURCE", role: None, keys: [], plan: None }
drift/attach-role-policy.json: reports
    drift AttachRolePolicy of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/cancel-key-deletion.json: reports
    drift CancelKeyDeletion of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/create-policy-version-not-in-force.json: reports
    dropped: the call `CreatePolicyVersion` to `iam.amazonaws.com` changes nothing that the replication of an S3 bucket depends on
drift/create-policy-version.json: reports
    drift CreatePolicyVersion of arn:aws:iam::111122223333:policy/replication by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-alias-without-resources.json: reports
    drift DeleteAlias of arn:aws:kms:eu-central-1:111122223333:alias/replicas by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-bucket-policy.json: reports
    drift DeleteBucketPolicy of bucket/amzn-s3-demo-destination-bucket by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-bucket.json: reports
    drift DeleteBucket of bucket/amzn-s3-demo-destination-bucket by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-imported-key-material.json: reports
    drift DeleteImportedKeyMaterial of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-role-permissions-boundary.json: reports
    drift DeleteRolePermissionsBoundary of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-role-policy-by-own-role.json: reports
    dropped: the call `DeleteRolePolicy` was made by this function's own role
drift/delete-role-policy.json: reports
    drift DeleteRolePolicy of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/delete-role.json: reports
    drift DeleteRole of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/detach-role-policy.json: reports
    drift DetachRolePolicy of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/disable-key-denied.json: reports
    dropped: the call `DisableKey` failed with `AccessDenied`, so nothing changed
drift/disable-key-without-key.json: reports
    invalid: field `detail.requestParameters.keyId`: expected a KMS key, here or by its ARN under `resources`, found `../x`
drift/disable-key.json: reports
    drift DisableKey of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/enable-key.json: reports
    drift EnableKey of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/encrypt.json: reports
    dropped: the call `Encrypt` to `kms.amazonaws.com` changes nothing that the replication of an S3 bucket depends on
drift/key-material-expired.json: reports
    drift KMS Imported Key Material Expiration of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by aws.kms
drift/put-bucket-encryption.json: reports
    drift PutBucketEncryption of bucket/SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/put-key-policy.json: reports
    drift PutKeyPolicy of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/put-role-policy-by-own-role.json: reports
    dropped: the call `PutRolePolicy` was made by this function's own role
drift/put-role-policy.json: reports
    drift PutRolePolicy of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/put-user-policy.json: reports
    dropped: the call `PutUserPolicy` to `iam.amazonaws.com` changes nothing that the replication of an S3 bucket depends on
drift/retire-grant.json: reports
    drift RetireGrant of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef grant abcde1237f76e4ba7987489ac329fbfba6ad343d6f7075dbd1ef191f0120514a by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/revoke-grant-by-own-role.json: reports
    dropped: the call `RevokeGrant` was made by this function's own role
drift/revoke-grant.json: reports
    drift RevokeGrant of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef grant abcde1237f76e4ba7987489ac329fbfba6ad343d6f7075dbd1ef191f0120514a by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/schedule-key-deletion-without-resources.json: reports
    drift ScheduleKeyDeletion of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/schedule-key-deletion.json: reports
    drift ScheduleKeyDeletion of arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/set-default-policy-version.json: reports
    drift SetDefaultPolicyVersion of arn:aws:iam::111122223333:policy/service-role/replication by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/suspend-versioning-of-destination.json: reports
    drift PutBucketVersioning of bucket/amzn-s3-demo-destination-bucket by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/update-alias.json: reports
    drift UpdateAlias of arn:aws:kms:eu-central-1:111122223333:alias/replicas by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
drift/update-assume-role-policy.json: reports
    drift UpdateAssumeRolePolicy of role/111122223333/s3crr_role_for_SOURCE by arn:aws:sts::111122223333:assumed-role/platform-admin/ada
envelope/foreign.json: reports
    dropped: no event that this function knows: the payload is an object with `source`, `orders`
envelope/pipes.json: batch
    #1: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
    #2: replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
envelope/sns-check-command.json: reports
    sweep SOURCE
envelope/sns-event-bridge.json: reports
    replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
envelope/sns-test-event.json: reports
    dropped: the test event that S3 sends when a notification is configured
envelope/sns.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
envelope/sqs-apply-command.json: batch
    #1: dropped: the command `apply` is taken only from a direct invocation, never from a queue or topic
    #2: dropped: the command `undo` is taken only from a direct invocation, never from a queue or topic
envelope/sqs-check-commands.json: batch
    #1: sweep SOURCE
    #2: sweep amzn-s3-demo-bucket2
envelope/sqs-event-bridge.json: batch
    #1: replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
envelope/sqs-lambda-destination.json: batch
    #1: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstPutObjectNotPermitted
envelope/sqs-mixed-with-poison.json: batch
    #1: replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
    #2: invalid: field `Records[1].body`: expected a text that holds JSON, found `{\"Records\":[{\"eventSource\":\"aws:s3\"`
    #3: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
    #4: dropped: the test event that S3 sends when a notification is configured
    #5: dropped: no event that this function knows: Records[4].body is an object with `hello`
    #6: alarm SOURCE
envelope/sqs-schedule.json: batch
    #1: Sweep
envelope/sqs-sns-alarm.json: batch
    #1: alarm SOURCE
envelope/sqs-sns-event-bridge.json: batch
    #1: replication-configured SOURCE Configured by arn:aws:iam::111122223333:user/storage-admin
envelope/sqs-sns.json: batch
    #1: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
envelope/sqs-storm.json: batch
    #1: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
    #2: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0002.pdf DstKmsKeyInvalidState
    #3: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0003.pdf DstKmsKeyInvalidState
    #4: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0004.pdf DstKmsKeyInvalidState
    #5: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0005.pdf DstKmsKeyInvalidState
    #6: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0006.pdf DstKmsKeyInvalidState
    #7: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0007.pdf DstKmsKeyInvalidState
    #8: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0008.pdf DstKmsKeyInvalidState
    #9: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0009.pdf DstKmsKeyInvalidState
    #10: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0010.pdf DstKmsKeyInvalidState
    #11: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0011.pdf DstKmsKeyInvalidState
    #12: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0012.pdf DstKmsKeyInvalidState
envelope/sqs-subscription-confirmation.json: batch
    #1: dropped: the SNS message of type `SubscriptionConfirmation` carries no event; a subscription is confirmed by its owner
envelope/sqs-test-event.json: batch
    #1: dropped: the test event that S3 sends when a notification is configured
envelope/sqs-without-message-id.json: batch
    invalid: field `Records[0].messageId`: expected the id of an SQS message, found nothing
envelope/sqs.json: batch
    #1: replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstKmsKeyInvalidState
s3-notification/failed-2.2.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstPutObjectNotPermitted
s3-notification/failed-2.6.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstPutObjectNotPermitted
s3-notification/failed-3.0.json: reports
    invalid: field `Records[0].eventVersion`: expected version 2 of S3's event structure, found `3.0`
s3-notification/failed-with-bucket-arn-only.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstPutObjectNotPermitted
s3-notification/failed-with-decoded-key.json: reports
    replication-failed SOURCE by s3.amazonaws.com replication-test.png DstPutObjectNotPermitted
s3-notification/failed-with-encoded-key.json: reports
    replication-failed SOURCE by s3.amazonaws.com résumés/2026 09/100% + tax.pdf DstPutObjectNotPermitted
s3-notification/failed-with-event-prefix.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstPutObjectNotPermitted
s3-notification/failed-with-key-that-is-no-utf-8.json: reports
    invalid: field `Records[0].s3.object.key`: expected an object key of 1 to 1024 bytes of UTF-8, found `invoices/%E2%28%A1.pdf`
s3-notification/failed-with-trailing-blank.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstVersionNotFound
s3-notification/failed-with-unknown-reason.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf DstMoonPhaseNotPermitted
s3-notification/failed-without-reason.json: reports
    replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf no reason
s3-notification/missed-threshold.json: reports
    alarm SOURCE by s3.amazonaws.com
s3-notification/not-tracked.json: reports
    alarm SOURCE by s3.amazonaws.com
s3-notification/object-created.json: reports
    dropped: the S3 event `ObjectCreated:Put` is not about replication that fails
s3-notification/replicated-after-threshold.json: reports
    dropped: the object was replicated, later than S3 Replication Time Control promises
s3-notification/test-event.json: reports
    dropped: the test event that S3 sends when a notification is configured
schedule/rule.json: reports
    Sweep
schedule/scheduler.json: reports
    Sweep
"#;

fn own_role() -> RoleArn {
    "arn:aws:iam::111122223333:role/s3-replication-remediator-function"
        .parse()
        .unwrap()
}

fn decoded(payload: &Value) -> Decoded {
    decode(payload, Some(&own_role()))
}

/// Everything recorded, by its name under `events/`.
fn recorded() -> BTreeMap<String, Value> {
    fn gather(folder: &Path, found: &mut BTreeMap<String, Value>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                gather(&path, found);
            } else if name != "README.md" {
                found.insert(name, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    gather(root(), &mut found);
    found
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/events"))
}

fn form(decoded: &Decoded) -> &'static str {
    match decoded.answer {
        AnswerForm::SqsBatch => "batch",
        AnswerForm::Reports => "reports",
        AnswerForm::Command => "command",
    }
}

/// A record in words, its message by the end of its id.
fn told(record: &Record) -> String {
    let message = record.message_id.as_deref().map_or(String::new(), |id| {
        format!("#{}: ", id.rsplit('-').next().unwrap().trim_start_matches('0'))
    });
    let content = match &record.content {
        Ok(Content::Trigger(trigger)) => told_trigger(trigger),
        Ok(Content::Drift(drift)) => told_drift(drift),
        Ok(Content::Command(command)) => format!("{command:?}"),
        Ok(Content::Dropped(reason)) => format!("dropped: {reason}"),
        Err(error) => format!("invalid: {error}"),
    };
    format!("{message}{content}").replace(SOURCE, "SOURCE")
}

fn told_drift(drift: &Drift) -> String {
    let mut words = vec![format!("drift {} of", drift.call)];
    words.extend(drift.resources.iter().map(ToString::to_string));
    words.extend(drift.grant.as_ref().map(|grant| format!("grant {grant}")));
    words.extend(drift.actor.as_ref().map(|actor| format!("by {actor}")));
    words.join(" ")
}

fn told_trigger(trigger: &Trigger) -> String {
    let kind = serde_json::to_value(trigger.kind).unwrap();
    let mut words = vec![format!("{} {}", kind.as_str().unwrap(), trigger.bucket)];
    words.extend(trigger.change.map(|change| format!("{change:?}")));
    words.extend(trigger.actor.as_ref().map(|actor| format!("by {actor}")));
    words.extend(trigger.objects.iter().map(|object| {
        let reason = object.failure_reason.as_deref().unwrap_or("no reason");
        format!("{} {reason}", object.key)
    }));
    words.join(" ")
}

#[test]
fn every_recorded_event_comes_to_what_the_table_says() {
    let mut events = recorded();
    events.retain(|name, _| !name.starts_with("s3-notification/reason/"));
    let came_to = |(name, event)| {
        let decoded = decoded(event);
        let lines: String = decoded
            .records
            .iter()
            .map(|record| format!("    {}\n", told(record)))
            .collect();
        format!("{name}: {}\n{lines}", form(&decoded))
    };
    let all: String = events.iter().map(came_to).collect();
    let lines = |text: &str| text.trim().lines().map(str::to_owned).collect::<Vec<_>>();
    for (actual, expected) in lines(&all).iter().zip(lines(EXPECTED)) {
        assert_eq!(*actual, expected);
    }
    assert_eq!(lines(&all).len(), lines(EXPECTED).len());
}

#[test]
fn every_failure_reason_reaches_the_failed_object() {
    let reasons: Vec<_> = recorded()
        .into_iter()
        .filter_map(|(name, event)| {
            let reason = name
                .strip_prefix("s3-notification/reason/")?
                .strip_suffix(".json")?;
            Some((reason.to_owned(), event))
        })
        .collect();
    assert!(reasons.len() >= 35);
    for (reason, event) in reasons {
        let decoded = decoded(&event);
        let expected =
            format!("replication-failed SOURCE by s3.amazonaws.com invoices/2026-09/0001.pdf {reason}");
        assert_eq!(decoded.records.iter().map(told).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn the_readme_has_a_row_for_every_recorded_event_and_none_else() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows: Vec<_> = readme
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| [`")?
                .split_once("`](")
                .map(|(name, _)| name.to_owned())
        })
        .collect();
    let named: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(named.len(), rows.len(), "a row stands twice");
    assert_eq!(named, recorded().into_keys().collect());
}

#[test]
fn an_event_means_the_same_in_every_envelope() {
    let body = |event: &Value| json!([{"messageId": "1", "body": event.to_string()}]);
    let notification =
        |event: &Value| json!({"Type": "Notification", "TopicArn": "t", "Message": event.to_string()});
    let topic = |event: &Value| json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": event.to_string()}}]});
    for (name, event) in recorded() {
        if name.starts_with("command/") || name.starts_with("envelope/") {
            continue;
        }
        let comparable = |payload: &Value| -> Vec<_> {
            let records = decoded(payload).records.into_iter();
            records
                .map(|record| record.content.map_err(|_| "its path differs"))
                .collect()
        };
        let bare = comparable(&event);
        for wrapped in [
            body(&event),
            topic(&event),
            body(&notification(&event)),
            body(&topic(&event)),
        ] {
            assert_eq!(comparable(&wrapped), bare, "{name}");
        }
    }
}

#[test]
fn a_storm_of_failures_is_one_question_that_all_its_messages_ask() {
    let batch = subjects(decoded(&recorded()["envelope/sqs-storm.json"]).records);
    let [subject] = batch.subjects.as_slice() else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (
            subject.bucket.as_str(),
            subject.failed_objects,
            subject.message_ids.len()
        ),
        (SOURCE, 12, 12)
    );
    assert_eq!(subject.trigger.kind, TriggerKind::ReplicationFailed);
}

#[test]
fn a_poison_message_costs_no_other_message_of_its_batch() {
    let batch = subjects(decoded(&recorded()["envelope/sqs-mixed-with-poison.json"]).records);
    let [subject] = batch.subjects.as_slice() else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (
            subject.message_ids.len(),
            batch.dropped.len(),
            batch.invalid.len()
        ),
        (3, 2, 1)
    );
    assert_eq!(subject.trigger.kind, TriggerKind::ReplicationConfigured);
    assert_eq!((subject.trigger.objects.len(), subject.failed_objects), (1, 1));
}

/// Any JSON, rich in the names and values that decoding looks for.
fn json_like_an_event() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => proptest::sample::select(vec![
            "Records", "eventSource", "EventSource", "messageId", "body", "Sns", "Message", "Type", "TopicArn", "command",
            "bucket", "plan", "keys", "role", "detail-type", "source", "detail", "alarmData", "AlarmName", "Trigger",
            "Event", "eventVersion", "eventName", "s3", "object", "key", "name", "arn", "configuration", "metrics",
            "metricStat", "metric", "dimensions", "SourceBucket", "state", "value", "requestParameters", "bucketName",
            "replicationEventData", "userIdentity", "resources", "keyId", "aliasName", "roleName", "policyArn", "progress",
            "promised", "drift", "sweep", "ARN", "NewStateValue", "Namespace", "MetricName",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let text = prop_oneof![
        3 => proptest::sample::select(vec![
            "aws:s3", "aws:sns", "aws:sqs", "aws.s3", "aws.events", "aws.cloudwatch", "s3:TestEvent", "Notification",
            "AWS API Call via CloudTrail", "CloudWatch Alarm State Change", "Scheduled Event", "s3.amazonaws.com",
            "PutBucketReplication", "Replication:OperationFailedReplication", "2.6", "ALARM", "AWS/S3", "check", "undo",
            "OperationsFailedReplication", "a-bucket", "arn:aws:s3:::a-bucket", "{", "%ff", "m-1", "m-2",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 96, 6, move |inner| {
        prop_oneof![
            2 => proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            5 => proptest::collection::vec((name.clone(), inner.clone()), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            2 => inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// A recorded event with one of its values replaced, or as it is.
fn recorded_with_a_fault() -> impl Strategy<Value = Value> {
    let events: Vec<_> = recorded().into_values().collect();
    (
        proptest::sample::select(events),
        any::<proptest::sample::Index>(),
        json_like_an_event(),
    )
        .prop_map(|(mut event, place, fault)| {
            let mut pointers = Vec::new();
            pointers_of(&event, String::new(), &mut pointers);
            *event.pointer_mut(place.get::<String>(&pointers)).unwrap() = fault;
            event
        })
}

fn pointers_of(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            pointers_of(value, format!("{path}/{}", name.replace('/', "~1")), found)
        }),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| pointers_of(value, format!("{path}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found.push(path);
}

/// What must hold of any payload: no message is lost or invented, and nothing said for people holds control characters.
fn holds(payload: &Value) -> Result<(), TestCaseError> {
    let decoded = decoded(payload);
    let items = payload.as_array().or_else(|| payload.get("Records")?.as_array());
    let sent: BTreeSet<_> = items
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("messageId")?.as_str())
        .filter(|id| !id.is_empty())
        .collect();
    let answered: BTreeSet<_> = decoded
        .records
        .iter()
        .filter_map(|record| record.message_id.as_deref())
        .collect();
    prop_assert_eq!(&answered, &sent);
    prop_assert!(sent.is_empty() || decoded.answer == AnswerForm::SqsBatch);
    for record in &decoded.records {
        let said = match &record.content {
            Ok(Content::Dropped(reason)) => reason.to_string(),
            Ok(Content::Trigger(_) | Content::Drift(_) | Content::Command(_)) => String::new(),
            Err(error) => error.to_string(),
        };
        prop_assert!(!said.contains(char::is_control) && said.len() < 4000, "{}", said);
    }
    let triggers = decoded
        .records
        .iter()
        .filter(|record| matches!(record.content, Ok(Content::Trigger(_))))
        .count();
    let (records, sent) = (
        decoded.records.len(),
        sent.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(),
    );
    let batch = subjects(decoded.records);
    prop_assert_eq!(
        records,
        triggers + batch.drifts.len() + batch.commands.len() + batch.dropped.len() + batch.invalid.len()
    );
    let mut accounted: BTreeSet<_> = batch
        .subjects
        .into_iter()
        .flat_map(|subject| subject.message_ids)
        .collect();
    accounted.extend(
        batch
            .drifts
            .into_iter()
            .filter_map(|delivered| delivered.message_id),
    );
    accounted.extend(
        batch
            .commands
            .into_iter()
            .filter_map(|delivered| delivered.message_id),
    );
    accounted.extend(
        batch
            .dropped
            .into_iter()
            .filter_map(|delivered| delivered.message_id),
    );
    accounted.extend(
        batch
            .invalid
            .into_iter()
            .filter_map(|delivered| delivered.message_id),
    );
    prop_assert_eq!(accounted, sent);
    Ok(())
}

proptest! {
    #[test]
    fn any_json_is_decoded_without_panic_and_every_message_accounted_for(payload in json_like_an_event()) {
        holds(&payload)?;
    }

    #[test]
    fn any_fault_in_a_recorded_event_leaves_every_message_accounted_for(payload in recorded_with_a_fault()) {
        holds(&payload)?;
    }

    #[test]
    fn a_message_of_one_event_has_exactly_one_fate(bodies in proptest::collection::vec(body(), 1..12)) {
        let message = |(id, body)| json!({"messageId": format!("m-{id}"), "eventSource": "aws:sqs", "body": body});
        let payload = json!({"Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>()});
        holds(&payload)?;
        let ids: Vec<_> = decoded(&payload).records.into_iter().map(|record| record.message_id.unwrap()).collect();
        prop_assert_eq!(ids, (0..bodies.len()).map(|id| format!("m-{id}")).collect::<Vec<_>>());
    }
}

/// The body of a message: a recorded event, the beginning of one, or any text.
fn body() -> impl Strategy<Value = String> {
    let is_one =
        |name: &String| !name.starts_with("envelope/") && name != "alarm/event-bridge-metric-math.json";
    let events: Vec<_> = recorded()
        .into_iter()
        .filter(|(name, _)| is_one(name))
        .map(|(_, event)| event.to_string())
        .collect();
    let event = proptest::sample::select(events);
    prop_oneof![
        event.clone(),
        (event, any::<proptest::sample::Index>())
            .prop_map(|(event, end)| event.chars().take(end.index(event.len())).collect::<String>()),
        any::<String>(),
    ]
}
