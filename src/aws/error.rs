//! What a failed call means: that something does not exist, or that it could not be read and what would permit it.
//!
//! Every error of the SDK passes through here. Error codes:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>.

use std::collections::BTreeSet;
use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use crate::arn::Region;
use crate::observed::{Observed, ReadFailure};
use crate::source::Read;
use crate::source::read::{is_refusal, is_temporary};
use crate::target::WriteFailure;

/// The codes that say of what a read asks for that it does not exist. No other answer means so: not a 404 of something
/// between us and AWS, and not a code that a service will make up one day.
fn absent_codes(read: Read) -> &'static [&'static str] {
    match read {
        // HEAD is answered without a body; its code is made of its status.
        Read::HeadBucket => &["NotFound", "NoSuchBucket"],
        // 405: the version is a delete marker, which has no content and so no encryption.
        Read::HeadObject => &["NotFound", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "405"],
        Read::Replication => &["ReplicationConfigurationNotFoundError", "NoSuchBucket"],
        Read::BucketPolicy => &["NoSuchBucketPolicy", "NoSuchBucket"],
        Read::BucketTags => &["NoSuchTagSet", "NoSuchBucket"],
        Read::ObjectLock => &["ObjectLockConfigurationNotFoundError", "NoSuchBucket"],
        Read::Versioning
        | Read::Encryption
        | Read::Ownership
        | Read::Payer
        | Read::Notifications
        | Read::ObjectVersions => &["NoSuchBucket"],
        Read::DescribeKey | Read::KeyPolicy | Read::Grants | Read::KeyTags => &["NotFoundException"],
        Read::Role
        | Read::InlinePolicyNames
        | Read::InlinePolicy
        | Read::AttachedPolicies
        | Read::ManagedPolicy
        | Read::ManagedPolicyVersion => &["NoSuchEntity"],
        Read::Buckets | Read::AssumeMemberRole => &[],
    }
}

/// A call that brought no answer, or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// AWS's error code, or ours where no answer came.
    pub(super) code: String,
    /// AWS's message.
    message: String,
    /// Where S3 says that the bucket lies.
    pub(super) region: Option<Region>,
    /// Did the service answer something else, a listing of the bucket? That is how S3-compatible stores answer about a
    /// feature that they do not have; S3 itself never does.
    pub(super) is_listing: bool,
    /// Were there no credentials to ask with?
    has_no_session: bool,
    retryable: bool,
}

/// A call outside the ports that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed with {}: {}", failure.code, failure.message)]
pub struct CallFailure {
    operation: &'static str,
    pub(super) failure: Failure,
}

impl CallFailure {
    /// AWS's error code, or ours where no answer came (`Timeout`, `NoConnection`, `NoCredentials`).
    pub fn code(&self) -> &str {
        &self.failure.code
    }

    /// Would it be worth trying again?
    pub fn is_retryable(&self) -> bool {
        self.failure.retryable
    }
}

/// What was asked, for people and for those who may permit it.
pub(super) struct Question {
    pub(super) read: Read,
    /// `key policy of arn:…`
    pub(super) what: String,
    /// The statement that would permit the read.
    pub(super) permit: String,
    /// Whether an answer that it does not exist may be believed.
    pub(super) as_owner: bool,
    /// The member role that is assumed for it.
    pub(super) member_role: Option<String>,
}

fn is_listing(response: &HttpResponse) -> bool {
    const LISTING: &[u8] = b"<ListBucketResult";
    let body = response.body().bytes().unwrap_or_default();
    response.status().is_success() && body.windows(LISTING.len()).take(200).any(|part| part == LISTING)
}

impl Failure {
    /// The failure of a call outside the ports.
    pub(super) fn during(self, operation: &'static str) -> CallFailure {
        CallFailure {
            operation,
            failure: self,
        }
    }

    /// A failure that AWS knows nothing of.
    pub(super) fn local(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            region: None,
            has_no_session: code == "NoMemberRole",
            is_listing: false,
            retryable: false,
        }
    }

    /// The failure that the SDK reports.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let (code, message) = code_and_message(error, status);
        let (code, message) = (shown(&code, CODE), shown(&message, MESSAGE));
        let retryable = is_temporary(&code) || status.is_some_and(|status| status >= 500);
        Self {
            region: error.raw_response().and_then(bucket_region),
            has_no_session: causes(error).any(|cause| cause.is::<CredentialsError>()),
            is_listing: error.raw_response().is_some_and(is_listing),
            retryable,
            code,
            message,
        }
    }

    /// What failed, and why, in one line.
    pub(super) fn described(&self, operation: &str) -> String {
        format!("{operation} failed with {}: {}", self.code, self.message)
    }

    /// What is known after this failure about what was asked.
    pub(super) fn observe<T>(self, question: &Question) -> Observed<T> {
        if question.as_owner && !self.has_no_session && self.says_absent(question.read) {
            return Observed::Absent;
        }
        Observed::Unreadable(self.into_read_failure(question))
    }

    /// Was there nobody to hear the question?
    pub(super) fn is_unheard(&self) -> bool {
        self.code == "NoConnection" || self.code == "Timeout"
    }

    pub(super) fn says_absent(&self, read: Read) -> bool {
        absent_codes(read).contains(&self.code.as_str())
    }

    pub(super) fn into_read_failure(self, question: &Question) -> ReadFailure {
        let what = question.what.clone();
        if let (true, Some(role)) = (self.has_no_session, &question.member_role) {
            let read = Read::AssumeMemberRole;
            let permit = if is_refusal(&self.code) {
                read.permit(role)
            } else {
                String::new()
            };
            return ReadFailure {
                permit,
                ..read.failed(what, self.code)
            };
        }
        // To a stranger "there is none" may as well mean "you must not see it".
        let may_be_refusal =
            is_refusal(&self.code) || (!question.as_owner && self.says_absent(question.read));
        ReadFailure {
            permit: if may_be_refusal {
                question.permit.clone()
            } else {
                String::new()
            },
            ..question.read.failed(what, self.code)
        }
    }

    /// The same as a write's failure.
    pub(super) fn into_write_failure(self, operation: &'static str, resource: &str) -> WriteFailure {
        WriteFailure {
            operation,
            resource: resource.to_owned(),
            code: self.code,
            message: self.message,
            retryable: self.retryable,
        }
    }
}

