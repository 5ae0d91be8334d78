//! The reads of buckets and objects, each sent to the Region that the bucket lies in.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>: S3 redirects whoever asks elsewhere, and the
//! SDK for Rust does not follow.

mod parse;

use std::error::Error;
use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{EncodingType, ObjectLockEnabled};

use crate::arn::{Partition, Region};
use crate::observed::Observed;
use crate::policy::NamedPolicy;
use crate::snapshot::{
    DefaultEncryption, EncryptionType, NotificationTarget, ObjectHead, ObjectOwnership, Payer, Replication,
    Tags, Versioning,
};
use crate::source::{BucketAt, BucketHead, BucketPage, ListedBucket, ObjectVersion, Read, Reader};

use super::error::{Failure, Question};
use super::{Aws, lock};

/// Asks S3 about a bucket, always in the name of its expected owner.
macro_rules! ask {
    ($aws:expr, $read:expr, $at:expr, $operation:ident $(.$field:ident($value:expr))*) => {
        $aws.ask_bucket($read, $at, |client| {
            let call = client.$operation().bucket($at.name.as_str()).expected_bucket_owner($at.owner.as_str());
            call$(.$field($value))*.send()
        })
        .await
    };
}

/// A call's answer, and the Region that gave it.
struct Located<T> {
    output: T,
    region: Region,
}

impl Aws {
    /// Sends a call to the bucket's Region: where it was found before, else where it is believed to lie, else where S3
    /// redirects to.
    async fn ask_bucket<T, E, F>(
        &self,
        read: Read,
        at: &BucketAt,
        send: impl Fn(Client) -> F,
    ) -> Result<Located<T>, Failure>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let known = lock(&self.bucket_regions).get(&at.name).cloned();
        let mut region = known.unwrap_or_else(|| at.region.clone());
        let mut may_follow = true;
        let mut may_ask_at_home = true;
        loop {
            let client = self.s3(&at.reader, &region).await?;
            self.count(read.operation());
            let failure = match send(client).await {
                Ok(output) => return Ok(Located { output, region }),
                Err(error) => Failure::of(&error),
            };
            // Not only redirects say so: whoever may not look is refused by whichever Region is asked.
            match failure.region.clone().filter(|elsewhere| *elsewhere != region) {
                Some(elsewhere) if may_follow => {
                    lock(&self.bucket_regions).insert(at.name.clone(), elsewhere.clone());
                    region = elsewhere;
                    may_follow = false;
                }
                // Whoever forges an event, or mistypes the Region of a key, names a Region that there is not. Our own
                // knows where every bucket lies.
                None if may_ask_at_home && may_follow && failure.is_unheard() && region != self.region => {
                    region = self.region.clone();
                    may_ask_at_home = false;
                }
                Some(_) | None => return Err(failure),
            }
        }
    }

    fn bucket_question(&self, read: Read, at: &BucketAt, what: &str) -> Question {
        let arn = at.name.arn(&self.partition());
        let resource = if read == Read::HeadObject {
            format!("{arn}/*")
        } else {
            arn
        };
        Question {
            read,
            what: format!("{what} of bucket `{}`", at.name),
            permit: read.permit(&resource),
            as_owner: self.reads_as_owner(&at.reader, &at.owner),
            member_role: self.member_role_of(&at.reader),
        }
    }

    fn partition(&self) -> Partition {
        self.identity
            .get()
            .map_or_else(Partition::aws, |own| own.partition.clone())
    }

    /// The ARN of the role that a reader assumes.
    pub(super) fn member_role_of(&self, reader: &Reader) -> Option<String> {
        match reader {
            Reader::Own => None,
            Reader::Member(account) => self
                .identity
                .get()
                .and_then(|own| self.member_role(own, account))
                .or_else(|| Some(format!("the member role in {account}"))),
        }
    }
}

/// Most buckets of a page; S3 would give ten thousand.
const BUCKETS_OF_A_PAGE: i32 = 1_000;

pub(super) async fn buckets(aws: &Aws, token: Option<&str>) -> Observed<BucketPage> {
    let question = Question {
        read: Read::Buckets,
        what: "the account's buckets".to_owned(),
        permit: Read::Buckets.permit("*"),
        as_owner: true,
        member_role: None,
    };
    question.answer(bucket_page(aws, token).await)
}

