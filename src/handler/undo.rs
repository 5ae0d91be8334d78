//! Undoing the repairs of a bucket: shown first, and done when the digest of what was shown is sent back.

use super::follow_up::verify_after;
use super::{Handler, HandlerError, Intent, Invocation, log};
use crate::apply::Applied;
use crate::arn::{KeyArn, RoleArn};
use crate::collect::Shared;
use crate::event::{Command, PlanDigest};
use crate::ledger::Ledger;
use crate::mode::Mode;
use crate::notify::Publisher;
use crate::plan::undo::undo_plan;
use crate::queue::Queue;
use crate::report::{Parts, Report, Undo};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::Writable;

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Shows what would be taken back, or takes it back where the digest is that of what was shown.
    pub(super) async fn undo(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
        role: Option<RoleArn>,
        keys: Vec<KeyArn>,
        digest: Option<PlanDigest>,
    ) -> Result<Report, HandlerError> {
        let asked = || (role.iter().cloned().collect(), keys.iter().cloned().collect());
        let mut look = self.look(invocation, reads, subject, asked()).await;
        let undo = undo_plan(&look.snapshot, &look.assessments, look.remembered.memory)
            .map_err(HandlerError::BadPlan)?;
        let intent = digest.as_ref().map_or(Intent::Look, Intent::Apply);
        let mut applied = self
            .carry_out(invocation, reads, subject, &undo.plan, intent)
            .await?;
        if applied.has_written() {
            applied.verify_after = Some(verify_after(invocation.now));
            look.examination = self.look(invocation, reads, subject, asked()).await.examination;
        }
        let mut report = Report::new(Parts {
            mode: self.settings.mode,
            subject,
            snapshot: &look.snapshot,
            outcome: look.examination,
            repaired: Vec::new(),
            plan: Some(undo.plan),
            applied: Some(applied),
            caller: &invocation.caller,
            batch_role: self.settings.guards.batch_role.as_ref(),
        });
        let is_done = report.outcome.as_ref().is_some_and(Applied::is_in_place);
        if self.settings.mode != Mode::DryRun {
            report.commands.apply = report.plan.as_ref().filter(|_| !is_done).map(|plan| {
                invocation.caller.command(&Command::Undo {
                    bucket: subject.bucket.clone(),
                    role: role.clone(),
                    keys: keys.clone(),
                    plan: Some(plan.digest().clone()),
                })
            });
        }
        report.commands.undo = None;
        report.earlier = look.remembered.earlier;
        report.undo = Some(Undo {
            consequences: undo.consequences,
            not_searched: undo.not_searched,
        });
        log(&report);
        Ok(report)
    }
}