/// Longer than any code of AWS, and than any message that says more than it repeats.
const CODE: usize = 128;
const MESSAGE: usize = 2_000;

/// Whatever answers us, be it AWS or something in its place, writes no line of ours.
fn shown(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

fn code_and_message<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> (String, String)
where
    E: Error + ProvideErrorMetadata + 'static,
{
    if let Some(refusal) = assume_role_error(error) {
        let code = refusal.code().unwrap_or("AssumeRoleFailed");
        return (code.to_owned(), refusal.message().unwrap_or_default().to_owned());
    }
    let innermost = || {
        let mut last: &dyn Error = error;
        while let Some(source) = last.source() {
            last = source;
        }
        last.to_string()
    };
    let has_no_credentials = causes(error).any(|cause| cause.is::<CredentialsError>());
    match error {
        SdkError::ServiceError(answer) => {
            let code = match (answer.err().code(), status) {
                (Some(code), _) if !code.is_empty() => code.to_owned(),
                // HEAD is answered without a body, so that there is nothing but the status.
                (_, Some(403)) => "Forbidden".to_owned(),
                (_, Some(404)) => "NotFound".to_owned(),
                // A success whose body is not what it should be.
                (_, Some(200..=299)) => "BadAnswer".to_owned(),
                (_, Some(status)) => status.to_string(),
                (_, None) => "Unknown".to_owned(),
            };
            (code, answer.err().message().unwrap_or_default().to_owned())
        }
        SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ("Timeout".to_owned(), innermost()),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) if has_no_credentials => {
            ("NoCredentials".to_owned(), innermost())
        }
        SdkError::DispatchFailure(_) => ("NoConnection".to_owned(), innermost()),
        SdkError::ConstructionFailure(_) => ("NotSent".to_owned(), innermost()),
        SdkError::ResponseError(_) => ("BadAnswer".to_owned(), innermost()),
        _ => ("Unknown".to_owned(), innermost()),
    }
}

/// The error and all that caused it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        (**error).source()
    })
}

/// STS's refusal of the member role, which reaches us as a failure to get credentials for another call.
fn assume_role_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a AssumeRoleError> {
    causes(error).find_map(|cause| cause.downcast_ref::<AssumeRoleError>())
}

/// S3 names the bucket's Region in a header of almost every refusal, in the body of the others.
fn bucket_region(response: &HttpResponse) -> Option<Region> {
    if let Some(region) = response.headers().get("x-amz-bucket-region") {
        return region.parse().ok();
    }
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    let (_, rest) = body.split_once("<Region>")?;
    let (region, _) = rest.split_once("</Region>")?;
    region.trim().parse().ok()
}

impl Question {
    /// What is known after an answer or a failure.
    pub(super) fn answer<T>(&self, answer: Result<T, Failure>) -> Observed<T> {
        match answer {
            Ok(fact) => Observed::Found(fact),
            Err(failure) => failure.observe(self),
        }
    }
}

/// The pages of a list, which must come to an end.
pub(super) struct Pages<T> {
    /// What the pages held so far.
    pub(super) items: Vec<T>,
    tokens: BTreeSet<String>,
    next: Option<String>,
}

/// More than any list here can need: a key has at most 50,000 grants, a hundred to a page.
const MOST_PAGES: usize = 1_000;

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            tokens: BTreeSet::new(),
            next: None,
        }
    }
}

impl<T> Pages<T> {
    /// What to ask the next page with.
    pub(super) fn next_token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Adds a page. Was it the last one?
    pub(super) fn add(
        &mut self,
        page: impl Iterator<Item = T>,
        next: Option<String>,
    ) -> Result<bool, Failure> {
        self.items.extend(page);
        let Some(next) = next else {
            return Ok(true);
        };
        if self.tokens.len() >= MOST_PAGES || !self.tokens.insert(next.clone()) {
            return Err(Failure::local("EndlessPages", "the list came to no end"));
        }
        self.next = Some(next);
        Ok(false)
    }
}
