//! Decides what is tried with a statement of a plan: what it names, and what looks like it or lies beside it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Reviewer;
use super::form::collect;
use crate::arn::{BucketName, KeyArn, Partition, Region};
use crate::policy::{PolicySet, Request, identity_verdict};
/// The end of the objects that requirements are about; what stands before it is the rule's prefix.
pub(super) use crate::snapshot::SAMPLE_NAME as SAMPLE;

pub(super) const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";

/// So many rules and keys are looked at beside what a statement itself names; the rest would only cost time.
const MOST_RULES: usize = 8;

const S3_ACTIONS: &[&str] = &[
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetBucketPolicy",
    "s3:GetEncryptionConfiguration",
    "s3:GetObject",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
    "s3:GetReplicationConfiguration",
    "s3:InitiateReplication",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectVersionAcl",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
];
const KMS_ACTIONS: &[&str] = &[
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
];
const OTHER_ACTIONS: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "lambda:InvokeFunction",
    "sts:AssumeRole",
];

/// Where a role might try something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) resource: &'a str,
    pub(super) via_service: Option<&'a str>,
    pub(super) encryption_context: Option<&'a str>,
}

/// Would the policies let the role do it where nothing else is in the way? When in doubt, they would.
pub(super) fn gives(policies: &PolicySet, request: &Request) -> bool {
    !identity_verdict(request, policies).is_denied()
}

/// What is tried with a statement: what it names itself, and what looks like it or lies beside it.
///
/// A statement allows every combination of its actions, resources and conditions. So it is enough to go one step away
/// from what it names, in one direction at a time.
#[derive(Debug, Default)]
pub(super) struct Universe {
    /// What the statement names.
    pub(super) own: Names,
    /// What else there is.
    pub(super) others: Names,
}

#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) actions: BTreeSet<String>,
    /// Buckets and objects.
    targets: BTreeSet<String>,
    /// Keys, and every other resource that is not in S3.
    keys: BTreeSet<String>,
    services: BTreeSet<String>,
}

impl Universe {
    pub(super) fn around(statement: &Value, reviewer: &Reviewer<'_>) -> Self {
        let identity = &reviewer.snapshot.identity;
        let partition = reviewer.role.arn.partition();
        let mut universe = Self::default();
        let mut texts = BTreeSet::new();
        // What a statement is called, and that it allows, names nothing that could be tried.
        let elements = statement.as_object().into_iter().flatten();
        for (_, element) in elements.filter(|(name, _)| !["Sid", "Effect"].contains(&name.as_str())) {
            collect(element, &mut texts);
        }
        for text in &texts {
            universe.add_text(text);
        }
        let others = &mut universe.others;
        others.add_bucket(&reviewer.snapshot.source.name, partition);
        for rule in reviewer.snapshot.enabled_rules().take(MOST_RULES) {
            others.add_bucket(&rule.destination, partition);
            for bucket in [&reviewer.snapshot.source.name, &rule.destination] {
                others.add_prefix(&bucket.arn(partition), &rule.filter.prefix);
            }
        }
        for key in reviewer.snapshot.keys.values().take(MOST_RULES) {
            others.keys.insert(key.reference.to_string());
        }
        others
            .targets
            .insert(format!("arn:{partition}:s3:::elsewhere/object"));
        others.keys.insert(format!(
            "arn:{partition}:kms:us-east-1:{}:key/00000000-0000-0000-0000-000000000000",
            identity.account
        ));
        others.keys.insert(reviewer.role.arn.to_string());
        for service in ["s3.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"] {
            others.services.insert(service.to_owned());
        }
        for actions in [S3_ACTIONS, KMS_ACTIONS, OTHER_ACTIONS] {
            others
                .actions
                .extend(actions.iter().map(|action| (*action).to_owned()));
        }
        universe
    }

    /// Wildcards and variables in a text are taken as such: something that they would match is tried.
    fn add_text(&mut self, text: &str) {
        let tried = text.replace(['*', '?', '$'], "zz");
        if let Ok(key) = text.parse::<KeyArn>() {
            self.others.keys.insert(format!("{key}0"));
            self.others
                .keys
                .insert(key.in_region(&Region::us_east_1()).to_string());
            self.own.keys.insert(key.to_string());
            self.own
                .services
                .insert(format!("s3.{}.amazonaws.com", key.region()));
        } else if text.contains(":s3:::") {
            let stem = meant(text.strip_suffix('*').unwrap_or(text));
            self.others.targets.insert(format!("{stem}x/object"));
            self.others.targets.insert(tried);
            self.own.targets.insert(format!("{stem}{SAMPLE}"));
            self.own.targets.insert(stem);
        } else if text.starts_with("arn:") {
            self.own.keys.insert(tried);
        } else if text.contains(':') {
            self.own.actions.insert(text.to_owned());
            self.own.actions.insert(tried);
        } else {
            self.own.services.insert(tried);
        }
    }

