//! Ordering a job of S3 Batch Operations: one signed request, whose body is XML.
//!
//! The crate of the whole service is left out: 150,000 lines and twenty seconds of each cold build for this one call.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html>

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;

use crate::arn::{AccountId, Region};
use crate::backlog::ApprovedJob;
use crate::target::{Jobs, WriteFailure};

use super::Aws;
use super::error::Failure;
use super::signed::{Limits, Refused, Signed, dns_suffix, not_sent, post};

const OPERATION: &str = "s3:CreateJob";

/// Orders jobs with our own credentials.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    pub(super) aws: &'a Aws,
}

impl Jobs for Orders<'_> {
    async fn create_job(&self, order: &ApprovedJob) -> Result<String, WriteFailure> {
        let job = order.job();
        let resource = job.bucket_arn();
        self.aws.count(OPERATION);
        let call = async {
            let fips = self.aws.config.use_fips().unwrap_or(false);
            let call = Signed {
                service: "s3",
                operation: "CreateJob",
                region: job.region(),
                endpoint: endpoint(job.account(), job.region(), fips),
                signs_content: true,
                limits: Limits::default(),
            };
            let mut request =
                post("/v20180820/jobs", "application/xml", body(order)).map_err(|error| not_sent(&*error))?;
            request
                .headers_mut()
                .try_insert("x-amz-account-id", job.account().to_string())
                .map_err(|error| not_sent(&error))?;
            self.aws.send(call, request, response).await
        };
        call.await
            .map_err(|failure: Failure| failure.into_write_failure(OPERATION, &resource))
    }
}

/// <https://docs.aws.amazon.com/general/latest/gr/s3.html#s3_control_endpoints>
fn endpoint(account: &AccountId, region: &Region, fips: bool) -> String {
    let fips = if fips { "-fips" } else { "" };
    format!(
        "https://{account}.s3-control{fips}.{region}.{}",
        dns_suffix(region)
    )
}

/// The order as XML. Nothing in it needs escaping: names of buckets, accounts and roles are checked, and have no `<`, `&`
/// or quotes.
fn body(order: &ApprovedJob) -> String {
    let job = order.job();
    let statuses: String = job
        .statuses()
        .iter()
        .map(|status| format!("<member>{status}</member>"))
        .collect();
    format!(
        "<CreateJobRequest xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">\
         <ConfirmationRequired>true</ConfirmationRequired>\
         <Operation><S3ReplicateObject/></Operation>\
         <Report><Enabled>false</Enabled></Report>\
         <ClientRequestToken>{}</ClientRequestToken>\
         <Priority>1</Priority>\
         <RoleArn>{}</RoleArn>\
         <ManifestGenerator><S3JobManifestGenerator>\
         <ExpectedBucketOwner>{}</ExpectedBucketOwner>\
         <SourceBucket>{}</SourceBucket>\
         <Filter><EligibleForReplication>true</EligibleForReplication>\
         <ObjectReplicationStatuses>{statuses}</ObjectReplicationStatuses></Filter>\
         <EnableManifestOutput>false</EnableManifestOutput>\
         </S3JobManifestGenerator></ManifestGenerator>\
         </CreateJobRequest>",
        job.token(),
        order.role(),
        job.account(),
        job.bucket_arn(),
    )
}

fn response(response: &HttpResponse) -> Result<String, OrchestratorError<Refused>> {
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return match element(&body, "JobId").filter(|id| is_job_id(id)) {
            Some(id) => Ok(id.to_owned()),
            None => Err(refused(Some("BadAnswer"), Some("the answer names no job"))),
        };
    }
    Err(refused(element(&body, "Code"), element(&body, "Message")))
}

fn refused(code: Option<&str>, message: Option<&str>) -> OrchestratorError<Refused> {
    let mut refused = ErrorMetadata::builder();
    if let Some(code) = code {
        refused = refused.code(code);
    }
    if let Some(message) = message {
        refused = refused.message(message);
    }
    OrchestratorError::operation(Refused(refused.build()))
}

/// The text of an element that holds nothing but text.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html>: 5 to 36 characters; a UUID, in fact.
fn is_job_id(text: &str) -> bool {
    (5..=36).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_aws_has_its_own_endpoint() {
        for (region, fips, url) in [
            (
                "eu-west-1",
                false,
                "https://111122223333.s3-control.eu-west-1.amazonaws.com",
            ),
            (
                "us-gov-west-1",
                true,
                "https://111122223333.s3-control-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                "https://111122223333.s3-control.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            let (account, region) = ("111122223333".parse().unwrap(), region.parse().unwrap());
            assert_eq!(endpoint(&account, &region, fips), url);
        }
    }
}
