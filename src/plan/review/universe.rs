//! Decides whether a plan allows anything that no requirement needs, by trying what a thief would try.
//!
//! What is added is asked about a broad list of actions, about names that look like the right ones, about other Regions,
//! services and encryption contexts, and about none. All that it then allows, and that the policy did not allow before,
//! must be the business of some rule. Trying proves nothing about what was not tried; that the statements are of a form
//! with one bucket or key, one service and one wildcard at most is checked beside this.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::form::{collect, only_in, statement, statements};
use super::{Fault, Objection, Reviewer};
use crate::arn::{BucketName, KeyArn, Partition, Region, RoleArn};
use crate::assessment::Assessment;
use crate::plan::role_policy::bucket_in;
use crate::plan::{Change, Plan, RolePolicyChange};
use crate::policy::{Caller, Context, NamedPolicy, PolicyDocument, PolicySet, Request, identity_verdict};
use crate::requirement::{Area, ContextForm, Necessity, Requirement};
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

/// Where a role might try something.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
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
    let before = own(change.before.as_ref());
    let anywhere = anywhere(&reviewer.role.arn);
    let mut needed: BTreeMap<&str, Vec<&Requirement>> = BTreeMap::new();
    for assessment in reviewer
        .assessments
        .iter()
        .filter(|assessment| counts(assessment))
    {
        let requirement: &Requirement = &assessment.requirement;
        needed
            .entry(&requirement.request.action)
            .or_default()
            .push(requirement);
    }
    for statement in only_in(change.after.as_ref(), change.before.as_ref()) {
        let mut universe = Universe::around(&statement, reviewer);
        let added = set(vec![statement]);
        // A statement that is not about an action does not give it anywhere.
        let is_about = |action: &String| {
            added
                .policies
                .iter()
                .any(|policy| policy.document.is_about(action))
        };
        universe.own.actions.retain(is_about);
        universe.others.actions.retain(is_about);
        universe.given(&added, &anywhere, |place, request| {
            let is_needed = || {
                let needed = needed.get(request.action.as_str());
                let serves = |one: &&Requirement| needs(one, place) && reviewer.serves_us(one);
                needed.is_some_and(|needed| needed.iter().any(serves))
            };
            if !gives(&before, request) && !is_needed() {
                let detail = format!(
                    "nothing needs {} on `{}` through {} in context {}",
                    request.action.escape_debug(),
                    place.resource.escape_debug(),
                    place.via_service.unwrap_or("no service"),
                    place.encryption_context.unwrap_or("none").escape_debug(),
                );
                objections.push(Objection::new(Fault::TooMuch, detail));
            }
        });
    }
}

/// Does the change take away anything that a statement of ours gives now?
pub(super) fn takes(change: &RolePolicyChange, reviewer: &Reviewer<'_>) -> bool {
    let mut takes = false;
    given_beside(change.before.as_ref(), change.after.as_ref(), reviewer, |_| {
        takes = true
    });
    takes
}

/// The keys and buckets of which the change gives more than our statements gave before.
pub(super) fn touched(
    change: &RolePolicyChange,
    reviewer: &Reviewer<'_>,
) -> (BTreeSet<KeyArn>, BTreeSet<BucketName>) {
    let (mut keys, mut buckets) = (BTreeSet::new(), BTreeSet::new());
    given_beside(change.after.as_ref(), change.before.as_ref(), reviewer, |place| {
        keys.extend(place.resource.parse::<KeyArn>());
        buckets.extend(bucket_in(place.resource));
        buckets.extend(place.encryption_context.and_then(bucket_in));
    });
    (keys, buckets)
}

