//! What each rule needs, brought together so that every request is there once.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>
//!
//! Two rules share a request where they differ in nothing that a policy could see, so a bucket with a thousand rules
//! for one prefix costs no more than one rule.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::context::Contexts;
use super::{
    ANNOTATIONS_PAGE, Area, ContextForm, Feature, Necessity, OBJECT_LOCK_PAGE, OWNER_PAGE, PERMISSIONS_PAGE,
    Requirement,
};
use crate::arn::{AccountId, Partition, Region};
use crate::observed::Observed;
use crate::policy::{Caller, Context, Request};
use crate::snapshot::{Bucket, ObjectOwnership, Role, Rule, Snapshot};

/// What tells two requests apart: what they are about, the action, the resource, and what else of the context differs.
type Slot = (Area, &'static str, Arc<str>, Arc<str>);

/// A requirement before it is known whether another rule has it too.
pub(super) struct Need {
    pub(super) area: Area,
    pub(super) action: &'static str,
    pub(super) resource: Arc<str>,
    pub(super) owner: AccountId,
    pub(super) necessity: Necessity,
    pub(super) purpose: &'static str,
    pub(super) page: &'static str,
}

/// A permission: the action, how much it is needed, what for, and who says so.
pub(super) type Permission = (&'static str, Necessity, &'static str, &'static str);

pub(super) struct Needs<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) role: &'a Role,
    /// The session of the role as which S3 works.
    caller: Caller,
    contexts: Contexts<'a>,
    /// What a policy could see of the rule in its requests to S3, beside the objects.
    visible: Arc<str>,
    found: BTreeMap<Slot, Requirement>,
}

