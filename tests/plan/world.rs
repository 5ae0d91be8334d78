//! The account that most tests start from, and the way from a world to its plan.

use s3_replication_remediator::assessment::{Assessment, assess};
use s3_replication_remediator::collect::{self, Places, Scope, Wanted, WantedObject};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::plan::review::{ReviewedPlan, review};
use s3_replication_remediator::plan::{Plan, plan};
use s3_replication_remediator::snapshot::Snapshot;
use serde_json::{Value, json};

pub(crate) use crate::shared::account::World;

pub(crate) const OWN: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/replicate";
pub(crate) const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/source";
pub(crate) const REPLICA_KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/replica";
pub(crate) const POLICY: &str = "s3-replication-remediator-source";

/// A rule that replicates KMS objects.
pub(crate) fn rule(id: &str, prefix: &str, destination: &str, key: &str) -> Value {
    json!({
        "ID": id,
        "Filter": {"Prefix": prefix},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": format!("arn:aws:s3:::{destination}"),
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
            "Metrics": {"Status": "Enabled"},
        },
    })
}

pub(crate) fn opted_in() -> Value {
    json!({"s3-replication-remediator": "allow"})
}

/// One rule in one account whose role may do nothing at all; role and keys have opted in.
pub(crate) fn bare() -> Value {
    json!({
        "buckets": {
            "source": {
                "encryption": {"type": "aws:kms", "key": SOURCE_KEY, "bucketKey": true},
                "replication": {"Role": ROLE, "Rules": [rule("r1", "", "replica", REPLICA_KEY)]},
            },
            "replica": {"region": "eu-west-2"},
        },
        "roles": {ROLE: {"tags": opted_in()}},
        "keys": {SOURCE_KEY: {"tags": opted_in()}, REPLICA_KEY: {"tags": opted_in()}},
    })
}

/// The same, with the value at a JSON pointer replaced or added.
pub(crate) fn with(mut world: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = world.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    if let Value::Array(items) = parent {
        items[last.parse::<usize>().unwrap()] = value;
    } else {
        parent[last] = value;
    }
    world
}

/// A JSON pointer to something of a role or key.
pub(crate) fn at(kind: &str, arn: &str, field: &str) -> String {
    format!("/{kind}/{}/{field}", arn.replace('/', "~1"))
}

/// The usual account, where S3 permissions are as they should be.
pub(crate) fn with_s3_access(world: Value) -> Value {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket", "s3:Replicate*"], "Resource": "*"},
    ]});
    with(world, &at("roles", ROLE, "inline"), json!({"theirs": document}))
}

pub(crate) fn world(json: &Value) -> World {
    World::new(&json.to_string())
}

/// What was learnt, judged and planned.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) snapshot: Snapshot,
    pub(crate) assessments: Vec<Assessment>,
    pub(crate) plan: Plan,
    pub(crate) settings: GuardSettings,
}

impl Checked {
    #[track_caller]
    pub(crate) fn reviewed(&self) -> ReviewedPlan {
        match review(
            &self.snapshot,
            &self.assessments,
            self.plan.clone(),
            &self.settings,
        ) {
            Ok(reviewed) => reviewed,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// The document that the plan writes, where it writes one.
    pub(crate) fn document(&self) -> Option<Value> {
        let documents = self
            .plan
            .changes
            .iter()
            .filter(|planned| planned.change.kind() == "put-role-policy");
        documents.map(|planned| planned.change.after()).next()
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.plan
            .changes
            .iter()
            .map(|planned| planned.change.kind())
            .collect()
    }

    /// The names of the guards that withhold something, each once.
    pub(crate) fn guards(&self) -> Vec<&'static str> {
        let mut guards: Vec<_> = self
            .plan
            .withheld
            .iter()
            .flat_map(|withheld| &withheld.refusals)
            .map(|refusal| refusal.guard.as_str())
            .collect();
        guards.sort_unstable();
        guards.dedup();
        guards
    }
}

pub(crate) async fn snapshot_of(world: &World, settings: &GuardSettings) -> Snapshot {
    snapshot_with(world, settings, Places::default()).await
}

/// What is learnt where somebody remembers roles and keys.
pub(crate) async fn snapshot_with(world: &World, settings: &GuardSettings, former: Places) -> Snapshot {
    let objects = world
        .state()
        .buckets
        .values()
        .flat_map(|bucket| &bucket.objects)
        .map(|object| WantedObject {
            key: object.key.clone(),
            version_id: Some(object.version_id.clone()),
        })
        .collect();
    let scope = Scope {
        trusted_accounts: settings.trusted_accounts.clone(),
        member_role: !world.state().member_roles.is_empty(),
        inspect_objects: true,
        sample_objects: 0,
    };
    let wanted = Wanted {
        bucket: "source".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        expects_configuration: false,
        objects,
        former,
        now: "2026-11-21T00:00:00Z".parse().unwrap(),
    };
    let mut snapshot = collect::collect(world, &world.identity(), &scope, &wanted).await;
    snapshot.former.is_settled = true;
    snapshot
}

pub(crate) async fn check_with(world: &World, settings: GuardSettings) -> Checked {
    check_remembering(world, settings, Places::default()).await
}

/// The same, where somebody remembers roles and keys.
pub(crate) async fn check_remembering(world: &World, settings: GuardSettings, former: Places) -> Checked {
    let snapshot = snapshot_with(world, &settings, former).await;
    judged(snapshot, settings)
}

pub(crate) fn judged(snapshot: Snapshot, settings: GuardSettings) -> Checked {
    let assessments = assess(&snapshot, settings.unconstrained_grants);
    let plan = plan(&snapshot, &assessments, &settings);
    Checked {
        snapshot,
        assessments,
        plan,
        settings,
    }
}

pub(crate) async fn check(world: &World) -> Checked {
    check_with(world, GuardSettings::default()).await
}

pub(crate) async fn check_json(json: &Value) -> Checked {
    check(&world(json)).await
}
