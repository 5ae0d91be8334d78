//! `destination-requester-pays`: S3 does not replicate into buckets whose requesters pay.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html>

use super::{CheckId, Draft, Examination, Facts, Severity, evidence, ids};
use crate::snapshot::Payer;

pub(super) fn run(facts: &Facts<'_>, examination: &mut Examination) {
    for (name, bucket, rules) in facts.destinations() {
        let Some(bucket) = bucket.found().filter(|bucket| !bucket.is_gone()) else {
            continue;
        };
        if examination.needs(&bucket.payer) != Some(&Payer::Requester) {
            continue;
        }
        let arn = facts.arn(name);
        let owner = facts.owner_of(name);
        examination.finding(
            Draft {
                check: CheckId::DestinationRequesterPays,
                severity: Severity::Error,
                rule_ids: ids(rules),
                subject: arn.clone(),
                summary: format!(
                    "destination bucket `{name}` makes requesters pay, so S3 cannot replicate into it"
                ),
                expected: "payer `BucketOwner`".to_owned(),
                found: "payer `Requester`".to_owned(),
                evidence: evidence("s3:GetBucketRequestPayment", arn, "Payer: Requester"),
            }
            .propose(
                owner,
                format!(
                    "aws s3api put-bucket-request-payment --bucket {name} --request-payment-configuration \
                     Payer=BucketOwner"
                ),
            ),
        );
    }
}
