//! S3 replication remediator.
pub mod arn;
pub mod event;
pub mod observed;
pub mod subject;
