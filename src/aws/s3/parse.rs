//! What S3 answers, as the program knows it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>. What has no known meaning is an error,
//! named by the code under which it is reported; it is never passed over.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{
    DeleteMarkerReplicationStatus, EncodingType, Event, ReplicationConfiguration, ReplicationRule,
    ReplicationRuleFilter, ServerSideEncryption, ServerSideEncryptionRule,
};
use aws_smithy_types::DateTime;
use percent_encoding::percent_decode_str;

use crate::arn::{AccountId, BucketName, KeyReference, Partition, Region};
use crate::observed::Observed;
use crate::snapshot::{
    DefaultEncryption, EncryptionType, NotificationTarget, ObjectHead, Replication, Rule, RuleFilter, Schema,
};
use crate::source::ObjectVersion;

pub(super) fn replication(
    configuration: &ReplicationConfiguration,
) -> Result<Observed<Replication>, &'static str> {
    let rules = configuration.rules().iter().map(rule).collect::<Result<_, _>>()?;
    let role = configuration.role().parse().map_err(|_| "UnknownRoleName")?;
    Ok(Observed::Found(Replication::new(role, rules)))
}

fn rule(rule: &ReplicationRule) -> Result<Rule, &'static str> {
    let destination = rule.destination().ok_or("UnknownDestinationName")?;
    let criteria = rule.source_selection_criteria();
    // The deprecated prefix is what a first-generation rule has in place of a filter.
    #[expect(deprecated, reason = "such rules are still in use")]
    let prefix = rule.prefix();
    let (schema, filter) = match rule.filter() {
        Some(given) => (Schema::V2, filter(given)),
        None => (
            Schema::V1,
            RuleFilter {
                prefix: prefix.unwrap_or_default().to_owned(),
                tags: Vec::new(),
            },
        ),
    };
    let replicates_markers = is_on(
        rule.delete_marker_replication()
            .and_then(|markers| markers.status())
            .map(DeleteMarkerReplicationStatus::as_str),
    )?;
    Ok(Rule {
        id: rule.id().unwrap_or_default().to_owned(),
        enabled: is_on(Some(rule.status().as_str()))?,
        priority: rule.priority(),
        superseded_by: None,
        schema,
        filter,
        destination: BucketName::from_arn(destination.bucket()).map_err(|_| "UnknownDestinationName")?,
        claimed_account: destination.account().and_then(|account| account.parse().ok()),
        owner_override: destination.access_control_translation().is_some(),
        sse_kms_objects: is_on(
            criteria
                .and_then(|criteria| criteria.sse_kms_encrypted_objects())
                .map(|objects| objects.status().as_str()),
        )?,
        replica_modifications: is_on(
            criteria
                .and_then(|criteria| criteria.replica_modifications())
                .map(|changes| changes.status().as_str()),
        )?,
        replica_key: destination
            .encryption_configuration()
            .and_then(|encryption| encryption.replica_kms_key_id())
            .map(str::to_owned),
        delete_markers: match schema {
            Schema::V1 => true,
            Schema::V2 => replicates_markers,
        },
        metrics: is_on(destination.metrics().map(|metrics| metrics.status().as_str()))?,
    })
}

/// What is not mentioned is off.
fn is_on(status: Option<&str>) -> Result<bool, &'static str> {
    match status {
        Some("Enabled") => Ok(true),
        Some("Disabled") | None => Ok(false),
        Some(_) => Err("UnknownRuleStatus"),
    }
}

/// A prefix, a tag, or both or several under `And`.
fn filter(filter: &ReplicationRuleFilter) -> RuleFilter {
    let and = filter.and();
    let tags = filter
        .tag()
        .into_iter()
        .chain(and.into_iter().flat_map(|and| and.tags()))
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    RuleFilter {
        prefix: filter
            .prefix()
            .or_else(|| and.and_then(|and| and.prefix()))
            .unwrap_or_default()
            .to_owned(),
        tags: tags.collect(),
    }
}

