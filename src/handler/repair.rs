//! What follows from one look at a bucket: the plan, how much of it is applied, and the report of both.

use tracing::error;

use super::follow_up::verify_after;
use super::{Asked, Handler, HandlerError, Intent, Invocation, Look, log, will_be_redelivered};
use crate::apply::{Applied, apply};
use crate::check::{Finding, RemedyKind, Unread};
use crate::collect::Shared;
use crate::error::chain;
use crate::event::Command;
use crate::ledger::{Ledger, index};
use crate::mode::Mode;
use crate::notify::Publisher;
use crate::plan::offer;
use crate::plan::review::ReviewedPlan;
use crate::plan::undo::Memory;
use crate::queue::Queue;
use crate::report::{Parts, Report};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

/// Which findings the changes have met: of those that changes of ours can meet, the ones that are not found any more by a
/// look that read as much as the one before. What could not be read again is not known to be repaired.
fn repaired_between(before: Vec<Finding>, unread_before: &[Unread], after: &Look) -> Vec<Finding> {
    let (snapshot, examination) = (&after.snapshot, &after.examination);
    let reads_less = !examination.unread.iter().all(|failure| {
        unread_before
            .iter()
            .any(|before| (&before.operation, &before.what) == (&failure.operation, &failure.what))
    });
    if reads_less || snapshot.replication.found().is_none() {
        return Vec::new();
    }
    let is_open = |finding: &Finding| {
        examination.findings.iter().any(|left| {
            (left.check, &left.subject, left.severity) == (finding.check, &finding.subject, finding.severity)
        })
    };
    before
        .into_iter()
        .filter(|finding| finding.remedy.kind == RemedyKind::Automatic && !is_open(finding))
        .collect()
}

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Plans, does what may be done, and puts the report together.
    pub(super) async fn finish(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
        mut look: Look,
        intent: Intent<'_>,
    ) -> Result<Report, HandlerError> {
        let not_searched = self.not_searched(&look);
        let reviewed = self.plan(subject, &mut look, intent).await;
        let mut applied = match &reviewed {
            Some(reviewed) => Some(
                self.carry_out(invocation, reads, subject, reviewed, intent)
                    .await?,
            ),
            None => None,
        };
        let mut repaired = Vec::new();
        let mut looked_at = look.snapshot.taken_at;
        if applied.as_ref().is_some_and(Applied::has_written) {
            let before = std::mem::take(&mut look.examination.findings);
            let after = self.look(invocation, reads, subject, Asked::default()).await;
            if let Some(applied) = &mut applied {
                applied.verify_after = Some(verify_after(invocation.now));
                applied.follow_up = self.follow_up(invocation, subject, &after).await;
            }
            self.note_dependencies(invocation, &after).await;
            looked_at = after.snapshot.taken_at;
            repaired = repaired_between(before, &look.examination.unread, &after);
            look.examination = after.examination;
        } else {
            self.note_dependencies(invocation, &look).await;
        }
        let mut report = Report::new(Parts {
            mode: self.settings.mode,
            subject,
            snapshot: &look.snapshot,
            outcome: look.examination,
            repaired,
            plan: reviewed,
            applied,
            caller: &invocation.caller,
            batch_role: self.settings.guards.batch_role.as_ref(),
        });
        report.time = looked_at;
        report.earlier = look.remembered.earlier;
        if !report.earlier.is_empty() && report.commands.undo.is_none() {
            report.commands.undo = Some(invocation.caller.command(&Command::Undo {
                bucket: subject.bucket.clone(),
                role: None,
                keys: Vec::new(),
                plan: None,
            }));
        }
        report.not_evaluated.extend(not_searched);
        log(&report);
        Ok(report)
    }

    /// Writes down on what the bucket depends. Where the ledger could not be read, nobody knows what stands there.
    async fn note_dependencies(&self, invocation: &Invocation, look: &Look) {
        if look.remembered.memory != Memory::Unread {
            let known = look.remembered.depends.as_ref();
            index::record(&self.ledger, &look.snapshot, known, invocation.now).await;
        }
    }

    /// The plan that may be told and, with permission, carried out.
    async fn plan(&self, subject: &Subject, look: &mut Look, intent: Intent<'_>) -> Option<ReviewedPlan> {
        let cautious = self.offer(subject, look)?;
        let waiting = cautious.plan().waiting();
        // Who approved what an event could tell approved this.
        let is_approved = matches!(intent, Intent::Apply(digest) if digest == cautious.digest());
        if is_approved || !self.has_settled(subject, look, waiting).await {
            return Some(cautious);
        }
        look.snapshot.former.is_settled = true;
        self.offer(subject, look)
    }

    fn offer(&self, subject: &Subject, look: &mut Look) -> Option<ReviewedPlan> {
        let offered = offer(&look.snapshot, &look.assessments, &self.settings.guards);
        let (plan, failure) = match offered {
            Ok(offered) => (Some(offered.plan), offered.disputed),
            Err(failure) => (None, Some(failure)),
        };
        if let Some(failure) = failure {
            error!(bucket = %subject.bucket, error = %chain(&failure), "a plan failed its review");
        }
        if plan.is_none() {
            look.examination.not_evaluated.insert(
                "a repair: a plan was made and failed its review, which is a mistake of this program; please report it"
                    .to_owned(),
            );
        }
        plan
    }

    /// Applies the plan, if this is the time and the mode for it.
    pub(super) async fn carry_out(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
        plan: &ReviewedPlan,
        intent: Intent<'_>,
    ) -> Result<Applied, HandlerError> {
        let permission = match (intent, self.settings.mode.write_access()) {
            (Intent::Look, _) | (Intent::Event, None) => return Ok(Applied::planned(plan)),
            (Intent::Event, Some(_)) if self.settings.mode != Mode::Auto => {
                return Ok(Applied::planned(plan));
            }
            (Intent::Apply(_), None) => {
                return Ok(Applied::refused(
                    plan,
                    "the mode is dry-run, in which nothing is ever written; set MODE to approve, or use the commands of the report",
                ));
            }
            (Intent::Apply(digest), Some(_)) if digest != plan.digest() => {
                return Ok(Applied::refused(
                    plan,
                    "the account has changed since that plan was made: read the plan below, and approve its digest",
                ));
            }
            (Intent::Event | Intent::Apply(_), Some(permission)) => permission,
        };
        if !plan.has_changes() {
            return Ok(Applied::planned(plan));
        }
        let writer = self.aws.writer(&permission);
        let journal = self.journal(invocation, subject, plan.digest().as_str());
        // What a change is compared with is read from AWS itself, whatever is known.
        // Boxed, as what is large in here is: it would overflow the stack.
        let change = Box::pin(apply(&permission, self.aws, &writer, &journal, plan));
        let applied = reads.changing(change).await;
        match not_written(subject, &applied) {
            Some(error) if !applied.has_written() => Err(error),
            Some(_) | None => Ok(applied),
        }
    }
}

/// What failed in passing and is worth another delivery.
pub(super) fn not_written(subject: &Subject, applied: &Applied) -> Option<HandlerError> {
    if !applied.is_retryable() || !will_be_redelivered(subject) {
        return None;
    }
    let reasons: Vec<&str> = applied
        .changes
        .iter()
        .filter_map(|change| change.error.as_deref())
        .collect();
    Some(HandlerError::NotWritten {
        bucket: subject.bucket.clone(),
        reason: reasons.join("; "),
    })
}
