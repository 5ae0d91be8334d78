//! One finding about access: in which words, on what evidence, and what to do about it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use std::collections::BTreeSet;

use super::denying::{shown, spare, text_of};
use super::statement::{Place, statement};
use super::why::{Why, why};
use super::{Cause, Group, Means, means};
use crate::arn::{KeyArn, KeyReference};
use crate::assessment::{Assessment, key_of};
use crate::check::{Facts, Found};
use crate::finding::{Evidence, Finding, Remedy, RemedyKind, Severity};
use crate::policy::{Layer, Values};
use crate::requirement::{Area, ContextForm};
use crate::snapshot::{Role, SAMPLE_NAME};

pub(super) fn finding(
    facts: &Facts<'_>,
    group: &Group<'_>,
    denied: &[&Assessment],
    of_area: &[&Assessment],
) -> Finding {
    let telling = telling(denied);
    let words = Words::of(facts, group, &telling, of_area);
    let reasons = why(facts, group, &telling);
    Found {
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
    .remedy(remedy(facts, group, denied, &words))
}

/// One denial for each action and context, the most important action first: others differ from these in the object only.
pub(super) fn telling<'a>(denied: &[&'a Assessment]) -> Vec<&'a Assessment> {
    let mut seen = BTreeSet::new();
    let mut telling: Vec<&Assessment> = denied
        .iter()
        .copied()
        .filter(|one| seen.insert((&one.requirement.request.action, one.requirement.form)))
        .collect();
    telling.sort_by_key(|one| rank(&one.requirement.request.action));
    telling
}

/// Without these nothing is replicated; the others concern a part of what is.
fn rank(action: &str) -> usize {
    const FIRST: [&str; 4] = [
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "s3:ReplicateObject",
        "s3:GetObjectVersionForReplication",
    ];
    FIRST
        .iter()
        .position(|first| *first == action)
        .unwrap_or(FIRST.len())
}

/// The words that the sentences of a finding are made of.
struct Words {
    role: String,
    actions: String,
    subject: String,
    /// `replica key …`
    object: String,
    /// Who can change the bucket or key.
    owner: String,
    /// The encryption context, where another one would be allowed.
    context: String,
}

/// The actions, each once, in this order.
pub(super) fn actions_of(telling: &[&Assessment]) -> String {
    let mut actions: Vec<&str> = telling
        .iter()
        .map(|one| one.requirement.request.action.as_str())
        .collect();
    actions.dedup();
    actions.join(", ")
}

/// The ARN of what an area is about, and how it is called in a sentence.
pub(super) fn object_of(facts: &Facts<'_>, area: &Area) -> (String, String) {
    match area {
        Area::Source => (
            facts.source_arn(),
            format!("source bucket `{}`", facts.snapshot.source.name),
        ),
        Area::Destination(bucket) => (facts.arn(bucket), format!("destination bucket `{bucket}`")),
        Area::SourceKey(key) => (key.to_string(), format!("source key {key}")),
        Area::ReplicaKey(key) => (key.to_string(), format!("replica key {key}")),
    }
}

impl Words {
    fn of(facts: &Facts<'_>, group: &Group<'_>, telling: &[&Assessment], of_area: &[&Assessment]) -> Self {
        let (subject, object) = object_of(facts, group.area);
        let owner = match group.area {
            Area::Source => facts.own_account(),
            Area::Destination(bucket) => facts.owner_of(bucket),
            Area::SourceKey(key) | Area::ReplicaKey(key) => key.account().to_string(),
        };
        Self {
            role: role(facts).map_or_else(String::new, |role| role.arn.name().to_owned()),
            context: only_context(telling, of_area).unwrap_or_default(),
            actions: actions_of(telling),
            subject,
            object,
            owner,
        }
    }

    fn summary(&self, group: &Group<'_>) -> String {
        let Self {
            role,
            actions,
            object,
            context,
            ..
        } = self;
        let what = format!("{actions} on {object}{context}");
        let sentence = match &group.cause {
            Cause::Denied(statement) => format!("{statement} denies role `{role}` {what}"),
            Cause::Role => format!("no policy of role `{role}` allows {what}"),
            Cause::Boundary => format!("the permissions boundary of role `{role}` does not include {what}"),
            Cause::Resource => match group.area {
                Area::SourceKey(_) | Area::ReplicaKey(_) => {
                    format!("the key policy does not allow role `{role}` {what}")
                }
                Area::Source | Area::Destination(_) => {
                    format!("the bucket policy does not allow role `{role}` {what}")
                }
            },
        };
        match group.severity {
            Severity::Error => sentence,
            Severity::Warning | Severity::Advice => format!("{sentence}; today's objects do not need it"),
        }
    }

    fn expected(&self) -> String {
        format!(
            "role `{}` may {} on {}{}",
            self.role, self.actions, self.object, self.context
        )
    }
}

fn role<'a>(facts: &Facts<'a>) -> Option<&'a Role> {
    facts.snapshot.role.found()
}

/// The encryption context that all these denials share and that alone is the matter: with the other one, the same
/// actions are allowed.
fn only_context(denied: &[&Assessment], of_area: &[&Assessment]) -> Option<String> {
    let form = denied.first()?.requirement.form?;
    let actions: BTreeSet<&str> = denied
        .iter()
        .map(|one| one.requirement.request.action.as_str())
        .collect();
    let is_only = denied.iter().all(|one| one.requirement.form == Some(form))
        && actions.iter().all(|action| {
            of_area.iter().any(|one| {
                one.requirement.request.action == *action
                    && one.requirement.form != Some(form)
                    && one.answer.is_allowed()
            })
        });
    let context = denied
        .first()?
        .requirement
        .request
        .context
        .get("kms:EncryptionContext:aws:s3:arn")?;
    let context = context.as_slice().first()?;
    is_only.then(|| match form {
        ContextForm::Bucket => {
            format!(" with encryption context `{context}`, which S3 sends for objects with a Bucket Key")
        }
        ContextForm::Object => {
            let objects = context.strip_suffix(SAMPLE_NAME).unwrap_or(context);
            format!(" with encryption context `{objects}…`, which S3 sends for objects without a Bucket Key")
        }
    })
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
        "; asked for an object that stands for all with the prefix of the rule"
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
            (owner, spare(facts, group.area, denying))
        }
        Cause::Role => (
            own,
            format!("add to a policy of role `{role_name}`:\n{}", for_role()),
        ),
        Cause::Boundary => {
            let boundary = role(facts)
                .and_then(|role| role.boundary_arn.clone())
                .unwrap_or_default();
            (
                own,
                format!("add to the permissions boundary {boundary}:\n{}", for_role()),
            )
        }
        Cause::Resource if means == Means::Grant => (
            own,
            format!(
                "a grant on the key for role `{role_name}`, because its policy leaves nothing to the account's policies; \
                 or add to the key policy:\n{}",
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
