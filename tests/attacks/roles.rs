//! The author of a rule chooses the role: only one that its owner has opened, and that S3 alone can use, is changed.

use s3_replication_remediator::assessment::assess;
use s3_replication_remediator::guard::{AllowedArn, GuardSettings};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::plan::plan;
use s3_replication_remediator::policy::PolicyDocument;
use serde_json::{Value, json};

use crate::world::*;

fn trusting(trust: Value) -> Value {
    with(bare(), &at("roles", ROLE, "trust"), trust)
}

fn s3() -> Value {
    json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})
}

fn open() -> GuardSettings {
    GuardSettings {
        allowed_roles: vec![AllowedArn::new("arn:*:*:*:*:*")],
        allowed_keys: vec![AllowedArn::new("arn:*:*:*:*:*")],
        ..GuardSettings::default()
    }
}

#[tokio::test]
async fn a_second_statement_of_odd_spelling_in_the_trust_policy_is_a_stranger() {
    for odd in [
        json!({"effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"aws": "*"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com", "AWS": []}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", 7]}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s\u{0455}3.amazonaws.com"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com\u{200b}"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com.cn"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s3-outposts.amazonaws.com"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "s3.*.amazonaws.com"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Action": "sts:AssumeRole"}),
        json!({"Effect": "Deny", "effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        json!("Allow"),
        json!(null),
    ] {
        let account = trusting(json!({"Version": "2012-10-17", "Statement": [s3(), odd]}));
        let checked = check_json(&account).await;
        assert_eq!(checked.kinds(), [] as [&str; 0], "{odd}");
    }
    for element in ["statement", "Statements", "X"] {
        let account = trusting(json!({"Version": "2012-10-17", "Statement": s3(),
            element: [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}));
        assert_eq!(check_json(&account).await.kinds(), [] as [&str; 0], "{element}");
    }
}

#[tokio::test]
async fn a_trust_policy_that_says_a_thing_twice_is_not_read_at_all() {
    for twice in [
        r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
            "Statement": {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}}"#,
        r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*", "AWS": []}, "Action": "sts:AssumeRole"}}"#,
        r#"{"Statement": {"Effect": "Allow", "Eff\u0065ct": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}"#,
    ] {
        assert!(PolicyDocument::parse(twice).is_err(), "{twice}");
        let encoded: String = twice.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(PolicyDocument::parse_url_encoded(&encoded).is_err());
    }
}

#[tokio::test]
async fn a_condition_does_not_make_a_stranger_in_the_trust_policy_harmless() {
    for principal in [
        json!({"AWS": "*"}),
        json!({"Federated": "cognito-identity.amazonaws.com"}),
        json!({"Service": "ec2.amazonaws.com"}),
    ] {
        let narrow = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/nobody"}}});
        let account = trusting(json!({"Version": "2012-10-17", "Statement": [s3(), narrow]}));
        let checked = check_json(&account).await;
        assert_eq!((checked.kinds().len(), checked.guards()), (0, vec!["role-trust"]));
    }
}

#[tokio::test]
async fn our_own_role_is_never_changed_whatever_path_it_is_given() {
    let own =
        json!({"account": OWN, "region": "eu-west-1", "role": "arn:aws:iam::111122223333:role/replicate"});
    for role in [
        "arn:aws:iam::111122223333:role/replicate",
        "arn:aws:iam::111122223333:role/service-role/replicate",
        "arn:aws:iam::111122223333:role/a/b/c/replicate",
    ] {
        let text = with(bare(), "/identity", own.clone())
            .to_string()
            .replace(&format!("\"{ROLE}\":"), &format!("\"{role}\":"));
        let text = text.replace(&format!("\"Role\":\"{ROLE}\""), &format!("\"Role\":\"{role}\""));
        let checked = check_with(&World::new(&text), open()).await;
        assert_eq!(checked.kinds(), [] as [&str; 0], "{role}");
        assert_eq!(checked.guards(), ["own-role"], "{role}");
    }
}

#[tokio::test]
async fn a_role_that_only_bears_the_name_of_the_one_in_the_rule_is_not_changed() {
    // IAM is asked by name alone, and answers with the role of that name under whatever path.
    let world = world(&bare());
    let mut snapshot = snapshot_of(&world, &GuardSettings::default()).await;
    if let Observed::Found(role) = &mut snapshot.role {
        role.arn = "arn:aws:iam::111122223333:role/admin/replicate".parse().unwrap();
    }
    let assessments = assess(&snapshot, false);
    let made = plan(&snapshot, &assessments, &GuardSettings::default());
    assert!(
        made.changes.is_empty() && made.withheld.is_empty(),
        "{}",
        json!(made)
    );
}

#[tokio::test]
async fn a_role_of_another_account_or_partition_is_not_changed_whatever_the_list_allows() {
    for role in [
        "arn:aws:iam::444455556666:role/repl-1",
        "arn:aws-cn:iam::111122223333:role/replicate",
        "arn:aws-us-gov:iam::444455556666:role/repl-1",
    ] {
        let text = bare().to_string().replace(ROLE, role);
        for pattern in ["arn:aws:iam::*:role/repl-*", "arn:*:*:*:*:*"] {
            let settings = GuardSettings {
                allowed_roles: vec![AllowedArn::new(pattern)],
                ..GuardSettings::default()
            };
            let checked = check_with(&World::new(&text), settings).await;
            assert_eq!(checked.kinds(), [] as [&str; 0], "{role} {pattern}");
        }
    }
}

#[tokio::test]
async fn a_star_in_the_account_of_an_allow_list_reaches_no_other_account() {
    let settings = GuardSettings {
        allowed_roles: vec![AllowedArn::new("arn:aws:iam::*:role/repl*")],
        ..GuardSettings::default()
    };
    let untagged = with(bare(), &at("roles", ROLE, "tags"), json!({}));
    let own = check_with(&world(&untagged), settings.clone()).await;
    assert_eq!(own.kinds(), ["put-role-policy"]);
    let foreign = untagged
        .to_string()
        .replace(ROLE, "arn:aws:iam::444455556666:role/replicate");
    let checked = check_with(&World::new(&foreign), settings).await;
    assert_eq!(checked.kinds(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_path_that_looks_like_a_services_is_judged_by_its_trust_and_its_tag() {
    // IAM lets nobody but itself make roles under `/aws-service-role/`; what only resembles it is a role like others.
    for (path, is_changed) in [
        ("aws-service-role/x", false),
        ("aws-service-role-2/x", true),
        ("AWS-service-role/x", true),
        ("x/aws-service-role/y", true),
    ] {
        let role = format!("arn:aws:iam::111122223333:role/{path}");
        let text = bare().to_string().replace(ROLE, &role);
        let checked = check(&World::new(&text)).await;
        assert_eq!(!checked.kinds().is_empty(), is_changed, "{path}");
    }
}

#[tokio::test]
async fn an_unread_trust_policy_tag_or_boundary_proves_nothing() {
    let world = world(&bare());
    world.deny("iam:GetRole", ROLE);
    assert_eq!(check(&world).await.kinds(), [] as [&str; 0]);

    let boundary = "arn:aws:iam::111122223333:policy/gone";
    let account = with(bare(), &at("roles", ROLE, "boundary"), json!(boundary));
    let checked = check_json(&account).await;
    // A boundary that cannot be read may stand in the way, and removing it is not ours; what is planned adds nothing
    // beyond what the rule needs.
    checked.reviewed();

    let world = crate::world::world(&bare());
    let mut snapshot = snapshot_of(&world, &GuardSettings::default()).await;
    let failure = s3_replication_remediator::source::Read::Role.failed("trust".to_owned(), "AccessDenied");
    if let Observed::Found(role) = &mut snapshot.role {
        role.trust = Observed::Unreadable(failure);
    }
    let assessments = assess(&snapshot, false);
    assert!(
        plan(&snapshot, &assessments, &GuardSettings::default())
            .changes
            .is_empty()
    );
}

#[tokio::test]
async fn a_denial_is_never_answered_by_an_allowance() {
    let denial = |action: &str, resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": action, "Resource": resource}]})
    };
    for (action, resource) in [
        ("kms:Decrypt", "*"),
        ("kms:*", SOURCE_KEY),
        ("s3:ReplicateObject", "arn:aws:s3:::replica/*"),
        ("*", "*"),
    ] {
        let account = with(
            bare(),
            &at("roles", ROLE, "inline"),
            json!({"denial": denial(action, resource)}),
        );
        let checked = check_json(&account).await;
        checked.reviewed();
        let text = checked.document().unwrap_or_default().to_string();
        if action == "*" {
            assert_eq!(checked.kinds(), [] as [&str; 0]);
        } else if resource != "*" && action.starts_with("kms") {
            assert!(!text.contains(SOURCE_KEY), "{action} {text}");
        } else {
            assert!(
                !text.contains(&format!("\"{action}\"")) || action == "kms:Decrypt",
                "{action} {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_boundary_that_lacks_an_action_is_left_to_its_owner() {
    let arn = "arn:aws:iam::111122223333:policy/narrow";
    let mut account = with(bare(), &at("roles", ROLE, "boundary"), json!(arn));
    account["policies"] = json!({arn: {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}});
    let checked = check_json(&account).await;
    checked.reviewed();
    let text = checked.document().unwrap_or_default().to_string();
    assert!(!text.contains("kms:"), "{text}");
}
