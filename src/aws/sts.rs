//! Who we are, and whose role we take to read in trusted accounts.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>; it needs no permission.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use crate::arn::{Arn, RoleArn};
use crate::snapshot::Identity;

use super::Aws;
use super::clients::NAME;
use super::error::{CallFailure, Failure};

const OPERATION: &str = "sts:GetCallerIdentity";

pub(super) async fn identity(aws: &Aws) -> Result<Identity, CallFailure> {
    let failed = |failure: Failure| failure.during(OPERATION);
    aws.count(OPERATION);
    let answer = aws.sts().get_caller_identity().send().await;
    let answer = answer.map_err(|error| failed(Failure::of(&error)))?;
    let arn = answer.arn().unwrap_or_default();
    parse(arn).ok_or_else(|| {
        failed(Failure::local(
            "BadAnswer",
            &format!("`{}` is the ARN of no principal", arn.escape_debug()),
        ))
    })
}

/// The credentials of a role that we assume. The SDK asks for them again before they expire.
#[derive(Debug)]
pub(super) struct AssumedRole {
    pub(super) client: aws_sdk_sts::Client,
    pub(super) role: String,
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html>
    pub(super) external_id: Option<String>,
}

impl AssumedRole {
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let answer = self
            .client
            .assume_role()
            .role_arn(&self.role)
            .role_session_name(NAME)
            .set_external_id(self.external_id.clone())
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let session = answer
            .credentials
            .ok_or_else(|| CredentialsError::unhandled("STS gave no credentials"))?;
        let expiry = SystemTime::try_from(session.expiration).map_err(CredentialsError::unhandled)?;
        let token = Some(session.session_token);
        Ok(Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            token,
            Some(expiry),
            "AssumedRole",
        ))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`, or a user's or the root's ARN.
fn parse(text: &str) -> Option<Identity> {
    let arn: Arn = text.parse().ok()?;
    let role: Option<RoleArn> = arn
        .resource
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.split('/').next())
        .and_then(|name| {
            format!("arn:{}:iam::{}:role/{name}", arn.partition, arn.account)
                .parse()
                .ok()
        });
    Some(Identity {
        partition: arn.partition.parse().ok()?,
        account: arn.account.parse().ok()?,
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_role_and_a_user_has_none() {
        let session = parse("arn:aws:sts::111122223333:assumed-role/remediator/function").unwrap();
        assert_eq!(session.account.as_str(), "111122223333");
        assert_eq!(
            session.role.unwrap().to_string(),
            "arn:aws:iam::111122223333:role/remediator"
        );
        let user = parse("arn:aws-cn:iam::111122223333:user/me").unwrap();
        assert_eq!((user.partition.as_str(), user.role), ("aws-cn", None));
        assert!(parse("arn:aws:iam::111122223333:root").is_some());
        assert!(parse("nobody").is_none());
    }
}
