//! `role-not-found`: does the role that the configuration names exist?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`AssumeRoleNotPermitted`)

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::RoleNotFound],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    let Some(replication) = facts.snapshot.replication.found() else {
        return;
    };
    if rule_ids.is_empty() {
        return;
    }
    let arn = replication.role.to_string();
    let found = match &facts.snapshot.role {
        Observed::Unreadable(failure) => return outcome.unread(failure),
        Observed::Absent => "no such role".to_owned(),
        // IAM finds a role by its name alone, but S3 assumes it by the whole ARN.
        Observed::Found(role) if role.arn != replication.role => {
            format!("a role of this name exists under another path: `{}`", role.arn)
        }
        Observed::Found(_) => return,
    };
    outcome.finding(
        Found {
            check: CheckId::RoleNotFound,
            severity: Severity::Error,
            rule_ids,
            subject: arn.clone(),
            summary: format!("replication role `{}` does not exist", replication.role.name()),
            expected: "an existing role that S3 may assume".to_owned(),
            found: found.clone(),
            evidence: evidence("iam:GetRole", arn, found),
        }
        .propose(
            facts.own_account(),
            "create the role again with a trust policy for s3.amazonaws.com, or name an existing one in the \
             replication configuration. Key and bucket policies that named the old role must be saved again: they \
             still mean the deleted one",
        ),
    );
}
