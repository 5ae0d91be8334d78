//! The writes, with what AWS refuses.

use std::collections::BTreeSet;

use s3_replication_remediator::arn::{KeyArn, RoleArn};
use s3_replication_remediator::backlog::ApprovedJob;
use s3_replication_remediator::mode::WriteAccess;
use s3_replication_remediator::policy::PolicyDocument;
use s3_replication_remediator::snapshot::KeyState;
use s3_replication_remediator::target::{GrantRequest, Jobs, Target, Writable, WriteFailure, Written};
use serde_json::{Value, json};

use super::model::{Grant, Role, State};
use super::{World, Write};

/// White space does not count (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MOST_INLINE_CHARACTERS: usize = 10_240;

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>
const MOST_CONTEXT_PAIRS: usize = 8;

impl World {
    /// The refusal that is switched on for this write, if one is.
    async fn begin(&self, operation: &'static str, resource: &str) -> Result<(), WriteFailure> {
        self.call(operation, resource).await;
        match self.switched(operation, resource) {
            Some(code) => Err(refused(operation, resource, &code, "switched to fail")),
            None => Ok(()),
        }
    }

    fn written(&self, operation: &'static str, resource: String, detail: Value) -> Written {
        let mut writes = self.writes.borrow_mut();
        let grant_id = detail.get("grantId").and_then(Value::as_str).map(str::to_owned);
        writes.push(Write {
            operation,
            resource,
            detail,
        });
        Written {
            request_id: Some(format!("request-{}", writes.len())),
            grant_id,
        }
    }

    /// What KMS checks before it makes a grant
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>).
    fn check_grant(&self, grant: &GrantRequest) -> Result<(), WriteFailure> {
        let arn = grant.key.to_string();
        let refuse = |code, message| Err(refused("kms:CreateGrant", &arn, code, message));
        let state = self.state();
        if *grant.key.account() != state.identity.account {
            return refuse("AccessDeniedException", "the key is of another account");
        }
        let Some(key) = state.keys.get(&grant.key) else {
            return refuse("NotFoundException", "there is no such key");
        };
        // The policy of an AWS managed key lets services make grants, nobody else.
        if key.manager == "AWS" {
            return refuse("AccessDeniedException", "the key is managed by AWS");
        }
        // <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
        match KeyState::from(key.state.as_str()) {
            KeyState::Enabled | KeyState::Updating | KeyState::Unavailable => {}
            KeyState::Disabled => return refuse("DisabledException", "the key is disabled"),
            KeyState::PendingDeletion
            | KeyState::PendingReplicaDeletion
            | KeyState::PendingImport
            | KeyState::Creating
            | KeyState::Other(_) => {
                return refuse("KMSInvalidStateException", "the key is in no state for it");
            }
        }
        let name_is_valid = (1..=256).contains(&grant.name.len())
            && grant
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b));
        if !name_is_valid {
            return refuse("ValidationException", "the name of the grant is not valid");
        }
        if !state.roles.contains_key(&grant.grantee) {
            return refuse("InvalidArnException", "the grantee does not exist");
        }
        // The operations that a symmetric key has and S3 uses; the others are nobody's business here.
        let known = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"];
        if grant.operations.is_empty() || !grant.operations.iter().all(|o| known.contains(&o.as_str())) {
            return refuse("ValidationException", "the operations are not valid");
        }
        let context = &grant.context_equals;
        if context.len() > MOST_CONTEXT_PAIRS || context.values().any(|value| value.len() > 384) {
            return refuse("ValidationException", "the encryption context is too large");
        }
        Ok(())
    }
}

fn refused(operation: &'static str, resource: &str, code: &str, message: &str) -> WriteFailure {
    WriteFailure {
        operation,
        resource: resource.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        retryable: matches!(
            code,
            "Throttling" | "ThrottlingException" | "ServiceFailure" | "KMSInternalException" | "Timeout"
        ),
    }
}

