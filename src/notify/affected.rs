//! Which resources a report is about, by their ARNs, for forms that name them.

use std::collections::BTreeSet;

use crate::arn::{Arn, Partition};
use crate::report::Report;

/// The most that are named; Security Hub takes no more than 32, and a person reads fewer.
const MOST: usize = 20;
/// Longer than any ARN of a bucket, role or key.
const LONGEST: usize = 512;

fn may_stand_in_one(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":/+=,.@_-".contains(&byte)
}

/// The bucket first; then the roles and keys that would be changed, then whatever else is wrong, the worst first.
///
/// Subjects of findings come from replication configurations, which may name anything: what cannot be the ARN of a bucket,
/// role or key is left out, so that nothing in it is taken for markup or a link.
pub fn affected(report: &Report, partition: &Partition) -> Vec<Arn> {
    let bucket = report.bucket.name.arn(partition);
    let plan = report.plan.as_ref().map(|plan| plan.plan());
    let targets = plan
        .into_iter()
        .flat_map(|plan| &plan.changes)
        .map(|planned| planned.change.target());
    let subjects = report
        .findings
        .iter()
        .chain(&report.repaired)
        .map(|finding| finding.subject.clone());
    let mut seen = BTreeSet::new();
    std::iter::once(bucket)
        .chain(targets)
        .chain(subjects)
        .filter(|text| text.len() <= LONGEST && !text.contains("//") && text.bytes().all(may_stand_in_one))
        .filter(|text| seen.insert(text.clone()))
        .filter_map(|text| text.parse().ok())
        .take(MOST)
        .collect()
}
