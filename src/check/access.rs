//! `role-source-access`, `role-destination-access`, `destination-policy`, `role-source-key-access` and
//! `role-replica-key-access`: what the role needs and may not do, told once per bucket and key with everything that is
//! missing there.
//!
//! What is needed stands in [`crate::requirement`], what the policies say to it in [`crate::assessment`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Check, Facts, Found, Outcome};
use crate::arn::KeyArn;
use crate::assessment::{Assessment, Obstacle, Repair};
use crate::finding::{CheckId, Evidence, Finding, Remedy, RemedyKind, Severity};
use crate::observed::ReadFailure;
use crate::policy::{Answer, DoubtReason, Guardrail, Layer, Request, Verdict, explain};
use crate::requirement::{Area, Necessity};

pub(super) const CHECK: Check = Check {
    ids: &[
        CheckId::RoleSourceAccess,
        CheckId::RoleDestinationAccess,
        CheckId::DestinationPolicy,
        CheckId::RoleSourceKeyAccess,
        CheckId::RoleReplicaKeyAccess,
    ],
    run,
};

/// How many explanations stand in the evidence of one finding: the rest differ in the action only.
const EXPLAINED: usize = 6;

/// Denials that have one cause and one remedy are one finding.
type Group<'a> = (&'a Area, CheckId, Severity, Repair);

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let mut groups: BTreeMap<Group<'_>, Vec<&Assessment>> = BTreeMap::new();
    for assessment in facts.assessments {
        let requirement = &assessment.requirement;
        let severity = match (assessment.answer.verdict, &requirement.necessity) {
            (Verdict::Allowed, _) | (Verdict::Undetermined, Necessity::Advised) => continue,
            (Verdict::Undetermined, Necessity::Required | Necessity::RequiredUnless(_)) => {
                doubts(&requirement.request, &assessment.answer, outcome);
                continue;
            }
            (Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied, Necessity::RequiredUnless(failure)) => {
                outcome.unread(failure);
                continue;
            }
            (Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied, Necessity::Required) => Severity::Error,
            (Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied, Necessity::Advised) => Severity::Advice,
        };
        let key = (
            &requirement.area,
            check_of(assessment),
            severity,
            cause_of(assessment.repair),
        );
        groups.entry(key).or_default().push(assessment);
    }
    let broken: BTreeSet<&Area> = groups
        .keys()
        .filter(|(_, _, severity, _)| *severity == Severity::Error)
        .map(|(area, ..)| *area)
        .collect();
    for ((area, check, severity, repair), denied) in &groups {
        // What is advised for a key or bucket that is repaired anyhow would only lengthen the list.
        if *severity == Severity::Advice && broken.contains(area) {
            continue;
        }
        let finding = finding(facts, area, *check, *severity, *repair, denied);
        outcome.finding(finding);
    }
}

/// Which check a denial belongs to.
fn check_of(assessment: &Assessment) -> CheckId {
    match &assessment.requirement.area {
        Area::Source => CheckId::RoleSourceAccess,
        Area::Destination(_) if denied_by_resource(&assessment.answer) => CheckId::DestinationPolicy,
        Area::Destination(_) => CheckId::RoleDestinationAccess,
        Area::SourceKey(_) => CheckId::RoleSourceKeyAccess,
        Area::ReplicaKey(_) => CheckId::RoleReplicaKeyAccess,
    }
}

/// The two kinds of grant close the same hole.
fn cause_of(repair: Repair) -> Repair {
    match repair {
        Repair::UnconstrainedGrant => Repair::ConstrainedGrant,
        other @ (Repair::None | Repair::RolePolicy | Repair::ConstrainedGrant | Repair::Person(_)) => other,
    }
}

fn denied_by_resource(answer: &Answer) -> bool {
    answer.verdict == Verdict::ExplicitlyDenied
        && answer.blocked_by.iter().any(|guardrail| {
            matches!(guardrail, Guardrail::ExplicitDeny(statement) if statement.layer == Layer::Resource)
        })
}

