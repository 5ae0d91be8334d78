//! One finding about access: in which words, on what evidence, and what to do about it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use super::denying::{shown, spare, text_of};
use super::managed::add_to_boundary;
use super::statement::{Place, statement};
use super::why::{Why, why};
use super::words::{Words, role, telling};
use super::{About, Cause, Group, Means, means};
use crate::arn::{KeyArn, KeyReference};
use crate::assessment::{Assessment, key_of};
use crate::check::{Draft, Evidence, Facts, Finding, Reach, Remedy, RemedyKind, Severity};
use crate::policy::{Layer, Values};
use crate::requirement::Area;
use crate::snapshot::SAMPLE_NAME;

pub(super) fn finding(
    facts: &Facts<'_>,
    group: &Group<'_>,
    denied: &[&Assessment],
    of_area: &[&Assessment],
) -> Finding {
    let telling = telling(denied);
    let words = Words::of(facts, group, &telling, of_area);
    let reasons = why(facts, group, &telling);
    let mut finding = Draft {
        check: group.check,
        severity: group.severity,
        rule_ids: denied
            .iter()
            .flat_map(|one| one.requirement.rule_ids.iter().cloned())
            .collect(),
        subject: words.subject.clone(),
        summary: words.summary(group),
        expected: words.expected(),
        found: reasons.first().map(Why::sentence).unwrap_or_default(),
        evidence: evidence(facts, group, &telling, &reasons),
    }
    .remedy(remedy(facts, group, denied, &words));
    finding.reach = reach(group, denied);
    finding
}

fn reach(group: &Group<'_>, denied: &[&Assessment]) -> Reach {
    let is_of_markers = |one: &&Assessment| one.requirement.request.action == "s3:ReplicateDelete";
    match group.about {
        About::Failed | About::Part => Reach::Some,
        About::All if denied.iter().all(is_of_markers) => Reach::DeleteMarkers,
        About::All => Reach::All,
    }
}

fn evidence(
    facts: &Facts<'_>,
    group: &Group<'_>,
    telling: &[&Assessment],
    reasons: &[Why<'_>],
) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> = reasons
        .iter()
        .map(|one| Evidence {
            source: source(facts, group),
            detail: one.sentence(),
        })
        .collect();
    if let Cause::Denied(denying) = &group.cause
        && let Some(detail) = text_of(facts, group.area, denying).and_then(shown)
    {
        evidence.push(Evidence {
            source: source(facts, group),
            detail,
        });
    }
    if let Area::ReplicaKey(key) = group.area {
        evidence.extend(aliases_of(facts, key));
    }
    if let (Area::SourceKey(key) | Area::ReplicaKey(key), Cause::Role) = (group.area, &group.cause)
        && let Some(failure) = key_of(facts.snapshot, key).and_then(|key| key.grants.failure())
    {
        evidence.push(Evidence {
            source: format!("{} {key}", failure.operation),
            detail: format!(
                "{}; a grant for the role would be an exception",
                failure.error_code
            ),
        });
    }
    if let Some(first) = telling.first() {
        let mut purposes: Vec<&str> = Vec::new();
        for one in telling {
            if !purposes.contains(&one.requirement.purpose) {
                purposes.push(one.requirement.purpose);
            }
        }
        evidence.push(Evidence {
            source: first.requirement.page.to_owned(),
            detail: format!("S3 needs it {}{}", purposes.join(", "), of_sample(telling)),
        });
    }
    evidence
}

/// The aliases by which rules name a key: who pointed one here should know that it was this.
fn aliases_of(facts: &Facts<'_>, key: &KeyArn) -> Vec<Evidence> {
    let keys = facts.snapshot.keys.values();
    keys.filter(|named| matches!(named.reference, KeyReference::Alias(_)))
        .filter(|named| {
            named
                .metadata
                .found()
                .is_some_and(|metadata| metadata.arn == *key)
        })
        .map(|named| Evidence {
            source: format!("kms:DescribeKey {}", named.reference),
            detail: format!("the alias that is named points at {key} now"),
        })
        .collect()
}

