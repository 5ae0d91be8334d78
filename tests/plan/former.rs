//! What rules no longer need: it is taken back from roles and keys that they named once, and from nothing else.

use s3_replication_remediator::apply::Status;
use s3_replication_remediator::collect::Places;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::plan::Plan;
use s3_replication_remediator::plan::review::{Fault, review};
use serde_json::{Value, json};

use crate::apply::apply_to;
use crate::grants::closed_keys;
use crate::world::*;

const SECOND: &str = "arn:aws:iam::111122223333:role/second";
const OLD_KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/old";

/// Roles and keys that somebody remembers, while the rules have been as they are for long.
pub(crate) fn remembered(roles: &[&str], keys: &[&str]) -> Places {
    Places {
        policy: POLICY.to_owned(),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
    }
}

/// What was repaired, in a world whose rules are then what `edit` makes of them.
async fn repaired(account: &Value, edit: impl FnOnce(&mut Value)) -> World {
    let world = world(account);
    apply_to(&world, &check(&world).await).await;
    let mut state = serde_json::to_value(&*world.state()).unwrap();
    edit(&mut state);
    crate::world::world(&state)
}

fn without_rules(state: &mut Value) {
    state["buckets"]["source"]["replication"] = Value::Null;
}

fn with_a_second_role(state: &mut Value) {
    state["roles"][SECOND] = json!({"tags": opted_in()});
    state["buckets"]["source"]["replication"]["Role"] = json!(SECOND);
}

async fn remembering(world: &World) -> Checked {
    let places = remembered(&[ROLE], &[SOURCE_KEY, REPLICA_KEY]);
    check_remembering(world, GuardSettings::default(), places).await
}

#[tokio::test]
async fn where_replication_was_removed_all_that_was_given_for_it_goes_and_nothing_else() {
    for account in [bare(), closed_keys()] {
        let mut before = account.clone();
        without_rules(&mut before);
        let world = repaired(&account, without_rules).await;
        let checked = remembering(&world).await;
        checked.reviewed();
        assert_eq!(apply_to(&world, &checked).await.status, Status::Applied);
        assert_eq!(*world.state(), *crate::world::world(&before).state());
        let again = remembering(&world).await;
        assert!(again.plan.is_empty(), "{}", json!(again.plan));
    }
}

#[tokio::test]
async fn a_role_that_the_rules_no_longer_name_loses_what_it_was_given_when_the_other_has_it() {
    for account in [bare(), closed_keys()] {
        let world = repaired(&account, with_a_second_role).await;
        let checked = remembering(&world).await;
        checked.reviewed();
        let kinds = checked.kinds();
        let first_removal = kinds
            .iter()
            .position(|kind| ["delete-role-policy", "revoke-grant"].contains(kind));
        assert!(
            first_removal.is_some_and(|first| kinds[first..]
                .iter()
                .all(|kind| !kind.starts_with("create") && *kind != "put-role-policy")),
            "{kinds:?}"
        );
        assert_eq!(apply_to(&world, &checked).await.status, Status::Applied);
        let state = world.state();
        assert!(!state.roles[&ROLE.parse().unwrap()].inline.contains_key(POLICY));
        let grants = state.keys.values().flat_map(|key| &key.grants);
        assert!(grants.into_iter().all(|grant| grant.grantee == SECOND));
    }
}

#[tokio::test]
async fn nothing_is_taken_from_the_former_role_while_the_other_lacks_something() {
    let world = repaired(&bare(), with_a_second_role).await;
    world.fail("iam:PutRolePolicy", SECOND, "Throttling");
    let checked = remembering(&world).await;
    let outcome = apply_to(&world, &checked).await;
    assert_eq!(outcome.status, Status::Failed);
    assert!(
        world.state().roles[&ROLE.parse().unwrap()]
            .inline
            .contains_key(POLICY)
    );
}

