//! AWS itself: the ports, implemented with the AWS SDK for Rust. No SDK type leaves this module.
//!
//! <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/welcome.html>

#[cfg(feature = "cli")]
mod buckets;
mod clients;
mod dynamodb;
mod error;
mod eventbridge;
mod iam;
mod json;
mod kms;
#[cfg(feature = "cli")]
mod login;
mod publishers;
mod s3;
mod s3_control;
mod security_hub;
mod signed;
mod sns;
mod source;
mod sqs;
mod sts;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::arn::{AccountId, BucketName, Region};
use crate::config::Config;
use crate::snapshot::Identity;
use crate::source::Reader;

pub use clients::StartError;
pub use dynamodb::{AnyLedger, Table};
pub use error::CallFailure;
#[cfg(feature = "cli")]
pub use login::Login;
pub use publishers::{Bus, Chat, Hub, Topic};
pub use sqs::OwnQueue;

/// The accounts that we can reach. Make one for the life of the process: it keeps clients, connections, the sessions
/// of member roles, and where each bucket lies.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    region: Region,
    member_role: Option<MemberRole>,
    identity: tokio::sync::OnceCell<Identity>,
    members: tokio::sync::Mutex<HashMap<AccountId, SharedCredentialsProvider>>,
    s3: Clients<aws_sdk_s3::Client>,
    kms: Clients<aws_sdk_kms::Client>,
    sns: Clients<aws_sdk_sns::Client>,
    iam: Clients<aws_sdk_iam::Client>,
    bucket_regions: Mutex<HashMap<BucketName, Region>>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

/// The role that is assumed in trusted accounts, for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRole {
    /// Its name, without path, the same in every account.
    pub name: String,
    /// What its trust policy asks for as `sts:ExternalId`.
    pub external_id: Option<String>,
}

impl MemberRole {
    /// The one that the settings name.
    pub fn of(config: &Config) -> Option<Self> {
        Some(Self {
            name: config.member_role_name.clone()?,
            external_id: config.member_role_external_id.clone(),
        })
    }
}

/// The clients of one service, made when they are first needed.
type Clients<C> = Mutex<HashMap<(Reader, Region), C>>;

impl Aws {
    /// Who we are, as STS says; asked once.
    ///
    /// # Errors
    /// STS did not answer, or not as it should.
    pub async fn identity(&self) -> Result<&Identity, CallFailure> {
        self.identity.get_or_try_init(|| sts::identity(self)).await
    }

    /// The Region that we run in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// How often each operation was called since this was last asked; retries are not counted.
    pub fn take_calls(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut lock(&self.calls))
    }

    /// Counts a call that is about to be made.
    fn count(&self, operation: &'static str) {
        *lock(&self.calls).entry(operation).or_default() += 1;
    }

    /// May an answer that something does not exist be believed? AWS gives strangers the same answer as for what they
    /// must not see. Without knowing who we are, everybody is a stranger.
    fn reads_as_owner(&self, reader: &Reader, owner: &AccountId) -> bool {
        match reader {
            Reader::Own => self.identity.get().is_some_and(|own| own.account == *owner),
            Reader::Member(account) => account == owner,
        }
    }
}

/// A panic elsewhere leaves these maps whole, so that it needs not end this invocation too.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
