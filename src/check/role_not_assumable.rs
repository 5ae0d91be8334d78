//! `role-not-assumable`: may S3 assume the role?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>

use super::{CheckId, Draft, Examination, Facts, Severity, access, evidence, ids};
use crate::observed::Observed;
use crate::policy::{Answer, Caller, Context, Decision, Layers, PolicySet, Request, evaluate, explain};
use crate::snapshot::Role;

/// The statement of the trust policy that replication needs.
pub(super) const TRUST: &str =
    r#"{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}"#;

/// What is quoted is one of several requests that are all denied.
const WITH_SOURCE: &str = " That is the request if S3 sends `aws:SourceAccount` and `aws:SourceArn`, which is not known; \
                           without them it is denied as well";

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    let Some(role) = facts.snapshot.role.found() else {
        return;
    };
    let is_named = facts
        .snapshot
        .replication
        .found()
        .is_some_and(|replication| replication.role == role.arn);
    if rule_ids.is_empty() || !is_named {
        return;
    }
    let request = Request {
        caller: Caller::Service("s3.amazonaws.com".to_owned()),
        action: "sts:AssumeRole".to_owned(),
        resource: role.arn.to_string(),
        resource_account: role.arn.account().clone(),
        context: context(facts, role),
    };
    let nothing = PolicySet::default();
    let layers = Layers {
        identity: &nothing,
        boundary: &Observed::Absent,
        resource: &role.trust,
        scps: &[],
        rcps: &[],
        grants: &Observed::Absent,
    };
    let answer = evaluate(&request, &layers);
    let (request, answer, rests) = match answer.decision {
        Decision::Allowed => return,
        Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => (request, answer, ""),
        Decision::Undetermined => {
            let either_way: Vec<(Request, Answer)> = with_or_without_source(facts, &request)
                .map(|request| {
                    let answer = evaluate(&request, &layers);
                    (request, answer)
                })
                .collect();
            if either_way.iter().all(|(_, answer)| answer.is_allowed()) {
                return;
            }
            let is_certain = either_way.iter().all(|(_, answer)| answer.is_denied());
            match either_way.into_iter().next().filter(|_| is_certain) {
                Some((request, answer)) => (request, answer, WITH_SOURCE),
                None => return access::doubts(&request, &answer, examination),
            }
        }
    };
    let found = format!("{}{rests}", explain(&request, &answer));
    let denying = answer.deciding.first();
    let remedy = match denying.filter(|_| answer.decision == Decision::ExplicitlyDenied) {
        Some(statement) => format!("remove {statement}, which no Allow outweighs"),
        None => format!(
            "add this statement to the trust policy of `{}`: {TRUST}",
            role.arn.name()
        ),
    };
    examination.finding(
        Draft {
            check: CheckId::RoleNotAssumable,
            severity: Severity::Error,
            rule_ids,
            subject: role.arn.to_string(),
            summary: format!(
                "S3 may not assume replication role `{}`, so it replicates nothing",
                role.arn.name()
            ),
            expected: TRUST.to_owned(),
            found: found.clone(),
            evidence: evidence("iam:GetRole", &role.arn, found),
        }
        .propose(facts.own_account(), remedy),
    );
}

/// The request as it is if S3 says for which bucket it assumes the role, and if it does not. AWS documents neither; but
/// what a policy says to all of these it says to what S3 does.
fn with_or_without_source(facts: &Facts<'_>, request: &Request) -> impl Iterator<Item = Request> {
    let keys = [
        ("aws:SourceAccount", facts.own_account()),
        ("aws:SourceArn", facts.source_arn()),
    ];
    // The first sends both: it is what a report quotes.
    [[true, true], [true, false], [false, true], [false, false]]
        .into_iter()
        .map(move |sent| {
            let mut request = request.clone();
            for ((key, value), is_sent) in keys.iter().zip(sent) {
                request.context = match is_sent {
                    true => request.context.clone().with(*key, value.clone()),
                    false => request.context.clone().without(key),
                };
            }
            request
        })
}

/// The condition keys of the call by which S3 assumes the role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>
fn context(facts: &Facts<'_>, role: &Role) -> Context {
    let now = facts.snapshot.taken_at;
    let mut context = Context::new()
        .with("aws:SecureTransport", "true")
        .with("aws:CurrentTime", now.to_string())
        .with("aws:EpochTime", now.as_second().to_string())
        .with("aws:PrincipalIsAWSService", "true")
        .with("aws:PrincipalServiceName", "s3.amazonaws.com")
        .with("aws:ResourceAccount", role.arn.account().as_str());
    for (key, value) in &role.tags {
        context = context
            .with(format!("aws:ResourceTag/{key}"), value.as_str())
            .with(format!("iam:ResourceTag/{key}"), value.as_str());
    }
    // AWS does not say whether S3 sends the first four when it assumes a replication role, nor what it has for the others.
    [
        "aws:SourceArn",
        "aws:SourceAccount",
        "aws:SourceOrgID",
        "aws:SourceOrgPaths",
        "aws:PrincipalServiceNamesList",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:RequestedRegion",
        "aws:ResourceOrgID",
        "aws:ResourceOrgPaths",
        "aws:UserAgent",
        "aws:userid",
        "aws:ViaAWSService",
        "sts:RoleSessionName",
    ]
    .into_iter()
    .fold(context, Context::with_unknown)
}
