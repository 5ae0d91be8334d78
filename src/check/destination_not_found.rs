//! `destination-not-found`: a bucket that is gone can be made again by anybody, who then receives the replicas.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html> (`DstBucketNotFound`)

use std::collections::BTreeSet;

use super::rule_edit::rule_edit;
use super::source_not_versioned::enable_versioning;
use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::arn::AccountId;
use crate::observed::Observed;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for (name, bucket, rules) in facts.destinations() {
        match bucket {
            Observed::Found(bucket) if !bucket.is_gone() => continue,
            Observed::Unreadable(failure) => {
                examination.unread(failure);
                continue;
            }
            Observed::Found(_) | Observed::Absent => {}
        }
        let arn = facts.arn(name);
        // A replica key has to lie where its bucket lies, so it tells where the bucket was.
        let known = rules
            .iter()
            .find_map(|rule| rule.replica_key().ok().flatten())
            .map(|key| key.region().to_string());
        let where_it_was = match known {
            Some(_) => "",
            None => {
                "; put for REGION the Region in which it lay, and leave out LocationConstraint for us-east-1"
            }
        };
        let region = known.unwrap_or_else(|| "REGION".to_owned());
        let constraint = if region == "us-east-1" {
            String::new()
        } else {
            format!(" --create-bucket-configuration LocationConstraint={region}")
        };
        let own = facts.own_account();
        // Nothing proves who owned it, so what the rules say is all there is.
        let claims: BTreeSet<&AccountId> = rules
            .iter()
            .filter_map(|rule| rule.claimed_account.as_ref())
            .collect();
        let owner = match claims.into_iter().collect::<Vec<_>>().as_slice() {
            [claimed] => claimed.to_string(),
            _ => own.clone(),
        };
        let (account, policy) = if owner == own {
            ("the account that is to have the replicas".to_owned(), "")
        } else {
            (
                format!("account {owner}"),
                "\nthe bucket policy that let the role in is gone too: write it anew",
            )
        };
        let lock = if facts.snapshot.source.object_lock.found().is_some() {
            " --object-lock-enabled-for-bucket"
        } else {
            ""
        };
        let remedy = format!(
            "make the bucket again, in {account}{where_it_was}:\naws s3api create-bucket --bucket {name} --region \
             {region}{constraint}{lock} && {}{policy}\nuntil then anyone may make a bucket of this name; to be safe at once, \
             disable the rule:\n{}",
            enable_versioning(name.as_str()),
            rule_edit(
                &facts.snapshot.source.name,
                rules.iter().copied(),
                &[("Status", "Disabled")],
            )
        );
        examination.finding(
            Draft {
                check: CheckId::DestinationNotFound,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!("destination bucket `{name}` does not exist"),
                expected: "an existing, versioned bucket".to_owned(),
                found: "no such bucket".to_owned(),
                evidence: evidence("s3:HeadBucket", arn, "404 Not Found"),
            }
            .propose(owner, remedy),
        );
    }
}
