//! Decides whether a role may be given more.

use super::{Guard, Guards, Refusal, matches_any, trust};
use crate::observed::Observed;
use crate::snapshot::Role;

impl Guards<'_> {
    pub(super) fn role(&self, role: &Role) -> Vec<Refusal> {
        let arn = &role.arn;
        let mut refusals = Vec::new();
        if self.snapshot.identity.is(arn) {
            refusals.push(Refusal::always(
                Guard::OwnRole,
                format!("`{arn}` is the role that this program runs as"),
                "give replication a role of its own",
            ));
        }
        if arn.is_service_linked() {
            refusals.push(Refusal::always(
                Guard::ServiceLinkedRole,
                format!("`{arn}` belongs to an AWS service"),
                "give replication a role of its own",
            ));
        }
        // Account ids are given out once for each partition.
        if !self.is_own(arn.account()) || *arn.partition() != self.snapshot.identity.partition {
            refusals.push(Refusal::always(
                Guard::RoleAccount,
                format!("`{arn}` lies in another account"),
                "a replication role must lie in the source bucket's account",
            ));
        }
        match &role.trust {
            Observed::Found(policy) => {
                if let Err(stranger) = trust::only_replication(policy.document.raw()) {
                    refusals.push(Refusal::always(
                        Guard::RoleTrust,
                        format!("the trust policy of `{arn}` {stranger}"),
                        "give replication a role that only S3 may assume",
                    ));
                }
            }
            Observed::Absent => refusals.push(Refusal::always(
                Guard::RoleTrust,
                format!("`{arn}` has no trust policy"),
                "give it one for S3 alone",
            )),
            Observed::Unreadable(failure) => {
                refusals.push(Refusal::unread("the role's trust policy", failure));
            }
        }
        if let Some(required) = &self.settings.required_boundary
            && role.boundary_arn.as_ref() != Some(required)
        {
            refusals.push(Refusal::unless(
                Guard::RoleBoundary,
                format!("`{arn}` lacks the required permissions boundary"),
                format!(
                    "give the role the permissions boundary `{}`",
                    required.escape_debug()
                ),
            ));
        }
        let listed = matches_any(&self.settings.allowed_roles, &arn.to_string());
        if !listed && !self.has_opted_in(&role.tags) {
            refusals.push(Refusal::unless(
                Guard::RoleOptIn,
                format!("`{arn}` is neither tagged nor allow-listed"),
                self.opt_in("role", "ALLOWED_ROLE_ARNS", &arn.to_string()),
            ));
        }
        refusals
    }
}
