//! Names that follow from what they name: a stranger who takes ours beforehand gains nothing by it.

use s3_replication_remediator::plan::role_policy::policy_name;
use serde_json::{Value, json};

use crate::world::*;

/// The usual account, in which both keys keep the account's policies out.
pub(crate) fn closed_keys() -> Value {
    let own_policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
         "Action": ["kms:CreateGrant", "kms:RevokeGrant", "kms:Describe*", "kms:PutKeyPolicy"], "Resource": "*"},
    ]});
    let source = with(
        with_s3_access(bare()),
        &at("keys", SOURCE_KEY, "policy"),
        own_policy.clone(),
    );
    with(source, &at("keys", REPLICA_KEY, "policy"), own_policy)
}

#[tokio::test]
async fn a_wider_grant_that_bears_our_name_beforehand_is_not_taken_for_ours() {
    let planned = check_json(&closed_keys()).await;
    let ours = planned.plan.changes[0].change.after();
    for wider in [
        json!({"id": "1", "name": ours["name"], "grantee": ROLE, "operations": ["Decrypt"]}),
        json!({"id": "1", "name": ours["name"], "grantee": ROLE, "operations": ["Decrypt", "Encrypt"],
            "contextEquals": {"aws:s3:arn": "arn:aws:s3:::source"}}),
        json!({"id": "1", "name": ours["name"], "grantee": ROLE, "operations": ["Decrypt"],
            "contextSubset": {"aws:s3:arn": "arn:aws:s3:::source"}}),
        json!({"id": "1", "name": ours["name"], "grantee": ROLE, "operations": ["Decrypt"],
            "contextEquals": {"aws:s3:arn": "arn:aws:s3:::replica"}}),
    ] {
        let account = with(closed_keys(), &at("keys", SOURCE_KEY, "grants"), json!([wider]));
        let checked = check_json(&account).await;
        checked.reviewed();
        // Neither counted as ours nor revoked: it is somebody else's, and where it is enough it is enough.
        assert!(
            !checked.kinds().contains(&"revoke-grant"),
            "{wider} {:?}",
            checked.kinds()
        );
        for planned in &checked.plan.changes {
            let after = planned.change.after();
            assert!(
                after["constraints"]["EncryptionContextEquals"]["aws:s3:arn"].is_string(),
                "{after}"
            );
        }
    }
}

#[tokio::test]
async fn a_statement_that_a_stranger_wrote_into_our_policy_is_neither_taken_over_nor_widened() {
    let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "*", "Resource": "*"});
    let account = with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({POLICY: {"Version": "2012-10-17", "Statement": [theirs]}}),
    );
    let checked = check_json(&account).await;
    // It allows everything, so nothing is missing, and it is not ours to remove.
    checked.reviewed();
    assert_eq!(checked.kinds(), [] as [&str; 0]);

    let narrow = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let account = with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({POLICY: {"Version": "2012-10-17", "Statement": [narrow]}}),
    );
    let checked = check_json(&account).await;
    checked.reviewed();
    let document = checked.document().unwrap();
    let kept: Vec<&Value> = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Sid"] == "Theirs")
        .collect();
    assert_eq!(kept, [&narrow], "word by word");
}

#[tokio::test]
async fn a_policy_of_our_name_that_denies_or_names_other_things_stays_as_it_is() {
    for theirs in [
        json!({"Version": "2012-10-17", "Id": "x", "Statement": []}),
        json!({"Version": "2008-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}),
        json!({"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}),
    ] {
        let account = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: theirs}));
        let checked = check_json(&account).await;
        assert_eq!(checked.kinds(), [] as [&str; 0], "{theirs}");
    }
}

#[test]
fn no_two_buckets_share_the_name_of_a_policy() {
    let long = "a".repeat(255);
    let almost = format!("{}b", "a".repeat(254));
    let names = [
        "logs",
        "Logs",
        "LOGS",
        "logs-2",
        "logs.2",
        "logs_2",
        &long,
        &almost,
        &"a".repeat(102),
        &"a".repeat(103),
        &"A".repeat(102),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        let policy = policy_name(&name.parse().unwrap());
        assert!(policy.len() <= 128, "{policy}");
        assert!(
            policy
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)),
            "{policy}"
        );
        assert!(seen.insert(policy.to_ascii_lowercase()), "{policy}");
    }
}