/// Finds what the statements that `one` alone has give, of all that they name, and ours in `other` do not.
fn given_beside(
    one: Option<&PolicyDocument>,
    other: Option<&PolicyDocument>,
    reviewer: &Reviewer<'_>,
    mut found: impl FnMut(Place<'_>),
) {
    let others = own(other);
    let anywhere = anywhere(&reviewer.role.arn);
    for statement in only_in(one, other) {
        let names = Universe::around(&statement, reviewer).own;
        names.given(&set(vec![statement]), &anywhere, |place, request| {
            if !gives(&others, request) {
                found(place);
            }
        });
    }
}

/// The statements of our form in a document. What somebody else wrote into it, perhaps under a condition, must not pass
/// for something that was given before.
fn own(document: Option<&PolicyDocument>) -> PolicySet {
    let mut own = statements(document);
    own.retain(|one| statement(one).is_ok());
    set(own)
}

/// A request of the role, whose action and resource are still to be filled in.
fn anywhere(role: &RoleArn) -> Request {
    Request {
        caller: Caller::session_of(role, "s3-replication"),
        action: String::new(),
        resource: String::new(),
        resource_account: role.account().clone(),
        context: Context::new()
            .with("aws:PrincipalArn", role.as_str())
            .with("aws:PrincipalAccount", role.account().as_str()),
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
            counts(assessment)
                && requirement.request.action == format!("kms:{operation}")
                && requirement.request.resource == request.key.to_string()
                && fits
                && reviewer.serves_us(requirement)
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

fn set(statements: Vec<Value>) -> PolicySet {
    let document = PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": statements}));
    PolicySet::complete(
        document
            .map(|document| NamedPolicy::new("under review", document))
            .into_iter()
            .collect(),
    )
}

/// Would the policies let the role do it where nothing else is in the way? When in doubt, they would.
fn gives(policies: &PolicySet, request: &Request) -> bool {
    !identity_verdict(request, policies).is_denied()
}

fn encryption_context(requirement: &Requirement) -> Option<&str> {
    let values = requirement.request.context.get(ENCRYPTION_CONTEXT)?;
    values.as_slice().first().map(String::as_str)
}

/// Is it a need of objects that are known? What only others would need is nothing to give.
fn counts(assessment: &Assessment) -> bool {
    !matches!(assessment.requirement.necessity, Necessity::WhereUsed(_))
}

/// Is it the place that a requirement is about, or the same for another object of the rule?
fn needs(requirement: &Requirement, place: Place<'_>) -> bool {
    let same_objects = |needed: &str, tried: &str| match needed.strip_suffix(SAMPLE) {
        Some(beginning) => tried.starts_with(beginning),
        None => needed == tried,
    };
    match &requirement.area {
        Area::Source | Area::Destination(_) => same_objects(&requirement.request.resource, place.resource),
        // What tells most of them apart comes first.
        Area::SourceKey(key) | Area::ReplicaKey(key) => {
            let is_of_objects = match (encryption_context(requirement), place.encryption_context) {
                (Some(needed), Some(tried)) => same_objects(needed, tried),
                (None, _) | (_, None) => false,
            };
            is_of_objects
                && key.to_string() == place.resource
                && place.via_service == Some(format!("s3.{}.amazonaws.com", key.region()).as_str())
        }
    }
}

/// What is tried with a statement: what it names itself, and what looks like it or lies beside it.
///
/// A statement allows every combination of its actions, resources and conditions. So it is enough to go one step away
/// from what it names, in one direction at a time.
#[derive(Debug, Default)]
struct Universe {
    /// What the statement names.
    own: Names,
    /// What else there is.
    others: Names,
}

#[derive(Debug, Default)]
struct Names {
    actions: BTreeSet<String>,
    /// Buckets and objects.
    targets: BTreeSet<String>,
    keys: BTreeSet<String>,
    services: BTreeSet<String>,
}

impl Universe {
    fn around(statement: &Value, reviewer: &Reviewer<'_>) -> Self {
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
            let stem = text.strip_suffix('*').unwrap_or(text);
            self.own.targets.insert(stem.to_owned());
            self.own.targets.insert(format!("{stem}{SAMPLE}"));
            self.others.targets.insert(format!("{stem}x/object"));
            self.others.targets.insert(tried);
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
    fn given(&self, statement: &PolicySet, anywhere: &Request, mut found: impl FnMut(Place<'_>, &Request)) {
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

impl Names {
    /// Finds what the statement gives of these.
    fn given(&self, statement: &PolicySet, anywhere: &Request, found: impl FnMut(Place<'_>, &Request)) {
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
