//! Taking back what was done for a bucket: shown first, and done where the digest of what was shown comes back.

use std::collections::BTreeSet;

use serde_json::json;

use super::follow_up::verify_after;
use super::{Handler, HandlerError, Intent, Invocation, log};
use crate::apply::Outcome as Applied;
use crate::arn::{KeyArn, RoleArn};
use crate::event::PlanDigest;
use crate::ledger::Ledger;
use crate::mode::Mode;
use crate::notify::Publisher;
use crate::observed::Observed;
use crate::plan::role_policy::policy_name;
use crate::plan::undo::{Searched, undo_plan};
use crate::queue::Queue;
use crate::report::{Parts, Report, Undo};
use crate::snapshot::Snapshot;
use crate::source::{Reader, Source};
use crate::subject::Subject;
use crate::target::Writable;

impl<A: Source + Writable, P: Publisher, L: Ledger, Q: Queue> Handler<'_, A, P, L, Q> {
    /// Shows what would be taken back, or takes it back where the digest is that of what was shown.
    pub(super) async fn undo(
        &self,
        invocation: &Invocation,
        subject: &Subject,
        role: Option<RoleArn>,
        keys: Vec<KeyArn>,
        digest: Option<PlanDigest>,
    ) -> Result<Report, HandlerError> {
        let mut look = self.look(invocation, subject).await;
        let searched = self.search(&look.snapshot, role.as_ref(), &keys).await;
        let undo = undo_plan(&look.snapshot, &look.assessments, &searched).map_err(HandlerError::BadPlan)?;
        let intent = digest.as_ref().map_or(Intent::Look, Intent::Apply);
        let mut applied = self.carry_out(subject, &undo.plan, intent).await?;
        if applied.has_written() {
            applied.verify_after = Some(verify_after(invocation.now));
            look.examination = self.look(invocation, subject).await.examination;
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
        });
        let is_done = report.outcome.as_ref().is_some_and(Applied::is_in_place);
        if self.settings.mode != Mode::DryRun {
            report.commands.apply = report.digest().filter(|_| !is_done).map(|digest| {
                invocation.caller.invoke(&json!({
                    "command": "undo", "bucket": subject.bucket, "role": role, "keys": keys, "plan": digest,
                }))
            });
        }
        report.commands.undo = None;
        report.undo = Some(Undo {
            consequences: undo.consequences,
            not_searched: undo.not_searched,
        });
        log(&report);
        Ok(report)
    }

    /// Reads what an undo looks at beside what the current rules name.
    async fn search(&self, snapshot: &Snapshot, role: Option<&RoleArn>, keys: &[KeyArn]) -> Searched {
        let mut searched = Searched::in_snapshot(snapshot);
        let current = snapshot.role.found().map(|role| &role.arn);
        let own = &snapshot.identity.account;
        if let Some(role) = role.filter(|role| current != Some(*role)) {
            let policy = match role.account() == own {
                true => {
                    self.aws
                        .inline_policy(role, &policy_name(&snapshot.source.name))
                        .await
                }
                false => Observed::Absent,
            };
            searched.roles.push((role.clone(), policy));
        }
        for grantee in current
            .into_iter()
            .chain(role.filter(|role| current != Some(*role)))
        {
            let known = |key: &KeyArn| {
                searched
                    .keys
                    .iter()
                    .any(|(named, of, _)| named == key && of == grantee)
            };
            let named = snapshot
                .keys
                .values()
                .filter_map(|key| Some(&key.metadata.found()?.arn))
                .chain(keys);
            let open: BTreeSet<KeyArn> = named
                .filter(|key| key.account() == own && !known(key))
                .cloned()
                .collect();
            for key in open {
                let grants = self.aws.grants(&key, grantee, &Reader::Own).await;
                searched.keys.push((key, grantee.clone(), grants));
            }
        }
        searched
    }
}
