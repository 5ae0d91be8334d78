//! Undoing as a weapon: the command may name any role and any key, and takes back what is ours and nothing else.

use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use crate::function::invoke;
use crate::grants::closed_keys;
use crate::world::*;

const VICTIM: &str = "arn:aws:iam::111122223333:role/victim";
const VICTIM_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/victim";

/// Undoes twice: to learn the digest, and with it.
async fn undo(world: &World, bucket: &str, role: &str, keys: &[&str]) {
    let mut command = json!({"command": "undo", "bucket": bucket, "role": role, "keys": keys});
    let led = invoke(world, Mode::Auto, &command).await;
    let digest = led.report().digest().map(str::to_owned);
    if let Some(digest) = digest {
        command["plan"] = json!(digest);
        invoke(world, Mode::Auto, &command).await;
    }
}

#[tokio::test]
async fn policies_and_grants_of_others_survive_an_undo_that_names_them() {
    let mut account = closed_keys();
    account["roles"][VICTIM] = json!({"inline": {
        "theirs": {"Version": "2012-10-17", "Statement": []},
        "s3-replication-remediator-other": {"Version": "2012-10-17", "Statement": []},
        "s3-replication-remediator-source2": {"Version": "2012-10-17", "Statement": []},
    }});
    account["keys"][VICTIM_KEY] = json!({"grants": [
        {"id": "1", "grantee": VICTIM, "operations": ["Decrypt"]},
        {"id": "2", "name": "s3-replication-remediator/0000", "grantee": VICTIM, "operations": ["Decrypt"]},
        {"id": "3", "name": "s3-replication-remediator/0000", "grantee": ROLE, "operations": ["Decrypt"]},
    ]});
    let world = world(&account);
    undo(&world, "source", VICTIM, &[VICTIM_KEY]).await;
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn what_is_ours_for_another_bucket_survives_an_undo() {
    let mut account = bare();
    account["buckets"]["twin"] = account["buckets"]["source"].clone();
    let world = world(&account);
    for bucket in ["source", "twin"] {
        invoke(&world, Mode::Auto, &crate::function::put_event(bucket)).await;
    }
    undo(&world, "twin", ROLE, &[SOURCE_KEY]).await;
    let inline = &world.state().roles[&ROLE.parse().unwrap()].inline;
    assert!(inline.contains_key(POLICY), "{inline:?}");
    assert!(!inline.contains_key("s3-replication-remediator-twin"));
}

#[tokio::test]
async fn a_role_or_key_of_another_account_is_not_even_read_for_an_undo() {
    let world = world(&bare());
    let role = "arn:aws:iam::444455556666:role/replicate";
    let key = "arn:aws:kms:eu-west-1:444455556666:key/k";
    undo(&world, "source", role, &[key]).await;
    assert_eq!(world.called("iam:GetRolePolicy", role), 0);
    assert_eq!(world.called("kms:ListGrants", key), 0);
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn a_policy_of_our_name_in_which_nothing_is_ours_survives_an_undo_and_that_is_said() {
    let theirs = [
        json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"}]}),
        json!({"Version": "2008-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}),
    ];
    for document in theirs {
        let mut account = bare();
        account["roles"][VICTIM] = json!({"inline": {POLICY: document}});
        let world = world(&account);
        undo(&world, "source", VICTIM, &[]).await;
        assert_eq!(world.writes(), [], "{document}");
        let command = json!({"command": "undo", "bucket": "source", "role": VICTIM});
        let led = invoke(&world, Mode::Auto, &command).await;
        let report: Value = json!(led.report());
        assert!(
            report["undo"]["notSearched"]
                .to_string()
                .contains("did not write"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_denial_that_somebody_wrote_into_our_policy_survives_an_undo() {
    // Taking it away would give access, and an undo only takes access away.
    let world = world(&bare());
    invoke(&world, Mode::Auto, &crate::function::put_event("source")).await;
    let denial =
        json!({"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"});
    world.edit(|state| {
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        let document = role.inline.get_mut(POLICY).unwrap();
        document["Statement"].as_array_mut().unwrap().push(denial.clone());
    });
    undo(&world, "source", ROLE, &[]).await;
    let inline = &world.state().roles[&ROLE.parse().unwrap()].inline;
    assert_eq!(
        inline.get(POLICY),
        Some(&json!({"Version": "2012-10-17", "Statement": [denial]}))
    );
}