/// Asked in our own Region: each knows the buckets of all.
pub(super) async fn bucket_page(aws: &Aws, token: Option<&str>) -> Result<BucketPage, Failure> {
    aws.count(Read::Buckets.operation());
    let client = aws.s3(&Reader::Own, &aws.region).await?;
    let call = client
        .list_buckets()
        .max_buckets(BUCKETS_OF_A_PAGE)
        .set_continuation_token(token.map(str::to_owned));
    let answer = call.send().await.map_err(|error| Failure::of(&error))?;
    let buckets = answer.buckets().iter().map(|bucket| {
        Some(ListedBucket {
            name: bucket.name()?.parse().ok()?,
            region: bucket.bucket_region().and_then(|region| region.parse().ok()),
        })
    });
    Ok(BucketPage {
        buckets: buckets
            .collect::<Option<_>>()
            .ok_or_else(|| Failure::local("BadAnswer", "a bucket has no name that a bucket can have"))?,
        // Some answer the last page with an empty token.
        next: answer.continuation_token.filter(|token| !token.is_empty()),
    })
}

pub(super) async fn head_bucket(aws: &Aws, at: &BucketAt) -> BucketHead {
    let mut question = aws.bucket_question(Read::HeadBucket, at, "existence");
    // Names are global: whoever is told that there is no such bucket may believe it.
    question.as_owner = true;
    let answer = ask!(aws, Read::HeadBucket, at, head_bucket);
    match answer {
        Ok(Located { output, region }) => BucketHead {
            exists: Observed::Found(()),
            region: match output.bucket_region() {
                Some(text) => text.parse().ok(),
                None => Some(region),
            },
        },
        Err(failure) => BucketHead {
            region: failure.region.clone(),
            exists: failure.observe(&question),
        },
    }
}

