//! What becomes of changes that others make later: who is looked at again, how often, and who is left in peace.

use std::collections::BTreeMap;
use std::time::Duration;

use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use super::{DEMO, Deployment, recorded, repaired};

const ROLE: &str = "arn:aws:iam::111122223333:role/s3crr_role_for_amzn-s3-demo-source-bucket";
const SOURCE: &str = "arn:aws:s3:::amzn-s3-demo-source-bucket";
const REPLICA_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/5678efab-56ef-78ab-90cd-567890abcdef";

/// How often the source bucket was looked at since this was last asked.
fn looks(deployment: &Deployment, before: usize) -> usize {
    deployment.world.called("s3:GetBucketVersioning", SOURCE) - before
}

/// A change of the replication role by somebody else.
fn change_of_role(call: &str, by: &str) -> Value {
    let mut event = recorded("drift/put-role-policy.json");
    event["detail"]["eventName"] = json!(call);
    let identity = &mut event["detail"]["userIdentity"];
    identity["arn"] = json!(format!("arn:aws:sts::111122223333:assumed-role/{by}/session"));
    identity["sessionContext"]["sessionIssuer"]["arn"] =
        json!(format!("arn:aws:iam::111122223333:role/{by}"));
    event
}

#[test]
fn a_key_that_is_disabled_later_is_told_with_who_did_it() {
    let deployment = repaired(Mode::DryRun);
    deployment.world.edit(|state| {
        state.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap().state = "Disabled".to_owned();
    });
    deployment.send(recorded("drift/disable-key.json"));
    deployment.run();
    let told = deployment.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].subject.contains("BROKEN"), "{}", told[0].subject);
    let why = format!(
        "why now: something that replication depends on was changed, DisableKey of {REPLICA_KEY} at \
         2026-09-14T09:31:07Z by arn:aws:sts::111122223333:assumed-role/platform-admin/ada from 203.0.113.24"
    );
    assert!(told[0].text.contains(&why), "{}", told[0].text);
}

#[test]
fn every_recorded_change_leads_to_a_look_at_whom_it_concerns_and_no_other() {
    let concerned = [
        "cancel-key-deletion",
        "delete-bucket",
        "delete-bucket-policy",
        "delete-imported-key-material",
        "delete-role",
        "delete-role-permissions-boundary",
        "delete-role-policy",
        "detach-role-policy",
        "attach-role-policy",
        "disable-key",
        "enable-key",
        "key-material-expired",
        "put-bucket-encryption",
        "put-key-policy",
        "put-role-policy",
        "schedule-key-deletion",
        "schedule-key-deletion-without-resources",
        "suspend-versioning-of-destination",
        "update-assume-role-policy",
    ];
    let mut led_to: BTreeMap<String, usize> = BTreeMap::new();
    for (name, event) in crate::handler::all_recorded() {
        let Some(name) = name
            .strip_prefix("drift/")
            .and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        let deployment = repaired(Mode::Auto);
        let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
        deployment.send(event);
        deployment.run();
        led_to.insert(name.to_owned(), looks(&deployment, before));
        let is_poison = name == "disable-key-without-key";
        assert_eq!(
            deployment.dead_letters.borrow().len(),
            usize::from(is_poison),
            "{name}"
        );
        assert!(deployment.told().is_empty(), "nothing is wrong: {name}");
    }
    for (name, looks) in led_to {
        assert_eq!(looks, usize::from(concerned.contains(&name.as_str())), "{name}");
    }
}

#[test]
fn a_change_of_any_other_role_key_or_bucket_costs_no_look() {
    let deployment = repaired(Mode::Auto);
    let before = deployment.world.calls().len();
    for (file, place, other) in [
        (
            "drift/put-role-policy.json",
            "/detail/requestParameters/roleName",
            "ecs-task",
        ),
        (
            "drift/put-role-policy.json",
            "/detail/recipientAccountId",
            "444455556666",
        ),
        (
            "drift/detach-role-policy.json",
            "/detail/requestParameters/roleName",
            "s3crr_role_for_amzn-s3-demo-source",
        ),
    ] {
        let mut event = recorded(file);
        *event.pointer_mut(place).unwrap() = json!(other);
        deployment.send(event);
    }
    deployment.run();
    assert_eq!(deployment.world.calls().len(), before);
    // A bucket is asked the one question whether it replicates.
    let mut event = recorded("drift/delete-bucket-policy.json");
    event["detail"]["requestParameters"]["bucketName"] = json!("website");
    deployment.send(event);
    deployment.run();
    assert_eq!(deployment.world.calls().len(), before + 1);
}

#[test]
fn a_thousand_changes_at_once_are_one_look() {
    let deployment = repaired(Mode::Auto);
    let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
    for _ in 0..1_000 {
        deployment.send(change_of_role("PutRolePolicy", "terraform"));
    }
    deployment.run();
    assert!(
        (1..=2).contains(&looks(&deployment, before)),
        "{}",
        looks(&deployment, before)
    );
}

#[test]
fn what_we_write_ourselves_does_not_wake_us_and_what_a_namesake_writes_does() {
    let own = "s3-replication-remediator-function";
    for (by, wakes) in [
        (own, 0),
        ("s3-replication-remediator-function-2", 1),
        ("S3-replication-remediator-function", 1),
    ] {
        let deployment = repaired(Mode::Auto);
        let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
        for call in ["PutRolePolicy", "DeleteRolePolicy"] {
            deployment.send(change_of_role(call, by));
        }
        let mut grant = recorded("drift/revoke-grant-by-own-role.json");
        grant["detail"]["userIdentity"] =
            change_of_role("PutRolePolicy", by)["detail"]["userIdentity"].clone();
        let mut made = grant.clone();
        made["detail"]["eventName"] = json!("CreateGrant");
        deployment.send(grant);
        deployment.send(made);
        deployment.run();
        assert_eq!(looks(&deployment, before), wakes, "{by}");
    }
}

