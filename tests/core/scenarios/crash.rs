//! Killed at any moment: around each call that changes AWS, the ledger or the queue, and around each message. What is
//! delivered again comes to the end that it would have come to, every change is known, and every change is told.
//!
//! Between two such calls nothing changes, so that these moments stand for all. "Before" a call it does not arrive;
//! "after" it, its answer is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use s3_replication_remediator::apply::State;
use s3_replication_remediator::handler::{Handler, HandlerError, Invocation, Response, Settings};
use s3_replication_remediator::ledger::bucket_key;
use s3_replication_remediator::ledger::changes::ChangeRecord;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{Publication, PublishFailure, Publisher};
use s3_replication_remediator::queue::{Message, Queue, QueueFailure};
use s3_replication_remediator::report::{Caller, Report};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::story::Story;
use crate::account::World;

/// A deployed function that may be killed.
struct Scene {
    world: World,
    settings: Settings,
    bucket: String,
    table: MemoryLedger,
    told: RefCell<Vec<String>>,
    queue: RefCell<Vec<Message>>,
    now: Cell<Timestamp>,
}

impl Ledger for &Scene {
    fn is_durable(&self) -> bool {
        true
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        self.world.steps.turn().await;
        self.table.items(partition).await
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        self.world.steps.step().await;
        let done = self.table.put(item).await;
        self.world.steps.step().await;
        done
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        self.world.steps.step().await;
        let done = self.table.remove(key, version).await;
        self.world.steps.step().await;
        done
    }
}

impl Publisher for &Scene {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        self.world.steps.step().await;
        match publication {
            Publication::CheckResult(..) => {}
            Publication::Alert(_, message) | Publication::Summary(message) => {
                self.told.borrow_mut().push(message.text.clone())
            }
        }
        self.world.steps.step().await;
        Ok(())
    }
}

impl Queue for &Scene {
    async fn send(&self, messages: &[Message]) -> Result<(), QueueFailure> {
        self.world.steps.step().await;
        self.queue.borrow_mut().extend_from_slice(messages);
        self.world.steps.step().await;
        Ok(())
    }
}

impl Scene {
    /// The function in the account of a story.
    fn new(story: &Story) -> Self {
        Self {
            world: story.world(),
            settings: story.opened(),
            bucket: story.bucket(),
            table: MemoryLedger::default(),
            told: RefCell::default(),
            queue: RefCell::default(),
            now: Cell::new("2026-09-14T09:00:00Z".parse().unwrap()),
        }
    }

    /// The same; none where there is nothing for it to repair.
    fn of(story: &Story) -> Option<Self> {
        let scene = Self::new(story);
        let check = scene.command(&json!({"command": "check", "bucket": scene.bucket}));
        check.plan.is_some_and(|plan| plan.has_changes()).then_some(scene)
    }

