//! `role-replica-key-access`: may the role encrypt replicas, with the encryption context that S3 sends?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>
//!
//! What is needed stands in `src/requirement/needs.rs` (buckets) and `src/requirement/keys.rs` (keys), how it is answered in
//! `src/assessment.rs`, how it is told in `src/check/access.rs`.

use super::{CheckId, Examination, Facts, access};

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    access::tell(CheckId::RoleReplicaKeyAccess, facts, examination);
}