/// Policies are matched against one object: which one is worth saying where it could matter.
fn of_sample(telling: &[&Assessment]) -> &'static str {
    let is_of_objects = telling.iter().any(|one| {
        let request = &one.requirement.request;
        let context = request
            .context
            .get("kms:EncryptionContext:aws:s3:arn")
            .map_or(&[][..], Values::as_slice);
        request.resource.ends_with(SAMPLE_NAME)
            || context.iter().any(|context| context.ends_with(SAMPLE_NAME))
    });
    if is_of_objects {
        "; evaluated for a sample object under the rule's prefix"
    } else {
        ""
    }
}

/// The calls whose answers decided.
fn source(facts: &Facts<'_>, group: &Group<'_>) -> String {
    let role = role(facts);
    let arn = role.map_or_else(String::new, |role| role.arn.to_string());
    let of_role = format!("iam:GetRolePolicy and iam:GetPolicyVersion for {arn}");
    let of_boundary = || {
        let boundary = role
            .and_then(|role| role.boundary_arn.clone())
            .unwrap_or_default();
        format!("iam:GetPolicyVersion {boundary}")
    };
    let of_resource = match group.area {
        Area::Source => format!("s3:GetBucketPolicy {}", facts.source_arn()),
        Area::Destination(bucket) => format!("s3:GetBucketPolicy {}", facts.arn(bucket)),
        Area::SourceKey(key) | Area::ReplicaKey(key) => format!("kms:GetKeyPolicy and kms:ListGrants {key}"),
    };
    match &group.cause {
        Cause::Denied(statement) => match statement.layer {
            Layer::Boundary => of_boundary(),
            Layer::Resource => of_resource,
            Layer::Identity | Layer::Scp | Layer::Rcp | Layer::Grant => of_role,
        },
        Cause::Role => of_role,
        Cause::Boundary => of_boundary(),
        Cause::Resource => of_resource,
    }
}

fn remedy(facts: &Facts<'_>, group: &Group<'_>, denied: &[&Assessment], words: &Words) -> Remedy {
    let own = facts.own_account();
    let for_role = || statement(facts, group.area, Place::Role, denied);
    let for_resource = || statement(facts, group.area, Place::Resource, denied);
    let policy = match group.area {
        Area::SourceKey(_) | Area::ReplicaKey(_) => "key policy",
        Area::Source | Area::Destination(_) => "bucket policy",
    };
    let means = means(&group.cause, denied);
    let kind = match (group.severity, means) {
        (Severity::Error, Means::Policy | Means::Grant) => RemedyKind::Automatic,
        (Severity::Error, Means::Nothing) | (Severity::Warning | Severity::Advice, _) => RemedyKind::Propose,
    };
    let role_name = &words.role;
    let (owner, text) = match &group.cause {
        Cause::Denied(denying) => {
            let owner = if denying.layer == Layer::Resource {
                words.owner.clone()
            } else {
                own
            };
            let mut text = spare(facts, group.area, denying);
            if group.about == About::Part {
                text.push_str("\nor, if these objects are not meant to be replicated, let the rule's filter leave them out");
            }
            (owner, text)
        }
        Cause::Role => (
            own,
            format!("add to a policy of role `{role_name}`:\n{}", for_role()),
        ),
        Cause::Boundary => (own, add_to_boundary(role(facts), &for_role())),
        Cause::Resource if means == Means::Grant => (
            own,
            format!(
                "a grant on the key for role `{role_name}`, because its policy does not leave {} to the account's policies; \
                 or add to the key policy:\n{}",
                words.actions,
                for_resource()
            ),
        ),
        Cause::Resource => (
            words.owner.clone(),
            format!("add to the {policy} of {}:\n{}", words.object, for_resource()),
        ),
    };
    Remedy { kind, owner, text }
}