    fn handler(&self) -> Handler<'_, World, &Self, &Self, &Self> {
        Handler {
            aws: &self.world,
            publisher: self,
            ledger: self,
            memory: MemoryLedger::default(),
            queue: self,
            settings: self.settings.clone(),
        }
    }

    fn invocation(&self) -> Invocation {
        Invocation {
            identity: self.world.identity(),
            now: self.now.get(),
            began: Instant::now(),
            deadline: Instant::now() + Duration::from_secs(60),
            caller: Caller::Function {
                name: "s3-replication-remediator".to_owned(),
                region: "eu-west-1".parse().unwrap(),
            },
        }
    }

    /// One invocation, or nothing where it was killed.
    fn invoke(&self, payload: &Value) -> Option<Result<Response, HandlerError>> {
        run(async {
            let (handler, invocation) = (self.handler(), self.invocation());
            let mut work = pin!(handler.handle(&invocation, payload));
            let answer = poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if self.world.steps.is_stopped() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await;
            if answer.is_none() {
                self.world.steps.stop_at(None);
            }
            answer
        })
    }

    /// Hands a message out until it is answered for.
    fn deliver(&self, body: &Value) {
        for count in 1..=5 {
            let message = json!({"messageId": "m", "body": body.to_string(), "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": count.to_string()}});
            match self.invoke(&json!({"Records": [message]})) {
                Some(Ok(Response::Batch(again))) if again.is_empty() => return,
                Some(Ok(Response::Batch(_))) | None => {}
                Some(other) => panic!("{other:?}"),
            }
            self.pass(1);
        }
        panic!("it came five times: {body}");
    }

    /// Asks until there is an answer, as a person would.
    fn command(&self, command: &Value) -> Report {
        loop {
            match self.invoke(command) {
                Some(Ok(Response::Report(report))) => return *report,
                None => {}
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    fn event(&self, name: &str) -> Value {
        json!({
            "version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3",
            "detail": {
                "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "eventID": "e-1",
                "eventTime": "2026-09-14T08:59:00Z",
                "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana"},
                "requestParameters": {"bucketName": self.bucket},
            },
        })
    }

    fn pass(&self, minutes: i64) {
        self.now.set(self.now.get() + SignedDuration::from_mins(minutes));
    }

    fn repair(&self) {
        self.deliver(&self.event("PutBucketReplication"));
    }

    fn remove(&self) {
        self.world.edit(|state| {
            state
                .buckets
                .get_mut(&self.bucket.parse().unwrap())
                .unwrap()
                .replication = None;
        });
        self.pass(20);
        self.deliver(&self.event("DeleteBucketReplication"));
        self.settle();
    }

    /// What waits in the queue comes.
    fn settle(&self) {
        self.pass(20);
        for message in self.queue.take() {
            self.deliver(&message.body);
        }
    }

    fn undo(&self) {
        for _ in 0..3 {
            let shown = self.command(&json!({"command": "undo", "bucket": self.bucket}));
            let Some(digest) = shown.digest() else { return };
            self.command(&json!({"command": "undo", "bucket": self.bucket, "plan": digest}));
        }
    }

    fn records(&self) -> Vec<ChangeRecord> {
        let partition = bucket_key(&self.bucket.parse().unwrap());
        let items = run(self.table.items(&partition)).unwrap();
        items.iter().filter_map(ChangeRecord::read).collect()
    }

    /// What the account comes to, and which roles and keys were written to.
    fn end(&self) -> (crate::account::State, BTreeSet<String>) {
        let written = self.world.writes().into_iter().map(|write| write.resource);
        (self.world.state().clone(), written.collect())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// Plays a story once undisturbed, and once for each moment at which it may be killed.
fn survives(story: &Story, play: fn(&Scene)) -> usize {
    survives_at(story, play, (1..).step_by(1))
}

/// The same for some of the moments; answers how many there are at least.
fn survives_at(story: &Story, play: fn(&Scene), steps: impl Iterator<Item = usize>) -> usize {
    let Some(undisturbed) = Scene::of(story) else {
        return 0;
    };
    play(&undisturbed);
    let (state, written) = undisturbed.end();
    for step in steps {
        let scene = Scene::new(story);
        scene.world.steps.stop_at(Some(step));
        play(&scene);
        if scene.world.steps.is_stopping() {
            // It came to its end before that moment.
            return step - 1;
        }
        let name = format!("{}, killed at step {step}", story.name);
        // Whoever comes next completes what is written down.
        scene.pass(20);
        scene.deliver(&json!({"command": "check", "bucket": scene.bucket}));
        let (end, touched) = scene.end();
        assert_eq!(end, state, "{name}");
        assert_eq!(touched, written, "{name}");
        for record in scene.records() {
            let open: Vec<_> = record
                .changes
                .iter()
                .filter(|entry| entry.state == State::Begun)
                .collect();
            assert!(open.is_empty(), "{name}: {open:?}");
        }
        let told = scene.told.borrow().join("\n");
        for resource in &touched {
            assert!(
                told.contains(resource),
                "{name}: {resource} was changed and not told: {told}"
            );
        }
    }
    panic!("a story without an end")
}

/// One story for each kind of plan.
fn kinds_of_repair() -> &'static [Story] {
    static KINDS: LazyLock<Vec<Story>> = LazyLock::new(|| {
        let mut seen = BTreeSet::new();
        let mut is_new = |story: &Story| {
            let scene = Scene::of(story)?;
            let check = scene.command(&json!({"command": "check", "bucket": scene.bucket}));
            let kinds: Vec<(&'static str, bool)> = check
                .plan?
                .plan()
                .changes
                .iter()
                .map(|planned| (planned.change.kind(), planned.change.before().is_null()))
                .collect();
            seen.insert(kinds).then_some(())
        };
        let mut stories = Story::all();
        stories.retain(|story| is_new(story).is_some());
        stories
    });
    &KINDS
}

#[test]
fn a_repair_that_is_killed_at_any_moment_ends_as_if_it_had_not_been() {
    for story in kinds_of_repair() {
        assert!(survives(story, Scene::repair) > 6);
    }
}

#[test]
fn every_story_that_has_a_repair_survives_being_killed() {
    // Every moment of each kind of repair is tried above; of all stories, one moment in five, each story others.
    let steps: Vec<usize> = Story::all()
        .iter()
        .enumerate()
        .map(|(index, story)| survives_at(story, Scene::repair, (1 + index % 5..).step_by(5)))
        .collect();
    let played = steps.iter().filter(|steps| **steps > 0).count();
    assert!(played > 20, "{played} stories have a plan");
}

#[test]
fn a_removal_that_is_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let stories = kinds_of_repair();
    assert!(stories.len() > 1);
    for story in stories {
        let steps = survives(story, |scene| {
            scene.repair();
            scene.remove();
        });
        assert!(steps > 20, "{steps}");
    }
}

#[test]
fn a_replacement_that_is_killed_at_any_moment_ends_as_if_it_had_not_been() {
    for story in kinds_of_repair() {
        survives(story, |scene| {
            scene.repair();
            scene.world.edit(|state| {
                let bucket = state.buckets.get_mut(&scene.bucket.parse().unwrap()).unwrap();
                bucket.encryption.bucket_key = !bucket.encryption.bucket_key;
            });
            scene.pass(20);
            scene.repair();
            scene.settle();
        });
    }
}

#[test]
fn an_undo_that_is_killed_at_any_moment_leaves_the_account_as_it_was_before_the_repair() {
    for story in kinds_of_repair() {
        let before = story.world().state().clone();
        let Some(undisturbed) = Scene::of(story) else {
            continue;
        };
        undisturbed.repair();
        undisturbed.undo();
        assert_eq!(*undisturbed.world.state(), before, "{}", story.name);
        for step in 1.. {
            let scene = Scene::new(story);
            scene.repair();
            scene.world.steps.stop_at(Some(step));
            scene.undo();
            if scene.world.steps.is_stopping() {
                break;
            }
            assert_eq!(
                *scene.world.state(),
                before,
                "{}, killed at step {step}",
                story.name
            );
            scene.pass(20);
            scene.command(&json!({"command": "check", "bucket": scene.bucket}));
            let records = scene.records();
            assert!(
                records.iter().all(|record| !record.may_hold()),
                "{}, {step}: {records:?}",
                story.name
            );
        }
    }
}

#[test]
fn a_dry_run_writes_nothing_whatever_fails() {
    for story in kinds_of_repair() {
        let calls = Scene::of(story).unwrap().world.call_counts();
        for operation in calls.keys() {
            for code in ["AccessDenied", "Throttling", "NoSuchEntity"] {
                let mut scene = Scene::new(story);
                scene.settings.mode = Mode::DryRun;
                scene.world.fail(operation, "*", code);
                for count in [1, 4] {
                    let body = scene.event("PutBucketReplication").to_string();
                    let message = json!({"messageId": "m", "body": body, "eventSource": "aws:sqs",
                        "attributes": {"ApproximateReceiveCount": count.to_string()}});
                    scene.invoke(&json!({"Records": [message]})).unwrap().unwrap();
                }
                assert_eq!(scene.world.writes(), [], "{}: {operation} {code}", story.name);
                assert_eq!(scene.records(), []);
            }
        }
    }
}

/// Invocations at once, of which one after another gets its turn as the numbers say.
fn at_once(scene: &Scene, payloads: &[Value], turns: &[u8]) -> Vec<Response> {
    scene.world.steps.take_turns();
    // Somebody is always at work, so that a clock that waits for all to be idle would stand still.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (handler, invocation) = (scene.handler(), scene.invocation());
        let mut work: Vec<_> = payloads
            .iter()
            .map(|payload| Some(Box::pin(handler.handle(&invocation, payload))))
            .collect();
        let mut answers = Vec::new();
        let mut turns = turns.iter().cycle();
        poll_fn(|context| {
            let open: Vec<usize> = (0..work.len()).filter(|index| work[*index].is_some()).collect();
            let Some(turn) =
                (!open.is_empty()).then(|| open[usize::from(*turns.next().unwrap()) % open.len()])
            else {
                return Poll::Ready(());
            };
            if let Poll::Ready(answer) = work[turn].as_mut().unwrap().as_mut().poll(context) {
                work[turn] = None;
                answers.push((turn, answer));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        drop(work);
        let mut done = Vec::new();
        for (turn, answer) in answers {
            done.push(match answer {
                // The queue hands it out again.
                Err(HandlerError::PublishInProgress(_)) => {
                    handler.handle(&invocation, &payloads[turn]).await.unwrap()
                }
                other => other.unwrap(),
            });
        }
        done
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invocations_at_once_end_as_one_would(turns in prop::collection::vec(any::<u8>(), 1..400), many in any::<bool>()) {
        let kinds = kinds_of_repair();
        let story = &kinds[turns.len() % kinds.len()];
        let alone = Scene::new(story);
        alone.repair();
        let scene = Scene::new(story);
        let payloads = vec![scene.event("PutBucketReplication"); if many { 8 } else { 2 }];
        let mut applied = 0;
        for answer in at_once(&scene, &payloads, &turns) {
            let Response::Reports(reports) = answer else { panic!("{answer:?}") };
            let outcome = json!(reports[0].outcome);
            let status = outcome["status"].as_str();
            prop_assert!(
                matches!(status, None | Some("applied" | "already-in-place" | "planned")),
                "{}: {}", story.name, outcome
            );
            applied += usize::from(status == Some("applied"));
        }
        prop_assert!(applied > 0);
        prop_assert_eq!(&*scene.world.state(), &*alone.world.state(), "{}", story.name);
        for record in scene.records() {
            prop_assert!(record.changes.iter().all(|entry| entry.is_made()), "{}: {:?}", story.name, record);
        }
    }
}