#[test]
fn no_change_goes_round_in_a_circle_even_where_we_do_not_know_ourselves() {
    // Each of our writes comes back as somebody else's, for as long as we write.
    let deployment = repaired(Mode::Auto);
    deployment.world.edit(|state| {
        state
            .roles
            .get_mut(&ROLE.parse().unwrap())
            .unwrap()
            .inline
            .clear();
    });
    let mut seen = deployment.world.writes().len();
    let first = seen;
    deployment.send(change_of_role("DeleteRolePolicy", "stranger"));
    for _ in 0..20 {
        deployment.run();
        let writes = deployment.world.writes().len();
        for _ in seen..writes {
            deployment.send(change_of_role("PutRolePolicy", "stranger"));
        }
        seen = writes;
    }
    assert_eq!(seen - first, 1, "{:#?}", deployment.world.writes());
}

#[test]
fn only_grants_that_replication_rests_on_count() {
    let deployment = repaired(Mode::Auto);
    deployment.world.edit(|state| {
        let key = state.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap();
        key.grants.push(
            serde_json::from_value(json!({"id": "ours", "grantee": ROLE, "operations": ["Encrypt"]}))
                .unwrap(),
        );
    });
    deployment
        .handle(&json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket"}))
        .unwrap();
    for (grant, expected) in [("theirs", 0), ("ours", 1)] {
        let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
        let mut event = recorded("drift/revoke-grant.json");
        event["detail"]["requestParameters"]["grantId"] = json!(grant);
        deployment.send(event);
        deployment.run();
        assert_eq!(looks(&deployment, before), expected, "{grant}");
    }
}

#[test]
fn a_look_that_finds_the_same_writes_nothing_down_again() {
    let deployment = repaired(Mode::Auto);
    let check = json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket"});
    let before = deployment.ledger.writes.get();
    for _ in 0..10 {
        deployment.handle(&check).unwrap();
    }
    assert_eq!(deployment.ledger.writes.get(), before);
    deployment.pass(Duration::from_secs(31 * 24 * 3600));
    deployment.handle(&check).unwrap();
    assert!(
        deployment.ledger.writes.get() > before,
        "what is old is written anew before it expires"
    );
}

#[test]
fn what_a_bucket_no_longer_depends_on_no_longer_concerns_it() {
    let deployment = repaired(Mode::DryRun);
    deployment.world.edit(|state| {
        let source = state
            .buckets
            .get_mut(&"amzn-s3-demo-source-bucket".parse().unwrap())
            .unwrap();
        source.replication = None;
    });
    deployment
        .handle(&json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket"}))
        .unwrap();
    let before = deployment.world.calls().len();
    deployment.send(recorded("drift/disable-key.json"));
    deployment.send(recorded("drift/put-role-policy.json"));
    deployment.run();
    assert_eq!(deployment.world.calls().len(), before);
}

#[test]
fn what_could_not_be_read_stays_written_down() {
    let deployment = repaired(Mode::DryRun);
    let check = json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket"});
    deployment.world.deny("s3:GetBucketReplication", SOURCE);
    deployment.handle(&check).unwrap();
    deployment.world.edit(|state| state.failing.clear());
    deployment.world.deny("iam:GetRole", ROLE);
    deployment.handle(&check).unwrap();
    let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
    deployment.send(recorded("drift/disable-key.json"));
    deployment.run();
    assert_eq!(looks(&deployment, before), 1);
}

#[test]
fn a_change_that_the_ledger_could_not_be_asked_about_comes_again() {
    let deployment = repaired(Mode::Auto);
    let before = deployment.world.called("s3:GetBucketVersioning", SOURCE);
    deployment.ledger.is_out_of_order.set(true);
    deployment.send(recorded("drift/disable-key.json"));
    deployment.run_for(Duration::from_secs(60));
    assert_eq!(looks(&deployment, before), 0);
    deployment.ledger.is_out_of_order.set(false);
    deployment.run();
    assert_eq!(looks(&deployment, before), 1);
    assert!(deployment.dead_letters.borrow().is_empty());
}

#[test]
fn a_message_of_ours_that_somebody_forged_is_a_look_with_what_it_says_shown_and_not_believed() {
    let deployment = Deployment::of(crate::account::World::new(DEMO));
    deployment.send(
        json!({"command": "check", "bucket": "amzn-s3-demo-source-bucket", "drift": {
        "call": "Disable<!channel>\u{1b}[31m", "resource": "x".repeat(10_000), "actor": "root\nhealthy",
        "eventTime": "never", "more": [1, 2]}}),
    );
    deployment.run();
    let told = deployment.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].subject.contains("BROKEN"));
    assert!(!told[0].text.contains("<!channel>") && !told[0].text.contains('\u{1b}'));
    assert!(!told[0].text.contains("\nhealthy"));
    for poison in [
        json!({"command": "check", "bucket": "logs", "promised": "sha256:x"}),
        json!({"command": "check", "bucket": "logs", "sweep": 7}),
        json!({"command": "check", "bucket": "logs", "apply": true}),
    ] {
        deployment.send(poison);
    }
    deployment.run();
    assert_eq!(deployment.dead_letters.borrow().len(), 3);
}
