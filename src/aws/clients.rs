//! How AWS is reached: one HTTP client, time limits, retries, credentials, and a client for each account and Region.
//!
//! <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/configure.html>

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::tls;

use crate::arn::{AccountId, InvalidName, Region};
use crate::snapshot::Identity;
use crate::source::Reader;

use super::error::{CallFailure, Failure};
use super::sts::AssumedRole;
use super::{Aws, Clients, MemberRole, lock};

/// What CloudTrail shows as our session in trusted accounts, and as our name in the SDK's user agents.
pub(super) const NAME: &str = "s3-replication-remediator";

/// How long a call waits at most before the next try, also where the SDK has found the service to be slower than that: a
/// call may take fifteen seconds in all, and a single refusal is no reason to spend them.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Why AWS cannot be reached at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Neither the environment nor a profile names a Region.
    #[error("no Region is set; set AWS_REGION, or for the command line a region in the profile")]
    NoRegion,
    /// What is named is none.
    #[error("the Region that is set cannot be used")]
    InvalidRegion(#[source] InvalidName),
}

impl Aws {
    /// Reaches AWS as Lambda says: the environment names credentials, Region and kind of endpoints, and for emulators the
    /// endpoint itself. They are looked for nowhere else, neither in files nor at a machine's metadata service: what else
    /// can be found there is not meant for this function. Nothing is sent yet.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    ///
    /// # Errors
    /// No usable Region is set.
    pub fn connect(
        variables: &BTreeMap<String, String>,
        member_role: Option<MemberRole>,
    ) -> Result<Self, StartError> {
        // ring: aws-lc, the SDK's own choice, spends as much time on gathering entropy as all else of a cold start.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let set = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let is_set = |name: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let credentials = EnvironmentVariableCredentialsProvider::new();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build())
            .region(set("AWS_REGION").map(SdkRegion::new))
            .use_fips(is_set("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(is_set("AWS_USE_DUALSTACK_ENDPOINT"))
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
            .timeout_config(timeouts())
            .retry_config(
                RetryConfig::adaptive()
                    .with_max_attempts(3)
                    .with_max_backoff(LONGEST_WAIT),
            );
        config.set_endpoint_url(set("AWS_ENDPOINT_URL"));
        Self::from_config(config.build(), member_role)
    }

    /// Reaches AWS as `config` says, which must name a Region.
    ///
    /// # Errors
    /// It names no usable Region.
    pub fn from_config(config: SdkConfig, member_role: Option<MemberRole>) -> Result<Self, StartError> {
        let region = config
            .region()
            .ok_or(StartError::NoRegion)?
            .as_ref()
            .parse()
            .map_err(StartError::InvalidRegion)?;
        let config = match AppName::new(NAME) {
            Ok(name) => config.into_builder().app_name(name).build(),
            Err(_) => config,
        };
        Ok(Self {
            config,
            region,
            member_role,
            identity: tokio::sync::OnceCell::new(),
            members: tokio::sync::Mutex::default(),
            s3: Mutex::default(),
            kms: Mutex::default(),
            sns: Mutex::default(),
            iam: Mutex::default(),
            bucket_regions: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    /// Does what the first event would else wait for: trust stores, clients, and the question who we are. Until its first
    /// event Lambda gives a function a whole core, and then as much of one as it has memory
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>). What fails here is tried again
    /// when it is needed.
    pub async fn prepare(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let own = &Reader::Own;
        let _ = futures_util::join!(
            tokio::time::timeout(PATIENCE, self.identity()),
            self.s3(own, &self.region),
            self.kms(own, &self.region),
            self.iam(),
            self.sns(&self.region),
        );
    }

    pub(super) async fn s3(&self, reader: &Reader, region: &Region) -> Result<aws_sdk_s3::Client, Failure> {
        self.client(&self.s3, reader, region, aws_sdk_s3::Client::new)
            .await
    }

    pub(super) async fn kms(&self, reader: &Reader, region: &Region) -> Result<aws_sdk_kms::Client, Failure> {
        self.client(&self.kms, reader, region, aws_sdk_kms::Client::new)
            .await
    }

    pub(super) async fn sns(&self, region: &Region) -> Result<aws_sdk_sns::Client, Failure> {
        self.client(&self.sns, &Reader::Own, region, aws_sdk_sns::Client::new)
            .await
    }

    /// IAM is one for the whole partition; the SDK finds it from any Region of ours.
    pub(super) async fn iam(&self) -> Result<aws_sdk_iam::Client, Failure> {
        self.client(&self.iam, &Reader::Own, &self.region, aws_sdk_iam::Client::new)
            .await
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    async fn client<C: Clone>(
        &self,
        clients: &Clients<C>,
        reader: &Reader,
        region: &Region,
        make: impl FnOnce(&SdkConfig) -> C,
    ) -> Result<C, Failure> {
        let key = (reader.clone(), region.clone());
        if let Some(client) = lock(clients).get(&key) {
            return Ok(client.clone());
        }
        let mut config = self
            .config
            .to_builder()
            .region(SdkRegion::new(region.as_str().to_owned()));
        if let Reader::Member(account) = reader {
            config.set_credentials_provider(Some(self.member(account).await?));
        }
        let client = make(&config.build());
        lock(clients).insert(key, client.clone());
        Ok(client)
    }

    /// The ARN of the member role in an account.
    pub(super) fn member_role(&self, identity: &Identity, account: &AccountId) -> Option<String> {
        let name = &self.member_role.as_ref()?.name;
        Some(format!("arn:{}:iam::{account}:role/{name}", identity.partition))
    }

    /// Credentials of the member role. The SDK keeps its session for all clients that have the same provider.
    async fn member(&self, account: &AccountId) -> Result<SharedCredentialsProvider, Failure> {
        let identity = self
            .identity()
            .await
            .map_err(|CallFailure { failure, .. }| failure)?;
        let role = self
            .member_role(identity, account)
            .ok_or_else(|| Failure::local("NoMemberRole", "MEMBER_ROLE_NAME is not set"))?;
        let mut members: tokio::sync::MutexGuard<'_, HashMap<_, _>> = self.members.lock().await;
        if let Some(provider) = members.get(account) {
            return Ok(provider.clone());
        }
        let member_role = self.member_role.as_ref();
        let provider = SharedCredentialsProvider::new(AssumedRole {
            client: self.sts(),
            role,
            external_id: member_role.and_then(|role| role.external_id.clone()),
        });
        members.insert(account.clone(), provider.clone());
        Ok(provider)
    }
}

/// Long enough for a slow answer, short enough that many reads fit into one invocation.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(15))
        .build()
}
