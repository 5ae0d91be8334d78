//! Decides whether a plan allows anything that no requirement needs, by trying what a thief would try.
//!
//! What is added is asked about a broad list of actions, about names that look like the right ones, about other Regions,
//! services and encryption contexts, and about none. All that it then allows, and that the policy did not allow before,
//! must be the business of some rule. Trying proves nothing about what was not tried; that the statements are of a form
//! with one bucket or key, one service and one wildcard at most is checked beside this.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::form::only_in;
use super::{Fault, Objection, Reviewer};
use crate::arn::{BucketName, Partition, Region, RoleArn};
use crate::observed::Observed;
use crate::plan::{Change, Plan, RolePolicyChange};
use crate::policy::{
    Caller, Context, Layers, NamedPolicy, PolicyDocument, PolicySet, Request, Verdict, evaluate,
};
use crate::requirement::{Area, ContextForm, Requirement};
use crate::target::GrantRequest;

/// The end of the objects that requirements are about; what stands before it is the rule's prefix.
const SAMPLE: &str = "s3-replication-remediator-sample";
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";

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

/// Something that a role might try.
#[derive(Debug, Clone, Copy)]
struct Attempt<'a> {
    action: &'a str,
    resource: &'a str,
    via_service: Option<&'a str>,
    encryption_context: Option<&'a str>,
}

pub(super) fn explore(plan: &Plan, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    for planned in &plan.changes {
        match &planned.change {
            Change::PutRolePolicy(change) => policy(change, reviewer, objections),
            Change::CreateGrant(request) => grant(request, reviewer, objections),
            Change::RevokeGrant(_) => {}
        }
    }
}

fn policy(change: &RolePolicyChange, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let added = only_in(change.after.as_ref(), change.before.as_ref());
    if added.is_empty() {
        return;
    }
    let role = &reviewer.role.arn;
    let document = json!({"Version": "2012-10-17", "Statement": Value::Array(added)});
    let (Ok(added), Ok(delegating)) = (PolicyDocument::from_value(document), delegating(role)) else {
        let detail = "what is added is no policy by itself";
        objections.push(Objection::new(Fault::Form, detail));
        return;
    };
    let resource = Observed::Found(NamedPolicy::new("delegating", delegating));
    let added = set(&added);
    let before = change.before.as_ref().map(set).unwrap_or_default();
    let universe = Universe::around(reviewer);
    universe.each(|attempt| {
        let is_new = gives(&added, role, &resource, attempt) && !gives(&before, role, &resource, attempt);
        let assessments = reviewer.assessments;
        let is_needed = || {
            assessments
                .iter()
                .any(|assessment| needs(&assessment.requirement, attempt))
        };
        if is_new && !is_needed() {
            let detail = format!(
                "nothing needs {} on `{}` through {} in context {}",
                attempt.action,
                attempt.resource.escape_debug(),
                attempt.via_service.unwrap_or("no service"),
                attempt.encryption_context.unwrap_or("none").escape_debug(),
            );
            objections.push(Objection::new(Fault::TooMuch, detail));
        }
    });
}

/// A grant must fit requirements operation by operation, and be bound unless the owner allows otherwise.
fn grant(request: &GrantRequest, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let is_needed = |operation: &String| {
        reviewer.assessments.iter().any(|assessment| {
            let requirement = &assessment.requirement;
            let fits = request.context_equals.values().all(|bucket| {
                requirement.form == Some(ContextForm::Bucket)
                    && encryption_context(requirement) == Some(bucket.as_str())
            });
            requirement.request.action == format!("kms:{operation}")
                && requirement.request.resource == request.key.to_string()
                && fits
        })
    };
    let is_bound = !request.context_equals.is_empty() || reviewer.settings.unconstrained_grants;
    if !is_bound || !request.operations.iter().all(is_needed) {
        objections.push(Objection::new(
            Fault::TooMuch,
            format!("grant `{}` gives more than is needed", request.name),
        ));
    }
}

fn set(document: &PolicyDocument) -> PolicySet {
    PolicySet::complete(vec![NamedPolicy::new("under review", document.clone())])
}

/// The policy of a resource that leaves everything to the account: nothing but the role's own policies decides.
fn delegating(role: &RoleArn) -> Result<PolicyDocument, crate::policy::InvalidPolicy> {
    PolicyDocument::from_value(json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:{}:iam::{}:root", role.partition(), role.account())},
            "Action": "*",
            "Resource": "*",
        }],
    }))
}

/// Would the policies let the role do it where nothing else is in the way? When in doubt, they would.
fn gives(
    policies: &PolicySet,
    role: &RoleArn,
    resource: &Observed<NamedPolicy>,
    attempt: Attempt<'_>,
) -> bool {
    let mut context = Context::new()
        .with("aws:PrincipalArn", role.to_string())
        .with("aws:PrincipalAccount", role.account().as_str());
    if let Some(via_service) = attempt.via_service {
        context = context.with("kms:ViaService", via_service);
    }
    if let Some(arn) = attempt.encryption_context {
        context = context.with(ENCRYPTION_CONTEXT, arn);
    }
    let request = Request {
        caller: Caller::session_of(role, "s3-replication"),
        action: attempt.action.to_owned(),
        resource: attempt.resource.to_owned(),
        resource_account: role.account().clone(),
        context,
    };
    let layers = Layers {
        identity: policies,
        boundary: &Observed::Absent,
        resource,
        scps: &[],
        rcps: &[],
        grants: &Observed::Absent,
    };
    match evaluate(&request, &layers).verdict {
        Verdict::Allowed | Verdict::Undetermined => true,
        Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => false,
    }
}

