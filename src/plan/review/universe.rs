//! Decides whether a plan allows anything that no requirement needs, by trying what a thief would try.
//!
//! What is added is asked about a broad list of actions, about names that look like the right ones, about other Regions,
//! services and encryption contexts, and about none. All that it then allows, and that the policy did not allow before,
//! must be the business of some rule. Trying proves nothing about what was not tried; that the statements are of a form
//! with one bucket or key, one service and one wildcard at most is checked beside this.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::form::{collect, only_in};
use super::{Fault, Objection, Reviewer};
use crate::arn::{BucketName, KeyArn, Partition, Region, RoleArn};
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

/// Our statements only allow, so a document gives what its statements give, and each is tried by itself. That keeps the
/// trials as few as the document is short, however many rules there are.
fn policy(change: &RolePolicyChange, reviewer: &Reviewer<'_>, objections: &mut Vec<Objection>) {
    let role = &reviewer.role.arn;
    let Ok(delegating) = delegating(role) else {
        return;
    };
    let resource = Observed::Found(NamedPolicy::new("delegating", delegating));
    let before = change.before.as_ref().map(set).unwrap_or_default();
    for statement in only_in(change.after.as_ref(), change.before.as_ref()) {
        let universe = Universe::around(&statement, reviewer);
        let document = json!({"Version": "2012-10-17", "Statement": [statement]});
        let Ok(added) = PolicyDocument::from_value(document) else {
            let detail = "what is added is no policy by itself";
            objections.push(Objection::new(Fault::Form, detail));
            return;
        };
        let added = set(&added);
        universe.each(|attempt| {
            let assessments = reviewer.assessments;
            let is_needed = || {
                assessments
                    .iter()
                    .any(|assessment| needs(&assessment.requirement, attempt))
            };
            if gives(&added, role, &resource, attempt)
                && !gives(&before, role, &resource, attempt)
                && !is_needed()
            {
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

/// Names around a statement, right ones and such as look right.
#[derive(Debug, Default)]
struct Universe {
    /// Actions beside the usual ones.
    actions: BTreeSet<String>,
    /// Buckets and objects.
    names: BTreeSet<String>,
    keys: BTreeSet<String>,
    services: BTreeSet<String>,
    /// The services whose actions the statement may be about; empty for any.
    about: BTreeSet<String>,
}

impl Universe {
    fn around(statement: &Value, reviewer: &Reviewer<'_>) -> Self {
        let identity = &reviewer.snapshot.identity;
        let partition = reviewer.role.arn.partition();
        let mut universe = Self::default();
        let mut texts = BTreeSet::new();
        collect(statement, &mut texts);
        for text in &texts {
            universe.add_text(text);
        }
        universe.about = services_of(statement);
        universe.add_bucket(&reviewer.snapshot.source.name, partition);
        for rule in reviewer.snapshot.enabled_rules().take(MOST_RULES) {
            universe.add_bucket(&rule.destination, partition);
            for bucket in [&reviewer.snapshot.source.name, &rule.destination] {
                universe.add_prefix(&bucket.arn(partition), &rule.filter.prefix);
            }
        }
        for key in reviewer.snapshot.keys.values().take(MOST_RULES) {
            universe.keys.insert(key.reference.to_string());
        }
        universe
            .names
            .insert(format!("arn:{partition}:s3:::elsewhere/object"));
        universe.keys.insert(format!(
            "arn:{partition}:kms:us-east-1:{}:key/00000000-0000-0000-0000-000000000000",
            identity.account
        ));
        universe.keys.insert(reviewer.role.arn.to_string());
        for service in ["s3.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"] {
            universe.services.insert(service.to_owned());
        }
        universe
    }

    /// What the statement itself names, with its wildcards and variables taken as such, and what stands beside it.
    fn add_text(&mut self, text: &str) {
        let tried = text.replace(['*', '?', '$'], "zz");
        if let Ok(key) = text.parse::<KeyArn>() {
            self.keys.insert(format!("{key}0"));
            self.keys.insert(key.in_region(&Region::us_east_1()).to_string());
            self.keys.insert(key.to_string());
            self.services.insert(format!("s3.{}.amazonaws.com", key.region()));
        } else if text.contains(":s3:::") {
            for end in ["*", ""] {
                let stem = text.strip_suffix(end).unwrap_or(text);
                self.names.insert(stem.to_owned());
                self.names.insert(format!("{stem}{SAMPLE}"));
                self.names.insert(format!("{stem}x/object"));
            }
            self.names.insert(tried);
        } else if text.starts_with("arn:") {
            self.keys.insert(tried);
        } else if text.contains(':') {
            self.actions.insert(tried);
        } else {
            self.services.insert(tried);
        }
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
            self.names.insert(format!("{arn}{neighbour}"));
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
            self.names.insert(format!("{bucket}/{prefix}{SAMPLE}"));
        }
    }

    fn is_about(&self, service: &str) -> bool {
        self.about.is_empty() || self.about.contains(service)
    }

    fn each(&self, mut attempt: impl FnMut(Attempt<'_>)) {
        let plain = |action, resource| Attempt {
            action,
            resource,
            via_service: None,
            encryption_context: None,
        };
        let named = || self.actions.iter().map(String::as_str);
        if self.is_about("s3") {
            for action in S3_ACTIONS.iter().copied().chain(named()) {
                self.names.iter().for_each(|name| attempt(plain(action, name)));
            }
        }
        let all = || {
            [S3_ACTIONS, KMS_ACTIONS, OTHER_ACTIONS]
                .into_iter()
                .flatten()
                .copied()
        };
        for action in all().chain(named()) {
            self.keys.iter().for_each(|key| attempt(plain(action, key)));
        }
        if !self.is_about("kms") {
            return;
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
                // Other actions of KMS where our statements give the most.
                for action in KMS_ACTIONS.iter().copied().chain(named()) {
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

/// The services that a statement lists actions of; empty where it might be about any.
fn services_of(statement: &Value) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    if let Some(action) = statement.get("Action") {
        collect(action, &mut actions);
    }
    let service = |action: &String| {
        let (service, _) = action.split_once(':')?;
        (!service.contains(['*', '?'])).then(|| service.to_ascii_lowercase())
    };
    actions
        .iter()
        .map(service)
        .collect::<Option<_>>()
        .unwrap_or_default()
}
