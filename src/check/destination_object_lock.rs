//! `destination-object-lock`: objects of a bucket with Object Lock can only be replicated into one that has it too.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>

use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    if facts.snapshot.enabled_rules().next().is_none() {
        return;
    }
    let locked = match &facts.snapshot.source.object_lock {
        Observed::Absent => return,
        Observed::Found(()) => true,
        Observed::Unreadable(failure) => {
            examination.unread(failure);
            false
        }
    };
    if !locked {
        return;
    }
    for (name, bucket, rules) in facts.destinations() {
        let Some(bucket) = bucket.found().filter(|bucket| !bucket.is_gone()) else {
            continue;
        };
        match &bucket.object_lock {
            Observed::Found(()) => continue,
            Observed::Unreadable(failure) => {
                examination.unread(failure);
                continue;
            }
            Observed::Absent => {}
        }
        let arn = facts.arn(name);
        let owner = facts.owner_of(name);
        examination.finding(
            Draft {
                check: CheckId::DestinationObjectLock,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!(
                    "the source bucket has Object Lock on and destination bucket `{name}` has not"
                ),
                expected: "Object Lock on".to_owned(),
                found: "Object Lock off".to_owned(),
                evidence: evidence(
                    "s3:GetObjectLockConfiguration",
                    &arn,
                    "no Object Lock configuration",
                ),
            }
            .propose(
                owner,
                format!(
                    "this cannot be undone: Object Lock cannot be switched off again, nor versioning suspended from then \
                     on:\naws s3api put-object-lock-configuration --bucket {name} --object-lock-configuration \
                     ObjectLockEnabled=Enabled"
                ),
            ),
        );
    }
}