/// Notes what an undetermined answer would have needed.
pub(super) fn doubts(request: &Request, answer: &Answer, outcome: &mut Outcome) {
    for doubt in &answer.doubts {
        match &doubt.reason {
            DoubtReason::Unread(failure) => outcome.unread(failure),
            _ => outcome.unread(&ReadFailure {
                what: format!("whether {} is allowed: {doubt}", request.action),
                operation: request.action.clone(),
                error_code: "NotUnderstood".to_owned(),
                permit: String::new(),
            }),
        }
    }
    if answer.doubts.is_empty() {
        outcome.unread(&ReadFailure {
            what: format!("whether {} on {} is allowed", request.action, request.resource),
            operation: request.action.clone(),
            error_code: "NotUnderstood".to_owned(),
            permit: String::new(),
        });
    }
}

fn finding(
    facts: &Facts<'_>,
    area: &Area,
    check: CheckId,
    severity: Severity,
    repair: Repair,
    denied: &[&Assessment],
) -> Finding {
    let actions: BTreeSet<&str> = denied
        .iter()
        .map(|assessment| assessment.requirement.request.action.as_str())
        .collect();
    let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
    let role = facts
        .snapshot
        .role
        .found()
        .map_or_else(String::new, |role| role.arn.name().to_owned());
    let (subject, object) = match area {
        Area::Source => (
            facts.source_arn(),
            format!("source bucket `{}`", facts.snapshot.source.name),
        ),
        Area::Destination(bucket) => (facts.arn(bucket), format!("destination bucket `{bucket}`")),
        Area::SourceKey(key) => (key.to_string(), format!("source key `{}`", key.id())),
        Area::ReplicaKey(key) => (key.to_string(), format!("replica key `{}`", key.id())),
    };
    let summary = match severity {
        Severity::Error => format!("role `{role}` may not {actions} on {object}"),
        Severity::Warning | Severity::Advice => {
            format!("role `{role}` may not {actions} on {object}, which today's objects do not need")
        }
    };
    let mut purposes: Vec<&str> = denied
        .iter()
        .map(|assessment| assessment.requirement.purpose)
        .collect();
    purposes.dedup();
    let mut explanations: Vec<String> = denied
        .iter()
        .map(|one| explain(&one.requirement.request, &one.answer))
        .collect();
    explanations.dedup();
    let found = explanations.first().cloned().unwrap_or_default();
    let mut evidence: Vec<Evidence> = Vec::new();
    for assessment in denied {
        let request = &assessment.requirement.request;
        let detail = explain(request, &assessment.answer);
        if evidence.len() < EXPLAINED && !evidence.iter().any(|one| one.detail == detail) {
            evidence.push(Evidence {
                source: sources(facts, area, &assessment.answer),
                detail,
            });
        }
    }
    if let Some(page) = denied.first().map(|assessment| assessment.requirement.page) {
        evidence.push(Evidence {
            source: page.to_owned(),
            detail: format!("S3 needs it {}", purposes.join(", ")),
        });
    }
    Found {
        check,
        severity,
        rule_ids: denied
            .iter()
            .flat_map(|assessment| assessment.requirement.rule_ids.clone())
            .collect(),
        subject,
        summary,
        expected: format!("{actions} allowed for the role"),
        found,
        evidence,
    }
    .remedy(remedy(facts, area, severity, repair, denied))
}

/// The calls whose answers decided.
fn sources(facts: &Facts<'_>, area: &Area, answer: &Answer) -> String {
    let role = facts
        .snapshot
        .role
        .found()
        .map_or_else(String::new, |role| role.arn.to_string());
    let resource = match area {
        Area::Source => format!("s3:GetBucketPolicy {}", facts.source_arn()),
        Area::Destination(bucket) => format!("s3:GetBucketPolicy {}", facts.arn(bucket)),
        Area::SourceKey(key) | Area::ReplicaKey(key) => format!("kms:GetKeyPolicy and kms:ListGrants {key}"),
    };
    if denied_by_resource(answer) {
        return resource;
    }
    format!("iam:GetRolePolicy and iam:GetPolicyVersion {role}; {resource}")
}

