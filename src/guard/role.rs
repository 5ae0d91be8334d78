//! Decides whether a role may be given more permissions.

use super::{Guard, Guards, Refusal, is_listed, trust};
use crate::arn::RoleArn;
use crate::observed::Observed;
use crate::snapshot::{FormerRole, Role, Tags};

impl Guards<'_> {
    pub(super) fn role(&self, role: &Role) -> Vec<Refusal> {
        let arn = &role.arn;
        let mut refusals = self.touched_role(arn, &role.tags, role.boundary_arn.as_ref());
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
        refusals
    }

    /// A role that we take something from. Who may assume it does not matter: whoever it is, will have less.
    pub(super) fn former_role(&self, role: &FormerRole) -> Vec<Refusal> {
        match &role.record {
            Observed::Found(record) => self.touched_role(&record.arn, &record.tags, record.boundary.as_ref()),
            Observed::Absent => Vec::new(),
            Observed::Unreadable(failure) => {
                vec![Refusal::unread(&format!("`{}`", role.arn), failure)]
            }
        }
    }

    /// What must hold of any role that is changed.
    fn touched_role(&self, arn: &RoleArn, tags: &Tags, boundary: Option<&String>) -> Vec<Refusal> {
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
        if let Some(required) = &self.settings.required_boundary
            && boundary != Some(required)
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
        let listed = is_listed(&self.settings.allowed_roles, arn);
        if !listed && !self.has_opted_in(tags) {
            refusals.push(Refusal::unless(
                Guard::RoleOptIn,
                format!("`{arn}` is neither tagged nor allow-listed"),
                self.opt_in("role", "ALLOWED_ROLE_ARNS", &arn.to_string()),
            ));
        }
        refusals
    }
}
