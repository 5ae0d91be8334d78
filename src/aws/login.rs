//! How a person reaches AWS: as the AWS command line does, with profiles, single sign-on and proxies.
//!
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-quickstart.html#cli-configure-quickstart-precedence>

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region as SdkRegion};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};

use super::clients::timeouts;
use super::{Aws, MemberRole, StartError};
use crate::arn::Region;

/// How long a call may take with all its tries, and the waits between them where AWS asks to be asked less.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a person says about how AWS is reached. What is not said is taken from the environment and the profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The profile. Who names one does not mean the credentials of the environment.
    pub profile: Option<String>,
    /// The Region.
    pub region: Option<Region>,
    /// Where AWS answers, for emulators and private endpoints.
    pub endpoint_url: Option<String>,
}

impl Aws {
    /// Reaches AWS as a person. Nothing is sent yet, but by what gives out credentials.
    ///
    /// # Errors
    /// No usable Region is set.
    pub async fn log_in(login: &Login, member_role: Option<MemberRole>) -> Result<Self, StartError> {
        let http = Builder::new().build_with_connector_fn(|settings, components| {
            // ring, as in the function: nothing here needs another.
            let mut connector = Connector::builder()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.build()
        });
        let mut in_profile = ProfileFileRegionProvider::builder();
        if let Some(profile) = &login.profile {
            in_profile = in_profile.profile_name(profile);
        }
        let said = login.region.as_ref();
        let region = RegionProviderChain::first_try(said.map(|region| SdkRegion::new(region.to_string())))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(in_profile.build())
            .region()
            .await;
        let provider = ProviderConfig::default()
            .with_http_client(http.clone())
            .with_region(region.clone());
        let credentials = match &login.profile {
            Some(profile) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(&provider)
                    .profile_name(profile)
                    .build(),
            ),
            None => SharedCredentialsProvider::new(
                DefaultCredentialsChain::builder()
                    .configure(provider)
                    .build()
                    .await,
            ),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .credentials_provider(credentials)
            .region(region)
            // A person waits, and may look at every bucket of an account.
            .timeout_config(timeouts().into_builder().operation_timeout(PATIENCE).build())
            .retry_config(RetryConfig::adaptive().with_max_attempts(5));
        if let Some(profile) = &login.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &login.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        Self::from_config(loader.load().await, member_role)
    }
}