impl State {
    fn role_to_change(
        &mut self,
        operation: &'static str,
        role: &RoleArn,
    ) -> Result<Option<&mut Role>, WriteFailure> {
        let arn = role.to_string();
        let own = self.identity.account.clone();
        let found = self
            .roles
            .iter_mut()
            .find(|(known, _)| *known.account() == own && known.name() == role.name());
        match found {
            // <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
            Some((known, _)) if known.is_service_linked() => {
                Err(refused(operation, &arn, "UnmodifiableEntity", "a service's role"))
            }
            found => Ok(found.map(|(_, role)| role)),
        }
    }
}

/// The characters that IAM counts.
fn size(document: &Value) -> usize {
    document
        .to_string()
        .chars()
        .filter(|c| !c.is_whitespace())
        .count()
}

/// IAM's own checks of a policy for a role, as far as a program could go wrong here
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).
fn is_identity_policy(document: &Value) -> bool {
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        Some(_) | None => return false,
    };
    let sids: Vec<&Value> = statements.iter().filter_map(|s| s.get("Sid")).collect();
    let distinct: BTreeSet<&str> = sids.iter().filter_map(|sid| sid.as_str()).collect();
    let sids_are_valid = distinct.len() == sids.len()
        && distinct
            .iter()
            .all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric()));
    sids_are_valid
        && !statements.is_empty()
        && statements.iter().all(|statement| {
            let has = |key| statement.get(key).is_some();
            matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"))
                && (has("Action") != has("NotAction"))
                && (has("Resource") != has("NotResource"))
                && !has("Principal")
                && !has("NotPrincipal")
        })
}

impl Target for World {
    async fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "iam:PutRolePolicy";
        let arn = role.to_string();
        self.begin(OPERATION, &arn).await?;
        let name_is_valid = (1..=128).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
        if !name_is_valid {
            return Err(refused(
                OPERATION,
                &arn,
                "ValidationError",
                "the policy's name is not valid",
            ));
        }
        let document = document.raw().clone();
        if !is_identity_policy(&document) {
            return Err(refused(
                OPERATION,
                &arn,
                "MalformedPolicyDocument",
                "not a policy for a role",
            ));
        }
        let before = {
            let mut state = self.state.borrow_mut();
            let Some(role) = state.role_to_change(OPERATION, role)? else {
                return Err(refused(OPERATION, &arn, "NoSuchEntity", "there is no such role"));
            };
            let others: usize = role
                .inline
                .iter()
                .filter(|(known, _)| *known != name)
                .map(|(_, document)| size(document))
                .sum();
            if others + size(&document) > MOST_INLINE_CHARACTERS {
                return Err(refused(
                    OPERATION,
                    &arn,
                    "LimitExceeded",
                    "the inline policies are too large",
                ));
            }
            role.inline.insert(name.to_owned(), document.clone())
        };
        let detail = json!({"policy": name, "before": before, "after": document});
        Ok(self.written(OPERATION, arn, detail))
    }

    async fn delete_role_policy(&self, role: &RoleArn, name: &str) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "iam:DeleteRolePolicy";
        let arn = role.to_string();
        self.begin(OPERATION, &arn).await?;
        let before = self
            .state
            .borrow_mut()
            .role_to_change(OPERATION, role)?
            .and_then(|role| role.inline.remove(name));
        Ok(self.written(OPERATION, arn, json!({"policy": name, "before": before})))
    }

    async fn try_grant(&self, grant: &GrantRequest) -> Result<(), WriteFailure> {
        self.begin("kms:CreateGrant", &grant.key.to_string()).await?;
        self.check_grant(grant)
    }

    async fn create_grant(&self, grant: &GrantRequest) -> Result<Written, WriteFailure> {
        let arn = grant.key.to_string();
        self.begin("kms:CreateGrant", &arn).await?;
        self.check_grant(grant)?;
        let (grant_id, is_new) = {
            let mut state = self.state.borrow_mut();
            let key = state.keys.get_mut(&grant.key).unwrap();
            let mut wanted = Grant {
                id: String::new(),
                name: Some(grant.name.clone()),
                grantee: grant.grantee.to_string(),
                retiring_principal: Some(grant.retiring_principal.clone()),
                operations: grant.operations.clone(),
                context_equals: (!grant.context_equals.is_empty()).then(|| grant.context_equals.clone()),
                context_subset: None,
            };
            // Asking again under the same name for the same thing returns the grant that is there.
            let same = key.grants.iter().find(|known| {
                wanted.id.clone_from(&known.id);
                **known == wanted
            });
            match same {
                Some(known) => (known.id.clone(), false),
                None => {
                    wanted.id = format!("grant-{}", key.grants.len() + 1);
                    key.grants.push(wanted.clone());
                    (wanted.id, true)
                }
            }
        };
        let detail = json!({
            "grantId": grant_id,
            "isNew": is_new,
            "name": grant.name,
            "grantee": grant.grantee,
            "operations": grant.operations,
            "contextEquals": grant.context_equals,
        });
        Ok(self.written("kms:CreateGrant", arn, detail))
    }

    async fn revoke_grant(&self, key: &KeyArn, grant_id: &str) -> Result<Written, WriteFailure> {
        const OPERATION: &str = "kms:RevokeGrant";
        let arn = key.to_string();
        self.begin(OPERATION, &arn).await?;
        if let Some(key) = self.state.borrow_mut().keys.get_mut(key) {
            key.grants.retain(|grant| grant.id != grant_id);
        }
        Ok(self.written(OPERATION, arn, json!({"grantId": grant_id})))
    }
}

