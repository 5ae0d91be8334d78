//! Between planning and applying others act too: what is applied is what was read and agreed to, or nothing.

use s3_replication_remediator::apply::{Applied, NoJournal, Status, apply};
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use crate::function::invoke;
use crate::world::*;

pub(crate) async fn apply_to(world: &World, checked: &Checked) -> Applied {
    let access = Mode::Auto.write_access().unwrap();
    apply(&access, world, world, &NoJournal, &checked.reviewed()).await
}

async fn digest_of(world: &World, bucket: &str) -> String {
    let led = invoke(
        world,
        Mode::Approve,
        &json!({"command": "check", "bucket": bucket}),
    )
    .await;
    led.report().digest().unwrap().to_owned()
}

async fn apply_digest(world: &World, bucket: &str, digest: &str) -> Status {
    let command = json!({"command": "apply", "bucket": bucket, "plan": digest});
    let led = invoke(world, Mode::Approve, &command).await;
    led.report().outcome.as_ref().unwrap().status
}

#[tokio::test]
async fn a_role_that_was_swapped_for_a_namesake_after_approval_is_not_changed() {
    let world = world(&bare());
    let digest = digest_of(&world, "source").await;
    world.edit(|state| {
        state.roles.get_mut(&ROLE.parse().unwrap()).unwrap().id = "AROAEVEEVEEVEEVEEVEEV".to_owned();
    });
    assert_eq!(apply_digest(&world, "source", &digest).await, Status::Refused);
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn a_role_whose_tag_trust_or_boundary_changed_after_approval_is_judged_anew() {
    type Edit = fn(&mut crate::shared::account::model::Role);
    let edits: [Edit; 2] = [
        |role| role.tags.clear(),
        |role| role.trust["Statement"]["Principal"] = json!({"AWS": "*"}),
    ];
    for edit in edits {
        let world = world(&bare());
        let digest = digest_of(&world, "source").await;
        world.edit(|state| edit(state.roles.get_mut(&ROLE.parse().unwrap()).unwrap()));
        apply_digest(&world, "source", &digest).await;
        assert_eq!(world.writes(), []);
    }
}

#[tokio::test]
async fn a_destination_that_was_swapped_after_approval_refuses_the_digest() {
    let world = world(&bare());
    let digest = digest_of(&world, "source").await;
    world.edit(|state| {
        state.buckets.get_mut(&"replica".parse().unwrap()).unwrap().owner = Some(OTHER.parse().unwrap());
    });
    apply_digest(&world, "source", &digest).await;
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn the_digest_of_one_bucket_is_worth_nothing_for_another() {
    let mut account = bare();
    account["buckets"]["twin"] = account["buckets"]["source"].clone();
    let world = world(&account);
    let digest = digest_of(&world, "source").await;
    assert_ne!(digest, digest_of(&world, "twin").await);
    assert_eq!(apply_digest(&world, "twin", &digest).await, Status::Refused);
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn the_digest_of_another_role_or_account_is_another() {
    let mut digests = std::collections::BTreeSet::new();
    for (from, to) in [
        (ROLE, ROLE),
        (ROLE, "arn:aws:iam::111122223333:role/other"),
        (OWN, "999988887777"),
        ("key/replica", "key/replica2"),
    ] {
        let mut account = bare();
        account["identity"] = json!({"account": OWN, "region": "eu-west-1",
            "role": "arn:aws:iam::111122223333:role/remediator"});
        let text = account.to_string().replace(from, to);
        digests.insert(digest_of(&World::new(&text), "source").await);
    }
    assert_eq!(digests.len(), 4);
}

#[tokio::test]
async fn in_approve_no_event_and_no_queue_applies_anything_and_in_dry_run_no_command_either() {
    let world = world(&bare());
    let digest = digest_of(&world, "source").await;
    let apply = json!({"command": "apply", "bucket": "source", "plan": digest});
    let undo = json!({"command": "undo", "bucket": "source", "plan": digest});
    for (mode, payload) in [
        (Mode::Approve, crate::function::put_event("source")),
        (Mode::DryRun, crate::function::put_event("source")),
        (Mode::DryRun, apply.clone()),
        (Mode::Auto, crate::function::batch(&[apply.clone(), undo.clone()])),
        (
            Mode::Auto,
            crate::function::batch(&[crate::function::through_a_topic(&apply)]),
        ),
        (
            Mode::Auto,
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": apply.to_string()}}]}),
        ),
    ] {
        invoke(&world, mode, &payload).await;
        assert_eq!(world.writes(), [], "{mode} {payload}");
    }
    let _: Value = undo;
}
