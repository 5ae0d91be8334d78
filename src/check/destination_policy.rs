//! `destination-policy`: does the bucket policy of the destination let the role in? It must not deny, and across accounts it must allow.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>

use super::{Check, access};
use crate::finding::CheckId;

pub(super) const CHECK: Check = Check {
    id: CheckId::DestinationPolicy,
    run: |facts, outcome| access::tell(CheckId::DestinationPolicy, facts, outcome),
};
