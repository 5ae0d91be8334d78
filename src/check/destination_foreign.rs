//! `destination-foreign`: a destination that is not proven to be ours may be somebody else's.
//!
//! Replication into an attacker's bucket is a known way to carry data out (MITRE ATT&CK T1537), and the `Account` of a
//! rule proves nothing: S3 does not check it. Only a read that S3 answers for no other owner does
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>).

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;

pub(super) const CHECK: Check = Check {
    ids: &[CheckId::DestinationForeign],
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for (name, bucket, rules) in facts.destinations() {
        let Some(bucket) = bucket.found() else { continue };
        let claimed = rules.iter().find_map(|rule| rule.claimed_account.as_ref());
        let found = match (&bucket.owner, claimed) {
            (Observed::Found(owner), Some(claimed)) if owner != claimed => {
                format!("the rule says that account `{claimed}` owns it, and account `{owner}` does")
            }
            (Observed::Found(_), _) => continue,
            (Observed::Unreadable(failure), claimed) => {
                outcome.unread(failure);
                match claimed {
                    Some(claimed) => {
                        format!("the rule says that account `{claimed}` owns it; nothing proves it")
                    }
                    None => "not readable as a bucket of this account or of a trusted one".to_owned(),
                }
            }
            (Observed::Absent, _) => continue,
        };
        let arn = facts.arn(name);
        outcome.finding(
            Found {
                check: CheckId::DestinationForeign,
                severity: Severity::Warning,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!("destination bucket `{name}` is not proven to be yours"),
                expected: format!(
                    "a bucket of account `{}` or of a trusted account",
                    facts.snapshot.identity.account
                ),
                found: found.clone(),
                evidence: evidence("s3:HeadBucket", arn, found),
            }
            .propose(
                facts.own_account(),
                "find out who owns the bucket. If it is yours, add its account to TRUSTED_ACCOUNTS and let this \
                 program read there (MEMBER_ROLE_NAME). If it is not, remove the rule: objects may be on their way \
                 to a stranger",
            ),
        );
    }
}