pub(super) fn default_encryption(
    rules: &[ServerSideEncryptionRule],
    partition: &Partition,
    region: &Region,
    owner: &AccountId,
) -> Result<DefaultEncryption, &'static str> {
    let Some(rule) = rules.first() else {
        return Err("NoEncryptionRule");
    };
    let Some(default) = rule.apply_server_side_encryption_by_default() else {
        return Err("NoEncryptionDefault");
    };
    Ok(DefaultEncryption {
        kind: kind(Some(default.sse_algorithm()))?,
        key: key(default.kms_master_key_id(), partition, region, owner)?,
        bucket_key: rule.bucket_key_enabled().unwrap_or_default(),
    })
}

pub(super) fn object_head(
    head: &HeadObjectOutput,
    partition: &Partition,
    region: &Region,
    owner: &AccountId,
) -> Result<ObjectHead, &'static str> {
    Ok(ObjectHead {
        encryption: match head.sse_customer_algorithm() {
            Some(_) => EncryptionType::Customer,
            None => kind(head.server_side_encryption())?,
        },
        kms_key: key(head.ssekms_key_id(), partition, region, owner)?,
        bucket_key: head.bucket_key_enabled().unwrap_or_default(),
        replication_status: head.replication_status().map(|status| status.as_str().to_owned()),
    })
}

/// Only objects from before 2023 may be under no encryption: since then S3 says of each how it is encrypted.
fn kind(algorithm: Option<&ServerSideEncryption>) -> Result<EncryptionType, &'static str> {
    match algorithm {
        None => Ok(EncryptionType::Plaintext),
        Some(ServerSideEncryption::Aes256) => Ok(EncryptionType::S3),
        Some(ServerSideEncryption::AwsKms) => Ok(EncryptionType::Kms),
        Some(ServerSideEncryption::AwsKmsDsse) => Ok(EncryptionType::KmsDualLayer),
        Some(_) => Err("UnknownEncryption"),
    }
}

fn key(
    text: Option<&str>,
    partition: &Partition,
    region: &Region,
    owner: &AccountId,
) -> Result<Option<KeyReference>, &'static str> {
    text.filter(|text| !text.is_empty())
        .map(|text| KeyReference::in_bucket(text, partition, region, owner))
        .transpose()
        .map_err(|_| "UnknownKeyName")
}

pub(super) fn notifications(output: &GetBucketNotificationConfigurationOutput) -> Vec<NotificationTarget> {
    let topics = output
        .topic_configurations()
        .iter()
        .map(|target| (target.topic_arn(), target.events()));
    let queues = output
        .queue_configurations()
        .iter()
        .map(|target| (target.queue_arn(), target.events()));
    let functions = output
        .lambda_function_configurations()
        .iter()
        .map(|target| (target.lambda_function_arn(), target.events()));
    let events_of_interest = |events: &[Event]| -> Vec<String> {
        let names = events.iter().map(|event| event.as_str());
        names
            .filter(|name| name.starts_with("s3:Replication:") || name.starts_with("s3:ObjectAnnotation:"))
            .map(str::to_owned)
            .collect()
    };
    topics
        .chain(queues)
        .chain(functions)
        .map(|(arn, events)| NotificationTarget {
            arn: arn.to_owned(),
            events: events_of_interest(events),
        })
        .filter(|target| !target.events.is_empty())
        .collect()
}

pub(super) fn newest_versions(list: ListObjectVersionsOutput, limit: usize) -> Vec<ObjectVersion> {
    let is_encoded = list.encoding_type == Some(EncodingType::Url);
    let mut versions = list.versions.unwrap_or_default();
    versions.sort_by_key(|version| std::cmp::Reverse(version.last_modified().map(moment)));
    let found = versions.into_iter().filter_map(|version| {
        let key = version.key?;
        Some(ObjectVersion {
            key: if is_encoded { decoded(&key) } else { key },
            version_id: version.version_id?,
        })
    });
    found.take(limit).collect()
}

fn moment(time: &DateTime) -> (i64, u32) {
    (time.secs(), time.subsec_nanos())
}

/// A key as `encoding-type=url` gives it, in which a plus is a space.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}
