//! The moments at which a process may be killed, or another one may get its turn: around each call that changes anything.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::yield_now;

/// Counts steps, and stops the world at one of them. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    taken: Cell<usize>,
    last: Cell<Option<usize>>,
    is_stopped: Cell<bool>,
    takes_turns: Cell<bool>,
}

impl Steps {
    /// From now on, the world stops for good at the given step, which is 1 for the next; or never.
    pub(crate) fn stop_at(&self, step: Option<usize>) {
        self.0.taken.set(0);
        self.0.last.set(step);
        self.0.is_stopped.set(false);
    }

    /// Each step lets others go first.
    pub(crate) fn take_turns(&self) {
        self.0.takes_turns.set(true);
    }

    /// Is the moment to stop still to come?
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.last.get().is_some() && !self.is_stopped()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped.get()
    }

    /// One moment.
    pub(crate) async fn step(&self) {
        self.0.taken.set(self.0.taken.get() + 1);
        if self.0.last.get() == Some(self.0.taken.get()) {
            self.0.is_stopped.set(true);
            std::future::pending::<()>().await;
        }
        self.turn().await;
    }

    /// A moment at which nothing can be lost.
    pub(crate) async fn turn(&self) {
        if self.0.takes_turns.get() {
            yield_now().await;
        }
    }
}
