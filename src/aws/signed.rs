//! One request to a service whose crate is not worth its size, signed and sent by the SDK's own parts: its orchestrator
//! with our retries, time limits and HTTP client, and its signer.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_runtime::recursion_detection::RecursionDetectionInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
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
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::arn::Region;

use super::Aws;
use super::error::Failure;

/// A call to sign and send.
pub(super) struct Signed<'a> {
    /// The service, as signatures name it.
    pub(super) service: &'static str,
    /// The operation.
    pub(super) operation: &'static str,
    /// The Region that is asked.
    pub(super) region: &'a Region,
    /// Where that listens, unless another place is configured.
    pub(super) endpoint: String,
    /// Does the service want the body's hash as a header, and the path as it stands, as S3 does?
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    pub(super) signs_content: bool,
    /// How long to wait, where that is not as for other calls.
    pub(super) limits: Limits,
}

/// How long to wait for a call, and how often to try; what is not said is as for other calls.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) timeouts: Option<TimeoutConfig>,
    pub(super) retries: Option<RetryConfig>,
}

impl Aws {
    /// Sends a request whose URI is a path, and reads the answer.
    pub(super) async fn send<T: Send + Sync + std::fmt::Debug + 'static>(
        &self,
        call: Signed<'_>,
        request: HttpRequest,
        response: fn(&HttpResponse) -> Result<T, OrchestratorError<Refused>>,
    ) -> Result<T, Failure> {
        let config = &self.config;
        let credentials = config
            .credentials_provider()
            .ok_or_else(|| Failure::local("NoCredentials", "no credentials are set"))?
            .provide_credentials()
            .await
            .map_err(|error| Failure::local("NoCredentials", &crate::error::chain(&error)))?;
        let endpoint = config.endpoint_url().map_or(call.endpoint, str::to_owned);
        let mut operation = Operation::builder()
            .service_name(call.service)
            .operation_name(call.operation)
            .behavior_version(BehaviorVersion::latest())
            .http_client(
                config
                    .http_client()
                    .ok_or_else(|| Failure::local("NotSent", "there is no HTTP client"))?,
            )
            .endpoint_url(&endpoint)
            .no_auth()
            .with_connection_poisoning()
            .interceptor(RecursionDetectionInterceptor::new())
            .retry_classifier(HttpStatusCodeClassifier::new_from_codes(vec![
                429, 500, 502, 503, 504,
            ]))
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .interceptor(Signature {
                credentials,
                region: call.region.to_string(),
                service: call.service,
                signs_content: call.signs_content,
            })
            .serializer(Ok)
            .deserializer(response);
        let Limits { timeouts, retries } = call.limits;
        if let Some(retries) = retries.as_ref().or(config.retry_config()) {
            // Adaptive too: the strategy takes the mode from the configuration.
            operation = operation.standard_retry(retries);
        }
        if let Some(timeouts) = timeouts.or_else(|| config.timeout_config().cloned()) {
            operation = operation.timeout_config(timeouts);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            operation = operation.time_source(time);
        }
        operation
            .build()
            .invoke(request)
            .await
            .map_err(|error| Failure::of(&error))
    }
}

/// What the names of services end in: <https://docs.aws.amazon.com/general/latest/gr/rande.html>
pub(super) fn dns_suffix(region: &Region) -> &'static str {
    match region.partition().as_str() {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    }
}

/// A request that could not be put together.
pub(super) fn not_sent(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::local("NotSent", &crate::error::chain(error))
}

/// A POST of a body.
pub(super) fn post(path: &str, content_type: &'static str, body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri(path)?;
    request.headers_mut().try_insert("content-type", content_type)?;
    Ok(request)
}

/// Signs each attempt, as late as can be.
#[derive(Debug)]
struct Signature {
    credentials: Credentials,
    region: String,
    service: &'static str,
    signs_content: bool,
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
        let mut settings = SigningSettings::default();
        if self.signs_content {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(settings)
            .build()?
            .into();
        let request = context.request_mut();
        let signable = SignableRequest::new(
            request.method(),
            request.uri(),
            request
                .headers()
                .iter()
                .filter(|(name, _)| *name == "content-type" || name.starts_with("x-amz-")),
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

/// What a service answers in place of a result.
#[derive(Debug)]
pub(super) struct Refused(pub(super) ErrorMetadata);

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
