//! Decides which conditions fail because of a frequent mistake.
//!
//! The keys are those of <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>. The troubleshooting
//! page of S3 replication writes `kms:EncryptionContext:arn:aws:arn` where it means `kms:EncryptionContext:aws:s3:arn`:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-troubleshoot.html>.

use super::super::answer::Mismatch;
use super::super::condition::{Base, Operator};
use super::super::matching::{PreparedCaller, PreparedRequest};
use super::super::pattern::has_wildcard;
use super::super::request::fold;
use super::super::statement::Statement;
use super::MistakeKind;

pub(super) const CONTEXT: &str = "kms:encryptioncontext:aws:s3:arn";

/// The mistakes behind conditions that fail.
pub(super) fn mistakes(
    conditions: &[&Mismatch],
    subject: &PreparedRequest<'_>,
    kinds: &mut Vec<MistakeKind>,
) {
    for condition in conditions {
        match condition {
            Mismatch::ConditionKeyAbsent { key, .. } => kinds.extend(absent(key, subject)),
            Mismatch::ConditionValue {
                operator,
                key,
                found,
                wanted,
            } => {
                let Some(read) = Operator::read(operator).filter(|read| !read.negated) else {
                    continue;
                };
                let exact = matches!(read.base, Base::StringEquals | Base::StringEqualsIgnoreCase);
                kinds.extend(
                    wanted
                        .iter()
                        .filter(|value| exact && has_wildcard(value))
                        .map(|value| MistakeKind::WildcardTakenLiterally {
                            operator: operator.clone(),
                            key: key.clone(),
                            value: value.clone(),
                        }),
                );
                let [found] = found.as_slice() else {
                    continue;
                };
                match fold(key).as_str() {
                    "kms:viaservice" => kinds.extend(via_service(wanted, found)),
                    CONTEXT => kinds.extend(encryption_context(wanted, found)),
                    _ => {}
                }
            }
            Mismatch::Principal { .. }
            | Mismatch::PrincipalExcepted { .. }
            | Mismatch::Action { .. }
            | Mismatch::ActionExcepted { .. }
            | Mismatch::Resource { .. }
            | Mismatch::ResourceExcepted { .. }
            | Mismatch::ConditionKeyPresent { .. } => {}
        }
    }
}

fn absent(key: &str, subject: &PreparedRequest<'_>) -> Option<MistakeKind> {
    let folded = fold(key);
    let is_role = matches!(subject.caller, PreparedCaller::Role { .. });
    match folded.as_str() {
        CONTEXT | "kms:encryptioncontextkeys" => None,
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcearn
        "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceorgid" if is_role => {
            Some(MistakeKind::SourceConditionOnRole { key: key.to_owned() })
        }
        _ if folded.starts_with("kms:encryptioncontext") => {
            Some(MistakeKind::EncryptionContextKey { key: key.to_owned() })
        }
        _ => None,
    }
}

fn via_service(wanted: &[String], found: &str) -> Option<MistakeKind> {
    let named = wanted.iter().find(|named| named.starts_with("s3."))?;
    let found = found.to_owned();
    if named.strip_suffix(".cn") == Some(&found) {
        return Some(MistakeKind::ViaServiceSuffix {
            named: named.clone(),
            found,
        });
    }
    Some(MistakeKind::ViaServiceRegion {
        named: named.clone(),
        found,
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html#bucket-key-changes>
fn encryption_context(wanted: &[String], sent: &str) -> Option<MistakeKind> {
    let under = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    if let Some(named) = wanted.iter().find(|named| under(sent, named)) {
        return Some(MistakeKind::ObjectContextWithBucketKey {
            named: named.clone(),
            sent: sent.to_owned(),
        });
    }
    let named = wanted.iter().find(|named| under(named, sent))?;
    (!named.contains('/')).then(|| MistakeKind::BucketContextWithoutBucketKey {
        named: named.clone(),
        sent: sent.to_owned(),
    })
}

/// A denial that looks at the Region and hits.
pub(super) fn region_denied(statement: &Statement, subject: &PreparedRequest<'_>) -> Option<MistakeKind> {
    const KEY: &str = "aws:requestedregion";
    let looks_at_region = statement
        .conditions
        .all
        .iter()
        .any(|condition| condition.folded == KEY);
    let region = subject.context.get_folded(KEY)?.as_slice().first()?;
    looks_at_region.then(|| MistakeKind::RegionDenied {
        region: region.clone(),
    })
}