#[tokio::test]
async fn a_replica_key_that_the_rules_no_longer_name_loses_its_grant_and_a_source_key_keeps_it() {
    // Old objects may be under the former source key, and their deletion markers and tags replicate still.
    let mut account = closed_keys();
    account["keys"][OLD_KEY] = account["keys"][REPLICA_KEY].clone();
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", OLD_KEY)]);
    let world = repaired(&account, |state| {
        state["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", REPLICA_KEY)]);
        state["keys"]["arn:aws:kms:eu-west-1:111122223333:key/new"] = state["keys"][SOURCE_KEY].clone();
        state["keys"]["arn:aws:kms:eu-west-1:111122223333:key/new"]["grants"] = json!([]);
        state["buckets"]["source"]["encryption"]["key"] = json!("arn:aws:kms:eu-west-1:111122223333:key/new");
    })
    .await;
    let places = remembered(&[ROLE], &[SOURCE_KEY, OLD_KEY]);
    let checked = check_remembering(&world, GuardSettings::default(), places).await;
    checked.reviewed();
    let revoked: Vec<String> = checked
        .plan
        .changes
        .iter()
        .filter(|planned| planned.change.kind() == "revoke-grant")
        .map(|planned| planned.change.target())
        .collect();
    assert_eq!(revoked, [OLD_KEY]);
}

#[tokio::test]
async fn nothing_is_taken_back_while_it_is_not_certain_what_the_rules_need() {
    let unread = repaired(&bare(), |_| {}).await;
    unread.deny("s3:GetBucketReplication", "*");
    assert_eq!(remembering(&unread).await.kinds(), [] as [&str; 0]);
    // A role that is not there may be a slip of the pen.
    let slip = repaired(&bare(), |state| {
        state["buckets"]["source"]["replication"]["Role"] = json!("arn:aws:iam::111122223333:role/slip");
    })
    .await;
    assert_eq!(remembering(&slip).await.kinds(), [] as [&str; 0]);
    // The same role under a path that it does not have.
    let path = repaired(&bare(), |state| {
        state["buckets"]["source"]["replication"]["Role"] =
            json!("arn:aws:iam::111122223333:role/path/replicate");
    })
    .await;
    assert_eq!(remembering(&path).await.kinds(), [] as [&str; 0]);
    let unread_role = repaired(&bare(), with_a_second_role).await;
    unread_role.deny("iam:GetRole", SECOND);
    assert_eq!(remembering(&unread_role).await.kinds(), [] as [&str; 0]);
}

#[tokio::test]
async fn rules_that_changed_a_moment_ago_take_nothing_away() {
    let world = repaired(&bare(), without_rules).await;
    let places = remembered(&[ROLE], &[]);
    let settings = GuardSettings::default();
    let mut snapshot = snapshot_with(&world, &settings, places).await;
    snapshot.former.is_settled = false;
    let plan = s3_replication_remediator::plan::plan(&snapshot, &[], &settings);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.withheld[0].refusals[0].guard.as_str(), "rules-unsettled");
}

#[tokio::test]
async fn an_owner_who_no_longer_wants_changes_keeps_what_was_given() {
    for (account, edit, guard) in [
        (
            bare(),
            (|state: &mut Value| state["roles"][ROLE]["tags"] = json!({})) as fn(&mut Value),
            "role-opt-in",
        ),
        (
            closed_keys(),
            |state| state["keys"][SOURCE_KEY]["tags"] = json!({}),
            "key-opt-in",
        ),
        (
            bare(),
            |state| state["buckets"]["source"]["tags"] = json!({"s3-replication-remediator": "ignore"}),
            "source-opt-out",
        ),
    ] {
        let world = repaired(&account, |state| {
            without_rules(state);
            edit(state);
        })
        .await;
        let checked = remembering(&world).await;
        assert_eq!(checked.guards(), [guard]);
    }
}

#[tokio::test]
async fn who_else_may_assume_the_former_role_does_not_matter_because_it_gets_less() {
    let world = repaired(&bare(), |state| {
        without_rules(state);
        state["roles"][ROLE]["trust"]["Statement"]["Principal"] = json!({"AWS": "*"});
    })
    .await;
    assert_eq!(remembering(&world).await.kinds(), ["delete-role-policy"]);
}

