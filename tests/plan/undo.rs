//! Undoing: what is ours goes, by its name, and everything else is byte for byte as it was.

use s3_replication_remediator::apply::{Applied, NoJournal, Status, apply};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::plan::undo::{Memory, UndoPlan, undo_plan};
use serde_json::json;

use crate::apply::apply_to;
use crate::former::remembered;
use crate::grants::closed_keys;
use crate::world::*;

async fn undo(world: &World) -> UndoPlan {
    let checked = check(world).await;
    undo_plan(&checked.snapshot, &checked.assessments, Memory::Durable).unwrap()
}

async fn carry_out(world: &World, undo: &UndoPlan) -> Applied {
    let access = Mode::Approve.write_access().unwrap();
    apply(&access, world, world, &NoJournal, &undo.plan).await
}

/// Takes back everything that is found.
pub(crate) async fn undo_all(world: &World) {
    let undo = undo(world).await;
    carry_out(world, &undo).await;
}

#[tokio::test]
async fn an_undo_after_an_apply_leaves_everything_as_it_was() {
    for account in [bare(), with_s3_access(bare()), closed_keys()] {
        let before = world(&account);
        let world = world(&account);
        apply_to(&world, &check(&world).await).await;
        assert_ne!(*world.state(), *before.state());
        let undo = undo(&world).await;
        assert_eq!(carry_out(&world, &undo).await.status, Status::Applied);
        assert_eq!(*world.state(), *before.state());
    }
}

#[tokio::test]
async fn an_undo_says_what_will_stop_working_and_where_it_did_not_look() {
    let world = world(&with_s3_access(bare()));
    apply_to(&world, &check(&world).await).await;
    let undo = undo(&world).await;
    assert!(
        undo.consequences
            .contains(&format!("rule `r1` will lack kms:Encrypt on `{REPLICA_KEY}`")),
        "{:?}",
        undo.consequences
    );
    assert!(
        undo.not_searched
            .iter()
            .any(|place| place.contains("before there was a ledger"))
    );
}

#[tokio::test]
async fn where_nothing_is_ours_nothing_is_undone() {
    let undo = undo(&world(&bare())).await;
    assert!(!undo.plan.has_changes());
    assert_eq!(undo.consequences, [] as [String; 0]);
}

#[tokio::test]
async fn policies_and_grants_of_others_stay_whatever_they_are_called() {
    let mut account = closed_keys();
    account["roles"][ROLE]["inline"]["s3-replication-remediator-source2"] =
        json!({"Version": "2012-10-17", "Statement": []});
    account["roles"][ROLE]["inline"]["s3-replication-remediator-sourc"] =
        json!({"Version": "2012-10-17", "Statement": []});
    let checked = check_json(&account).await;
    let ours = checked.plan.changes[0].change.name().to_owned();
    // Our name on a grant that gives something else: the name does not follow from it.
    account["keys"][SOURCE_KEY]["grants"] = json!([
        {"id": "1", "name": ours, "grantee": ROLE, "operations": ["Encrypt"]},
        {"id": "2", "name": "s3-replication-remediator/forged", "grantee": ROLE, "operations": ["Decrypt"]},
        {"id": "3", "grantee": ROLE, "operations": ["Decrypt"]},
    ]);
    assert!(!undo(&world(&account)).await.plan.has_changes());
}

#[tokio::test]
async fn statements_that_others_wrote_into_our_policy_stay_and_that_is_said() {
    let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let world = world(&bare());
    apply_to(&world, &check(&world).await).await;
    world.edit(|state| {
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        let document = role.inline.get_mut(POLICY).unwrap();
        document["Statement"].as_array_mut().unwrap().push(theirs.clone());
    });
    let undo = undo(&world).await;
    assert!(
        undo.consequences[0].contains("did not write"),
        "{:?}",
        undo.consequences
    );
    assert_eq!(carry_out(&world, &undo).await.status, Status::Applied);
    assert_eq!(
        world.state().roles[&ROLE.parse().unwrap()].inline[POLICY],
        json!({"Version": "2012-10-17", "Statement": [theirs]})
    );
}

#[tokio::test]
async fn what_changed_since_the_undo_was_planned_is_not_taken_away() {
    let world = world(&bare());
    apply_to(&world, &check(&world).await).await;
    let undo = undo(&world).await;
    world.edit(|state| {
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        role.inline.insert(
            POLICY.to_owned(),
            json!({"Version": "2012-10-17", "Statement": []}),
        );
    });
    assert_eq!(carry_out(&world, &undo).await.status, Status::Refused);
}

#[tokio::test]
async fn an_undo_carried_out_twice_finds_nothing_left_the_second_time() {
    let world = world(&closed_keys());
    apply_to(&world, &check(&world).await).await;
    let undo = undo(&world).await;
    carry_out(&world, &undo).await;
    assert_eq!(carry_out(&world, &undo).await.status, Status::AlreadyInPlace);
}

#[tokio::test]
async fn a_role_that_the_rule_no_longer_names_is_searched_where_the_command_names_it() {
    let world = world(&bare());
    apply_to(&world, &check(&world).await).await;
    world.edit(|state| {
        state
            .buckets
            .get_mut(&"source".parse().unwrap())
            .unwrap()
            .replication = None;
    });
    let places = remembered(&[ROLE, "arn:aws:iam::444455556666:role/x"], &[]);
    let checked = check_remembering(&world, GuardSettings::default(), places).await;
    let undo = undo_plan(&checked.snapshot, &checked.assessments, Memory::OfProcess).unwrap();
    for place in ["another account", "there are none", "there is no ledger"] {
        assert!(
            undo.not_searched.iter().any(|text| text.contains(place)),
            "{place}"
        );
    }
    assert_eq!(carry_out(&world, &undo).await.status, Status::Applied);
    assert!(world.state().roles[&ROLE.parse().unwrap()].inline.is_empty());
}
