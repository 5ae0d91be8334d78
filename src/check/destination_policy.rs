//! `destination-policy`: does the bucket policy of the destination let the role in? It must not deny, and across accounts it must allow.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>
//!
//! What is needed stands in `src/requirement/needs.rs` (buckets) and `src/requirement/keys.rs` (keys), how it is answered in
//! `src/assessment.rs`, how it is told in `src/check/access.rs`.

use serde_json::Value;

use super::{CheckId, Examination, Facts, access};
use crate::policy::PolicyDocument;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    access::tell(CheckId::DestinationPolicy, facts, examination);
    for (name, bucket, _) in facts.destinations() {
        let Some(bucket) = bucket.found() else {
            continue;
        };
        let is_another_accounts = bucket
            .owner
            .found()
            .is_some_and(|owner| *owner != facts.snapshot.identity.account);
        let policy = bucket.policy.found().map(|policy| &policy.document);
        if is_another_accounts && policy.is_some_and(lets_in_everyone) {
            examination.not_evaluated(format!(
                "whether `{name}` has RestrictPublicBuckets on: its policy lets in everyone too, and S3 then ignores what it \
                 allows other accounts"
            ));
        }
    }
}

/// Does a statement allow something to everyone, whatever else holds? Block Public Access takes the policy for a public one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>).
fn lets_in_everyone(policy: &PolicyDocument) -> bool {
    let is_star = |value: &Value| {
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        values.iter().any(|value| value.as_str() == Some("*"))
    };
    policy.raw_statements().iter().any(|statement| {
        let principal = statement.get("Principal");
        let named = principal.and_then(|principal| principal.get("AWS")).or(principal);
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && statement.get("Condition").is_none()
            && named.is_some_and(is_star)
    })
}
