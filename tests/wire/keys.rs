//! What KMS answers about keys.

use s3_replication_remediator::arn::{KeyArn, KeyReference, RoleArn};
use s3_replication_remediator::snapshot::{KeyManager, KeyState};
use s3_replication_remediator::source::{Reader, Source};
use serde_json::{Value, json};

use crate::server::{Response, Server, TRUSTED, answer, json_error};

fn key() -> KeyArn {
    "arn:aws:kms:eu-central-1:111122223333:key/mrk-1".parse().unwrap()
}

fn reference() -> KeyReference {
    KeyReference::Key(key())
}

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/service-role/crr".parse().unwrap()
}

fn json_answer(value: &Value) -> Response {
    answer(200, value.to_string())
}

#[tokio::test]
async fn a_key_is_described_in_its_own_region_and_dates_are_read_from_epoch_seconds() {
    let server = Server::start(|request| {
        assert_eq!(request.region(), "eu-central-1");
        assert_eq!(request.json()["KeyId"], key().to_string());
        json_answer(&json!({"KeyMetadata": {
            "KeyId": "mrk-1", "Arn": key().to_string(), "KeyState": "PendingDeletion",
            "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "KeyManager": "CUSTOMER",
            "Origin": "EXTERNAL", "DeletionDate": 1.767_225_6E9, "ValidTo": 1_767_225_600.5,
            "MultiRegion": true,
            "MultiRegionConfiguration": {
                "MultiRegionKeyType": "PRIMARY",
                "PrimaryKey": {"Arn": key().to_string(), "Region": "eu-central-1"},
                "ReplicaKeys": [{"Arn": "arn:aws:kms:eu-west-1:111122223333:key/mrk-1", "Region": "eu-west-1"}],
            },
        }}))
    });
    let found = server.aws().await.describe_key(&reference(), &Reader::Own).await;
    let found = found.found().unwrap();
    assert_eq!(found.arn, key());
    assert_eq!(
        (&found.state, found.manager),
        (&KeyState::PendingDeletion, KeyManager::Customer)
    );
    assert_eq!(found.origin, "EXTERNAL");
    assert_eq!(found.deletion_date, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(
        found.material_expires,
        Some("2026-01-01T00:00:00.5Z".parse().unwrap())
    );
    assert_eq!(found.related.len(), 2);
}

#[tokio::test]
async fn a_state_that_is_new_is_kept_and_not_guessed_at() {
    let server = Server::start(|_| {
        json_answer(&json!({"KeyMetadata": {
            "KeyId": "mrk-1", "Arn": key().to_string(), "KeyState": "Resting", "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyUsage": "ENCRYPT_DECRYPT", "KeyManager": "AWS", "Origin": "AWS_KMS",
        }}))
    });
    let found = server.aws().await.describe_key(&reference(), &Reader::Own).await;
    let found = found.found().unwrap();
    assert_eq!(
        (&found.state, found.manager),
        (&KeyState::Other("Resting".to_owned()), KeyManager::Aws)
    );
    assert!(found.related.is_empty());
}

#[tokio::test]
async fn a_key_of_ours_that_is_not_there_is_absent_and_a_foreign_one_unreadable() {
    let server = Server::start(|_| json_error(400, "NotFoundException"));
    let aws = server.aws().await;
    assert!(aws.describe_key(&reference(), &Reader::Own).await.is_absent());
    let foreign: KeyReference = key()
        .to_string()
        .replace("111122223333", TRUSTED)
        .parse()
        .unwrap();
    let found = aws.describe_key(&foreign, &Reader::Own).await;
    let failure = found.failure().unwrap();
    assert_eq!(failure.error_code, "NotFoundException");
    assert!(failure.permit.contains("kms:DescribeKey"), "{failure:?}");
}

#[tokio::test]
async fn a_denied_alias_names_a_permit_that_policies_can_express() {
    let server = Server::start(|_| json_error(400, "AccessDeniedException"));
    let alias = "arn:aws:kms:eu-central-1:111122223333:alias/tax".parse().unwrap();
    let found = server.aws().await.describe_key(&alias, &Reader::Own).await;
    let failure = found.failure().unwrap();
    assert_eq!(
        failure.what,
        "key arn:aws:kms:eu-central-1:111122223333:alias/tax"
    );
    assert!(
        failure.permit.contains(r#""kms:RequestAlias":"alias/tax""#),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_key_policy_is_plain_json() {
    let server =
        Server::start(|_| json_answer(&json!({"Policy": r#"{"Version":"2012-10-17","Statement":[]}"#})));
    let policy = server.aws().await.key_policy(&key(), &Reader::Own).await;
    let policy = policy.found().unwrap();
    assert_eq!(policy.name, format!("key policy of {}", key()));
    assert_eq!(policy.document.raw()["Version"], "2012-10-17");
}

#[tokio::test]
async fn a_key_policy_that_is_no_policy_is_unreadable() {
    let server = Server::start(|_| json_answer(&json!({"Policy": "{"})));
    let policy = server.aws().await.key_policy(&key(), &Reader::Own).await;
    let failure = policy.failure().unwrap();
    assert_eq!(
        (failure.error_code.as_str(), failure.permit.as_str()),
        ("MalformedPolicy", "")
    );
}

#[tokio::test]
async fn grants_are_read_to_the_last_page() {
    let server = Server::start(|request| {
        let asked = request.json();
        assert_eq!(asked["GranteePrincipal"], role().to_string());
        if asked["Marker"].is_null() {
            let grant = json!({
                "KeyId": key().to_string(), "GrantId": "g1", "Name": "", "GranteePrincipal": role().to_string(),
                "RetiringPrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt", "Encrypt"],
                "CreationDate": 1.767_225_6E9,
                "Constraints": {"EncryptionContextEquals": {"aws:s3:arn": "arn:aws:s3:::logs"}},
            });
            json_answer(&json!({"Grants": [grant], "NextMarker": "2", "Truncated": true}))
        } else {
            let grant = json!({
                "KeyId": key().to_string(), "GrantId": "g2", "Name": "ours", "GranteePrincipal": role().to_string(),
                "Operations": ["GenerateDataKey"], "Constraints": {"SourceArn": "arn:aws:s3:::logs"},
            });
            json_answer(&json!({"Grants": [grant], "Truncated": false}))
        }
    });
    let grants = server.aws().await.grants(&key(), &role(), &Reader::Own).await;
    let grants = grants.found().unwrap();
    assert_eq!(
        grants.iter().map(|grant| grant.id.as_str()).collect::<Vec<_>>(),
        ["g1", "g2"]
    );
    assert_eq!(
        (grants[0].name.as_deref(), grants[1].name.as_deref()),
        (None, Some("ours"))
    );
    assert_eq!(
        grants[0].constraints.equals.as_ref().unwrap()["aws:s3:arn"],
        "arn:aws:s3:::logs"
    );
    assert_eq!(grants[1].constraints.unknown, ["SourceArn"]);
    assert!(grants[1].operations.contains("GenerateDataKey"));
}

#[tokio::test]
async fn a_list_that_goes_in_circles_is_unreadable() {
    let server =
        Server::start(|_| json_answer(&json!({"Grants": [], "NextMarker": "again", "Truncated": true})));
    let grants = server.aws().await.grants(&key(), &role(), &Reader::Own).await;
    assert_eq!(grants.failure().unwrap().error_code, "EndlessPages");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn tags_are_read_to_the_last_page() {
    let server = Server::start(|request| {
        let page = request.json()["Marker"]
            .as_str()
            .map_or(1, |marker| marker.parse::<u8>().unwrap());
        json_answer(&json!({
            "Tags": [{"TagKey": format!("k{page}"), "TagValue": "v"}],
            "NextMarker": (page + 1).to_string(), "Truncated": page < 3,
        }))
    });
    let tags = server.aws().await.key_tags(&key(), &Reader::Own).await;
    assert_eq!(
        tags.found().unwrap().keys().collect::<Vec<_>>(),
        ["k1", "k2", "k3"]
    );
}
