//! S3 replication remediator.
pub mod arn;
#[cfg(feature = "aws")]
pub mod aws;
pub mod collect;
pub mod config;
pub mod mode;
pub mod observed;
pub mod policy;
pub mod snapshot;
pub mod source;
pub mod target;
