//! Applying: to what the plan was made from and to nothing else, once, and to the same end from wherever it was stopped.

use s3_replication_remediator::apply::{Applied, ChangeStatus, NoJournal, Status, apply};
use s3_replication_remediator::arn::{KeyArn, RoleArn};
use s3_replication_remediator::guard::{AllowedArn, GuardSettings};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::policy::PolicyDocument;
use s3_replication_remediator::target::{GrantRequest, Target, WriteFailure, Written};
use serde_json::{Value, json};

use crate::grants::{closed_keys, moved};
use crate::shared::account::model::State;
use crate::world::*;

pub(crate) async fn apply_to(world: &World, checked: &Checked) -> Applied {
    let access = Mode::Auto.write_access().unwrap();
    apply(&access, world, world, &NoJournal, &checked.reviewed()).await
}

fn statuses(outcome: &Applied) -> Vec<ChangeStatus> {
    outcome.changes.iter().map(|change| change.status).collect()
}

#[test]
fn a_dry_run_has_no_access_to_write_with() {
    assert!(Mode::DryRun.write_access().is_none());
}

#[tokio::test]
async fn what_was_planned_is_written_and_then_nothing_is_left_to_plan() {
    for account in [bare(), closed_keys()] {
        let world = world(&account);
        let checked = check(&world).await;
        let outcome = apply_to(&world, &checked).await;
        assert_eq!(outcome.status, Status::Applied, "{outcome:?}");
        assert!(
            outcome
                .changes
                .iter()
                .all(|change| change.request_id.is_some() && change.error.is_none())
        );
        let again = check(&world).await;
        assert!(again.plan.is_empty(), "{}", json!(again.plan));
        assert!(again.assessments.iter().all(|assessment| !assessment.is_denied()
            || assessment.requirement.necessity
                != s3_replication_remediator::requirement::Necessity::Required));
    }
}

#[tokio::test]
async fn the_same_plan_a_second_time_finds_everything_in_place_and_writes_nothing() {
    for account in [bare(), closed_keys()] {
        let world = world(&account);
        let checked = check(&world).await;
        apply_to(&world, &checked).await;
        let written = world.writes().len();
        let outcome = apply_to(&world, &checked).await;
        assert_eq!(outcome.status, Status::AlreadyInPlace);
        assert_eq!(world.writes().len(), written);
    }
}

#[tokio::test]
async fn a_role_that_is_not_as_it_was_is_not_changed() {
    type Edit = fn(&mut crate::shared::account::model::Role);
    let edits: [(Edit, &str); 5] = [
        (
            |role| role.id = "AROAANOTHERANOTHERAAA".to_owned(),
            "another role has its name now",
        ),
        (|role| role.tags.clear(), "its tags"),
        (
            |role| role.boundary = Some("arn:aws:iam::aws:policy/x".to_owned()),
            "its permissions boundary",
        ),
        (
            |role| role.trust["Statement"]["Principal"] = json!({"AWS": "*"}),
            "its trust policy",
        ),
        (
            |role| {
                role.inline.insert(
                    POLICY.to_owned(),
                    json!({"Version": "2012-10-17", "Statement": []}),
                );
            },
            "our policy in the role is no longer as it was",
        ),
    ];
    for (edit, reason) in edits {
        let world = world(&bare());
        let checked = check(&world).await;
        world.edit(|state| edit(state.roles.get_mut(&ROLE.parse().unwrap()).unwrap()));
        let outcome = apply_to(&world, &checked).await;
        assert_eq!(outcome.status, Status::Refused, "{reason}");
        assert!(
            outcome.changes[0].error.as_ref().unwrap().contains(reason),
            "{outcome:?}"
        );
        assert_eq!(world.writes(), []);
    }
}

#[tokio::test]
async fn what_cannot_be_read_again_is_not_changed() {
    for operation in ["iam:GetRole", "iam:GetRolePolicy"] {
        let world = world(&bare());
        let checked = check(&world).await;
        world.deny(operation, "*");
        let outcome = apply_to(&world, &checked).await;
        assert_eq!(outcome.status, Status::Refused, "{operation}");
        assert_eq!(world.writes(), []);
    }
    for operation in ["kms:DescribeKey", "kms:ListGrants", "kms:ListResourceTags"] {
        let world = world(&closed_keys());
        let checked = check(&world).await;
        world.deny(operation, "*");
        assert_eq!(
            apply_to(&world, &checked).await.status,
            Status::Refused,
            "{operation}"
        );
        assert_eq!(world.writes(), []);
    }
}

