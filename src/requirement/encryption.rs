//! Which encryption contexts S3 sends for the objects of a rule, as far as anything tells.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>: an object has a Bucket Key if its
//! writer asked for one or, where the writer said nothing, if the bucket's default has one; its replica has one if the
//! object has. Objects with two layers of encryption have none. Objects without any encryption get that of the destination
//! bucket by default, Bucket Key included; all others, those under S3's own keys too, keep their kind.

use super::{ContextForm, Feature, Necessity};
use crate::observed::Observed;
use crate::snapshot::{EncryptionType, InspectedObject, ObjectHead, Rule, Snapshot};

/// The context that KMS sees for an object with this encryption.
pub(super) fn form(kind: EncryptionType, bucket_key: bool) -> ContextForm {
    if bucket_key && kind != EncryptionType::KmsDualLayer {
        ContextForm::Bucket
    } else {
        ContextForm::Object
    }
}

/// The objects under KMS keys that were looked at, and how much a rule needs what they need.
pub(super) fn looked_at<'a>(
    snapshot: &'a Snapshot,
    rule: &'a Rule,
) -> impl Iterator<Item = (&'a ObjectHead, Necessity)> {
    snapshot.objects.iter().filter_map(|object| {
        let head = object.head.found().filter(|head| head.encryption.uses_kms())?;
        let necessity = if must_be_replicated(snapshot, rule, object) {
            Necessity::Required
        } else if object.key.starts_with(&rule.filter.prefix) && !head.is_done_with() {
            Necessity::Advised
        } else {
            return None;
        };
        Some((head, necessity))
    })
}

/// Is it certain, as far as HEAD tells, that S3 has yet to replicate the object by this rule, or others like it?
///
/// HEAD does not show tags, so whether a rule that filters by them takes the object is known only where S3 tried and no other rule did.
pub(crate) fn must_be_replicated(snapshot: &Snapshot, rule: &Rule, object: &InspectedObject) -> bool {
    let Some(head) = object.head.found() else {
        return false;
    };
    let under_prefix = |rule: &Rule| object.key.starts_with(&rule.filter.prefix);
    if !under_prefix(rule) || head.is_done_with() {
        return false;
    }
    let was_tried = matches!(head.replication_status.as_deref(), Some("FAILED" | "PENDING"));
    if rule.filter.tags.is_empty() {
        !snapshot
            .enabled_rules()
            .any(|other| under_prefix(other) && other.takes_all_before(rule))
    } else {
        was_tried
            && snapshot
                .enabled_rules()
                .filter(|other| under_prefix(other))
                .count()
                == 1
    }
}

/// Does another rule take all the objects under KMS keys that this one passes over, to the same bucket?
pub(crate) fn are_taken_by_another(snapshot: &Snapshot, rule: &Rule) -> bool {
    snapshot
        .enabled_rules()
        .any(|other| other.takes_all_before(rule) && rule.filter.prefix.starts_with(&other.filter.prefix))
}

/// An object under a KMS key that was looked at and that the rule passes over, if it selects none such.
pub(crate) fn passed_over<'a>(snapshot: &'a Snapshot, rule: &Rule) -> Option<&'a InspectedObject> {
    snapshot.objects.iter().find(|object| {
        object.head.found().is_some_and(|head| head.encryption.uses_kms())
            && must_be_replicated(snapshot, rule, object)
    })
}

/// Does the rule pass over objects under KMS keys that nothing else replicates? Its keys matter as soon as it selects them.
pub(crate) fn passes_over(snapshot: &Snapshot, rule: &Rule) -> bool {
    let default = snapshot.source.encryption.found();
    !rule.sse_kms_objects
        && (default.is_some_and(|default| default.kind.uses_kms()) || passed_over(snapshot, rule).is_some())
        && !are_taken_by_another(snapshot, rule)
}

/// How much a rule needs what only objects without encryption need. S3 has taken none since January 2023, so without
/// one at hand nothing tells whether there are any, and of one that was never up for replication only that a Batch
/// Replication job would fail on it.
pub(crate) fn of_plaintext(snapshot: &Snapshot, rule: &Rule) -> Necessity {
    let mut necessity = Necessity::WhereUsed(Feature::Plaintext);
    for object in &snapshot.objects {
        let Some(head) = object.head.found() else { continue };
        if head.encryption != EncryptionType::Plaintext || !object.key.starts_with(&rule.filter.prefix) {
            continue;
        }
        match head.replication_status.as_deref() {
            Some("FAILED" | "PENDING") => return Necessity::Required,
            Some(_) | None => necessity = Necessity::Advised,
        }
    }
    necessity
}

/// How much the replicas of a rule need each form of the context.
#[derive(Debug)]
pub(super) struct InUse {
    object: Necessity,
    bucket: Necessity,
}

impl InUse {
    pub(super) fn by_replicas(snapshot: &Snapshot, rule: &Rule) -> Self {
        let mut in_use = Self {
            object: Necessity::Advised,
            bucket: Necessity::Advised,
        };
        for (head, necessity) in looked_at(snapshot, rule) {
            if necessity == Necessity::Required {
                in_use.needs(form(head.encryption, head.bucket_key));
            }
        }
        let nothing_seen = in_use.object == Necessity::Advised && in_use.bucket == Necessity::Advised;
        match &snapshot.source.encryption {
            // Without KMS by default, only writers who ask for it make such objects; those that were seen tell more.
            Observed::Found(default) if default.kind.uses_kms() || nothing_seen => {
                in_use.needs(form(default.kind, default.bucket_key));
            }
            Observed::Found(_) => {}
            Observed::Absent => in_use.needs(ContextForm::Object),
            Observed::Unreadable(failure) => {
                for form in [&mut in_use.object, &mut in_use.bucket] {
                    if *form == Necessity::Advised {
                        *form = Necessity::RequiredUnless(failure.clone());
                    }
                }
            }
        }
        in_use
    }

    fn needs(&mut self, form: ContextForm) {
        match form {
            ContextForm::Object => self.object = Necessity::Required,
            ContextForm::Bucket => self.bucket = Necessity::Required,
        }
    }

    pub(super) fn of(&self, form: ContextForm) -> Necessity {
        match form {
            ContextForm::Object => self.object.clone(),
            ContextForm::Bucket => self.bucket.clone(),
        }
    }
}
