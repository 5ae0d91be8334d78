//! The function together with its queue and its ledger, over hours that pass in no time: what it leaves itself to do
//! later comes back when it is due, and whatever it does not finish comes again.

mod drift;
mod follow_up;
mod storm;
mod sweep;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use s3_replication_remediator::collect::Scope;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{Handler, HandlerError, Invocation, Response, Settings};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger, LedgerFailure};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{Notification, Publication, PublishFailure, Publisher};
use s3_replication_remediator::queue::{Message, Queue, QueueFailure};
use s3_replication_remediator::report::Caller;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::account::World;
use crate::handler::recorded;

/// What an invocation may take, as in the template.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a message that was not answered for stays hidden, as in the template.
const HIDDEN: Duration = Duration::from_secs(400);
/// How often it is handed out, as in the template.
const GIVEN_UP_AFTER: u32 = 5;
/// How many messages it takes at once, and how long it waits for them.
const BATCH: usize = 50;
const WINDOW: Duration = Duration::from_secs(20);

/// The account of the demo, which is broken for many reasons.
pub(crate) const DEMO: &str = include_str!("handler/many-reasons.json");

/// One whose replication is broken by what the function can repair.
pub(crate) fn repairable(mode: Mode) -> Deployment {
    let world = World::new(DEMO);
    world.edit(|state| {
        for key in state.keys.values_mut() {
            key.state = "Enabled".to_owned();
        }
        let source = state
            .buckets
            .get_mut(&"amzn-s3-demo-source-bucket".parse().unwrap())
            .unwrap();
        let rule = &mut source.replication.as_mut().unwrap().rules[0];
        rule.destination.metrics = serde_json::from_value(json!({"Status": "Enabled"})).unwrap();
    });
    Deployment {
        mode,
        ..Deployment::of(world)
    }
}

/// One in which that was done, and forgotten by people but not by the ledger.
pub(crate) fn repaired(mode: Mode) -> Deployment {
    let deployment = repairable(Mode::Auto);
    deployment.send(recorded("cloudtrail/put-kms-rule.json"));
    deployment.run();
    deployment.told.borrow_mut().clear();
    deployment.past.set(Duration::ZERO);
    Deployment { mode, ..deployment }
}

/// When it all begins.
pub(crate) fn beginning() -> Timestamp {
    "2026-09-14T09:00:00Z".parse().unwrap()
}

/// A message in the queue.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) body: Value,
    pub(crate) received: u32,
    /// Since the beginning.
    pub(crate) due: Duration,
}

/// A deployed function.
pub(crate) struct Deployment {
    pub(crate) world: World,
    pub(crate) mode: Mode,
    pub(crate) guards: GuardSettings,
    /// What an invocation may take.
    pub(crate) timeout: Duration,
    /// What the process remembers.
    memory: Cell<MemoryLedger>,
    pub(crate) ledger: Remembering,
    pub(crate) queue: RefCell<Vec<Waiting>>,
    pub(crate) dead_letters: RefCell<Vec<Value>>,
    /// Does the queue refuse?
    pub(crate) is_closed: Cell<bool>,
    told: RefCell<Vec<Notification>>,
    sent: Cell<usize>,
    clock: Cell<Option<Instant>>,
    /// What had passed when the clock last stood still.
    past: Cell<Duration>,
    pub(crate) invocations: Cell<usize>,
}

/// A ledger that counts what is written, and lasts if it should.
#[derive(Debug, Default)]
pub(crate) struct Remembering {
    memory: MemoryLedger,
    pub(crate) is_durable: bool,
    pub(crate) writes: Cell<usize>,
    pub(crate) is_out_of_order: Cell<bool>,
}

impl Remembering {
    fn failure(&self) -> Result<(), LedgerFailure> {
        match self.is_out_of_order.get() {
            true => Err(LedgerFailure::Unavailable("out of order".to_owned())),
            false => Ok(()),
        }
    }
}

impl Ledger for Remembering {
    fn is_durable(&self) -> bool {
        self.is_durable
    }

    async fn items(&self, partition: &str) -> Result<Vec<Item>, LedgerFailure> {
        self.failure()?;
        self.memory.items(partition).await
    }

    async fn put(&self, item: &Item) -> Result<(), LedgerFailure> {
        self.failure()?;
        self.writes.set(self.writes.get() + 1);
        self.memory.put(item).await
    }

    async fn remove(&self, key: &ItemKey, version: u64) -> Result<(), LedgerFailure> {
        self.failure()?;
        self.writes.set(self.writes.get() + 1);
        self.memory.remove(key, version).await
    }
}

impl Queue for &Deployment {
    async fn send(&self, messages: &[Message]) -> Result<(), QueueFailure> {
        if self.is_closed.get() && !messages.is_empty() {
            return Err(QueueFailure::NotSent {
                count: messages.len(),
                reason: "closed".to_owned(),
            });
        }
        for message in messages {
            assert!(message.delay <= Duration::from_secs(900), "{message:?}");
            self.send_one(message.body.clone(), self.elapsed() + message.delay);
        }
        Ok(())
    }
}

impl Publisher for &Deployment {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        match publication {
            Publication::CheckResult(..) => {}
            Publication::Alert(_, message) | Publication::Summary(message) => {
                self.told.borrow_mut().push(message.clone())
            }
        }
        Ok(())
    }
}

