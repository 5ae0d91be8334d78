//! `role-destination-access`: may the role, by its own policies, write into the destination bucket as replication needs it?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>

use super::{Check, access};
use crate::finding::CheckId;

pub(super) const CHECK: Check = Check {
    id: CheckId::RoleDestinationAccess,
    run: |facts, outcome| access::tell(CheckId::RoleDestinationAccess, facts, outcome),
};
