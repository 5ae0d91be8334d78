//! Decides which messages are the same news again, and spares people those.
//!
//! S3 tells of each object that fails, for as long as it goes on. A batch of the queue becomes one message, but a night of
//! failures is many batches. What the process remembers is enough: there are few at a time, and a new one only tells once
//! more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::{Notification, PublishFailure, Publisher};

/// The same news is told again after this long.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A publisher that tells the same news once an hour.
#[derive(Debug)]
pub struct Sparing<P> {
    publisher: P,
    told: Mutex<BTreeMap<String, Instant>>,
}

impl<P> Sparing<P> {
    /// Around another publisher.
    pub fn new(publisher: P) -> Self {
        Self {
            publisher,
            told: Mutex::default(),
        }
    }

    fn was_told(&self, news: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, when| when.elapsed() < HOUR);
        told.contains_key(news)
    }
}

impl<P: Publisher> Publisher for Sparing<P> {
    async fn publish(&self, notification: &Notification) -> Result<(), PublishFailure> {
        let Some(news) = &notification.sameness else {
            return self.publisher.publish(notification).await;
        };
        if self.was_told(news) {
            info!(
                subject = notification.subject,
                "not told again: the same was told within the hour"
            );
            return Ok(());
        }
        self.publisher.publish(notification).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(news.clone(), Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[derive(Debug, Default)]
    struct Recorder {
        subjects: RefCell<Vec<String>>,
        is_mute: Cell<bool>,
    }

    impl Publisher for &Recorder {
        async fn publish(&self, notification: &Notification) -> Result<(), PublishFailure> {
            if self.is_mute.get() {
                return Err(PublishFailure {
                    reason: "the topic is gone".to_owned(),
                });
            }
            self.subjects.borrow_mut().push(notification.subject.clone());
            Ok(())
        }
    }

    fn message(subject: &str, sameness: Option<&str>) -> Notification {
        Notification {
            subject: subject.to_owned(),
            text: String::new(),
            attributes: BTreeMap::new(),
            sameness: sameness.map(str::to_owned),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_news_is_told_once_an_hour_and_other_news_at_once() {
        let recorder = Recorder::default();
        let sparing = Sparing::new(&recorder);
        for (subject, sameness) in [
            ("first", Some("a")),
            ("same", Some("a")),
            ("other", Some("b")),
            ("plain", None),
            ("plain", None),
        ] {
            sparing.publish(&message(subject, sameness)).await.unwrap();
        }
        assert_eq!(*recorder.subjects.borrow(), ["first", "other", "plain", "plain"]);
        tokio::time::advance(HOUR).await;
        sparing.publish(&message("later", Some("a"))).await.unwrap();
        assert_eq!(recorder.subjects.borrow().last().unwrap(), "later");
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_told_is_not_remembered_as_told() {
        let recorder = Recorder::default();
        let sparing = Sparing::new(&recorder);
        recorder.is_mute.set(true);
        assert!(sparing.publish(&message("lost", Some("a"))).await.is_err());
        recorder.is_mute.set(false);
        sparing.publish(&message("again", Some("a"))).await.unwrap();
        assert_eq!(*recorder.subjects.borrow(), ["again"]);
    }
}