/// The account, as it is to whoever may write.
struct Writer<'w>(&'w World);

impl Writable for World {
    fn writer(&self, _: &WriteAccess) -> impl Target {
        Writer(self)
    }

    fn jobs(&self, _: &WriteAccess) -> impl Jobs {
        Writer(self)
    }
}

impl Writer<'_> {
    /// A call that may not arrive, or whose answer may not.
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.0.steps.step().await;
        let answer = call.await;
        self.0.steps.step().await;
        answer
    }
}

impl Target for Writer<'_> {
    async fn put_role_policy(
        &self,
        role: &RoleArn,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<Written, WriteFailure> {
        self.around(self.0.put_role_policy(role, name, document)).await
    }

    async fn delete_role_policy(&self, role: &RoleArn, name: &str) -> Result<Written, WriteFailure> {
        self.around(self.0.delete_role_policy(role, name)).await
    }

    async fn try_grant(&self, grant: &GrantRequest) -> Result<(), WriteFailure> {
        self.around(self.0.try_grant(grant)).await
    }

    async fn create_grant(&self, grant: &GrantRequest) -> Result<Written, WriteFailure> {
        self.around(self.0.create_grant(grant)).await
    }

    async fn revoke_grant(&self, key: &KeyArn, grant_id: &str) -> Result<Written, WriteFailure> {
        self.around(self.0.revoke_grant(key, grant_id)).await
    }
}

impl Jobs for Writer<'_> {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html>: the same token is the same job.
    async fn create_job(&self, order: &ApprovedJob) -> Result<String, WriteFailure> {
        const OPERATION: &str = "s3:CreateJob";
        let world = self.0;
        let job = order.job();
        let arn = job.bucket_arn();
        self.around(async {
            world.begin(OPERATION, &arn).await?;
            let detail = json!({
                "token": job.token(),
                "role": order.role(),
                "region": job.region(),
                "account": job.account(),
                "manifestGenerator": job.manifest_generator(),
            });
            let known: Vec<Value> = world.writes().into_iter().map(|write| write.detail).collect();
            if !known.contains(&detail) {
                world.written(OPERATION, arn.clone(), detail);
            }
            Ok(format!("job-{}", job.token()))
        })
        .await
    }
}
