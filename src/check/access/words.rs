//! The words about a denial: who, what, on what, and with which encryption context.

use std::collections::BTreeSet;

use super::{About, Cause, Group};
use crate::assessment::Assessment;
use crate::check::{Facts, Severity};
use crate::requirement::{Area, ContextForm};
use crate::snapshot::{Role, SAMPLE_NAME};

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
pub(super) struct Words {
    pub(super) role: String,
    pub(super) actions: String,
    pub(super) subject: String,
    /// `replica key …`
    pub(super) object: String,
    /// Who can change the bucket or key.
    pub(super) owner: String,
    /// The encryption context, where another one would be allowed.
    context: String,
    /// Of what is only advised: which objects need it.
    needing: &'static str,
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
    pub(super) fn of(
        facts: &Facts<'_>,
        group: &Group<'_>,
        telling: &[&Assessment],
        of_area: &[&Assessment],
    ) -> Self {
        let (subject, object) = object_of(facts, group.area);
        let owner = match group.area {
            Area::Source => facts.own_account(),
            Area::Destination(bucket) => facts.owner_of(bucket),
            Area::SourceKey(key) | Area::ReplicaKey(key) => key.account().to_string(),
        };
        let context = match group.about {
            About::All => only_context(telling, of_area).unwrap_or_default(),
            About::Failed => format!(" for objects that failed, such as {}", an_object(telling)),
            About::Part => format!(" for a part of the objects, such as {}", an_object(telling)),
        };
        Self {
            role: role(facts).map_or_else(String::new, |role| role.arn.name().to_owned()),
            needing: match context.is_empty() {
                true => needing(facts, group.area, telling),
                false => needing_context(facts),
            },
            context,
            actions: actions_of(telling),
            subject,
            object,
            owner,
        }
    }

    pub(super) fn summary(&self, group: &Group<'_>) -> String {
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
        match (group.severity, group.about) {
            (Severity::Error, _) | (_, About::Part) => sentence,
            (Severity::Warning | Severity::Advice, About::All | About::Failed) => {
                format!("{sentence}; {}", self.needing)
            }
        }
    }

    pub(super) fn expected(&self) -> String {
        format!(
            "role `{}` is allowed {} on {}{}",
            self.role, self.actions, self.object, self.context
        )
    }
}

/// Said of objects that were looked at.
const NOT_NEEDED: &str = "today's objects do not need it";

fn was_looked_at(facts: &Facts<'_>) -> bool {
    let mut objects = facts.snapshot.objects.iter();
    objects.any(|object| object.head.found().is_some())
}

fn needing_context(facts: &Facts<'_>) -> &'static str {
    match was_looked_at(facts) {
        true => NOT_NEEDED,
        false => "only such objects need it",
    }
}

/// Which objects need what is only advised, where none was looked at: nothing is known of today's, but what the settings
/// let expect.
fn needing(facts: &Facts<'_>, area: &Area, telling: &[&Assessment]) -> &'static str {
    const UNKNOWN: &str = "not all objects need it";
    if was_looked_at(facts) {
        return NOT_NEEDED;
    }
    let needs = |action: &str| {
        let mut requests = telling.iter().map(|one| &one.requirement.request);
        requests.any(|request| request.action == action)
    };
    let is_named_by_rule = || {
        let mut requirements = facts.assessments.iter().map(|one| &one.requirement);
        requirements.any(|one| one.area == *area && one.request.action == "kms:Encrypt")
    };
    // Only with a Bucket Key does S3 ask for the other actions, whatever the context.
    let is_of_bucket_keys = || {
        let of_encrypt = telling.iter().map(|one| &one.requirement);
        of_encrypt
            .filter(|one| one.request.action == "kms:Encrypt")
            .all(|one| one.form == Some(ContextForm::Bucket))
    };
    match area {
        Area::Source if needs("s3:GetObjectVersionForReplication") => "only objects under KMS keys need it",
        Area::Destination(_) if needs("s3:ReplicateDelete") => {
            "only delete markers need it, which the rule does not replicate"
        }
        Area::Destination(_) if needs("s3:PutObjectRetention") || needs("s3:PutObjectLegalHold") => {
            "only objects with a retention or a legal hold need it"
        }
        Area::ReplicaKey(_) if !is_named_by_rule() => "only objects without encryption need it",
        Area::ReplicaKey(_) if is_of_bucket_keys() => "only objects with a Bucket Key need it",
        Area::Source | Area::Destination(_) | Area::SourceKey(_) | Area::ReplicaKey(_) => UNKNOWN,
    }
}

pub(super) fn role<'a>(facts: &Facts<'a>) -> Option<&'a Role> {
    facts.snapshot.role.found()
}

/// The first object that these denials are about.
pub(super) fn an_object(denied: &[&Assessment]) -> String {
    let of_request = |one: &&Assessment| {
        let request = &one.requirement.request;
        let context = request.context.get("kms:EncryptionContext:aws:s3:arn");
        let arn = context
            .and_then(|context| context.as_slice().first())
            .unwrap_or(&request.resource);
        Some(format!("`{}`", arn.split_once('/')?.1.escape_debug()))
    };
    denied.iter().find_map(of_request).unwrap_or_default()
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
