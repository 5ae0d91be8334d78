//! What the looks of one invocation share, and when they stop to.

use std::time::Duration;

use futures_util::{FutureExt as _, join};
use s3_replication_remediator::arn::{KeyReference, RoleArn};
use s3_replication_remediator::collect::Shared;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::source::{BucketAt, Reader, Source as _};
use serde_json::json;

use crate::account::World;
use crate::account::model::Switch;

const ROLE: &str = "arn:aws:iam::111122223333:role/crr";
const SOON: Duration = Duration::from_millis(50);

fn world() -> World {
    let role = json!({"roles": {ROLE: {"inline": {"one": {"Version": "2012-10-17", "Statement": []}}}}});
    World::new(&role.to_string()).with_latency(SOON)
}

fn role() -> RoleArn {
    ROLE.parse().unwrap()
}

fn fails(world: &World, code: &str, times: u32) {
    world.edit(|state| {
        state.failing.push(Switch {
            operation: "iam:GetRole".to_owned(),
            resource: "*".to_owned(),
            code: code.to_owned(),
            times: Some(times),
        });
    });
}

/// How often the role was asked for.
fn asked(world: &World) -> usize {
    world.called("iam:GetRole", ROLE)
}

#[tokio::test(start_paused = true)]
async fn of_all_who_ask_one_question_one_asks_aws() {
    let world = world();
    let reads = Shared::new(&world);
    let start = tokio::time::Instant::now();
    let role = &role();
    let (one, other) = join!(reads.role(role), reads.role(role));
    assert_eq!(start.elapsed(), SOON);
    let later = reads.role(role).await;
    assert!(one.found().is_some() && one == other && one == later);
    assert_eq!(asked(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_to_other_questions_or_for_other_readers_are_not_mixed_up() {
    let world = World::new(
        &json!({
            "memberRoles": ["444455556666"],
            "buckets": {"logs": {"versioning": "Suspended"}, "replica": {"owner": "444455556666"}},
        })
        .to_string(),
    );
    let reads = Shared::new(&world);
    let at = |name: &str, reader: Reader, owner: &str| BucketAt {
        name: name.parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        owner: owner.parse().unwrap(),
        reader,
    };
    let member = Reader::Member("444455556666".parse().unwrap());
    let questions = [
        at("logs", Reader::Own, "111122223333"),
        at("replica", Reader::Own, "444455556666"),
        at("replica", member, "444455556666"),
    ];
    for question in &questions {
        for _ in 0..2 {
            assert_eq!(reads.versioning(question).await, world.versioning(question).await);
            let (shared, read) = (
                reads.head_bucket(question).await,
                world.head_bucket(question).await,
            );
            assert_eq!(shared, read);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_told_to_those_who_wait_and_not_to_those_who_come_later() {
    for code in ["Throttling", "Timeout", "ExpiredToken", "UnreadableAnswer"] {
        let world = world();
        fails(&world, code, 1);
        let reads = Shared::new(&world);
        let role = &role();
        let (one, other) = join!(reads.role(role), reads.role(role));
        assert_eq!(one.failure().map(|failure| &*failure.error_code), Some(code));
        assert_eq!(one, other);
        assert!(reads.role(role).await.found().is_some());
        assert_eq!(asked(&world), 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_and_an_absence_hold_for_all() {
    let world = world();
    fails(&world, "AccessDenied", 1);
    let reads = Shared::new(&world);
    for _ in 0..3 {
        assert!(reads.role(&role()).await.failure().is_some());
    }
    assert_eq!(asked(&world), 1);

    let gone = "arn:aws:iam::111122223333:role/gone".parse().unwrap();
    for _ in 0..3 {
        assert!(reads.role(&gone).await.is_absent());
    }
    assert_eq!(
        world.called("iam:GetRole", "arn:aws:iam::111122223333:role/gone"),
        1
    );
}

async fn policies(reads: &Shared<'_, World>) -> usize {
    match reads.inline_policy_names(&role()).await {
        Observed::Found(names) => names.len(),
        Observed::Absent | Observed::Unreadable(_) => panic!("the role can be read"),
    }
}

fn add(world: &World, name: &str) {
    world.edit(|state| {
        let role = state.roles.get_mut(&role()).unwrap();
        role.inline.insert(name.to_owned(), json!({"Statement": []}));
    });
}

#[tokio::test(start_paused = true)]
async fn a_change_of_our_own_is_seen_by_whoever_looks_after_it() {
    let world = world();
    let reads = Shared::new(&world);
    assert_eq!(policies(&reads).await, 1);
    reads.changing(async { add(&world, "two") }).await;
    assert_eq!(policies(&reads).await, 2);
    // Somebody else's change is for the next invocation, and for the comparison before a write.
    add(&world, "three");
    assert_eq!(policies(&reads).await, 2);
    assert_eq!(policies(&Shared::new(&world)).await, 3);
}

#[tokio::test(start_paused = true)]
async fn while_a_change_is_under_way_everybody_reads_for_himself() {
    let world = world();
    let reads = Shared::new(&world);
    let change = reads.changing(tokio::time::sleep(SOON * 10));
    let looks = async {
        for _ in 0..3 {
            reads.role(&role()).await;
        }
    };
    join!(change, looks);
    assert_eq!(asked(&world), 3);
    reads.role(&role()).await;
    reads.role(&role()).await;
    assert_eq!(asked(&world), 4);
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_a_read_that_began_before_a_change() {
    let world = world();
    let reads = Shared::new(&world);
    let role = &role();
    let before = reads.role(role);
    let after = async {
        tokio::time::sleep(SOON / 2).await;
        reads.changing(async {}).await;
        reads.role(role).await
    };
    join!(before, after);
    assert_eq!(asked(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_change_of_which_nobody_knows_the_end_nothing_is_shared() {
    let world = world();
    let reads = Shared::new(&world);
    let change = reads.changing(std::future::pending::<()>());
    tokio::time::timeout(SOON, change).await.unwrap_err();
    reads.role(&role()).await;
    reads.role(&role()).await;
    assert_eq!(asked(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_look_that_is_given_up_asks_for_himself() {
    let world = world();
    let reads = Shared::new(&world);
    let role = &role();
    let given_up = tokio::time::timeout(SOON / 2, reads.role(role));
    let (given_up, waiting) = join!(given_up, reads.role(role));
    assert!(given_up.is_err());
    assert!(waiting.found().is_some());
    assert_eq!(asked(&world), 2);
    assert!(reads.role(role).now_or_never().is_some(), "it is known");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_one_bucket_with_a_thousand_keys_needs() {
    let world = World::new("{}");
    let reads = Shared::new(&world);
    for _ in 0..2 {
        for number in 0..1_100 {
            let key: KeyReference = format!("arn:aws:kms:eu-west-1:111122223333:key/{number}")
                .parse()
                .unwrap();
            reads.describe_key(&key, &Reader::Own).await;
        }
    }
    assert_eq!(world.call_counts()["kms:DescribeKey"], 1_000 + 2 * 100);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_a_while_ago_is_read_again() {
    let world = world();
    let reads = Shared::new(&world);
    for (seconds, calls) in [(0, 1), (5, 1), (4, 1), (2, 2), (9, 2)] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        reads.role(&role()).await;
        assert_eq!(asked(&world), calls);
    }
}
