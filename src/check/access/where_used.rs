//! What the role may not do and what matters only for objects of which no read tells whether there are any.
//!
//! Most buckets have none, so a sentence about it in each of their reports would say nothing. It is told where something
//! in the account or the event speaks for such objects, together with what that is, and changes no verdict.
//! * Annotations (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations.html>): a policy lets somebody write
//!   or read them, the bucket announces them, or S3 names them as the reason of a failure. Silence, where a policy stops
//!   their replication in the way that AWS documents: somebody has decided that.
//! * Objects without encryption, from before 2023: one failed at the destination, and was not looked at.

use serde_json::Value;

use super::unknown::ids_of;
use super::words::{actions_of, object_of, role, telling};
use crate::assessment::Assessment;
use crate::check::{Examination, Facts};
use crate::observed::Observed;
use crate::policy::NamedPolicy;
use crate::requirement::{Area, Feature, Necessity};

/// Denied, this stops the replication of annotations and nothing else.
const OPTED_OUT: &str = "s3:replicateobjectannotation";

pub(super) fn tell(
    facts: &Facts<'_>,
    area: &Area,
    assessments: &[&Assessment],
    examination: &mut Examination,
) {
    let denied: Vec<&Assessment> = assessments
        .iter()
        .copied()
        .filter(|one| one.is_denied())
        .collect();
    for feature in [Feature::Annotations, Feature::Plaintext] {
        let lacking: Vec<&Assessment> = denied
            .iter()
            .copied()
            .filter(|one| one.requirement.necessity == Necessity::WhereUsed(feature))
            .collect();
        let sign = match feature {
            Feature::Annotations => annotations(facts),
            Feature::Plaintext => plaintext(facts, &lacking),
        };
        let (Some(first), Some(sign), Some(role)) = (lacking.first(), sign, role(facts)) else {
            continue;
        };
        let what = match feature {
            Feature::Annotations => {
                "whether objects have annotations, which would be missing from the replicas"
            }
            Feature::Plaintext => {
                "whether objects are not encrypted, as some from before 2023 are, which could not be replicated"
            }
        };
        examination.not_evaluated(format!(
            "{what}: {sign}, and role `{}` may not {} on {}. If there are such objects, {}",
            role.arn.name(),
            actions_of(&telling(&lacking)),
            object_of(facts, area).1,
            what_now(first),
        ));
    }
}

fn what_now(denied: &Assessment) -> String {
    let lacks = denied.lacks;
    let places: Vec<&str> = [
        (lacks.role, "a policy of the role"),
        (lacks.boundary, "its permissions boundary"),
        (lacks.resource, "the policy of the bucket or key"),
    ]
    .into_iter()
    .filter_map(|(is_lacking, place)| is_lacking.then_some(place))
    .collect();
    if places.is_empty() {
        "see to the statement that denies it".to_owned()
    } else {
        format!("add it to {}", places.join(" and "))
    }
}

/// What speaks for objects with annotations.
fn annotations(facts: &Facts<'_>) -> Option<String> {
    let snapshot = facts.snapshot;
    let role = snapshot.role.found()?;
    let own = role.inline.policies.iter().chain(&role.managed.policies);
    let destinations = snapshot.destinations.values().filter_map(Observed::found);
    let of_destinations = destinations.filter_map(|bucket| bucket.policy.found());
    let mut stopping = own.clone().chain(role.boundary.found()).chain(of_destinations);
    if stopping.any(|policy| actions(policy, "Deny").any(|action| action.eq_ignore_ascii_case(OPTED_OUT))) {
        return None;
    }
    let announced = snapshot
        .source
        .failure_notifications
        .found()
        .into_iter()
        .flatten();
    if let Some(event) = announced
        .flat_map(|target| &target.events)
        .find(|event| event.starts_with("s3:ObjectAnnotation:"))
    {
        return Some(format!("the bucket announces {event}"));
    }
    let allowing = own.chain(snapshot.source.policy.found());
    let named = allowing
        .filter_map(|policy| {
            Some((
                policy,
                actions(policy, "Allow").find(|action| is_of_annotations(action))?,
            ))
        })
        .next();
    if let Some((policy, action)) = named {
        return Some(format!(
            "`{}` allows `{}`",
            policy.name.escape_debug(),
            action.escape_debug()
        ));
    }
    let failed = facts.subject.trigger.objects.iter();
    let reason = failed
        .filter_map(|object| object.failure_reason.as_deref())
        .find(|reason| is_of_annotations(reason))?;
    Some(format!("an object failed with {}", reason.escape_debug()))
}

fn is_of_annotations(name: &str) -> bool {
    name.to_ascii_lowercase().contains("annotation")
}

/// The actions that the statements with an effect name, as they are written.
fn actions<'a>(policy: &'a NamedPolicy, effect: &'static str) -> impl Iterator<Item = &'a str> {
    policy
        .document
        .raw_statements()
        .iter()
        .filter(move |statement| statement.get("Effect").and_then(Value::as_str) == Some(effect))
        .filter_map(|statement| statement.get("Action"))
        .flat_map(|actions| match actions {
            Value::Array(actions) => actions.as_slice(),
            one @ (Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                std::slice::from_ref(one)
            }
        })
        .filter_map(Value::as_str)
}

/// What speaks for objects without encryption: S3 could not write one to a destination of these rules, and nobody looked
/// how it is encrypted.
fn plaintext(facts: &Facts<'_>, lacking: &[&Assessment]) -> Option<String> {
    let snapshot = facts.snapshot;
    let was_seen = |key: &str| {
        let mut seen = snapshot.objects.iter().filter(|object| object.key == key);
        seen.any(|object| object.head.found().is_some())
    };
    let rule_ids = ids_of(lacking);
    let of_rules = |key: &str| {
        snapshot
            .enabled_rules()
            .any(|rule| rule_ids.contains(&rule.id) && key.starts_with(&rule.filter.prefix))
    };
    let failed = facts.subject.trigger.objects.iter();
    let object = failed
        .filter(|object| object.failure_reason.as_deref() == Some("DstPutObjectNotPermitted"))
        .find(|object| of_rules(&object.key) && !was_seen(&object.key))?;
    Some(format!(
        "`{}` failed at the destination and was not looked at",
        object.key.escape_debug()
    ))
}