impl<'a> Needs<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, role: &'a Role) -> Self {
        let mut needs = Self {
            snapshot,
            role,
            caller: Caller::session_of(&role.arn, "s3-replication"),
            contexts: Contexts::of(snapshot, role),
            visible: Arc::default(),
            found: BTreeMap::new(),
        };
        for rule in snapshot.enabled_rules() {
            let visible = (&rule.filter.tags, rule.sse_kms_objects, &rule.replica_key);
            needs.visible = format!("{visible:?}").into();
            needs.source(rule);
            needs.destination(rule);
            if rule.sse_kms_objects {
                needs.source_keys(rule);
                needs.replica_key(rule);
            }
            needs.default_key(rule);
        }
        needs
    }

    pub(super) fn found(self) -> impl Iterator<Item = Requirement> + use<> {
        self.found.into_values()
    }

    fn source(&mut self, rule: &Rule) {
        use Necessity::Required;
        let snapshot = self.snapshot;
        let source = &snapshot.source;
        let owner = &snapshot.identity.account;
        let bucket: Arc<str> = source.name.arn(self.partition()).into();
        let object: Arc<str> = format!("{bucket}/{}", rule.sample_key()).into();
        let on_bucket: [Permission; 2] = [
            (
                "s3:GetReplicationConfiguration",
                Required,
                "to read the replication rules",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:ListBucket",
                Required,
                "to list what is to be replicated",
                PERMISSIONS_PAGE,
            ),
        ];
        let annotations = Necessity::WhereUsed(Feature::Annotations);
        let mut on_objects: Vec<Permission> = vec![
            (
                "s3:GetObjectVersionForReplication",
                Required,
                "to read objects",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:GetObjectVersionAcl",
                Required,
                "to read access control lists, which S3 does even where they are off",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:GetObjectVersionTagging",
                Required,
                "to read tags",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:GetObjectVersionAnnotationForReplication",
                annotations,
                "to read annotations",
                ANNOTATIONS_PAGE,
            ),
        ];
        let locked = match &source.object_lock {
            Observed::Found(()) => Some(Required),
            Observed::Absent => None,
            Observed::Unreadable(failure) => Some(Necessity::RequiredUnless(failure.clone())),
        };
        if let Some(necessity) = locked {
            on_objects.extend([
                (
                    "s3:GetObjectRetention",
                    necessity.clone(),
                    "to read Object Lock retention",
                    OBJECT_LOCK_PAGE,
                ),
                (
                    "s3:GetObjectLegalHold",
                    necessity,
                    "to read Object Lock legal holds",
                    OBJECT_LOCK_PAGE,
                ),
            ]);
        }
        let region = source.region.found();
        for permission in on_bucket {
            self.add_s3(
                rule,
                Area::Source,
                permission,
                &bucket,
                Some(owner),
                region,
                false,
            );
        }
        for permission in on_objects {
            self.add_s3(
                rule,
                Area::Source,
                permission,
                &object,
                Some(owner),
                region,
                false,
            );
        }
    }

    fn destination(&mut self, rule: &Rule) {
        let snapshot = self.snapshot;
        let existing = snapshot.destination(&rule.destination).and_then(Observed::found);
        let Some(destination) = existing.filter(|bucket| !bucket.is_gone()) else {
            return;
        };
        let object = format!("{}/{}", rule.destination.arn(self.partition()), rule.sample_key()).into();
        let mut needed: Vec<Permission> = vec![
            (
                "s3:ReplicateObject",
                Necessity::Required,
                "to write replicas",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:ReplicateTags",
                Necessity::Required,
                "to write tags",
                PERMISSIONS_PAGE,
            ),
            (
                "s3:ReplicateDelete",
                if rule.delete_markers {
                    Necessity::Required
                } else {
                    Necessity::Advised
                },
                "to write delete markers",
                PERMISSIONS_PAGE,
            ),
        ];
        if let Some(necessity) = owner_override(rule, destination) {
            needed.push((
                "s3:ObjectOwnerOverrideToBucketOwner",
                necessity,
                "to make the destination's owner the owner of replicas",
                OWNER_PAGE,
            ));
        }
        if snapshot.source.object_lock.found().is_some() {
            needed.extend([
                (
                    "s3:PutObjectRetention",
                    Necessity::Advised,
                    "to write Object Lock retention",
                    OBJECT_LOCK_PAGE,
                ),
                (
                    "s3:PutObjectLegalHold",
                    Necessity::Advised,
                    "to write Object Lock legal holds",
                    OBJECT_LOCK_PAGE,
                ),
            ]);
        }
        let area = Area::Destination(rule.destination.clone());
        for permission in needed {
            // A delete marker has no content, so nothing is said of how it is encrypted.
            let writes_replica = permission.0 != "s3:ReplicateDelete";
            self.add_s3(
                rule,
                area.clone(),
                permission,
                &object,
                destination.owner.found(),
                destination.region.found(),
                writes_replica,
            );
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a request has that many independent parts"
    )]
    fn add_s3(
        &mut self,
        rule: &Rule,
        area: Area,
        (action, necessity, purpose, page): Permission,
        resource: &Arc<str>,
        owner: Option<&AccountId>,
        region: Option<&Region>,
        writes_replica: bool,
    ) {
        let need = Need {
            area,
            action,
            resource: resource.clone(),
            // Of a bucket whose owner is not known, only what holds for a stranger's may be said.
            owner: owner
                .cloned()
                .unwrap_or_else(|| AccountId::other_than(self.role.arn.account())),
            necessity,
            purpose,
            page,
        };
        self.add(rule, None, need, self.visible.clone(), |contexts| {
            let context = contexts.s3(rule, owner, region, writes_replica);
            contexts.of_action(context, action)
        });
    }

    pub(super) fn add(
        &mut self,
        rule: &Rule,
        form: Option<ContextForm>,
        need: Need,
        differs: Arc<str>,
        context: impl FnOnce(&mut Contexts<'_>) -> Context,
    ) {
        let slot = (need.area.clone(), need.action, need.resource.clone(), differs);
        let requirement = match self.found.entry(slot) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Requirement {
                rule_ids: Default::default(),
                area: need.area,
                form,
                necessity: need.necessity.clone(),
                request: Request {
                    caller: self.caller.clone(),
                    action: need.action.to_owned(),
                    resource: need.resource.as_ref().to_owned(),
                    resource_account: need.owner,
                    context: context(&mut self.contexts),
                },
                purpose: need.purpose,
                page: need.page,
            }),
        };
        // Of two rules that share a requirement, the one that needs it more decides; and beside one that is known to
        // need it, those that may not need it at all do not count.
        let (known, new) = (requirement.necessity.rank(), need.necessity.rank());
        if new > known {
            if matches!(requirement.necessity, Necessity::WhereUsed(_)) {
                requirement.rule_ids.clear();
            }
            requirement.necessity = need.necessity.clone();
            requirement.purpose = need.purpose;
            requirement.page = need.page;
        }
        if new >= known || !matches!(need.necessity, Necessity::WhereUsed(_)) {
            requirement.rule_ids.insert(rule.id.clone());
        }
    }

    pub(super) fn partition(&self) -> &'a Partition {
        self.role.arn.partition()
    }
}

/// How much the right to give replicas away is needed: where access control lists are off, not at all.
fn owner_override(rule: &Rule, destination: &Bucket) -> Option<Necessity> {
    if !rule.owner_override {
        return None;
    }
    match &destination.ownership {
        Observed::Found(ObjectOwnership::BucketOwnerEnforced) => None,
        Observed::Found(ObjectOwnership::BucketOwnerPreferred | ObjectOwnership::ObjectWriter)
        | Observed::Absent => Some(Necessity::Required),
        Observed::Unreadable(failure) => Some(Necessity::RequiredUnless(failure.clone())),
    }
}
