//! S3 replication remediator.
pub mod arn;
pub mod observed;
pub mod policy;
