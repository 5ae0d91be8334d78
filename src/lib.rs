//! S3 replication remediator: finds every reason why S3 replication silently fails, and proves the least repair.
pub mod arn;
pub mod observed;
pub mod event;
pub mod subject;
pub mod policy;
pub mod snapshot;
pub mod source;
pub mod collect;
pub mod requirement;
pub mod assessment;
pub mod finding;
pub mod check;
pub mod target;
pub mod guard;
pub mod plan;
pub mod apply;
