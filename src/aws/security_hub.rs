//! Importing findings into Security Hub.
//!
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>

use serde_json::{Value, json};

use super::Aws;
use super::error::{CallFailure, Failure};
use super::json::{Address, JsonCall, response};
use super::signed::Limits;

const OPERATION: &str = "securityhub:BatchImportFindings";

impl Aws {
    /// Brings a finding into Security Hub, in our own account and Region; one of the same id is replaced.
    ///
    /// # Errors
    /// Security Hub refused the call or the finding, or gave no answer.
    pub async fn import_finding(&self, finding: &Value) -> Result<(), CallFailure> {
        self.count(OPERATION);
        let call = async {
            let call = JsonCall {
                service: "securityhub",
                operation: "BatchImportFindings",
                address: Address::Path("/findings/import"),
                region: &self.region,
                limits: Limits::default(),
            };
            let answer = self
                .send_json(call, &json!({"Findings": [finding]}), response)
                .await?;
            // A call succeeds whatever becomes of its findings.
            let failed = answer.pointer("/FailedFindings/0");
            let text = |name| failed.and_then(|failed| failed.get(name)?.as_str());
            match answer.get("FailedCount").and_then(Value::as_u64) {
                Some(0) => Ok(()),
                Some(_) => Err(Failure::local(
                    text("ErrorCode").unwrap_or("FailedFinding"),
                    text("ErrorMessage").unwrap_or_default(),
                )),
                None => Err(Failure::local("BadAnswer", "nothing is said of the finding")),
            }
        };
        call.await.map_err(|failure: Failure| failure.during(OPERATION))
    }
}
