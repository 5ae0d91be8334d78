//! Creating the job for objects that failed before: for which buckets it is allowed, and what is answered.

use super::{Asked, Handler, HandlerError, Intent, Invocation};
use crate::backlog::{Job, JobRefusal, Terms, order};
use crate::collect::Shared;
use crate::ledger::Ledger;
use crate::notify::Publisher;
use crate::queue::Queue;
use crate::report::{Backlog, Report};
use crate::source::Source;
use crate::subject::Subject;
use crate::target::{Jobs as _, Writable};

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Looks at the bucket, and orders the job where nothing speaks against it.
    pub(super) async fn backlog(
        &self,
        invocation: &Invocation,
        reads: &Shared<'_, A>,
        subject: &Subject,
    ) -> Result<Report, HandlerError> {
        let look = self.look(invocation, reads, subject, Asked::default()).await;
        let guards = &self.settings.guards;
        let role = guards.batch_role.as_ref();
        let terms = Terms {
            role,
            heeds_tags: guards.opt_out.is_some(),
            is_opted_out: self.is_opted_out(&look),
        };
        let permission = self.settings.mode.write_access();
        let ordered = order(&look.snapshot, look.examination.verdict(), terms);
        let printed = Job::new(&look.snapshot, false, role);
        let mut report = self
            .finish(invocation, reads, subject, look, Intent::Look)
            .await?;
        // What was found says more of what was left behind than the order does.
        let shown = report
            .backlog
            .take()
            .unwrap_or_else(|| Backlog::new(printed.as_ref(), None));
        report.backlog = Some(match (ordered, permission) {
            (_, None) => shown.refused(&JobRefusal::DryRun),
            (Err(refusal), Some(_)) => shown.refused(&refusal),
            (Ok(order), Some(permission)) => match self.aws.jobs(&permission).create_job(&order).await {
                Ok(id) => Backlog::new(Some(order.job()), None).created(order.job(), id),
                Err(failure) => shown.failed(&failure),
            },
        });
        Ok(report)
    }
}
