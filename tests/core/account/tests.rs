//! The account in memory refuses what AWS refuses, and remembers what was done to it.

use s3_replication_remediator::arn::{KeyArn, RoleArn};
use s3_replication_remediator::policy::PolicyDocument;
use s3_replication_remediator::target::{GrantRequest, Target};
use serde_json::{Value, json};

use super::World;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1";

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/crr".parse().unwrap()
}

fn key() -> KeyArn {
    KEY.parse().unwrap()
}

fn world(key: &Value) -> World {
    World::new(&json!({"roles": {role().to_string(): {}}, "keys": {KEY: key}}).to_string())
}

fn allowing(resource: &str) -> PolicyDocument {
    let statement = json!({"Effect": "Allow", "Action": "s3:ReplicateObject", "Resource": resource});
    PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": [statement]})).unwrap()
}

fn grant() -> GrantRequest {
    GrantRequest {
        key: key(),
        grantee: role(),
        retiring_principal: "arn:aws:iam::111122223333:root".to_owned(),
        name: "ours".to_owned(),
        operations: ["Decrypt".to_owned()].into(),
        context_equals: [("aws:s3:arn".to_owned(), "arn:aws:s3:::b".to_owned())].into(),
    }
}

#[tokio::test]
async fn inline_policies_may_have_10_240_characters_together_white_space_not_counted() {
    let world = world(&json!({}));
    let put = async |name: &str, letters: usize| {
        let resource = format!("arn:aws:s3:::{}{}", "b".repeat(letters), " ".repeat(500));
        world.put_role_policy(&role(), name, &allowing(&resource)).await
    };
    put("one", 9_000).await.unwrap();
    put("two", 800).await.unwrap();
    assert_eq!(put("two", 1_200).await.unwrap_err().code, "LimitExceeded");
    assert_eq!(put("three", 800).await.unwrap_err().code, "LimitExceeded");
    put("one", 9_100).await.unwrap();
    let policies: Vec<Value> = world
        .writes()
        .iter()
        .map(|write| write.detail["policy"].clone())
        .collect();
    assert_eq!(policies, ["one", "two", "one"]);
}

#[tokio::test]
async fn a_policy_needs_a_role_that_is_there_and_is_no_services() {
    let world = world(&json!({}));
    let put = async |role: &str| {
        let role = role.parse().unwrap();
        world
            .put_role_policy(&role, "p", &allowing("*"))
            .await
            .unwrap_err()
            .code
    };
    assert_eq!(put("arn:aws:iam::111122223333:role/gone").await, "NoSuchEntity");
    world.edit(|state| {
        let service = "arn:aws:iam::111122223333:role/aws-service-role/s3.amazonaws.com/x";
        state.roles.insert(service.parse().unwrap(), Default::default());
    });
    assert_eq!(
        put("arn:aws:iam::111122223333:role/x").await,
        "UnmodifiableEntity"
    );
}

#[tokio::test]
async fn a_policy_with_a_principal_is_malformed() {
    let world = world(&json!({}));
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    let document = PolicyDocument::from_value(json!({"Statement": statement})).unwrap();
    let refused = world.put_role_policy(&role(), "p", &document).await.unwrap_err();
    assert_eq!(refused.code, "MalformedPolicyDocument");
}

#[tokio::test]
async fn deleting_what_is_not_there_succeeds() {
    let world = world(&json!({}));
    world.put_role_policy(&role(), "p", &allowing("*")).await.unwrap();
    world.delete_role_policy(&role(), "p").await.unwrap();
    world.delete_role_policy(&role(), "p").await.unwrap();
    assert!(world.state().roles[&role()].inline.is_empty());
}

#[tokio::test]
async fn the_same_grant_under_the_same_name_is_made_once() {
    let world = world(&json!({}));
    world.try_grant(&grant()).await.unwrap();
    assert!(world.writes().is_empty());
    let first = world.create_grant(&grant()).await.unwrap().grant_id.unwrap();
    let second = world.create_grant(&grant()).await.unwrap().grant_id.unwrap();
    assert_eq!(first, second);
    let other = GrantRequest {
        operations: ["Encrypt".to_owned()].into(),
        ..grant()
    };
    assert_ne!(world.create_grant(&other).await.unwrap().grant_id.unwrap(), first);
    world.revoke_grant(&key(), &first).await.unwrap();
    world.revoke_grant(&key(), &first).await.unwrap();
    assert_eq!(world.state().keys[&key()].grants.len(), 1);
}

#[tokio::test]
async fn a_grant_needs_a_key_of_ours_in_a_state_for_it_and_a_grantee() {
    for (key, code) in [
        (json!({"state": "Disabled"}), "DisabledException"),
        (json!({"state": "PendingDeletion"}), "KMSInvalidStateException"),
        (json!({"manager": "AWS"}), "AccessDeniedException"),
    ] {
        let world = world(&key);
        assert_eq!(world.create_grant(&grant()).await.unwrap_err().code, code);
        assert_eq!(world.try_grant(&grant()).await.unwrap_err().code, code);
    }
    let world = world(&json!({}));
    world.edit(|state| state.roles.clear());
    assert_eq!(
        world.create_grant(&grant()).await.unwrap_err().code,
        "InvalidArnException"
    );
    world.edit(|state| state.keys.clear());
    assert_eq!(
        world.create_grant(&grant()).await.unwrap_err().code,
        "NotFoundException"
    );
}

#[tokio::test]
async fn a_switch_fails_a_write_as_often_as_it_says() {
    let json = json!({
        "roles": {role().to_string(): {}},
        "failing": [{"operation": "iam:PutRolePolicy", "code": "ServiceFailure", "times": 1}],
    });
    let world = World::new(&json.to_string());
    let first = world
        .put_role_policy(&role(), "p", &allowing("*"))
        .await
        .unwrap_err();
    assert!(first.retryable);
    world.put_role_policy(&role(), "p", &allowing("*")).await.unwrap();
}
