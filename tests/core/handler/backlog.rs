//! The command `backlog`: what is ordered, once, and what is answered where nothing is.

use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use super::stage::{SOURCE, Stage};

const BATCH: &str = "arn:aws:iam::111122223333:role/batch";

fn order() -> Value {
    json!({"command": "backlog", "bucket": SOURCE})
}

fn asked(stage: &Stage) -> Value {
    serde_json::to_value(stage.command(&order()).backlog.unwrap()).unwrap()
}

fn with_role(mut stage: Stage) -> Stage {
    stage.batch_role = Some(BATCH.parse().unwrap());
    stage
}

fn jobs(stage: &Stage) -> Vec<Value> {
    let writes = stage.world.writes().into_iter();
    writes
        .filter(|write| write.operation == "s3:CreateJob")
        .map(|write| write.detail)
        .collect()
}

#[test]
fn a_job_is_ordered_once_for_failed_versions_and_is_left_to_be_confirmed() {
    let stage = with_role(Stage::healthy(Mode::Approve));
    let first = asked(&stage);
    assert_eq!(first["status"], "created");
    let id = first["jobId"].as_str().unwrap();
    assert!(
        first["confirm"]
            .as_str()
            .unwrap()
            .contains(&format!("--job-id {id} "))
    );
    let made = jobs(&stage);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["role"], BATCH);
    let filter = &made[0]["manifestGenerator"]["S3JobManifestGenerator"]["Filter"];
    assert_eq!(
        *filter,
        json!({"EligibleForReplication": true, "ObjectReplicationStatuses": ["FAILED"]})
    );
    assert_eq!(asked(&stage)["jobId"], first["jobId"]);
    assert_eq!(jobs(&stage).len(), 1, "the same order is the same job");
    stage.now.set("2026-09-15T09:13:00Z".parse().unwrap());
    assert_ne!(asked(&stage)["jobId"], first["jobId"]);
    assert_eq!(jobs(&stage).len(), 2, "on another day it is another");
}

#[test]
fn whoever_may_not_have_a_job_is_told_why_and_what_would_permit_it() {
    for (stage, reason) in [
        (Stage::healthy(Mode::Approve), "BATCH_ROLE_ARN"),
        (with_role(Stage::healthy(Mode::DryRun)), "set MODE to approve"),
        (
            with_role(Stage::broken(Mode::Approve)),
            "replication is broken now",
        ),
    ] {
        let answer = asked(&stage);
        assert_eq!(answer["status"], "refused");
        assert!(answer["reason"].as_str().unwrap().contains(reason), "{answer}");
        assert!(
            answer["role"]["policy"]
                .as_str()
                .unwrap()
                .contains("s3:InitiateReplication")
        );
        assert!(answer["command"].as_str().unwrap().contains("create-job"));
        assert!(jobs(&stage).is_empty());
    }
}

#[test]
fn a_bucket_without_a_rule_gets_no_job_and_no_command_for_one() {
    let stage = with_role(Stage::healthy(Mode::Approve));
    stage.world.edit(|state| {
        state
            .buckets
            .get_mut(&SOURCE.parse().unwrap())
            .unwrap()
            .replication = None;
    });
    let answer = asked(&stage);
    assert_eq!(answer["status"], "refused");
    assert!(answer.get("command").is_none(), "{answer}");
}

#[test]
fn a_job_that_aws_refuses_is_told_as_failed() {
    let stage = with_role(Stage::healthy(Mode::Approve));
    stage.world.deny("s3:CreateJob", "*");
    let answer = asked(&stage);
    assert_eq!(answer["status"], "failed");
    assert!(
        answer["reason"].as_str().unwrap().contains("AccessDenied"),
        "{answer}"
    );
    assert!(answer.get("jobId").is_none());
}
