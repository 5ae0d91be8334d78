//! Calls of services that speak JSON and whose crates are not worth their size: DynamoDB, EventBridge, Security Hub, SQS.
//!
//! Together their crates are half a million lines, for six calls whose bodies are a few lines of JSON. A call is signed and
//! sent by the SDK's own parts, with its retries, time limits and connections: see `signed`.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>, and 1.1, which differs in the media type alone.

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;
use serde_json::Value;

use crate::arn::Region;

use super::Aws;
use super::error::Failure;
use super::signed::{Limits, Refused, Signed, dns_suffix, not_sent, post};

/// A call of one of these services.
pub(super) struct JsonCall<'a> {
    /// The service, as its endpoint and signatures name it.
    pub(super) service: &'static str,
    /// The operation.
    pub(super) operation: &'static str,
    /// How the operation is named: by a path, or by a header at the path `/`.
    pub(super) address: Address,
    /// The Region that is asked.
    pub(super) region: &'a Region,
    /// How long to wait, where that is not as for other calls.
    pub(super) limits: Limits,
}

/// Where an operation stands in a request.
#[derive(Clone, Copy)]
pub(super) enum Address {
    /// <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>
    Path(&'static str),
    /// The media type, and the service's name and version before the operation's.
    Target(&'static str, &'static str),
}

impl Aws {
    /// Sends a body and reads the answer, as `response` understands it.
    pub(super) async fn send_json<T: Send + Sync + std::fmt::Debug + 'static>(
        &self,
        call: JsonCall<'_>,
        body: &Value,
        response: fn(&HttpResponse) -> Result<T, OrchestratorError<Refused>>,
    ) -> Result<T, Failure> {
        let (path, media_type, target) = match call.address {
            Address::Path(path) => (path, "application/json", None),
            Address::Target(media_type, service) => {
                ("/", media_type, Some(format!("{service}.{}", call.operation)))
            }
        };
        let mut request = post(path, media_type, body.to_string()).map_err(|error| not_sent(&*error))?;
        if let Some(target) = target {
            let headers = request.headers_mut();
            headers
                .try_insert("x-amz-target", target)
                .map_err(|error| not_sent(&error))?;
        }
        let is_fips = self.config.use_fips().unwrap_or(false);
        let signed = Signed {
            service: call.service,
            operation: call.operation,
            region: call.region,
            endpoint: endpoint(call.service, call.region, is_fips),
            signs_content: false,
            limits: call.limits,
        };
        self.send(signed, request, response).await
    }
}

/// <https://docs.aws.amazon.com/general/latest/gr/ddb.html>, <https://docs.aws.amazon.com/general/latest/gr/ev.html>,
/// <https://docs.aws.amazon.com/general/latest/gr/sechub.html>,
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>. In GovCloud the plain endpoints are the FIPS endpoints, except Security Hub's.
fn endpoint(service: &str, region: &Region, is_fips: bool) -> String {
    let is_plain = region.partition().as_str() == "aws-us-gov" && service != "securityhub";
    let fips = if is_fips && !is_plain { "-fips" } else { "" };
    format!("https://{service}{fips}.{region}.{}", dns_suffix(region))
}

/// The response body, or the service's error.
pub(super) fn response(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = serde_json::from_slice::<Value>(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return body.map_err(OrchestratorError::other);
    }
    Err(OrchestratorError::operation(Refused(refusal(
        response,
        &body.unwrap_or(Value::Null),
    ))))
}

/// <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization>
fn refusal(response: &HttpResponse, body: &Value) -> ErrorMetadata {
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str());
    let code = response
        .headers()
        .get("x-amzn-errortype")
        .or_else(|| text(&["__type", "Code", "code"]))
        // A namespace may stand before it, and an address after it.
        .map(|code| code.split(':').next().unwrap_or(code))
        .map(|code| code.rsplit('#').next().unwrap_or(code));
    let mut refusal = ErrorMetadata::builder();
    if let Some(code) = code {
        refusal = refusal.code(code);
    }
    if let Some(message) = text(&["Message", "message"]) {
        refusal = refusal.message(message);
    }
    refusal.build()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn each_part_of_aws_has_its_own_endpoints() {
        for (service, region, is_fips, url) in [
            (
                "dynamodb",
                "eu-west-1",
                false,
                "https://dynamodb.eu-west-1.amazonaws.com",
            ),
            (
                "dynamodb",
                "us-east-2",
                true,
                "https://dynamodb-fips.us-east-2.amazonaws.com",
            ),
            (
                "events",
                "us-gov-east-1",
                true,
                "https://events.us-gov-east-1.amazonaws.com",
            ),
            (
                "securityhub",
                "us-gov-west-1",
                true,
                "https://securityhub-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "securityhub",
                "cn-north-1",
                false,
                "https://securityhub.cn-north-1.amazonaws.com.cn",
            ),
            (
                "events",
                "us-iso-east-1",
                false,
                "https://events.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "events",
                "eusc-de-east-1",
                false,
                "https://events.eusc-de-east-1.amazonaws.eu",
            ),
        ] {
            assert_eq!(endpoint(service, &region.parse().unwrap(), is_fips), url);
        }
    }

    #[test]
    fn a_code_is_read_in_every_form_in_which_it_is_written() {
        let answer = |body: &str| HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::from(body));
        for body in [
            r#"{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow"}"#,
            r#"{"__type": "ThrottlingException:http://internal.amazon.com/coral/", "Message": "slow"}"#,
            r#"{"code": "ThrottlingException", "message": "slow"}"#,
        ] {
            let refusal = refusal(&answer(""), &serde_json::from_str(body).unwrap());
            assert_eq!(
                (refusal.code(), refusal.message()),
                (Some("ThrottlingException"), Some("slow"))
            );
        }
        assert!(response(&answer("<html>")).is_err());
        assert_eq!(refusal(&answer(""), &Value::Null).code(), None);
    }
}
