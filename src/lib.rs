//! S3 replication remediator.
pub mod arn;
pub mod observed;
pub mod policy;
pub mod snapshot;
pub mod requirement;
pub mod finding;
pub mod source;
pub mod target;
