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

use super::{Bulletin, PublishFailure, Publisher};

/// The same news is told again after this long.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A publisher that tells people the same news once an hour.
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
    async fn publish(&self, bulletin: Bulletin<'_>) -> Result<(), PublishFailure> {
        let Some((message, news)) = bulletin
            .message
            .and_then(|message| Some((message, message.sameness.as_ref()?)))
        else {
            return self.publisher.publish(bulletin).await;
        };
        if self.was_told(news) {
            info!(
                subject = message.subject,
                "not told again: the same was told within the hour"
            );
            let report = bulletin.report;
            return self
                .publisher
                .publish(Bulletin {
                    report,
                    message: None,
                })
                .await;
        }
        self.publisher.publish(bulletin).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(news.clone(), Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::notify::Notification;
    use crate::report::Report;

    #[derive(Debug, Default)]
    struct Recorder {
        subjects: RefCell<Vec<String>>,
        reports: Cell<usize>,
        is_mute: Cell<bool>,
    }

    impl Publisher for &Recorder {
        async fn publish(&self, bulletin: Bulletin<'_>) -> Result<(), PublishFailure> {
            if self.is_mute.get() {
                return Err(PublishFailure {
                    reason: "the topic is gone".to_owned(),
                });
            }
            self.reports.update(|count| count + 1);
            let subject = bulletin.message.map(|message| message.subject.clone());
            self.subjects.borrow_mut().extend(subject);
            Ok(())
        }
    }

    async fn publish(
        sparing: &Sparing<&Recorder>,
        subject: &str,
        sameness: Option<&str>,
    ) -> Result<(), PublishFailure> {
        let message = Notification {
            subject: subject.to_owned(),
            text: String::new(),
            attributes: BTreeMap::new(),
            sameness: sameness.map(str::to_owned),
        };
        sparing
            .publish(Bulletin {
                report: &Report::healthy(),
                message: Some(&message),
            })
            .await
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
            publish(&sparing, subject, sameness).await.unwrap();
        }
        assert_eq!(*recorder.subjects.borrow(), ["first", "other", "plain", "plain"]);
        assert_eq!(recorder.reports.get(), 5, "people alone are spared");
        tokio::time::advance(HOUR).await;
        publish(&sparing, "later", Some("a")).await.unwrap();
        assert_eq!(recorder.subjects.borrow().last().unwrap(), "later");
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_told_is_not_remembered_as_told() {
        let recorder = Recorder::default();
        let sparing = Sparing::new(&recorder);
        recorder.is_mute.set(true);
        assert!(publish(&sparing, "lost", Some("a")).await.is_err());
        recorder.is_mute.set(false);
        publish(&sparing, "again", Some("a")).await.unwrap();
        assert_eq!(*recorder.subjects.borrow(), ["again"]);
    }
}
