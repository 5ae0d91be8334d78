//! The reads of keys, each sent to the key's own Region: no other knows the key.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>

use aws_sdk_kms::types::{self, GrantListEntry};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::arn::{KeyArn, KeyReference, RoleArn};
use crate::observed::Observed;
use crate::policy::{Grant, GrantConstraints, NamedPolicy};
use crate::snapshot::{KeyManager, KeyMetadata, KeyState, Tags};
use crate::source::{Read, Reader};

use super::Aws;
use super::error::{Failure, Pages, Question};

/// The only key policy that there is.
const POLICY: &str = "default";

impl Aws {
    fn key_question(&self, read: Read, key: &KeyReference, reader: &Reader, what: &str) -> Question {
        self.count(read.operation());
        Question {
            read,
            what: format!("{what} {key}"),
            permit: read.permit_key(key),
            as_owner: self.reads_as_owner(reader, key.account()),
            member_role: self.member_role_of(reader),
        }
    }
}

pub(super) async fn describe(aws: &Aws, key: &KeyReference, reader: &Reader) -> Observed<KeyMetadata> {
    let question = aws.key_question(Read::DescribeKey, key, reader, "key");
    let asked = async {
        let client = aws.kms(reader, key.region()).await?;
        let answer = client.describe_key().key_id(key.to_string()).send().await;
        let answer = answer.map_err(|error| Failure::of(&error))?;
        answer
            .key_metadata
            .as_ref()
            .and_then(metadata)
            .ok_or_else(|| Failure::local("BadAnswer", "the key's metadata are not understood"))
    };
    question.answer(asked.await)
}

fn metadata(found: &types::KeyMetadata) -> Option<KeyMetadata> {
    let regions = found.multi_region_configuration();
    let arn_of = |key: &types::MultiRegionKey| key.arn()?.parse::<KeyArn>().ok();
    let primary = regions.and_then(|regions| arn_of(regions.primary_key()?));
    let copies = regions
        .into_iter()
        .flat_map(|regions| regions.replica_keys())
        .filter_map(arn_of);
    Some(KeyMetadata {
        arn: found.arn()?.parse().ok()?,
        state: KeyState::from(found.key_state()?.as_str()),
        spec: found.key_spec()?.as_str().to_owned(),
        usage: found.key_usage()?.as_str().to_owned(),
        manager: match found.key_manager()?.as_str() {
            "AWS" => KeyManager::Aws,
            "CUSTOMER" => KeyManager::Customer,
            _ => return None,
        },
        origin: found
            .origin()
            .map(|origin| origin.as_str().to_owned())
            .unwrap_or_default(),
        deletion_date: found.deletion_date().and_then(timestamp),
        material_expires: found.valid_to().and_then(timestamp),
        related: primary.iter().cloned().chain(copies).collect(),
        primary,
    })
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

pub(super) async fn policy(aws: &Aws, key: &KeyArn, reader: &Reader) -> Observed<NamedPolicy> {
    let reference = KeyReference::Key(key.clone());
    let question = aws.key_question(Read::KeyPolicy, &reference, reader, "key policy of");
    let asked = async {
        let client = aws.kms(reader, key.region()).await?;
        let answer = client
            .get_key_policy()
            .key_id(key.to_string())
            .policy_name(POLICY)
            .send()
            .await;
        Ok(answer
            .map_err(|error| Failure::of(&error))?
            .policy
            .unwrap_or_default())
    };
    match asked.await {
        Ok(text) => question.document(format!("key policy of {key}"), &text),
        Err(failure) => Failure::observe(failure, &question),
    }
}

pub(super) async fn grants(
    aws: &Aws,
    key: &KeyArn,
    grantee: &RoleArn,
    reader: &Reader,
) -> Observed<Vec<Grant>> {
    let reference = KeyReference::Key(key.clone());
    let question = aws.key_question(Read::Grants, &reference, reader, "grants of");
    let asked = async {
        let client = aws.kms(reader, key.region()).await?;
        let mut pages = Pages::default();
        loop {
            let answer = client
                .list_grants()
                .key_id(key.to_string())
                .grantee_principal(grantee.to_string())
                .limit(100)
                .set_marker(pages.next_token())
                .send()
                .await;
            let answer = answer.map_err(|error| Failure::of(&error))?;
            let found = answer.grants.unwrap_or_default();
            let next = answer.next_marker.filter(|_| answer.truncated);
            if pages.add(found.into_iter().map(|entry| grant(entry, key)), next)? {
                return Ok(pages.items);
            }
        }
    };
    question.answer(asked.await)
}

fn grant(entry: GrantListEntry, key: &KeyArn) -> Grant {
    let constraints = entry.constraints;
    let equals = constraints
        .as_ref()
        .and_then(|found| found.encryption_context_equals.clone());
    let subset = constraints
        .as_ref()
        .and_then(|found| found.encryption_context_subset.clone());
    let by_source = constraints.and_then(|found| found.source_arn);
    Grant {
        id: entry.grant_id.unwrap_or_default(),
        name: entry.name.filter(|name| !name.is_empty()),
        key: key.clone(),
        grantee: entry
            .grantee_principal
            .or(entry.grantee_service_principal)
            .unwrap_or_default(),
        retiring_principal: entry.retiring_principal.or(entry.retiring_service_principal),
        operations: entry
            .operations
            .unwrap_or_default()
            .iter()
            .map(|operation| operation.as_str().to_owned())
            .collect(),
        constraints: GrantConstraints {
            equals: equals.map(|context| context.into_iter().collect()),
            subset: subset.map(|context| context.into_iter().collect()),
            // Whether S3 sends what this one asks for is not documented.
            unknown: by_source.into_iter().map(|_| "SourceArn".to_owned()).collect(),
        },
    }
}

pub(super) async fn tags(aws: &Aws, key: &KeyArn, reader: &Reader) -> Observed<Tags> {
    let reference = KeyReference::Key(key.clone());
    let question = aws.key_question(Read::KeyTags, &reference, reader, "tags of");
    let asked = async {
        let client = aws.kms(reader, key.region()).await?;
        let mut pages = Pages::default();
        loop {
            let answer = client
                .list_resource_tags()
                .key_id(key.to_string())
                .set_marker(pages.next_token())
                .send()
                .await;
            let answer = answer.map_err(|error| Failure::of(&error))?;
            let found = answer.tags.unwrap_or_default();
            let next = answer.next_marker.filter(|_| answer.truncated);
            if pages.add(found.into_iter().map(|tag| (tag.tag_key, tag.tag_value)), next)? {
                return Ok(pages.items.into_iter().collect());
            }
        }
    };
    question.answer(asked.await)
}
