//! `role-not-assumable`: may S3 assume the role?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>

use super::{Check, Facts, Found, Outcome, access, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;
use crate::policy::{Caller, Context, Layers, PolicySet, Request, Verdict, evaluate, explain};

pub(super) const CHECK: Check = Check {
    id: CheckId::RoleNotAssumable,
    run,
};

/// The statement of the trust policy that replication needs.
pub(super) const TRUST: &str =
    r#"{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}"#;

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
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
        context: Context::new()
            .with("aws:SecureTransport", "true")
            .with("aws:CurrentTime", facts.snapshot.taken_at.to_string())
            .with("aws:PrincipalIsAWSService", "true")
            .with("aws:PrincipalServiceName", "s3.amazonaws.com")
            // AWS does not say whether S3 sends these when it assumes a replication role.
            .with_unknown("aws:SourceArn")
            .with_unknown("aws:SourceAccount")
            .with_unknown("aws:SourceOrgID")
            .with_unknown("aws:SourceOrgPaths"),
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
    match answer.verdict {
        Verdict::Allowed => return,
        Verdict::Undetermined => return access::doubts(&request, &answer, outcome),
        Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => {}
    }
    let found = explain(&request, &answer);
    outcome.finding(
        Found {
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
        .propose(
            facts.own_account(),
            format!(
                "add this statement to the trust policy of `{}`: {TRUST}",
                role.arn.name()
            ),
        ),
    );
}
