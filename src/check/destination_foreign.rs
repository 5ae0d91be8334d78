//! `destination-foreign`: a destination that is not proven to be ours may be somebody else's.
//!
//! Replication into an attacker's bucket is a known way to carry data out (MITRE ATT&CK T1537), and the `Account` of a
//! rule proves nothing: S3 does not check it. Only a read that S3 answers for no other owner does
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>).

use super::rule_edit::rule_edit;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::arn::{AccountId, BucketName};
use crate::observed::{Observed, ReadFailure};
use crate::snapshot::Rule;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for (name, bucket, rules) in facts.destinations() {
        let Some(bucket) = bucket.found().filter(|bucket| !bucket.is_gone()) else {
            continue;
        };
        match &bucket.owner {
            Observed::Absent => {}
            Observed::Found(owner) => {
                let wrong: Vec<&Rule> = rules
                    .into_iter()
                    .filter(|rule| {
                        rule.claimed_account
                            .as_ref()
                            .is_some_and(|claimed| claimed != owner)
                    })
                    .collect();
                if !wrong.is_empty() {
                    wrong_account(facts, name, owner, wrong, examination);
                }
            }
            Observed::Unreadable(failure) => {
                examination.unread(failure);
                unproven(facts, name, failure, rules, examination);
            }
        }
    }
}

fn unproven(
    facts: &Facts<'_>,
    name: &BucketName,
    failure: &ReadFailure,
    rules: Vec<&Rule>,
    examination: &mut Examination,
) {
    let own = facts.own_account();
    let disable = rule_edit(
        &facts.snapshot.source.name,
        rules.iter().copied(),
        &[("Status", "Disabled")],
    );
    let found = match rules.iter().find_map(|rule| rule.claimed_account.as_ref()) {
        Some(claimed) => format!("the rule says that account {claimed} owns it, and nothing proves it"),
        None => "not readable as a bucket of this account or of a trusted one".to_owned(),
    };
    examination.finding(
        Draft {
            check: CheckId::DestinationForeign,
            severity: Severity::Warning,
            rule_ids: ids(rules),
            subject: facts.arn(name),
            summary: format!("nothing proves that destination bucket `{name}` is yours: replicas may go to a stranger"),
            expected: format!("a bucket of account {own} or of a trusted account"),
            found,
            evidence: evidence(
                &failure.operation,
                facts.arn(name),
                format!("{} when asked as a bucket of account {own} and of each trusted account", failure.error_code),
            ),
        }
        .propose(
            own,
            format!(
                "find out who owns the bucket. If you know the owner, add the account to TRUSTED_ACCOUNTS and let this \
                 program read there through MEMBER_ROLE_NAME. If you do not, disable the rule now:\n{disable}"
            ),
        ),
    );
}

fn wrong_account(
    facts: &Facts<'_>,
    name: &BucketName,
    owner: &AccountId,
    rules: Vec<&Rule>,
    examination: &mut Examination,
) {
    let claimed: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule.claimed_account.as_ref().map(AccountId::as_str))
        .collect();
    let claimed = claimed.first().copied().unwrap_or_default().to_owned();
    let remedy = rule_edit(
        &facts.snapshot.source.name,
        rules.iter().copied(),
        &[("Destination.Account", owner.as_str())],
    );
    examination.finding(
        Draft {
            check: CheckId::DestinationForeign,
            severity: Severity::Warning,
            rule_ids: ids(rules),
            subject: facts.arn(name),
            summary: format!("the rule takes account {claimed} for the owner of destination bucket `{name}`, and it is {owner}"),
            expected: format!("Destination.Account {owner}"),
            found: format!("Destination.Account {claimed}"),
            evidence: evidence("s3:HeadBucket", facts.arn(name), format!("answered for ExpectedBucketOwner {owner}")),
        }
        .propose(
            facts.own_account(),
            format!(
                "if the bucket is the one that is meant:\n{remedy}\nif it is not, somebody else's bucket receives the replicas"
            ),
        ),
    );
}
