//! `role-source-access`: may the role read the source bucket as replication needs it?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>
//!
//! What is needed stands in `src/requirement/needs.rs` (buckets) and `src/requirement/keys.rs` (keys), how it is answered in
//! `src/assessment.rs`, how it is told in `src/check/access.rs`.

use super::{CheckId, Examination, Facts, access};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    access::tell(CheckId::RoleSourceAccess, facts, examination);
}
