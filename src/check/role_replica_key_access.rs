//! `role-replica-key-access`: may the role encrypt replicas, with the encryption context that S3 sends?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>

use super::{Check, access};
use crate::finding::CheckId;

pub(super) const CHECK: Check = Check {
    id: CheckId::RoleReplicaKeyAccess,
    run: |facts, outcome| access::tell(CheckId::RoleReplicaKeyAccess, facts, outcome),
};