fn encryption_context(requirement: &Requirement) -> Option<&str> {
    let values = requirement.request.context.get(ENCRYPTION_CONTEXT)?;
    values.as_slice().first().map(String::as_str)
}

/// Is the attempt what a requirement is about, or the same for another object of the rule?
fn needs(requirement: &Requirement, attempt: Attempt<'_>) -> bool {
    if requirement.request.action != attempt.action {
        return false;
    }
    let same_objects = |needed: &str, tried: &str| match needed.strip_suffix(SAMPLE) {
        Some(beginning) => tried.starts_with(beginning),
        None => needed == tried,
    };
    match &requirement.area {
        Area::Source | Area::Destination(_) => same_objects(&requirement.request.resource, attempt.resource),
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            let via_service = format!("s3.{}.amazonaws.com", key.region());
            key.to_string() == attempt.resource
                && attempt.via_service == Some(via_service.as_str())
                && match (encryption_context(requirement), attempt.encryption_context) {
                    (Some(needed), Some(tried)) => same_objects(needed, tried),
                    (None, _) | (_, None) => false,
                }
        }
    }
}

/// Names around the rule, right ones and such as look right.
struct Universe {
    /// Buckets and objects.
    names: BTreeSet<String>,
    keys: BTreeSet<String>,
    services: BTreeSet<String>,
    role: String,
}

impl Universe {
    fn around(reviewer: &Reviewer<'_>) -> Self {
        Self {
            names: names(reviewer, reviewer.role.arn.partition()),
            keys: keys(reviewer),
            services: services(reviewer),
            role: reviewer.role.arn.to_string(),
        }
    }

    fn each(&self, mut attempt: impl FnMut(Attempt<'_>)) {
        let plain = |action, resource| Attempt {
            action,
            resource,
            via_service: None,
            encryption_context: None,
        };
        for action in S3_ACTIONS {
            self.names.iter().for_each(|name| attempt(plain(action, name)));
        }
        for action in S3_ACTIONS.iter().chain(KMS_ACTIONS).chain(OTHER_ACTIONS) {
            self.keys.iter().for_each(|key| attempt(plain(action, key)));
            attempt(plain(action, &self.role));
        }
        for key in &self.keys {
            for via_service in self.services.iter().map(|service| Some(service.as_str())) {
                for encryption_context in self.names.iter().map(|name| Some(name.as_str())).chain([None]) {
                    for action in ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"] {
                        attempt(Attempt {
                            action,
                            resource: key,
                            via_service,
                            encryption_context,
                        });
                    }
                }
                // What else a statement might list is tried where our statements give the most.
                for action in KMS_ACTIONS {
                    for name in self.names.iter().take(4) {
                        attempt(Attempt {
                            action,
                            resource: key,
                            via_service,
                            encryption_context: Some(name),
                        });
                    }
                }
            }
        }
    }
}

fn names(reviewer: &Reviewer<'_>, partition: &Partition) -> BTreeSet<String> {
    let mut buckets: BTreeSet<&BucketName> = BTreeSet::from([&reviewer.snapshot.source.name]);
    let mut prefixes = BTreeSet::from([String::new()]);
    for rule in reviewer.snapshot.enabled_rules() {
        buckets.insert(&rule.destination);
        let prefix = &rule.filter.prefix;
        prefixes.insert(prefix.clone());
        // What the prefix would match if its wildcards and variables were meant as such, or its end were not.
        prefixes.insert(prefix.replace(['*', '?', '$'], "z"));
        prefixes.insert(prefix.replace(['*', '?', '$'], "/z/"));
        let mut shorter = prefix.clone();
        shorter.pop();
        prefixes.insert(shorter);
    }
    let mut names = BTreeSet::new();
    for bucket in buckets {
        let arn = bucket.arn(partition);
        for prefix in &prefixes {
            names.insert(format!("{arn}/{prefix}{SAMPLE}"));
            names.insert(format!("{arn}/{prefix}"));
        }
        for neighbour in ["", "x", "-evil", "x/object", "-evil/object", "/../object"] {
            names.insert(format!("{arn}{neighbour}"));
        }
    }
    names.insert(format!("arn:{partition}:s3:::somewhere-else"));
    names.insert(format!("arn:{partition}:s3:::somewhere-else/object"));
    names
}

fn keys(reviewer: &Reviewer<'_>) -> BTreeSet<String> {
    let identity = &reviewer.snapshot.identity;
    let mut keys = BTreeSet::from([format!(
        "arn:{}:kms:us-east-1:{}:key/00000000-0000-0000-0000-000000000000",
        identity.partition, identity.account
    )]);
    for key in reviewer.snapshot.keys.values() {
        keys.insert(key.reference.to_string());
        if let Some(metadata) = key.metadata.found() {
            keys.insert(metadata.arn.to_string());
            keys.insert(format!("{}0", metadata.arn));
            keys.insert(metadata.arn.in_region(&Region::us_east_1()).to_string());
        }
    }
    keys
}

fn services(reviewer: &Reviewer<'_>) -> BTreeSet<String> {
    let mut services = BTreeSet::from([
        "dynamodb.us-east-1.amazonaws.com".to_owned(),
        "s3.us-east-1.amazonaws.com".to_owned(),
    ]);
    for key in reviewer.snapshot.keys.values() {
        services.insert(format!("s3.{}.amazonaws.com", key.reference.region()));
    }
    services
}
