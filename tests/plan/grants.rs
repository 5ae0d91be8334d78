//! Grants: made only where the key policy does not leave the decision to the account, and bound to the bucket.

use s3_replication_remediator::guard::GuardSettings;
use serde_json::{Value, json};

use crate::apply::apply_to;
use crate::world::*;

/// Lets us manage grants, and leaves nothing else to the account.
fn own_policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
         "Action": ["kms:CreateGrant", "kms:RevokeGrant", "kms:Describe*", "kms:PutKeyPolicy"], "Resource": "*"},
    ]})
}

/// The usual account, in which both keys keep the account's policies out.
pub(crate) fn closed_keys() -> Value {
    let source = with(
        with_s3_access(bare()),
        &at("keys", SOURCE_KEY, "policy"),
        own_policy(),
    );
    with(source, &at("keys", REPLICA_KEY, "policy"), own_policy())
}

/// An account that was repaired by grants, and whose rule leads to another bucket since: the replica key has a grant that is
/// bound to the bucket before.
pub(crate) async fn moved() -> World {
    let before = world(&closed_keys());
    apply_to(&before, &check(&before).await).await;
    let mut state = serde_json::to_value(&*before.state()).unwrap();
    state["buckets"]["second"] = json!({"region": "eu-west-2"});
    state["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "second", REPLICA_KEY)]);
    world(&state)
}

#[tokio::test]
async fn a_key_that_keeps_the_accounts_policies_out_gets_a_grant_bound_to_the_bucket() {
    let checked = check_json(&closed_keys()).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["create-grant", "create-grant"]);
    let grants: Vec<Value> = checked
        .plan
        .changes
        .iter()
        .map(|planned| planned.change.after())
        .collect();
    for (grant, key, operations, bucket) in [
        (&grants[0], SOURCE_KEY, json!(["Decrypt"]), "arn:aws:s3:::source"),
        (
            &grants[1],
            REPLICA_KEY,
            json!(["Decrypt", "Encrypt", "GenerateDataKey"]),
            "arn:aws:s3:::replica",
        ),
    ] {
        assert_eq!(grant["keyId"], key);
        assert_eq!(grant["granteePrincipal"], ROLE);
        assert_eq!(grant["retiringPrincipal"], "arn:aws:iam::111122223333:root");
        assert_eq!(grant["operations"], operations);
        assert_eq!(
            grant["constraints"],
            json!({"EncryptionContextEquals": {"aws:s3:arn": bucket}})
        );
        let name = grant["name"].as_str().unwrap();
        assert!(
            name.len() <= 256
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
        );
    }
    assert_ne!(grants[0]["name"], grants[1]["name"]);
}

#[tokio::test]
async fn without_a_bucket_key_an_unconstrained_grant_is_made_only_where_the_owner_allows_it() {
    let without = with(
        closed_keys(),
        "/buckets/source/encryption/bucketKey",
        json!(false),
    );
    let checked = check_json(&without).await;
    checked.reviewed();
    assert!(checked.plan.is_empty(), "{}", json!(checked.plan));
    let settings = GuardSettings {
        unconstrained_grants: true,
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&without), settings).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["create-grant", "create-grant"]);
    for planned in &checked.plan.changes {
        assert_eq!(planned.change.after()["constraints"], Value::Null);
    }
}

#[tokio::test]
async fn where_a_bound_grant_is_enough_an_unbound_one_is_not_made_even_if_it_may_be() {
    let settings = GuardSettings {
        unconstrained_grants: true,
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&closed_keys()), settings).await;
    checked.reviewed();
    for planned in &checked.plan.changes {
        assert_ne!(planned.change.after()["constraints"], Value::Null);
    }
}

#[tokio::test]
async fn no_grant_is_planned_on_a_key_in_a_state_in_which_kms_makes_none() {
    let disabled = with(
        closed_keys(),
        &at("keys", REPLICA_KEY, "state"),
        json!("Disabled"),
    );
    let checked = check_json(&disabled).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["create-grant"]);
    assert_eq!(checked.guards(), ["key-state"]);
}

#[tokio::test]
async fn a_key_of_a_trusted_account_never_gets_a_grant() {
    let theirs = "arn:aws:kms:eu-west-2:444455556666:key/replica";
    let text = closed_keys().to_string().replace(REPLICA_KEY, theirs);
    let mut shared: Value = serde_json::from_str(&text).unwrap();
    shared["keys"][theirs]["sharedReads"] = json!(true);
    shared["memberRoles"] = json!([OTHER]);
    let settings = GuardSettings {
        trusted_accounts: [OTHER.parse().unwrap()].into(),
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&shared), settings).await;
    checked.reviewed();
    assert!(
        checked
            .plan
            .changes
            .iter()
            .all(|planned| planned.change.target() != theirs)
    );
}

#[tokio::test]
async fn the_command_that_takes_a_grant_back_finds_it_by_its_name() {
    let checked = check_json(&closed_keys()).await;
    let undo = checked.plan.changes[0].change.undo();
    let name = checked.plan.changes[0].change.name();
    assert_eq!(
        undo,
        format!(
            "aws kms revoke-grant --region=eu-west-1 --key-id={SOURCE_KEY} --grant-id=\"$(aws kms list-grants \
             --region=eu-west-1 --key-id={SOURCE_KEY} --grantee-principal={ROLE} \
             '--query=Grants[?Name==`\"{name}\"`].GrantId|[0]' --output=text)\""
        )
    );
}
