//! `destination-policy`: does the bucket policy of the destination let the role in? It must not deny, and across accounts it must allow.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>
//!
//! What is needed stands in `src/requirement/needs.rs` (buckets) and `src/requirement/keys.rs` (keys), how it is answered in
//! `src/assessment.rs`, how it is told in `src/check/access.rs`.

use super::{CheckId, Examination, Facts, access};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    access::tell(CheckId::DestinationPolicy, facts, examination);
}
