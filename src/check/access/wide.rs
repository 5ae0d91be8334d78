//! Where a policy of the role allows what replication needs and, by a wildcard, the same for other buckets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>: `arn:aws:s3:::logs*` is
//! also `arn:aws:s3:::logs-of-somebody-else`; a bucket with its objects is two patterns, `…:::logs` and `…:::logs/*`.

use std::collections::BTreeSet;

use super::CheckId;
use super::unknown::ids_of;
use super::words::object_of;
use crate::assessment::{Assessment, mistakes_of};
use crate::check::{Draft, Evidence, Examination, Facts, Severity};
use crate::policy::{Layer, MistakeKind};
use crate::requirement::Area;

/// Advises to narrow the wildcards of one bucket or key, where nothing worse is wrong with it.
pub(super) fn tell(
    facts: &Facts<'_>,
    area: &Area,
    check: CheckId,
    assessments: &[&Assessment],
    examination: &mut Examination,
) {
    let mut seen = BTreeSet::new();
    let mut too_wide = BTreeSet::new();
    let mut allowed = Vec::new();
    for assessment in assessments {
        let request = &assessment.requirement.request;
        // One request of each kind tells of the statement; the others would tell the same.
        if !assessment.answer.is_allowed() || !seen.insert((&request.action, assessment.requirement.form)) {
            continue;
        }
        for mistake in mistakes_of(facts.snapshot, assessment) {
            if mistake.layer == Layer::Identity
                && matches!(mistake.kind, MistakeKind::OtherBucketsIncluded { .. })
            {
                too_wide.insert(mistake.to_string());
                allowed.push(*assessment);
            }
        }
    }
    let (Some(first), Some(role)) = (too_wide.first().cloned(), facts.snapshot.role.found()) else {
        return;
    };
    let (subject, object) = object_of(facts, area);
    let call = format!("iam:GetRolePolicy and iam:GetPolicyVersion for {}", role.arn);
    let evidence = too_wide
        .iter()
        .map(|detail| Evidence {
            source: call.clone(),
            detail: detail.clone(),
        })
        .collect();
    examination.finding(
        Draft {
            check,
            severity: Severity::Advice,
            rule_ids: ids_of(&allowed),
            subject,
            summary: format!(
                "what role `{}` may do on {object} it may also do for other buckets whose names begin alike",
                role.arn.name()
            ),
            expected: "the bucket by its whole name, and its objects with `/*`".to_owned(),
            found: first,
            evidence,
        }
        .propose(
            facts.own_account(),
            format!("in that statement of role `{}`, write the bucket and the bucket with `/*` in place of the wildcard", role.arn.name()),
        ),
    );
}
