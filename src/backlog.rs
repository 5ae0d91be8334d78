//! The S3 Batch Replication job for objects that failed before: what it takes, its role, and when it may be created.
//!
//! S3 never tries a failed version again, and never one that it passed over
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html>). A job made here always
//! waits for a person to confirm it: this program cannot know how much it will copy, and at what cost.

use serde_json::{Value, json};

use crate::arn::{AccountId, BucketName, Partition, Region, RoleArn};
use crate::check::Verdict;
use crate::digest;
use crate::observed::Observed;
use crate::snapshot::Snapshot;

/// The IAM actions that ordering a job needs.
pub const ACTIONS: [&str; 2] = ["iam:PassRole", "s3:CreateJob"];

/// A job for one bucket, as it is printed and as it is ordered.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    bucket: BucketName,
    partition: Partition,
    account: AccountId,
    region: Region,
    role: Option<RoleArn>,
    statuses: &'static [&'static str],
    token: String,
}

impl Job {
    /// The job for the bucket of a snapshot; none where it has no configuration, or where it lies is not known.
    ///
    /// Objects that were `passed_over` were never up for replication. Without a sign of such, they are left out: by the
    /// same mark S3 knows everything that is older than the rule, which nobody may want to be copied.
    pub fn new(snapshot: &Snapshot, passed_over: bool, role: Option<&RoleArn>) -> Option<Self> {
        let replication = snapshot.replication.found()?;
        let mut job = Self {
            bucket: snapshot.source.name.clone(),
            partition: snapshot.identity.partition.clone(),
            account: snapshot.identity.account.clone(),
            region: snapshot.source.region.found()?.clone(),
            role: role.cloned(),
            statuses: if passed_over {
                &["FAILED", "NONE"]
            } else {
                &["FAILED"]
            },
            token: String::new(),
        };
        // Asking twice must make one job, so the token is made of what the job is, and of the day: what fails later can be
        // had again. Nothing of the look itself is in it, since every look is another.
        let day: String = snapshot.taken_at.to_string().chars().take(10).collect();
        let said = format!("{day}\n{job:?}\n{replication:?}");
        job.token = digest::id(said);
        Some(job)
    }

    /// The Region of the bucket, which a job must be made in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that the job is made in.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The role that the job is to run as, where one is set.
    pub fn role(&self) -> Option<&RoleArn> {
        self.role.as_ref()
    }

    /// The bucket's ARN.
    pub fn bucket_arn(&self) -> String {
        self.bucket.arn(&self.partition)
    }

    /// Which versions are taken, by what S3 says of their replication.
    pub fn statuses(&self) -> &'static [&'static str] {
        self.statuses
    }

    /// `ClientRequestToken`: the same for the same job on the same day.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// `ManifestGenerator`, as the AWS command line takes it. S3 makes the list itself and keeps it nowhere.
    pub fn manifest_generator(&self) -> Value {
        json!({"S3JobManifestGenerator": {
            "SourceBucket": self.bucket_arn(),
            "ExpectedBucketOwner": self.account,
            "EnableManifestOutput": false,
            "Filter": {"EligibleForReplication": true, "ObjectReplicationStatuses": self.statuses},
        }})
    }

    /// The least that the role of the job must be allowed. The copying itself is done by the role of the rule. No list and
    /// no completion report is kept, so no right to a bucket for them is needed.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-policies.html>
    pub fn role_policy(&self) -> Value {
        let bucket = self.bucket_arn();
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:InitiateReplication", "Resource": format!("{bucket}/*")},
            {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"],
             "Resource": bucket},
        ]})
    }

    /// Who must be able to assume the role of the job.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html>
    pub fn trust_policy() -> Value {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ]})
    }
}

/// A job that may be ordered. [`order`] alone makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedJob {
    job: Job,
    role: RoleArn,
}

impl ApprovedJob {
    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The role that it runs as.
    pub fn role(&self) -> &RoleArn {
        &self.role
    }
}

/// Why no job is ordered, and what would permit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// Nothing is written.
    #[error(
        "the mode is dry-run, in which nothing is ever written; set MODE to approve, or run the command of this report \
         yourself"
    )]
    DryRun,
    /// No role is given, which is the switch.
    #[error(
        "no role for the job is set; make one with the policies of this report and name it in BATCH_ROLE_ARN, or run the \
         command of this report yourself"
    )]
    NoRole,
    /// The role is another account's, or our own.
    #[error(
        "the role in BATCH_ROLE_ARN is not one of this account made for it; name a role of this account, not our own"
    )]
    NotOurRole,
    /// The owner is somebody else, or not known.
    #[error("the bucket is not proven to be of this account; ask in its owner's account")]
    NotOurs,
    /// There is a tag that says so.
    #[error("the bucket is opted out; remove its tag")]
    OptedOut,
    /// There may be a tag that says so.
    #[error(
        "the tags of the bucket cannot be read, and may say that it is left alone; allow s3:GetBucketTagging"
    )]
    TagsUnread,
    /// No rule to replicate by.
    #[error("the bucket has no enabled replication rule that could be read; put or enable one")]
    NoRule,
    /// It would fail again.
    #[error("replication is broken now, and what the job tried would fail again; fix it first")]
    Broken,
    /// It may fail again.
    #[error("it is not known whether replication works now; permit what could not be read, and ask again")]
    Undetermined,
}

/// What the owner of the account has settled about jobs.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The role that jobs may run as.
    pub role: Option<&'a RoleArn>,
    /// Does the opt-out tag mean anything?
    pub heeds_tags: bool,
    /// Does the bucket carry it?
    pub is_opted_out: bool,
}

/// The job for the bucket of a snapshot, where it may be ordered.
///
/// # Errors
/// Why it may not.
pub fn order(snapshot: &Snapshot, verdict: Verdict, terms: Terms<'_>) -> Result<ApprovedJob, JobRefusal> {
    let own = &snapshot.identity;
    let role = terms.role.ok_or(JobRefusal::NoRole)?;
    if *role.account() != own.account || *role.partition() != own.partition || own.is(role) {
        return Err(JobRefusal::NotOurRole);
    }
    if snapshot.source.owner.found() != Some(&own.account) {
        return Err(JobRefusal::NotOurs);
    }
    if terms.is_opted_out {
        return Err(JobRefusal::OptedOut);
    }
    if terms.heeds_tags && matches!(snapshot.source.tags, Observed::Unreadable(_)) {
        return Err(JobRefusal::TagsUnread);
    }
    if snapshot.enabled_rules().next().is_none() {
        return Err(JobRefusal::NoRule);
    }
    match verdict {
        Verdict::Healthy | Verdict::AtRisk => {}
        Verdict::Broken => return Err(JobRefusal::Broken),
        Verdict::Undetermined => return Err(JobRefusal::Undetermined),
    }
    let job = Job::new(snapshot, false, Some(role)).ok_or(JobRefusal::Undetermined)?;
    Ok(ApprovedJob {
        job,
        role: role.clone(),
    })
}