impl Deployment {
    pub(crate) fn of(world: World) -> Self {
        Self {
            world,
            mode: Mode::DryRun,
            guards: GuardSettings::default(),
            timeout: TIMEOUT,
            memory: Cell::default(),
            ledger: Remembering {
                is_durable: true,
                ..Remembering::default()
            },
            queue: RefCell::default(),
            dead_letters: RefCell::default(),
            is_closed: Cell::new(false),
            told: RefCell::default(),
            sent: Cell::new(0),
            clock: Cell::default(),
            past: Cell::default(),
            invocations: Cell::new(0),
        }
    }

    /// One without a ledger that outlives the process.
    pub(crate) fn forgetful(world: World) -> Self {
        let mut deployment = Self::of(world);
        deployment.ledger.is_durable = false;
        deployment
    }

    fn elapsed(&self) -> Duration {
        self.clock.get().map_or(self.past.get(), |start| start.elapsed())
    }

    fn send_one(&self, body: Value, due: Duration) {
        self.sent.set(self.sent.get() + 1);
        self.queue.borrow_mut().push(Waiting {
            id: format!("message-{}", self.sent.get()),
            body,
            received: 0,
            due,
        });
    }

    /// Puts a message into the queue, as anybody would.
    pub(crate) fn send(&self, body: Value) {
        self.send_one(body, self.elapsed());
    }

    pub(crate) fn told(&self) -> Vec<Notification> {
        self.told.borrow().clone()
    }

    /// What waits in the queue.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        self.queue.borrow().clone()
    }

    async fn invoke(&self, payload: &Value) -> Result<Response, HandlerError> {
        self.invocations.set(self.invocations.get() + 1);
        let handler = Handler {
            aws: &self.world,
            publisher: self,
            ledger: &self.ledger,
            memory: self.memory.take(),
            queue: self,
            settings: Settings {
                mode: self.mode,
                scope: Scope::default(),
                guards: self.guards.clone(),
                report_refused_puts: false,
                remind_after: None,
            },
        };
        let now = beginning().checked_add(self.elapsed()).unwrap();
        let invocation = Invocation {
            identity: self.world.identity(),
            now,
            began: Instant::now(),
            deadline: Instant::now() + self.timeout,
            caller: Caller::Function {
                name: "s3-replication-remediator".to_owned(),
                region: "eu-west-1".parse().unwrap(),
            },
        };
        let answer = handler.handle(&invocation, payload).await;
        self.memory.set(handler.memory);
        answer
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            self.clock.set(Some(Instant::now() - self.past.get()));
            let answer = work.await;
            self.past.set(self.elapsed());
            self.clock.set(None);
            answer
        })
    }

    /// Invokes the function directly.
    pub(crate) fn handle(&self, payload: &Value) -> Result<Response, HandlerError> {
        self.block_on(self.invoke(payload))
    }

    /// Lets the queue hand out its messages until none is left, or for as long.
    pub(crate) fn run_for(&self, longest: Duration) {
        self.block_on(async {
            let end = self.elapsed() + longest;
            loop {
                let first = self.queue.borrow().iter().map(|waiting| waiting.due).min();
                let Some(first) = first.filter(|first| *first <= end) else {
                    break;
                };
                tokio::time::sleep(first.saturating_sub(self.elapsed()) + WINDOW).await;
                let now = self.elapsed();
                let batch: Vec<Waiting> = {
                    let mut queue = self.queue.borrow_mut();
                    queue.sort_by_key(|waiting| waiting.due);
                    let count = queue.iter().take_while(|waiting| waiting.due <= now).count();
                    queue.drain(..count.min(BATCH)).collect()
                };
                self.deliver(batch).await;
            }
        });
    }

    /// Lets the queue hand out its messages until none is left.
    pub(crate) fn run(&self) {
        self.run_for(Duration::from_secs(30 * 24 * 3600));
    }

    /// Time in which nothing happens.
    pub(crate) fn pass(&self, time: Duration) {
        self.past.set(self.past.get() + time);
    }

    async fn deliver(&self, batch: Vec<Waiting>) {
        let records: Vec<Value> = batch
            .iter()
            .map(|waiting| {
                json!({
                    "messageId": waiting.id, "body": waiting.body.to_string(), "eventSource": "aws:sqs",
                    "attributes": {"ApproximateReceiveCount": (waiting.received + 1).to_string()},
                })
            })
            .collect();
        let begun = Instant::now();
        let again = match self.invoke(&json!({"Records": records})).await {
            Ok(Response::Batch(again)) => again,
            Ok(other) => panic!("not the answer to a batch: {other:?}"),
            Err(_) => batch
                .iter()
                .map(|waiting| waiting.id.clone())
                .collect::<BTreeSet<_>>(),
        };
        assert!(begun.elapsed() < self.timeout, "Lambda would have stopped it");
        for mut waiting in batch.into_iter().filter(|waiting| again.contains(&waiting.id)) {
            waiting.received += 1;
            waiting.due = self.elapsed() + HIDDEN;
            if waiting.received < GIVEN_UP_AFTER {
                self.queue.borrow_mut().push(waiting);
            } else {
                self.dead_letters.borrow_mut().push(waiting.body);
            }
        }
    }
}
