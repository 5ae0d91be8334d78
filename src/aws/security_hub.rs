//! Importing findings into Security Hub: one signed request, made by the SDK's own orchestrator.
//!
//! The crate of the whole service is left out: its types of every resource of AWS would add 0.3 MB to the function and
//! more than a minute to its build, for a body that is JSON of ours anyway.
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};

use super::Aws;
use super::error::{CallFailure, Failure};

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
        let config = &self.config;
        let none = |what| Failure::ours("NotSent", what);
        let credentials = config
            .credentials_provider()
            .ok_or_else(|| Failure::ours("NoCredentials", "no credentials are set"))?
            .provide_credentials()
            .await
            .map_err(|error| Failure::ours("NoCredentials", &crate::error::chain(&error)))?;
        let endpoint = match config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => endpoint(self.region.as_str(), config.use_fips().unwrap_or(false)),
        };
        let mut operation = Operation::builder()
            .service_name("SecurityHub")
            .operation_name("BatchImportFindings")
            .behavior_version(BehaviorVersion::latest())
            .http_client(
                config
                    .http_client()
                    .ok_or_else(|| none("there is no HTTP client"))?,
            )
            .endpoint_url(&endpoint)
            .no_auth()
            .retry_classifier(HttpStatusCodeClassifier::new_from_codes(vec![
                429, 500, 502, 503, 504,
            ]))
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .interceptor(Signature {
                credentials,
                region: self.region.to_string(),
            })
            .serializer(request)
            .deserializer(response);
        if let Some(retries) = config.retry_config() {
            operation = operation.standard_retry(retries);
        }
        if let Some(timeouts) = config.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            operation = operation.time_source(time);
        }
        operation
            .build()
            .invoke(body)
            .await
            .map_err(|error| Failure::of(&error))
    }
}

/// <https://docs.aws.amazon.com/general/latest/gr/sechub.html>
fn endpoint(region: &str, fips: bool) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    let fips = if fips { "-fips" } else { "" };
    format!("https://{SERVICE}{fips}.{region}.amazonaws.com{suffix}")
}

fn request(body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/findings/import")?;
    request
        .headers_mut()
        .try_insert("content-type", "application/json")?;
    Ok(request)
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

/// Signs each attempt, as late as can be.
#[derive(Debug)]
struct Signature {
    credentials: Credentials,
    region: String,
}

#[dyn_dispatch_hint]
impl Intercept for Signature {
    fn name(&self) -> &'static str {
        "Signature"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = components
            .time_source()
            .map_or(SystemTime::UNIX_EPOCH, |time| time.now());
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let request = context.request_mut();
        let signable = SignableRequest::new(
            request.method(),
            request.uri(),
            request
                .headers()
                .iter()
                .filter(|(name, _)| *name == "content-type"),
            SignableBody::Bytes(request.body().bytes().unwrap_or_default()),
        )?;
        let (signature, _) = sign(signable, &parameters)?.into_parts();
        let (headers, _) = signature.into_parts();
        for header in headers {
            request
                .headers_mut()
                .try_insert(header.name(), header.value().to_owned())?;
        }
        Ok(())
    }
}

/// What Security Hub answers in place of a result.
#[derive(Debug)]
struct Refused(ErrorMetadata);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
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