#[tokio::test]
async fn a_policy_of_our_name_that_somebody_edited_is_left_to_a_person_and_that_is_said() {
    let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    type Edit = fn(&mut Value, &Value);
    let edits: [Edit; 2] = [
        |policy, theirs| policy["Statement"].as_array_mut().unwrap().push(theirs.clone()),
        |policy, _| policy["Id"] = json!("mine"),
    ];
    for edit in edits {
        let world = repaired(&bare(), |state| {
            without_rules(state);
            edit(&mut state["roles"][ROLE]["inline"][POLICY], &theirs);
        })
        .await;
        let checked = remembering(&world).await;
        assert_eq!(checked.guards(), ["policy-edited"]);
    }
    // Where nothing in it is ours, there is nothing to say.
    let world = repaired(&bare(), |state| {
        without_rules(state);
        state["roles"][ROLE]["inline"][POLICY]["Statement"] = json!([theirs]);
    })
    .await;
    assert!(remembering(&world).await.plan.is_empty());
}

#[tokio::test]
async fn a_role_that_changed_after_planning_keeps_what_it_has() {
    let world = repaired(&bare(), without_rules).await;
    let checked = remembering(&world).await;
    world.edit(|state| {
        state.roles.get_mut(&ROLE.parse().unwrap()).unwrap().id = "AROAEVEEVEEVEEVEEVEEV".to_owned();
    });
    assert_eq!(apply_to(&world, &checked).await.status, Status::Refused);
}

#[tokio::test]
async fn the_review_lets_nothing_be_taken_back_but_what_is_ours_and_unneeded() {
    let world = repaired(&bare(), with_a_second_role).await;
    let checked = remembering(&world).await;
    let faults = |edit: &dyn Fn(&mut Plan, &mut Checked)| {
        let mut checked = Checked {
            snapshot: checked.snapshot.clone(),
            assessments: checked.assessments.clone(),
            plan: checked.plan.clone(),
            settings: checked.settings.clone(),
        };
        let mut plan = checked.plan.clone();
        edit(&mut plan, &mut checked);
        let failure = review(&checked.snapshot, &checked.assessments, plan, &checked.settings).unwrap_err();
        let faults: Vec<Fault> = failure
            .objections
            .iter()
            .map(|objection| objection.fault)
            .collect();
        faults
    };
    assert!(faults(&|_, checked| checked.snapshot.former.is_settled = false).contains(&Fault::Guarded));
    assert!(faults(&|_, checked| checked.snapshot.former.roles.clear()).contains(&Fault::Basis));
    assert!(
        faults(&|_, checked| {
            let former = &mut checked.snapshot.former.roles[0];
            let Observed::Found(record) = &mut former.record else {
                panic!()
            };
            record.tags.clear();
        })
        .contains(&Fault::Basis)
    );
    assert!(
        faults(&|_, checked| {
            let Observed::Found(replication) = &mut checked.snapshot.replication else {
                panic!()
            };
            replication.role = ROLE.parse().unwrap();
        })
        .contains(&Fault::Lost)
    );
}

#[tokio::test]
async fn what_is_remembered_of_other_accounts_and_in_great_numbers_is_not_even_read() {
    let world = repaired(&bare(), without_rules).await;
    let many: Vec<String> = (0..1000)
        .map(|n| format!("arn:aws:iam::111122223333:role/r{n}"))
        .chain(["arn:aws:iam::444455556666:role/theirs".to_owned()])
        .collect();
    let keys: Vec<String> = (0..1000)
        .map(|n| format!("arn:aws:kms:eu-west-1:111122223333:key/{n}"))
        .chain(["arn:aws:kms:eu-west-1:444455556666:key/theirs".to_owned()])
        .collect();
    let places = remembered(
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
        &keys.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let nothing = snapshot_of(&world, &GuardSettings::default()).await.former;
    assert!(nothing.roles.is_empty() && nothing.keys.is_empty());
    let before = world.calls().len();
    let snapshot = snapshot_with(&world, &GuardSettings::default(), places).await;
    assert!(
        world.calls().len() - before < 150,
        "{}",
        world.calls().len() - before
    );
    assert!(world.calls().iter().all(|call| !call.resource.contains(OTHER)));
    assert_eq!(
        snapshot.former.passed_over.len(),
        3,
        "{:?}",
        snapshot.former.passed_over
    );
}
