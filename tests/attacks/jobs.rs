//! Jobs that copy what failed, ordered by who must not, or for what must be left alone.

use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use crate::function::{Led, batch, invoke_with, through_a_topic};
use crate::world::*;

fn order() -> Value {
    json!({"command": "backlog", "bucket": "source"})
}

fn guards(role: &str) -> GuardSettings {
    GuardSettings {
        batch_role: Some(role.parse().unwrap()),
        ..GuardSettings::default()
    }
}

/// An account in which replication works.
async fn repaired() -> World {
    let world = World::new(&bare().to_string());
    let put = crate::function::put_event("source");
    invoke_with(&world, Mode::Auto, GuardSettings::default(), &put).await;
    world
}

fn jobs(world: &World) -> usize {
    world
        .writes()
        .iter()
        .filter(|write| write.operation == "s3:CreateJob")
        .count()
}

fn status(led: &Led) -> Value {
    serde_json::to_value(led.report().backlog.as_ref().unwrap()).unwrap()["status"].clone()
}

#[tokio::test]
async fn no_job_is_ordered_but_by_a_direct_command_for_a_bucket_of_ours() {
    const BATCH: &str = "arn:aws:iam::111122223333:role/batch";
    let opted_out = |world: &World| {
        world.edit(|state| {
            let source = state.buckets.get_mut(&"source".parse().unwrap()).unwrap();
            source
                .tags
                .insert("s3-replication-remediator".to_owned(), "ignore".to_owned());
        });
    };
    let of_another = |world: &World| {
        world.edit(|state| {
            let source = state.buckets.get_mut(&"source".parse().unwrap()).unwrap();
            source.owner = Some(OTHER.parse().unwrap());
        });
    };
    let untold = |world: &World| world.deny("s3:GetBucketTagging", "*");
    let nothing = |_: &World| {};
    type Change<'a> = &'a dyn Fn(&World);
    let attacks: [(Change<'_>, Mode, &str); 6] = [
        (&opted_out, Mode::Auto, BATCH),
        (&of_another, Mode::Auto, BATCH),
        (&untold, Mode::Auto, BATCH),
        (&nothing, Mode::DryRun, BATCH),
        (&nothing, Mode::Auto, "arn:aws:iam::444455556666:role/batch"),
        (&nothing, Mode::Auto, "arn:aws:iam::111122223333:role/remediator"),
    ];
    for (change, mode, role) in attacks {
        let world = repaired().await;
        change(&world);
        let led = invoke_with(&world, mode, guards(role), &order()).await;
        assert_eq!(status(&led), "refused", "{mode} {role}");
        assert_eq!(jobs(&world), 0);
    }
    let world = repaired().await;
    for message in [batch(&[order()]), batch(&[through_a_topic(&order())])] {
        let _ = invoke_with(&world, Mode::Auto, guards(BATCH), &message)
            .await
            .answer;
        assert_eq!(jobs(&world), 0);
    }
    let led = invoke_with(&world, Mode::Approve, guards(BATCH), &order()).await;
    assert_eq!((status(&led), jobs(&world)), (json!("created"), 1));
}
