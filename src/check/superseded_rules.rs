//! Which rules S3 never goes by, and nothing therefore depends on: another takes all their objects to the same bucket.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>: of rules with the same destination the one
//! with the highest priority decides.

use super::Facts;

/// Rules that are named; a person who wonders about one will look at its neighbours.
const NAMED: usize = 3;

/// What is to be said of them.
pub(super) fn note(facts: &Facts<'_>) -> Option<String> {
    let replication = facts.snapshot.replication.found()?;
    let superseded: Vec<String> = replication
        .rules
        .iter()
        .filter_map(|rule| {
            let by = rule.superseded_by.as_ref()?;
            Some(format!(
                "rule `{}`, in whose place S3 goes by rule `{}`",
                rule.id.escape_debug(),
                by.escape_debug()
            ))
        })
        .collect();
    if superseded.is_empty() {
        return None;
    }
    let named = superseded
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    let others = match superseded.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!("; {others} more"),
    };
    Some(format!(
        "{named}{others}: the other has a higher priority, takes the same objects and sends them to the same bucket"
    ))
}
