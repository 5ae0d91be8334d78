//! S3 replication remediator: finds every reason why S3 replication silently fails, and proves the least repair.
//!
//! The modules stand in the order of their dependencies, roughly that in which data flows: each uses only those above it.
#![doc = include_str!("../docs/DESIGN.md")]

mod digest;
mod shell;
pub mod alike;
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
pub mod check;
pub mod mode;
pub mod backlog;
pub mod target;
pub mod guard;
pub mod plan;
pub mod apply;
pub mod config;
pub mod error;
pub mod report;
pub mod notify;
pub mod ledger;
pub mod telemetry;
pub mod queue;
pub mod handler;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;
