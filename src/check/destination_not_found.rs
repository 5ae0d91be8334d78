//! `destination-not-found`: a bucket that is gone can be made again by anybody, who then receives the replicas.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`DstBucketNotFound`)

use super::{Check, Facts, Found, Outcome, evidence, ids};
use crate::finding::{CheckId, Severity};
use crate::observed::Observed;

pub(super) const CHECK: Check = Check {
    id: CheckId::DestinationNotFound,
    run,
};

fn run(facts: &Facts<'_>, outcome: &mut Outcome) {
    for (name, bucket, rules) in facts.destinations() {
        match bucket {
            Observed::Found(_) => continue,
            Observed::Unreadable(failure) => {
                outcome.unread(failure);
                continue;
            }
            Observed::Absent => {}
        }
        let arn = facts.arn(name);
        outcome.finding(
            Found {
                check: CheckId::DestinationNotFound,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!("destination bucket `{name}` does not exist"),
                expected: "an existing, versioned bucket".to_owned(),
                found: "no such bucket".to_owned(),
                evidence: evidence("s3:HeadBucket", arn, "404 Not Found"),
            }
            .propose(
                facts.own_account(),
                "create the bucket in an account of yours with versioning on, or change the rule; until then anyone \
                 may create a bucket of this name and would be sent the replicas",
            ),
        );
    }
}
