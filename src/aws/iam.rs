//! The reads of roles and policies.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>: IAM gives documents URL-encoded.

use crate::arn::RoleArn;
use crate::observed::{Observed, ReadFailure};
use crate::policy::{NamedPolicy, PolicyDocument};
use crate::snapshot::Tags;
use crate::source::{AttachedPolicy, Read, Reader, RoleRecord};

use super::Aws;
use super::error::{Failure, Pages, Question};

impl Aws {
    fn iam_question(&self, read: Read, what: String, resource: &str) -> Question {
        self.count(read.operation());
        Question {
            read,
            what,
            permit: read.permit(resource),
            as_owner: true,
            member_role: None,
        }
    }

    fn role_question(&self, read: Read, what: &str, role: &RoleArn) -> Question {
        let mut question = self.iam_question(read, format!("{what} {role}"), &role.to_string());
        question.as_owner = self.reads_as_owner(&Reader::Own, role.account());
        question
    }
}

impl Question {
    /// The document that AWS gave as plain JSON.
    pub(super) fn document(&self, name: String, text: &str) -> Observed<NamedPolicy> {
        self.parsed(name, PolicyDocument::parse(text).ok())
    }

    fn url_encoded_document(&self, name: String, text: &str) -> Observed<NamedPolicy> {
        self.parsed(name, PolicyDocument::parse_url_encoded(text).ok())
    }

    /// What does not parse may say anything, so nothing may be concluded from it.
    fn parsed(&self, name: String, document: Option<PolicyDocument>) -> Observed<NamedPolicy> {
        match document {
            Some(document) => Observed::Found(NamedPolicy { name, document }),
            None => Observed::Unreadable(ReadFailure {
                what: name,
                ..self.read.failed(String::new(), "MalformedPolicy")
            }),
        }
    }
}

pub(super) async fn role(aws: &Aws, role: &RoleArn) -> Observed<RoleRecord> {
    let question = aws.role_question(Read::Role, "role", role);
    let asked = async {
        let answer = aws.iam().await?.get_role().role_name(role.name()).send().await;
        let found = answer.map_err(|error| Failure::of(&error))?.role;
        let found = found.ok_or_else(|| Failure::local("BadAnswer", "there is no role in the answer"))?;
        let arn: RoleArn = found
            .arn()
            .parse()
            .map_err(|_| Failure::local("BadAnswer", "the role's ARN is not understood"))?;
        let trust = found.assume_role_policy_document().unwrap_or_default();
        Ok(RoleRecord {
            trust: question.url_encoded_document(format!("trust policy of {arn}"), trust),
            id: found.role_id().to_owned(),
            tags: found
                .tags()
                .iter()
                .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
                .collect::<Tags>(),
            boundary: found
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            arn,
        })
    };
    question.answer(asked.await)
}

pub(super) async fn inline_policy_names(aws: &Aws, role: &RoleArn) -> Observed<Vec<String>> {
    let question = aws.role_question(Read::InlinePolicyNames, "names of the inline policies of", role);
    let asked = async {
        let client = aws.iam().await?;
        let mut pages = Pages::default();
        loop {
            let answer = client
                .list_role_policies()
                .role_name(role.name())
                .set_marker(pages.next_token())
                .send()
                .await;
            let answer = answer.map_err(|error| Failure::of(&error))?;
            let next = answer.marker.filter(|_| answer.is_truncated);
            if pages.add(answer.policy_names.into_iter(), next)? {
                return Ok(pages.items);
            }
        }
    };
    question.answer(asked.await)
}

pub(super) async fn inline_policy(aws: &Aws, role: &RoleArn, name: &str) -> Observed<NamedPolicy> {
    let what = format!("inline policy `{}` of", name.escape_debug());
    let question = aws.role_question(Read::InlinePolicy, &what, role);
    let asked = async {
        let client = aws.iam().await?;
        let answer = client
            .get_role_policy()
            .role_name(role.name())
            .policy_name(name)
            .send()
            .await;
        Ok(answer.map_err(|error| Failure::of(&error))?.policy_document)
    };
    match asked.await {
        Ok(text) => question.url_encoded_document(name.to_owned(), &text),
        Err(failure) => Failure::observe(failure, &question),
    }
}

pub(super) async fn attached_policies(aws: &Aws, role: &RoleArn) -> Observed<Vec<AttachedPolicy>> {
    let question = aws.role_question(Read::AttachedPolicies, "names of the attached policies of", role);
    let asked = async {
        let client = aws.iam().await?;
        let mut pages = Pages::default();
        loop {
            let answer = client
                .list_attached_role_policies()
                .role_name(role.name())
                .set_marker(pages.next_token())
                .send()
                .await;
            let answer = answer.map_err(|error| Failure::of(&error))?;
            let next = answer.marker.filter(|_| answer.is_truncated);
            let found = answer
                .attached_policies
                .unwrap_or_default()
                .into_iter()
                .map(|policy| AttachedPolicy {
                    name: policy.policy_name.unwrap_or_default(),
                    arn: policy.policy_arn.unwrap_or_default(),
                });
            if pages.add(found, next)? {
                return Ok(pages.items);
            }
        }
    };
    question.answer(asked.await)
}

pub(super) async fn managed_policy(aws: &Aws, arn: &str) -> Observed<NamedPolicy> {
    let question = aws.iam_question(Read::ManagedPolicy, format!("managed policy {arn}"), arn);
    let version = async {
        let answer = aws.iam().await?.get_policy().policy_arn(arn).send().await;
        answer
            .map_err(|error| Failure::of(&error))?
            .policy
            .and_then(|policy| policy.default_version_id)
            .ok_or_else(|| Failure::local("BadAnswer", "the policy has no default version"))
    };
    let version = match version.await {
        Ok(version) => version,
        Err(failure) => return Failure::observe(failure, &question),
    };
    let question = aws.iam_question(Read::ManagedPolicyVersion, format!("managed policy {arn}"), arn);
    let document = async {
        let client = aws.iam().await?;
        let answer = client
            .get_policy_version()
            .policy_arn(arn)
            .version_id(version)
            .send()
            .await;
        answer
            .map_err(|error| Failure::of(&error))?
            .policy_version
            .and_then(|version| version.document)
            .ok_or_else(|| Failure::local("BadAnswer", "the version has no document"))
    };
    match document.await {
        Ok(text) => question.url_encoded_document(arn.to_owned(), &text),
        Err(failure) => Failure::observe(failure, &question),
    }
}
