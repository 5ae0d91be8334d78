//! Importing findings into Security Hub: one signed request.
//!
//! The crate of the whole service is left out: its types of every resource of AWS would add 0.3 MB to the function and
//! more than a minute to its build, for a body that is JSON of ours anyway.
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;
use serde_json::{Value, json};

use super::Aws;
use super::error::{CallFailure, Failure};
use super::signed::{Refused, Signed, not_sent, post};

const OPERATION: &str = "securityhub:BatchImportFindings";
const SERVICE: &str = "securityhub";

impl Aws {
    /// Brings a finding into Security Hub, in our own account and Region; one of the same id is replaced.
    ///
    /// # Errors
    /// Security Hub refused the call or the finding, or gave no answer.
    pub async fn import_finding(&self, finding: &Value) -> Result<(), CallFailure> {
        self.count(OPERATION, SERVICE);
        let call = async {
            let answer = self.post(json!({"Findings": [finding]}).to_string()).await?;
            // A call succeeds whatever becomes of its findings.
            let failed = answer.pointer("/FailedFindings/0");
            let text = |name| failed.and_then(|failed| failed.get(name)?.as_str());
            match answer.get("FailedCount").and_then(Value::as_u64) {
                Some(0) => Ok(()),
                Some(_) => Err(Failure::ours(
                    text("ErrorCode").unwrap_or("FailedFinding"),
                    text("ErrorMessage").unwrap_or_default(),
                )),
                None => Err(Failure::ours("BadAnswer", "nothing is said of the finding")),
            }
        };
        call.await.map_err(|failure| CallFailure {
            operation: OPERATION,
            failure,
        })
    }

    async fn post(&self, body: String) -> Result<Value, Failure> {
        let endpoint = endpoint(self.region.as_str(), self.config.use_fips().unwrap_or(false));
        let call = Signed {
            service: SERVICE,
            operation: "BatchImportFindings",
            region: &self.region,
            endpoint,
            signs_content: false,
        };
        self.send(
            call,
            post("/findings/import", "application/json", body).map_err(|error| not_sent(&*error))?,
            response,
        )
        .await
    }
}

/// <https://docs.aws.amazon.com/general/latest/gr/sechub.html>
fn endpoint(region: &str, fips: bool) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    let fips = if fips { "-fips" } else { "" };
    format!("https://{SERVICE}{fips}.{region}.amazonaws.com{suffix}")
}

fn response(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = serde_json::from_slice::<Value>(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return body.map_err(OrchestratorError::other);
    }
    let body = body.unwrap_or(Value::Null);
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str());
    let code = response
        .headers()
        .get("x-amzn-errortype")
        .or_else(|| text(&["Code", "code", "__type"]))
        .map(|code| code.split(':').next().unwrap_or(code));
    let mut refused = ErrorMetadata::builder();
    if let Some(code) = code {
        refused = refused.code(code);
    }
    if let Some(message) = text(&["Message", "message"]) {
        refused = refused.message(message);
    }
    Err(OrchestratorError::operation(Refused(refused.build())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_aws_has_its_own_endpoint() {
        for (region, fips, url) in [
            ("eu-west-1", false, "https://securityhub.eu-west-1.amazonaws.com"),
            (
                "us-gov-west-1",
                true,
                "https://securityhub-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                "https://securityhub.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(endpoint(region, fips), url);
        }
    }
}
