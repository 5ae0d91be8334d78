//! How a message reports the job for objects that failed before, and what to do next about it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html>

use std::fmt::Write as _;

use super::{FIELD, line, pasteable};
use crate::report::Backlog;

/// Whole lines.
pub(super) fn told(backlog: &Backlog) -> String {
    let mut out = String::new();
    if let Some(reason) = &backlog.reason {
        let _ = writeln!(out, "No job was made: {}", line(reason, FIELD));
    }
    if let (Some(id), Some(confirm)) = (&backlog.job_id, &backlog.confirm) {
        let _ = writeln!(
            out,
            "Job {} replicates what was left behind once you confirm it:\n   {}",
            line(id, FIELD),
            pasteable(confirm)
        );
        return out;
    }
    let Some(command) = &backlog.command else {
        return out;
    };
    let role = backlog.role.as_ref();
    let set = match role.and_then(|role| role.arn.as_ref()) {
        Some(_) => "",
        None => "set BATCH_ROLE_ARN; ",
    };
    let _ = writeln!(
        out,
        "Once repaired, replicate what was left behind (S3 does not retry it; {set}the job waits for your \
         confirmation):\n   {}",
        pasteable(command)
    );
    out
}
