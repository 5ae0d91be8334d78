//! What a report says of objects that failed before: the job that replicates them, ready to paste, and the result of
//! creating it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html>

use serde::Serialize;

use crate::arn::RoleArn;
use crate::backlog::{Job, JobRefusal};
use crate::check::{CheckId, Finding, Severity};
use crate::shell::shell_quote;
use crate::snapshot::Snapshot;
use crate::subject::Subject;
use crate::target::WriteFailure;

/// What failed before, and how to replicate it: S3 does not retry by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// How many object versions are known to have failed; unknown where no event told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_objects: Option<usize>,
    /// What became of the job.
    pub status: JobStatus,
    /// Why it was not made, and what would permit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The job that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Confirms it; until then it does nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Creates the job, which waits for a person to confirm it; left out where no job is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The role that the job runs as; left out likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<BatchRole>,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobStatus {
    /// Nobody asked for it.
    Proposed,
    /// It is made, now or by the same order before, and waits to be confirmed.
    Created,
    /// It may not be made.
    Refused,
    /// AWS did not make it.
    Failed,
}

/// The role that a job runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchRole {
    /// Its ARN; null where none is set.
    pub arn: Option<RoleArn>,
    /// The least that it must be allowed, as JSON.
    pub policy: String,
    /// Who must be able to assume it, as JSON.
    pub trust_policy: String,
}

impl Backlog {
    /// A job that nobody asked for yet.
    pub(crate) fn new(job: Option<&Job>, failed_objects: Option<usize>) -> Self {
        Self {
            failed_objects,
            status: JobStatus::Proposed,
            reason: None,
            job_id: None,
            confirm: None,
            command: job.map(create),
            role: job.map(|job| BatchRole {
                arn: job.role().cloned(),
                policy: job.role_policy().to_string(),
                trust_policy: Job::trust_policy().to_string(),
            }),
        }
    }

    pub(crate) fn refused(self, refusal: &JobRefusal) -> Self {
        Self {
            status: JobStatus::Refused,
            reason: Some(refusal.to_string()),
            ..self
        }
    }

    pub(crate) fn failed(self, failure: &WriteFailure) -> Self {
        Self {
            status: JobStatus::Failed,
            reason: Some(failure.to_string()),
            ..self
        }
    }

    pub(crate) fn created(self, job: &Job, id: String) -> Self {
        Self {
            status: JobStatus::Created,
            confirm: Some(format!(
                "aws s3control update-job-status --region {} --account-id {} --job-id {} --requested-job-status Ready",
                job.region(),
                job.account(),
                shell_quote(&id)
            )),
            job_id: Some(id),
            ..self
        }
    }
}

/// What a look shows to have been left behind: a repair mends what comes after it alone.
pub(super) fn left<'a>(
    subject: &Subject,
    snapshot: &Snapshot,
    findings: impl Iterator<Item = &'a Finding>,
    role: Option<&RoleArn>,
) -> Option<Backlog> {
    let (mut is_broken, mut passed_over, mut is_hopeless) = (false, false, false);
    for finding in findings {
        let is_of_failed = finding.check == CheckId::FailedObjects;
        is_broken |= (finding.severity == Severity::Error || is_of_failed) && finding.is_for_a_job;
        is_hopeless |= is_of_failed && !finding.is_for_a_job;
        passed_over |= finding.check == CheckId::EncryptedObjectsNotSelected;
    }
    let known = (subject.failed_objects > 0).then_some(subject.failed_objects);
    if !is_broken && (known.is_none() || is_hopeless) {
        return None;
    }
    Some(Backlog::new(Some(&Job::new(snapshot, passed_over, role)?), known))
}

/// The command of the AWS command line that creates the job. The variable, where no role is set, fails unless it is.
fn create(job: &Job) -> String {
    let role = job.role().map_or_else(
        || "\"$BATCH_ROLE_ARN\"".to_owned(),
        |role| shell_quote(role.as_str()),
    );
    format!(
        "aws s3control create-job --region {} --account-id {} --operation '{{\"S3ReplicateObject\":{{}}}}' \
         --manifest-generator {} --report '{{\"Enabled\":false}}' --priority 1 --confirmation-required --role-arn {role} \
         --client-request-token {}",
        job.region(),
        job.account(),
        shell_quote(&job.manifest_generator().to_string()),
        job.token()
    )
}
