//! What a schedule asks for: a look at every bucket, whichever of the two schedulers it came from.
//!
//! Implements <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html> and
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>: a rule's `Scheduled Event`
//! comes from `aws.events`, that of EventBridge Scheduler from `aws.scheduler`; neither says more than that it is time.

use super::envelope::PartResult;
use super::{Command, Content};

pub(super) fn decode() -> PartResult {
    Ok(Content::Command(Command::Sweep))
}
