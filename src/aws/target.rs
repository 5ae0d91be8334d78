//! The port for writing. Only holders of `WriteAccess` can get one.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>

use aws_sdk_iam::operation::RequestId as _;
use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

use crate::arn::{KeyArn, RoleArn};
use crate::mode::WriteAccess;
use crate::policy::PolicyDocument;
use crate::source::Reader;
use crate::target::{GrantRequest, Jobs, Target, Writable, WriteFailure, Written};

use super::Aws;
use super::error::Failure;
use super::s3_control::Orders;

/// Writes to AWS with our own credentials.
#[derive(Debug)]
struct Writer<'a> {
    aws: &'a Aws,
}

impl Writable for Aws {
    fn writer(&self, _permission: &WriteAccess) -> impl Target {
        Writer { aws: self }
    }

    fn jobs(&self, _permission: &WriteAccess) -> impl Jobs {
        Orders { aws: self }
    }
}

impl Writer<'_> {
    async fn grant_call(&self, grant: &GrantRequest) -> Result<CreateGrantFluentBuilder, Failure> {
        self.aws.count("kms:CreateGrant");
        let context = grant.context_equals.clone().into_iter().collect();
        let constraints = GrantConstraints::builder()
            .set_encryption_context_equals(Some(context))
            .build();
        let operations = grant
            .operations
            .iter()
            .map(|operation| GrantOperation::from(operation.as_str()));
        let client = self.aws.kms(&Reader::Own, grant.key.region()).await?;
        Ok(client
            .create_grant()
            .key_id(grant.key.to_string())
            .grantee_principal(grant.grantee.to_string())
            .retiring_principal(&grant.retiring_principal)
            .name(&grant.name)
            .set_operations(Some(operations.collect()))
            .set_constraints((!grant.context_equals.is_empty()).then_some(constraints)))
    }
}

impl Target for Writer<'_> {
    async fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "iam:PutRolePolicy";
        let resource = role.to_string();
        self.aws.count(OPERATION);
        let call = async {
            let client = self.aws.iam().await?;
            let answer = client
                .put_role_policy()
                .role_name(role.name())
                .policy_name(name)
                .policy_document(document.raw().to_string())
                .send()
                .await;
            answer.map_err(|error| Failure::of(&error))
        };
        let answer = call
            .await
            .map_err(|failure| failure.into_write_failure(OPERATION, &resource))?;
        Ok(Written {
            request_id: answer.request_id().map(str::to_owned),
            grant_id: None,
        })
    }

    async fn delete_role_policy(&self, role: &RoleArn, name: &str) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "iam:DeleteRolePolicy";
        let resource = role.to_string();
        self.aws.count(OPERATION);
        let call = async {
            let client = self.aws.iam().await?;
            let answer = client
                .delete_role_policy()
                .role_name(role.name())
                .policy_name(name)
                .send()
                .await;
            answer.map_err(|error| Failure::of(&error))
        };
        match call.await {
            Ok(answer) => Ok(Written {
                request_id: answer.request_id().map(str::to_owned),
                grant_id: None,
            }),
            Err(failure) if failure.code == "NoSuchEntity" => Ok(NOTHING_TO_DO),
            Err(failure) => Err(failure.into_write_failure(OPERATION, &resource)),
        }
    }

    async fn try_grant(&self, grant: &GrantRequest) -> Result<(), WriteFailure> {
        let call = async {
            let answer = self.grant_call(grant).await?.dry_run(true).send().await;
            answer.map_err(|error| Failure::of(&error))
        };
        match call.await {
            // KMS answers a dry run with an error in any case; this one says that it would have succeeded.
            Err(failure) if failure.code == "DryRunOperationException" => Ok(()),
            Err(failure) => Err(failure.into_write_failure("kms:CreateGrant", &grant.key.to_string())),
            Ok(_) => Err(
                Failure::local("DryRunIgnored", "KMS did not answer as to a dry run")
                    .into_write_failure("kms:CreateGrant", &grant.key.to_string()),
            ),
        }
    }

    async fn create_grant(&self, grant: &GrantRequest) -> Result<Written, WriteFailure> {
        let call = async {
            let answer = self.grant_call(grant).await?.send().await;
            answer.map_err(|error| Failure::of(&error))
        };
        match call.await {
            Ok(answer) => Ok(Written {
                request_id: answer.request_id().map(str::to_owned),
                grant_id: answer.grant_id,
            }),
            Err(failure) => Err(failure.into_write_failure("kms:CreateGrant", &grant.key.to_string())),
        }
    }

    async fn revoke_grant(&self, key: &KeyArn, grant_id: &str) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "kms:RevokeGrant";
        let resource = key.to_string();
        self.aws.count(OPERATION);
        let call = async {
            let client = self.aws.kms(&Reader::Own, key.region()).await?;
            let answer = client
                .revoke_grant()
                .key_id(&resource)
                .grant_id(grant_id)
                .send()
                .await;
            answer.map_err(|error| Failure::of(&error))
        };
        match call.await {
            Ok(answer) => Ok(Written {
                request_id: answer.request_id().map(str::to_owned),
                grant_id: Some(grant_id.to_owned()),
            }),
            Err(failure) if failure.code == "NotFoundException" => Ok(NOTHING_TO_DO),
            Err(failure) => Err(failure.into_write_failure(OPERATION, &resource)),
        }
    }
}

/// What was to be removed was not there.
const NOTHING_TO_DO: Written = Written {
    request_id: None,
    grant_id: None,
};