pub(super) async fn replication(aws: &Aws, at: &BucketAt) -> Observed<Replication> {
    let question = aws.bucket_question(Read::Replication, at, "replication configuration");
    let answer = ask!(aws, Read::Replication, at, get_bucket_replication);
    match answer {
        Ok(answer) => match answer.output.replication_configuration {
            Some(configuration) => {
                parse::replication(&configuration).unwrap_or_else(|code| unknown(&question, code))
            }
            // Where there is none, S3 says so with an error.
            None => unknown(&question, "BadAnswer"),
        },
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn versioning(aws: &Aws, at: &BucketAt) -> Observed<Versioning> {
    let question = aws.bucket_question(Read::Versioning, at, "versioning");
    let answer = ask!(aws, Read::Versioning, at, get_bucket_versioning);
    match answer {
        Ok(answer) => match answer.output.status().map(|status| status.as_str()) {
            None => Observed::Found(Versioning::Never),
            Some("Enabled") => Observed::Found(Versioning::Enabled),
            Some("Suspended") => Observed::Found(Versioning::Suspended),
            Some(_) => unknown(&question, "UnknownVersioning"),
        },
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn encryption(aws: &Aws, at: &BucketAt) -> Observed<DefaultEncryption> {
    let question = aws.bucket_question(Read::Encryption, at, "default encryption");
    let answer = ask!(aws, Read::Encryption, at, get_bucket_encryption);
    match answer {
        Ok(Located { output, region }) => {
            let rules = output
                .server_side_encryption_configuration
                .map(|configuration| configuration.rules)
                .unwrap_or_default();
            parse::default_encryption(&rules, &aws.partition(), &region, &at.owner)
                .map_or_else(|code| unknown(&question, code), Observed::Found)
        }
        // Since 2023 S3 encrypts everything; before, buckets without a default answered so.
        Err(failure) if failure.code == "ServerSideEncryptionConfigurationNotFoundError" => {
            Observed::Found(DefaultEncryption {
                kind: EncryptionType::S3,
                key: None,
                bucket_key: false,
            })
        }
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn bucket_policy(aws: &Aws, at: &BucketAt) -> Observed<NamedPolicy> {
    let question = aws.bucket_question(Read::BucketPolicy, at, "policy");
    let answer = ask!(aws, Read::BucketPolicy, at, get_bucket_policy);
    match answer {
        Ok(answer) => {
            let text = answer.output.policy().unwrap_or_default();
            question.document(format!("bucket policy of {}", at.name), text)
        }
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn ownership(aws: &Aws, at: &BucketAt) -> Observed<ObjectOwnership> {
    let question = aws.bucket_question(Read::Ownership, at, "object ownership");
    let answer = ask!(aws, Read::Ownership, at, get_bucket_ownership_controls);
    match answer {
        Ok(answer) => {
            let rules = answer
                .output
                .ownership_controls
                .map(|controls| controls.rules)
                .unwrap_or_default();
            match rules.first().map(|rule| rule.object_ownership().as_str()) {
                Some("BucketOwnerEnforced") => Observed::Found(ObjectOwnership::BucketOwnerEnforced),
                Some("BucketOwnerPreferred") => Observed::Found(ObjectOwnership::BucketOwnerPreferred),
                Some("ObjectWriter") => Observed::Found(ObjectOwnership::ObjectWriter),
                Some(_) | None => unknown(&question, "UnknownOwnership"),
            }
        }
        Err(failure) if failure.code == "OwnershipControlsNotFoundError" => {
            Observed::Found(ObjectOwnership::ObjectWriter)
        }
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn object_lock(aws: &Aws, at: &BucketAt) -> Observed<()> {
    let question = aws.bucket_question(Read::ObjectLock, at, "Object Lock");
    let answer = ask!(aws, Read::ObjectLock, at, get_object_lock_configuration);
    match answer {
        Ok(answer) => {
            let lock = answer.output.object_lock_configuration;
            match lock.and_then(|lock| lock.object_lock_enabled) {
                Some(ObjectLockEnabled::Enabled) => Observed::Found(()),
                Some(_) | None => unknown(&question, "UnknownObjectLock"),
            }
        }
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn bucket_tags(aws: &Aws, at: &BucketAt) -> Observed<Tags> {
    let question = aws.bucket_question(Read::BucketTags, at, "tags");
    let answer = ask!(aws, Read::BucketTags, at, get_bucket_tagging);
    match answer {
        Ok(answer) => Observed::Found(
            answer
                .output
                .tag_set
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect(),
        ),
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn payer(aws: &Aws, at: &BucketAt) -> Observed<Payer> {
    let question = aws.bucket_question(Read::Payer, at, "request payment");
    let answer = ask!(aws, Read::Payer, at, get_bucket_request_payment);
    match answer {
        Ok(answer) => match answer.output.payer().map(|payer| payer.as_str()) {
            Some("BucketOwner") => Observed::Found(Payer::BucketOwner),
            Some("Requester") => Observed::Found(Payer::Requester),
            Some(_) | None => unknown(&question, "UnknownPayer"),
        },
        // Where nobody can make requesters pay, the owner pays.
        Err(failure) if failure.is_listing => Observed::Found(Payer::BucketOwner),
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn failure_notifications(aws: &Aws, at: &BucketAt) -> Observed<Vec<NotificationTarget>> {
    let question = aws.bucket_question(Read::Notifications, at, "notifications");
    let answer = ask!(
        aws,
        Read::Notifications,
        at,
        get_bucket_notification_configuration
    );
    match answer {
        Ok(answer) => Observed::Found(parse::notifications(&answer.output)),
        Err(failure) => failure.observe(&question),
    }
}

pub(super) async fn head_object(
    aws: &Aws,
    at: &BucketAt,
    key: &str,
    version_id: &str,
) -> Observed<ObjectHead> {
    let what = format!(
        "object `{}` version `{}`",
        key.escape_debug(),
        version_id.escape_debug()
    );
    let question = aws.bucket_question(Read::HeadObject, at, &what);
    let answer = ask!(
        aws,
        Read::HeadObject,
        at,
        head_object.key(key).version_id(version_id)
    );
    match answer {
        Ok(Located { output, region }) => parse::object_head(&output, &aws.partition(), &region, &at.owner)
            .map_or_else(|code| unknown(&question, code), Observed::Found),
        Err(failure) => failure.observe(&question),
    }
}

/// The newest of the first thousand that S3 lists, which lists by name: finding the newest of all would mean to list
/// the whole bucket.
pub(super) async fn recent_versions(
    aws: &Aws,
    at: &BucketAt,
    prefix: &str,
    limit: usize,
) -> Observed<Vec<ObjectVersion>> {
    let what = format!("object versions under `{}`", prefix.escape_debug());
    let question = aws.bucket_question(Read::ObjectVersions, at, &what);
    // URL encoding, because XML cannot hold every key.
    let answer = ask!(
        aws,
        Read::ObjectVersions,
        at,
        list_object_versions
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
    );
    match answer {
        Ok(answer) => Observed::Found(parse::newest_versions(answer.output, limit)),
        Err(failure) => failure.observe(&question),
    }
}

/// S3 answered something that this program does not know, so that nothing may be concluded from it.
fn unknown<T>(question: &Question, code: &str) -> Observed<T> {
    Failure::local(code, "the answer is not understood").observe(question)
}
