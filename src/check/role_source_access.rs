//! `role-source-access`: may the role read the source bucket as replication needs it?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>

use super::{Check, access};
use crate::finding::CheckId;

pub(super) const CHECK: Check = Check {
    id: CheckId::RoleSourceAccess,
    run: |facts, outcome| access::tell(CheckId::RoleSourceAccess, facts, outcome),
};
