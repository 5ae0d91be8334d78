//! How fast S3 is asked about buckets, one by one: as fast as nobody else notices, and slower once it says so.
//!
//! S3 names no limit for reads of bucket configurations, only the answer to whoever asks too much, 503 SlowDown
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/http-503-service-unavailable.html>). It counts all callers
//! of the account together, so that what we take away is missing elsewhere.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Between two questions where S3 does not mind: 25 in a second.
pub(super) const USUAL: Duration = Duration::from_millis(40);

/// Between two questions where it minds most.
const LONGEST: Duration = Duration::from_secs(1);

/// The pace of one sweep in one invocation.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Cell<Duration>,
    next: Cell<Instant>,
    slowed: Cell<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            gap: Cell::new(USUAL),
            next: Cell::new(now),
            slowed: Cell::new(now),
        }
    }

    /// When the next question may be asked.
    pub(super) fn turn(&self) -> Instant {
        let turn = self.next.get().max(Instant::now());
        self.next.set(turn + self.gap.get());
        turn
    }

    /// S3 refused one: half as fast. Refusals of what was under way together count once.
    pub(super) fn refused(&self) {
        let now = Instant::now();
        if now >= self.slowed.get() {
            self.gap.set((self.gap.get() * 2).min(LONGEST));
            self.slowed.set(now + self.gap.get() * 4);
        }
    }

    /// S3 answered one: a little faster again.
    pub(super) fn answered(&self) {
        self.gap.set((self.gap.get() * 49 / 50).max(USUAL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(pace: &Pace, questions: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..questions {
            tokio::time::sleep_until(pace.turn()).await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_twenty_five_questions_are_asked_in_a_second() {
        let pace = Pace::new();
        let seconds = seconds_for(&pace, 251).await;
        assert!((10.0..10.3).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_pace_and_answers_bring_it_back() {
        let pace = Pace::new();
        pace.refused();
        pace.refused();
        let seconds = seconds_for(&pace, 26).await;
        assert!(
            (2.0..2.2).contains(&seconds),
            "together they count once: {seconds}"
        );
        for _ in 0..100 {
            pace.answered();
        }
        let seconds = seconds_for(&pace, 26).await;
        assert!((1.0..1.2).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn however_often_it_is_refused_a_question_is_asked_each_second() {
        let pace = Pace::new();
        for _ in 0..50 {
            pace.refused();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert!(seconds_for(&pace, 11).await < 10.5);
    }
}