fn remedy(
    facts: &Facts<'_>,
    area: &Area,
    severity: Severity,
    repair: Repair,
    denied: &[&Assessment],
) -> Remedy {
    let own = facts.own_account();
    if severity == Severity::Advice {
        return Remedy {
            kind: RemedyKind::Propose,
            owner: own,
            text: format!("add to a policy of the role: {}", role_statement(area, denied)),
        };
    }
    let owner = match area {
        Area::Source => own.clone(),
        Area::Destination(bucket) => facts
            .snapshot
            .destination(bucket)
            .and_then(|bucket| bucket.found()?.owner.found())
            .map_or_else(|| format!("owner of `{bucket}`"), ToString::to_string),
        Area::SourceKey(key) | Area::ReplicaKey(key) => key.account().to_string(),
    };
    match repair {
        Repair::RolePolicy => Remedy {
            kind: RemedyKind::Automatic,
            owner: own,
            text: "a statement in a policy of ours on the role; the plan has it".to_owned(),
        },
        Repair::ConstrainedGrant | Repair::UnconstrainedGrant => Remedy {
            kind: RemedyKind::Automatic,
            owner: own,
            text: "a KMS grant for the role, because the key policy does not leave the decision to the account; the plan \
                   has it"
                .to_owned(),
        },
        Repair::Person(Obstacle::ExplicitDeny) => {
            let by_resource = denied.iter().any(|assessment| denied_by_resource(&assessment.answer));
            Remedy {
                kind: RemedyKind::Propose,
                owner: if by_resource { owner } else { own },
                text: "change the denying statement so that it spares the replication role (for example with the \
                       condition {\"ArnNotLike\": {\"aws:PrincipalArn\": \"ARN of the role\"}}); no Allow outweighs a Deny"
                    .to_owned(),
            }
        }
        Repair::Person(Obstacle::Boundary) => Remedy {
            kind: RemedyKind::Propose,
            owner: own,
            text: format!("add to the role's permissions boundary: {}", role_statement(area, denied)),
        },
        Repair::Person(Obstacle::ResourcePolicy) | Repair::None => Remedy {
            kind: RemedyKind::Propose,
            owner,
            text: match area {
                Area::SourceKey(_) | Area::ReplicaKey(_) => {
                    format!("add to the key policy: {}", resource_statement(facts, area, denied))
                }
                Area::Source | Area::Destination(_) => {
                    format!("add to the bucket policy: {}", resource_statement(facts, area, denied))
                }
            },
        },
    }
}

/// The actions and resources that are denied, as a statement for a policy of the role.
fn role_statement(area: &Area, denied: &[&Assessment]) -> Value {
    json!({
        "Effect": "Allow",
        "Action": actions(denied),
        "Resource": match area {
            Area::SourceKey(key) | Area::ReplicaKey(key) => json!(key.to_string()),
            Area::Source | Area::Destination(_) => json!(resources(denied)),
        },
    })
}

/// The same for the policy of the bucket or key itself.
fn resource_statement(facts: &Facts<'_>, area: &Area, denied: &[&Assessment]) -> Value {
    let role = facts
        .snapshot
        .role
        .found()
        .map_or_else(String::new, |role| role.arn.to_string());
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": actions(denied),
        "Resource": match area {
            // In a key policy, this means the key that it belongs to.
            Area::SourceKey(_) | Area::ReplicaKey(_) => json!("*"),
            Area::Source | Area::Destination(_) => json!(resources(denied)),
        },
    });
    if let (Area::SourceKey(key) | Area::ReplicaKey(key), Some(object)) = (area, statement.as_object_mut()) {
        object.insert("Condition".to_owned(), via_s3(key));
    }
    statement
}

fn via_s3(key: &KeyArn) -> Value {
    json!({"StringEquals": {"kms:ViaService": format!("s3.{}.amazonaws.com", key.region())}})
}

fn actions(denied: &[&Assessment]) -> BTreeSet<String> {
    denied
        .iter()
        .map(|assessment| assessment.requirement.request.action.clone())
        .collect()
}

/// The bucket itself for actions on it, all its objects for actions on objects.
fn resources(denied: &[&Assessment]) -> BTreeSet<String> {
    denied
        .iter()
        .map(|assessment| {
            let resource = &assessment.requirement.request.resource;
            match resource.split_once('/') {
                Some((bucket, _)) => format!("{bucket}/*"),
                None => resource.clone(),
            }
        })
        .collect()
}