#[tokio::test]
async fn a_read_before_a_write_that_aws_throttles_is_worth_trying_again() {
    for (code, is_worth_it) in [("Throttling", true), ("AccessDenied", false)] {
        let world = world(&bare());
        let checked = check(&world).await;
        world.edit(|state| {
            state.failing.push(
                serde_json::from_value(json!({"operation": "iam:GetRole", "code": code, "times": 1}))
                    .unwrap(),
            );
        });
        let outcome = apply_to(&world, &checked).await;
        assert_eq!(outcome.status, Status::Refused);
        assert_eq!(outcome.is_retryable(), is_worth_it, "{code}");
        assert_eq!(world.writes(), []);
    }
}

#[tokio::test]
async fn a_key_that_was_disabled_meanwhile_gets_no_grant() {
    let world = world(&closed_keys());
    let checked = check(&world).await;
    world.edit(|state| {
        state.keys.get_mut(&SOURCE_KEY.parse().unwrap()).unwrap().state = "Disabled".to_owned()
    });
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(statuses(&outcome), [ChangeStatus::Refused, ChangeStatus::Applied]);
    assert_eq!(outcome.status, Status::PartlyApplied);
}

#[tokio::test]
async fn a_key_that_its_owner_closed_to_us_meanwhile_gets_no_grant() {
    let world = world(&closed_keys());
    let checked = check(&world).await;
    world.edit(|state| {
        state
            .keys
            .get_mut(&SOURCE_KEY.parse().unwrap())
            .unwrap()
            .tags
            .clear()
    });
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(statuses(&outcome), [ChangeStatus::Refused, ChangeStatus::Applied]);
    assert!(
        outcome.changes[0].error.as_ref().unwrap().contains("its tags"),
        "{outcome:?}"
    );
    assert_eq!(world.called("kms:CreateGrant", SOURCE_KEY), 0);
}

#[tokio::test]
async fn a_listed_key_whose_tags_nobody_lets_us_read_gets_its_grant() {
    let world = world(&closed_keys());
    world.deny("kms:ListResourceTags", "*");
    let settings = GuardSettings {
        allowed_keys: vec![AllowedArn::new(SOURCE_KEY), AllowedArn::new(REPLICA_KEY)],
        ..GuardSettings::default()
    };
    let checked = check_with(&world, settings).await;
    assert_eq!(apply_to(&world, &checked).await.status, Status::Applied);
}

#[tokio::test]
async fn a_grant_is_tried_before_it_is_made() {
    let world = world(&with_s3_access(closed_keys()));
    let checked = check(&world).await;
    world.fail("kms:CreateGrant", SOURCE_KEY, "AccessDeniedException");
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(statuses(&outcome), [ChangeStatus::Failed, ChangeStatus::Applied]);
    assert_eq!(world.called("kms:CreateGrant", SOURCE_KEY), 1);
    assert_eq!(world.called("kms:CreateGrant", REPLICA_KEY), 2);
    assert!(!outcome.is_retryable());
}

#[tokio::test]
async fn a_write_that_aws_throttles_is_worth_trying_again_and_then_ends_the_same() {
    let world = world(&bare());
    let checked = check(&world).await;
    world.edit(|state| {
        state.failing.push(
            serde_json::from_value(
                json!({"operation": "iam:PutRolePolicy", "code": "Throttling", "times": 1}),
            )
            .unwrap(),
        );
    });
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(outcome.status, Status::Failed);
    assert!(outcome.is_retryable());
    assert_eq!(
        apply_to(&world, &check(&world).await).await.status,
        Status::Applied
    );
    assert!(check(&world).await.plan.is_empty());
}

#[tokio::test]
async fn whoever_is_stopped_between_two_changes_ends_where_the_first_run_would_have() {
    let whole = world(&with_s3_access(closed_keys()));
    apply_to(&whole, &check(&whole).await).await;
    let stopped = world(&with_s3_access(closed_keys()));
    let checked = check(&stopped).await;
    stopped.fail("kms:CreateGrant", REPLICA_KEY, "Timeout");
    apply_to(&stopped, &checked).await;
    stopped.edit(|state| state.failing.clear());
    let next = check(&stopped).await;
    assert_eq!(next.kinds(), ["create-grant"]);
    apply_to(&stopped, &next).await;
    assert_eq!(*stopped.state(), *whole.state());
}

#[tokio::test]
async fn nothing_is_taken_away_while_something_is_not_in_place() {
    let world = moved().await;
    let checked = check(&world).await;
    assert_eq!(checked.kinds(), ["create-grant", "revoke-grant"]);
    world.fail("kms:CreateGrant", "*", "LimitExceededException");
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(statuses(&outcome), [ChangeStatus::Failed, ChangeStatus::Refused]);
    assert_eq!(world.writes(), []);
    world.edit(|state| state.failing.clear());
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(statuses(&outcome), [ChangeStatus::Applied, ChangeStatus::Applied]);
}

