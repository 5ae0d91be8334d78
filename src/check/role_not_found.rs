//! `role-not-found`: does the role that the configuration names exist?
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`AssumeRoleNotPermitted`)

use super::role_not_assumable::TRUST;
use super::rule_edit::role_edit;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    let rule_ids = ids(facts.snapshot.enabled_rules());
    let Some(replication) = facts.snapshot.replication.found() else {
        return;
    };
    if rule_ids.is_empty() {
        return;
    }
    let role = &replication.role;
    let name = role.name();
    let (found, summary, remedy) = match &facts.snapshot.role {
        Observed::Unreadable(failure) => return examination.unread(failure),
        Observed::Found(found) if found.arn == *role => return,
        // IAM finds a role by its name alone, but S3 assumes it by the whole ARN.
        Observed::Found(found) => (
            format!("a role of this name under another path: {}", found.arn),
            format!(
                "replication role {role} does not exist; the role of this name is {}",
                found.arn
            ),
            format!(
                "name the role that exists:\n{}",
                role_edit(&facts.snapshot.source.name, &found.arn)
            ),
        ),
        Observed::Absent => (
            "no such role".to_owned(),
            format!("replication role `{name}` does not exist"),
            format!(
                "make the role again:\naws iam create-role --role-name {name} --path {} --assume-role-policy-document \
                 '{{\"Version\":\"2012-10-17\",\"Statement\":[{TRUST}]}}'\ngive it its policies again, and look once \
                 more. Key and bucket policies that named the old role must be saved again: they still mean the deleted \
                 one",
                role.path()
            ),
        ),
    };
    examination.finding(
        Draft {
            check: CheckId::RoleNotFound,
            severity: Severity::Error,
            rule_ids,
            subject: role.to_string(),
            summary,
            expected: format!("a role {role} that S3 may assume"),
            found: found.clone(),
            evidence: evidence("iam:GetRole", role, found),
        }
        .propose(facts.own_account(), remedy),
    );
}
