//! Tells what is news, once: claims it in the ledger, publishes it, and confirms it there.
//!
//! The ledger may be slow, be gone, or hold nonsense: telling wins over silence. What it does not remember, the process
//! remembers as well as it can.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{Handler, HandlerError, Invocation};
use crate::arn::BucketName;
use crate::error::chain;
use crate::ledger::{Item, Ledger, LedgerFailure, Place};
use crate::notify::news::{Record, Step, Telling, consider};
use crate::notify::tidings::Tidings;
use crate::notify::{Bulletin, Publisher, text};
use crate::queue::Queue;
use crate::report::Report;
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// What is remembered of a bucket that nothing was seen of for so long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_hours(24 * 90);

/// How often a record is read again, because somebody else wrote it or is telling of it.
const ATTEMPTS: u32 = 6;

/// The first wait for somebody who is telling; each further one is twice as long. In all some three seconds, where a
/// message takes a fifth of one.
const WAIT: Duration = Duration::from_millis(100);

/// What keeps a report from being told.
enum Untold {
    /// The ledger does not do.
    Ledger(LedgerFailure),
    /// Whatever it is, the message that brought it must come again.
    Again(HandlerError),
}

impl From<LedgerFailure> for Untold {
    fn from(failure: LedgerFailure) -> Self {
        Self::Ledger(failure)
    }
}

/// Where the record of a bucket stands.
fn place(bucket: &BucketName) -> Place {
    Place {
        partition: format!("bucket#{bucket}"),
        sort: "news".to_owned(),
    }
}

/// A record as it was read, or as there is none yet.
struct Known {
    place: Place,
    version: u64,
    record: Option<Record>,
}

impl Known {
    async fn read<S: Ledger>(ledger: &S, bucket: &BucketName) -> Result<Self, LedgerFailure> {
        let place = place(bucket);
        let items = ledger.items(&place.partition).await?;
        let item = items.into_iter().find(|item| item.place == place);
        let version = item.as_ref().map_or(0, |item| item.version);
        let record = item.and_then(|item| match serde_json::from_value(item.value) {
            Ok(record) => Some(record),
            Err(error) => {
                warn!(%bucket, %error, "the ledger's record of the bucket cannot be read; it is made anew");
                None
            }
        });
        Ok(Self {
            place,
            version,
            record,
        })
    }

    /// Writes a record over the one that was read.
    async fn write<S: Ledger>(&mut self, ledger: &S, record: &Record, now: Timestamp) -> Result<(), Untold> {
        let version = self.version.saturating_add(1);
        let value = serde_json::to_value(record)
            .map_err(|error| LedgerFailure::Unavailable(format!("the record cannot be written: {error}")))?;
        let item = Item {
            place: self.place.clone(),
            version,
            value,
            expires: now.checked_add(FORGET).ok(),
        };
        ledger.put(&item).await?;
        self.version = version;
        Ok(())
    }
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Tells of a report what is news.
    pub(super) async fn tell(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        report: &Report,
    ) -> Result<(), HandlerError> {
        let Some(tidings) = Tidings::of(report, subject) else {
            return self.publish(report, None).await;
        };
        match self.tell_once(&self.ledger, invocation, &tidings, report).await {
            Ok(()) => {
                // What the process remembered while the ledger was away is older than what the ledger knows.
                self.memory.forget(&place(&report.bucket.name));
                return Ok(());
            }
            Err(Untold::Again(error)) => return Err(error),
            Err(Untold::Ledger(failure)) => warn!(
                bucket = %report.bucket.name, error = %chain(&failure),
                "the ledger does not answer; told as this process remembers"
            ),
        }
        match self.tell_once(&self.memory, invocation, &tidings, report).await {
            Ok(()) => Ok(()),
            Err(Untold::Again(error)) => Err(error),
            Err(Untold::Ledger(_)) => self.publish(report, Some(&Telling::default())).await,
        }
    }

    async fn tell_once<S: Ledger>(
        &self,
        ledger: &S,
        invocation: &Invocation,
        tidings: &Tidings,
        report: &Report,
    ) -> Result<(), Untold> {
        let bucket = &report.bucket.name;
        let now = invocation.now;
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS {
            let mut known = Known::read(ledger, bucket).await?;
            let step = consider(known.record.as_ref(), tidings, now, self.settings.remind_after);
            let written = match &step {
                Step::Nothing => return self.publish(report, None).await.map_err(Untold::Again),
                Step::Wait => {
                    tokio::time::sleep(wait).await;
                    wait = wait.saturating_mul(2);
                    continue;
                }
                Step::Remember(record) | Step::Tell(record, _) => known.write(ledger, record, now).await,
            };
            match written {
                Ok(()) => {}
                Err(Untold::Ledger(LedgerFailure::Changed)) => continue,
                Err(other) => return Err(other),
            }
            let Step::Tell(claimed, telling) = step else {
                info!(%bucket, "not told again: the same was told");
                return self.publish(report, None).await.map_err(Untold::Again);
            };
            let published = self.publish(report, Some(&telling)).await;
            let settled = match &published {
                Ok(()) => claimed.confirmed(),
                Err(_) => claimed.failed(),
            };
            if known.write(ledger, &settled, now).await.is_err() {
                // Nobody else writes over a claim that is open, so that this is the ledger's failure or took too long.
                // Whoever comes next finds the claim, and tells again.
                warn!(%bucket, "the ledger did not take what became of a message; it may be told once more");
            }
            return published.map_err(Untold::Again);
        }
        match Known::read(ledger, bucket).await?.record {
            Some(Record { claim: Some(_), .. }) => {
                Err(Untold::Again(HandlerError::BeingTold(bucket.clone())))
            }
            Some(_) | None => Err(Untold::Ledger(LedgerFailure::Changed)),
        }
    }

    /// Hands a report on: to people where there is something to tell, to machines always.
    async fn publish(&self, report: &Report, telling: Option<&Telling>) -> Result<(), HandlerError> {
        let message = telling.map(|telling| text::render(report, telling));
        let bulletin = Bulletin {
            report,
            message: message.as_ref(),
        };
        self.publisher
            .publish(bulletin)
            .await
            .map_err(|source| HandlerError::NotTold {
                bucket: report.bucket.name.clone(),
                source,
            })
    }
}