#[tokio::test]
async fn the_outcome_is_told_in_the_words_of_the_report() {
    let world = world(&with_s3_access(closed_keys()));
    let checked = check(&world).await;
    assert_eq!(
        json!(Applied::planned(&checked.reviewed())),
        json!({"status": "planned", "changes": [{"status": "planned"}, {"status": "planned"}], "verifyAfter": null})
    );
    let refused = Applied::refused(&checked.reviewed(), "the plan is another one now");
    assert_eq!(
        json!(refused)["changes"][0],
        json!({"status": "refused", "error": "the plan is another one now"})
    );
    let applied: Value = json!(apply_to(&world, &checked).await);
    assert_eq!(applied["status"], "applied");
    assert_eq!(
        applied["changes"][0],
        json!({"status": "applied", "requestId": "request-1", "grantId": "grant-1"})
    );
}

#[tokio::test]
async fn a_grant_is_tried_before_it_is_made_and_what_fails_the_trial_is_not_made() {
    let world = world(&with_s3_access(closed_keys()));
    let checked = check(&world).await;
    let planned = checked.kinds().len();
    assert!(planned > 1 && checked.kinds().iter().all(|kind| *kind == "create-grant"));
    let once =
        json!({"operation": "kms:CreateGrant", "resource": "*", "code": "AccessDeniedException", "times": 1});
    world.edit(|state| state.failing.push(serde_json::from_value(once).unwrap()));
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(outcome.status, Status::PartlyApplied);
    assert_eq!(world.writes().len(), planned - 1);
    // One trial that failed, and a trial and a call for each of the others.
    let asked = world
        .calls()
        .iter()
        .filter(|call| call.operation == "kms:CreateGrant")
        .count();
    assert_eq!(asked, 1 + 2 * (planned - 1));
    assert!(
        checked
            .plan
            .changes
            .iter()
            .all(|planned| !planned.change.name().is_empty())
    );
}

/// Writes as usual, and then somebody else does something before anybody reads.
struct Meddled<'w>(&'w World, fn(&mut State));

impl Meddled<'_> {
    async fn then<T>(&self, write: impl Future<Output = T>) -> T {
        let written = write.await;
        self.0.edit(self.1);
        written
    }
}

impl Target for Meddled<'_> {
    async fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<Written, WriteFailure> {
        self.then(self.0.put_role_policy(role, name, document)).await
    }

    async fn delete_role_policy(&self, role: &RoleArn, name: &str) -> Result<Written, WriteFailure> {
        self.then(self.0.delete_role_policy(role, name)).await
    }

    async fn try_grant(&self, grant: &GrantRequest) -> Result<(), WriteFailure> {
        self.0.try_grant(grant).await
    }

    async fn create_grant(&self, grant: &GrantRequest) -> Result<Written, WriteFailure> {
        self.then(self.0.create_grant(grant)).await
    }

    async fn revoke_grant(&self, key: &KeyArn, grant_id: &str) -> Result<Written, WriteFailure> {
        self.then(self.0.revoke_grant(key, grant_id)).await
    }
}

#[tokio::test]
async fn what_is_seen_after_a_write_is_told_as_it_is() {
    fn policy(state: &mut State) -> &mut std::collections::BTreeMap<String, Value> {
        &mut state.roles.get_mut(&ROLE.parse().unwrap()).unwrap().inline
    }
    fn grants(state: &mut State) -> &mut Vec<crate::shared::account::model::Grant> {
        &mut state.keys.get_mut(&SOURCE_KEY.parse().unwrap()).unwrap().grants
    }
    const SOMEBODY: &str = "shows something else: somebody else is writing as well";
    const NOT_YET: &str = "does not show it yet";
    let theirs: fn(&mut State) = |state| {
        policy(state).insert(
            POLICY.to_owned(),
            json!({"Version": "2012-10-17", "Statement": []}),
        );
    };
    let stale: fn(&mut State) = |state| drop(policy(state).remove(POLICY));
    let other_grant: fn(&mut State) = |state| {
        grants(state)
            .iter_mut()
            .for_each(|grant| grant.operations.clear());
    };
    let no_grant: fn(&mut State) = |state| grants(state).clear();
    for (account, meddle, status, said) in [
        (bare(), theirs, ChangeStatus::Failed, SOMEBODY),
        (bare(), stale, ChangeStatus::Applied, NOT_YET),
        (closed_keys(), other_grant, ChangeStatus::Failed, SOMEBODY),
        (closed_keys(), no_grant, ChangeStatus::Applied, NOT_YET),
    ] {
        let world = world(&account);
        let checked = check(&world).await;
        let access = Mode::Auto.write_access().unwrap();
        let target = Meddled(&world, meddle);
        let outcome = apply(&access, &world, &target, &NoJournal, &checked.reviewed()).await;
        assert_eq!(outcome.changes[0].status, status, "{outcome:?}");
        let error = outcome.changes[0].error.as_ref().unwrap();
        assert!(error.contains(said), "{error}");
        assert!(outcome.has_written(), "AWS accepted it");
    }
}