    /// Finds what the statement gives of all that is tried.
    pub(super) fn given(
        &self,
        statement: &PolicySet,
        anywhere: &Request,
        mut found: impl FnMut(Place<'_>, &Request),
    ) {
        let (own, others) = (&self.own, &self.others);
        for tried in [
            [&others.actions, &own.targets, &own.keys, &own.services],
            [&own.actions, &others.targets, &own.keys, &own.services],
            [&own.actions, &own.targets, &others.keys, &own.services],
            [&own.actions, &own.targets, &own.keys, &others.services],
        ] {
            given(tried, statement, anywhere, &mut found);
        }
        own.given(statement, anywhere, found);
    }
}

/// Finds what a statement gives of every action on every bucket, object and key, keys in every context and in none.
fn given(
    [actions, targets, keys, services]: [&BTreeSet<String>; 4],
    statement: &PolicySet,
    anywhere: &Request,
    mut found: impl FnMut(Place<'_>, &Request),
) {
    fn or_none(texts: &BTreeSet<String>) -> impl Iterator<Item = Option<&str>> {
        texts.iter().map(|text| Some(text.as_str())).chain([None])
    }
    let mut trial = Trial {
        statement,
        actions,
        request: anywhere.clone(),
    };
    for resource in targets {
        let place = Place {
            resource,
            via_service: None,
            encryption_context: None,
        };
        trial.at(resource, |request| found(place, request));
    }
    for via_service in or_none(services) {
        let through = match via_service {
            Some(service) => anywhere.context.clone().with("kms:ViaService", service),
            None => anywhere.context.clone(),
        };
        // What is refused whatever the encryption context may be need not be tried in each.
        trial.request.context = through.clone().with_unknown(ENCRYPTION_CONTEXT);
        let mut open = Vec::new();
        for key in keys {
            trial.at(key, |_| open.push(key));
        }
        open.dedup();
        if open.is_empty() {
            continue;
        }
        for encryption_context in or_none(targets) {
            trial.request.context = match encryption_context {
                Some(arn) => through.clone().with(ENCRYPTION_CONTEXT, arn),
                None => through.clone(),
            };
            for resource in &open {
                let place = Place {
                    resource,
                    via_service,
                    encryption_context,
                };
                trial.at(resource, |request| found(place, request));
            }
        }
    }
}

/// Asks one statement for some actions.
struct Trial<'a> {
    statement: &'a PolicySet,
    actions: &'a BTreeSet<String>,
    request: Request,
}

impl Trial<'_> {
    /// Asks for all of them there, and hands on what is given.
    fn at(&mut self, resource: &str, mut given: impl FnMut(&Request)) {
        resource.clone_into(&mut self.request.resource);
        for action in self.actions {
            self.request.action.clone_from(action);
            if gives(self.statement, &self.request) {
                given(&self.request);
            }
        }
    }
}

/// What a text of a policy stands for that escapes what would be a wildcard or variable:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.
fn meant(text: &str) -> String {
    text.replace("${*}", "*")
        .replace("${?}", "?")
        .replace("${$}", "$")
}

impl Names {
    /// Finds what the statement gives of these.
    pub(super) fn given(
        &self,
        statement: &PolicySet,
        anywhere: &Request,
        found: impl FnMut(Place<'_>, &Request),
    ) {
        let tried = [&self.actions, &self.targets, &self.keys, &self.services];
        given(tried, statement, anywhere, found);
    }

    fn add_bucket(&mut self, bucket: &BucketName, partition: &Partition) {
        let arn = bucket.arn(partition);
        for neighbour in [
            "",
            "/",
            "x",
            "-evil",
            "x/object",
            "-evil/object",
            "/../object",
            "/object",
        ] {
            self.targets.insert(format!("{arn}{neighbour}"));
        }
    }

    /// What a prefix would match if its wildcards and variables were meant as such, or its end were not.
    fn add_prefix(&mut self, bucket: &str, prefix: &str) {
        let mut shorter = prefix.to_owned();
        shorter.pop();
        for prefix in [
            prefix,
            &shorter,
            &prefix.replace(['*', '?', '$'], "z"),
            &prefix.replace(['*', '?', '$'], "/z/"),
        ] {
            self.targets.insert(format!("{bucket}/{prefix}{SAMPLE}"));
        }
    }
}
