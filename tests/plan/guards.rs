//! Who is not helped: each guard as somebody would try to get past it.

use s3_replication_remediator::guard::{AllowedArn, GuardSettings, Protected, Tag, refusals};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::snapshot::{FormerRole, KeyState, Snapshot};
use s3_replication_remediator::source::Read;
use serde_json::{Value, json};

use crate::world::*;

/// The guards that refuse something, after seeing that the plan changes nothing at all.
#[track_caller]
fn refused(checked: &Checked) -> Vec<&'static str> {
    assert_eq!(checked.kinds(), [] as [&str; 0], "{}", json!(checked.plan));
    checked.reviewed();
    checked.guards()
}

fn trusting(statements: &Value) -> Value {
    let trust = json!({"Version": "2012-10-17", "Statement": statements});
    with(bare(), &at("roles", ROLE, "trust"), trust)
}

#[tokio::test]
async fn a_role_that_nobody_tagged_is_left_alone_and_the_report_says_how_to_change_that() {
    let checked = check_json(&with(bare(), &at("roles", ROLE, "tags"), json!({}))).await;
    assert_eq!(refused(&checked), ["role-opt-in"]);
    let permit = &checked.plan.withheld[0].refusals[0].permit;
    assert_eq!(
        permit,
        "tag the role `s3-replication-remediator=allow`, or set \
         `ALLOWED_ROLE_ARNS=arn:aws:iam::111122223333:role/replicate`"
    );
}

#[tokio::test]
async fn a_tag_must_be_the_very_tag() {
    for tags in [
        json!({"s3-replication-remediator": "Allow"}),
        json!({"S3-Replication-Remediator": "allow"}),
        json!({"s3-replication-remediator": "allow "}),
        json!({"s3-replication-remediator": "ignore"}),
        json!({"x-s3-replication-remediator": "allow"}),
    ] {
        let checked = check_json(&with(bare(), &at("roles", ROLE, "tags"), tags)).await;
        assert_eq!(refused(&checked), ["role-opt-in"]);
    }
}

#[tokio::test]
async fn an_allow_list_stands_in_for_the_tag_and_its_star_crosses_slashes() {
    let untagged = with(bare(), &at("roles", ROLE, "tags"), json!({}));
    for (pattern, helps) in [
        (ROLE, true),
        ("arn:aws:iam::111122223333:role/*", true),
        ("arn:aws:iam::*:*/replicate", true),
        ("arn:aws:iam::*/replicate", false),
        ("arn:aws:iam::111122223333:role/repl", false),
        ("arn:aws:iam::111122223333:role/Replicate", false),
        ("", false),
    ] {
        let settings = GuardSettings {
            allowed_roles: vec![AllowedArn::new(pattern)],
            ..GuardSettings::default()
        };
        let checked = check_with(&world(&untagged), settings).await;
        assert_eq!(checked.kinds() == ["put-role-policy"], helps, "{pattern}");
    }
}

#[tokio::test]
async fn a_role_that_someone_besides_s3_may_assume_is_never_widened() {
    let allow =
        |principal: Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]);
    for statements in [
        allow(json!({"Service": ["s3.amazonaws.com", "lambda.amazonaws.com"]})),
        allow(json!({"Service": "ec2.amazonaws.com"})),
        allow(json!({"Service": "S3.amazonaws.com"})),
        allow(json!({"Service": "*"})),
        allow(json!({"Service": "s3.amazonaws.com", "AWS": "arn:aws:iam::111122223333:root"})),
        allow(json!({"AWS": "arn:aws:iam::111122223333:user/eve"})),
        allow(json!({"AWS": "*"})),
        allow(json!("*")),
        allow(json!({"Federated": "arn:aws:iam::111122223333:saml-provider/x"})),
        allow(json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})),
        json!([
            {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "NotPrincipal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ]),
        json!([
            {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "NotAction": "sts:TagSession"},
        ]),
    ] {
        let checked = check_json(&trusting(&statements)).await;
        assert_eq!(refused(&checked), ["role-trust"], "{statements}");
        let permit = &checked.plan.withheld[0].refusals[0].permit;
        assert!(permit.starts_with("no setting permits this"), "{permit}");
    }
}

#[tokio::test]
async fn batch_operations_may_share_the_role_and_a_denial_lets_nobody_in() {
    let checked = check_json(&trusting(&json!([
        {"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"]},
         "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"aws:SourceAccount": OWN}}},
        {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    ])))
    .await;
    assert_eq!(checked.kinds(), ["put-role-policy"]);
    checked.reviewed();
}

#[tokio::test]
async fn an_allow_list_of_everything_reaches_neither_our_own_role_nor_a_services() {
    let settings = || GuardSettings {
        allowed_roles: vec![AllowedArn::new("arn:*:*:*:*:*")],
        allowed_keys: vec![AllowedArn::new("arn:*:*:*:*:*")],
        ..GuardSettings::default()
    };
    let own = with(
        bare(),
        "/identity",
        json!({"account": OWN, "region": "eu-west-1", "role": ROLE}),
    );
    let checked = check_with(&world(&own), settings()).await;
    assert_eq!(refused(&checked), ["own-role"]);

    let service = "arn:aws:iam::111122223333:role/aws-service-role/replication.s3.amazonaws.com/x";
    let text = bare().to_string().replace(ROLE, service);
    let checked = check_with(&World::new(&text), settings()).await;
    assert_eq!(refused(&checked), ["service-linked-role"]);
}

#[tokio::test]
async fn the_required_boundary_must_be_the_roles_boundary() {
    let required = "arn:aws:iam::111122223333:policy/replication-only";
    let settings = || GuardSettings {
        required_boundary: Some(required.to_owned()),
        ..GuardSettings::default()
    };
    assert_eq!(
        refused(&check_with(&world(&bare()), settings()).await),
        ["role-boundary"]
    );
    let everything =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let bounded = |arn: &str| {
        let role = with(bare(), &at("roles", ROLE, "boundary"), json!(arn));
        with(role, "/policies", json!({arn: everything}))
    };
    let other = bounded("arn:aws:iam::111122223333:policy/replication-only-not");
    assert_eq!(
        refused(&check_with(&world(&other), settings()).await),
        ["role-boundary"]
    );
    let checked = check_with(&world(&bounded(required)), settings()).await;
    assert_eq!(checked.kinds(), ["put-role-policy"]);
    checked.reviewed();
}

#[tokio::test]
async fn what_could_not_be_read_has_not_earned_anything() {
    let world = world(&bare());
    world.deny("s3:GetBucketTagging", "arn:aws:s3:::source");
    assert_eq!(refused(&check(&world).await), ["facts-unread"]);
}

#[tokio::test]
async fn a_bucket_that_opted_out_is_checked_and_not_changed() {
    let tags = json!({"s3-replication-remediator": "ignore"});
    let checked = check_json(&with(bare(), "/buckets/source/tags", tags)).await;
    assert_eq!(refused(&checked), ["source-opt-out"]);
}

#[tokio::test]
async fn a_key_that_nobody_tagged_is_left_out_whole_and_the_rest_is_planned() {
    let checked = check_json(&with(bare(), &at("keys", REPLICA_KEY, "tags"), json!({}))).await;
    checked.reviewed();
    assert_eq!(checked.guards(), ["key-opt-in"]);
    let document = checked.document().unwrap().to_string();
    assert!(
        document.contains(SOURCE_KEY) && !document.contains(REPLICA_KEY),
        "{document}"
    );
    let withheld = &checked.plan.withheld[0].change.after().to_string();
    assert!(
        withheld.contains(REPLICA_KEY) && !withheld.contains(SOURCE_KEY),
        "{withheld}"
    );

    let settings = GuardSettings {
        allowed_keys: vec![AllowedArn::new("arn:aws:kms:*:111122223333:key/*")],
        opt_in: Some(Tag::new("s3-replication-remediator", "allow")),
        ..GuardSettings::default()
    };
    let untagged = with(bare(), &at("keys", REPLICA_KEY, "tags"), json!({}));
    let checked = check_with(&world(&untagged), settings).await;
    assert_eq!(checked.plan.withheld, []);
}

#[tokio::test]
async fn a_rule_to_a_strangers_bucket_gets_nothing_whatever_account_it_claims() {
    for claimed in [None, Some(OWN), Some(OTHER)] {
        let mut foreign = with(bare(), "/buckets/replica/owner", json!(OTHER));
        if let Some(account) = claimed {
            foreign["buckets"]["source"]["replication"]["Rules"][0]["Destination"]["Account"] =
                json!(account);
        }
        let checked = check_json(&foreign).await;
        assert_eq!(refused(&checked), ["destination-account"], "{claimed:?}");
    }
}

#[tokio::test]
async fn a_strangers_rule_gets_nothing_while_the_rule_beside_it_is_repaired() {
    let rules = json!([
        rule("ours", "ours/", "replica", REPLICA_KEY),
        rule("theirs", "theirs/", "stolen", REPLICA_KEY),
    ]);
    let mixed = with(bare(), "/buckets/source/replication/Rules", rules);
    let mixed = with(
        mixed,
        "/buckets/stolen",
        json!({"region": "eu-west-2", "owner": OTHER}),
    );
    let checked = check_json(&mixed).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["put-role-policy"]);
    assert_eq!(checked.guards(), ["destination-account"]);
    let document = checked.document().unwrap().to_string();
    assert!(document.contains("arn:aws:s3:::source/ours/*"), "{document}");
    assert!(
        !document.contains("stolen") && !document.contains("theirs"),
        "{document}"
    );
}

#[tokio::test]
async fn a_trusted_accounts_bucket_and_key_may_be_named_in_our_role_and_nothing_is_written_there() {
    let theirs = "arn:aws:kms:eu-west-2:444455556666:key/replica";
    let mut shared = with(
        bare(),
        "/buckets/replica",
        json!({"region": "eu-west-2", "owner": OTHER, "policy": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:Replicate*", "Resource": "arn:aws:s3:::replica/*"},
        ]}}),
    );
    shared["buckets"]["source"]["replication"]["Rules"] = json!([rule("r1", "", "replica", theirs)]);
    shared["keys"][theirs] = json!({"tags": opted_in(), "policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*", "Resource": "*"},
    ]}});
    shared["memberRoles"] = json!([OTHER]);
    let trusting = GuardSettings {
        trusted_accounts: [OTHER.parse().unwrap()].into(),
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&shared), trusting).await;
    checked.reviewed();
    assert_eq!(checked.kinds(), ["put-role-policy"], "{}", json!(checked.plan));
    assert!(checked.document().unwrap().to_string().contains(theirs));

    // Of a stranger's key only the role's side can be judged; that is told, and its repair withheld.
    let checked = check_json(&shared).await;
    assert_eq!(
        refused(&checked),
        ["destination-account", "facts-unread", "key-account", "key-opt-in"]
    );
}

#[tokio::test]
async fn a_disabled_key_may_be_planned_for() {
    let checked = check_json(&with(
        bare(),
        &at("keys", REPLICA_KEY, "state"),
        json!("Disabled"),
    ))
    .await;
    checked.reviewed();
    assert!(checked.document().unwrap().to_string().contains(REPLICA_KEY));
}

#[tokio::test]
async fn without_any_opt_in_configured_nothing_has_opted_in() {
    let settings = GuardSettings {
        opt_in: None,
        ..GuardSettings::default()
    };
    let checked = check_with(&world(&bare()), settings).await;
    assert_eq!(refused(&checked), ["key-opt-in", "role-opt-in"]);
}

#[tokio::test]
async fn each_guard_refuses_by_itself_whatever_another_would_say() {
    type Edit = fn(&mut Snapshot);
    let unread = || Read::Role.failed("it".to_owned(), "AccessDenied");
    let checked = check_json(&bare()).await;
    let (key, unknown) = (
        SOURCE_KEY.parse().unwrap(),
        SOURCE_KEY.replace("source", "x").parse().unwrap(),
    );
    let foreign = SOURCE_KEY.replace(OWN, OTHER).parse().unwrap();
    let former = |record| FormerRole {
        arn: ROLE.parse().unwrap(),
        record,
        policy: Observed::Absent,
    };
    let unread_role = former(Observed::Unreadable(unread()));
    let replica = "replica".parse().unwrap();
    let as_it_is: Edit = |_| {};
    let settings = GuardSettings {
        trusted_accounts: [OTHER.parse().unwrap()].into(),
        allowed_keys: vec![AllowedArn::new("arn:*:*:*:*:*")],
        ..GuardSettings::default()
    };
    let cases: [(Protected<'_>, Edit, &[&str]); 13] = [
        (Protected::Role, as_it_is, &[]),
        (
            Protected::Role,
            |snapshot| {
                let Observed::Found(role) = &mut snapshot.role else {
                    panic!()
                };
                role.arn = ROLE.replace(OWN, OTHER).parse().unwrap();
            },
            &["role-account"],
        ),
        (
            Protected::Role,
            |snapshot| {
                let Observed::Found(role) = &mut snapshot.role else {
                    panic!()
                };
                role.trust = Observed::Absent;
            },
            &["role-trust"],
        ),
        (Protected::FormerRole(&unread_role), as_it_is, &["facts-unread"]),
        (Protected::KeyForGrant(&key), as_it_is, &[]),
        (
            Protected::KeyForGrant(&key),
            |snapshot| {
                let Observed::Found(metadata) = &mut snapshot
                    .keys
                    .get_mut(&SOURCE_KEY.parse().unwrap())
                    .unwrap()
                    .metadata
                else {
                    panic!()
                };
                metadata.state = KeyState::Disabled;
            },
            &["key-state"],
        ),
        (
            Protected::KeyInPolicy(&key),
            |snapshot| {
                let Observed::Found(metadata) = &mut snapshot
                    .keys
                    .get_mut(&SOURCE_KEY.parse().unwrap())
                    .unwrap()
                    .metadata
                else {
                    panic!()
                };
                metadata.state = KeyState::PendingDeletion;
            },
            &["key-state"],
        ),
        (
            Protected::KeyForGrant(&foreign),
            as_it_is,
            &["key-account", "facts-unread"],
        ),
        (Protected::KeyInPolicy(&foreign), as_it_is, &["facts-unread"]),
        (Protected::KeyInPolicy(&unknown), as_it_is, &["facts-unread"]),
        (
            Protected::Source,
            |snapshot| snapshot.source.owner = Observed::Found(OTHER.parse().unwrap()),
            &["source-account"],
        ),
        (
            Protected::Source,
            |snapshot| {
                let failure = Read::HeadBucket.failed("it".to_owned(), "Forbidden");
                snapshot.source.owner = Observed::Unreadable(failure);
            },
            &["facts-unread"],
        ),
        (
            Protected::Destination(&replica),
            |snapshot| {
                drop(
                    snapshot
                        .destinations
                        .insert("replica".parse().unwrap(), Observed::Absent),
                )
            },
            &["destination-account"],
        ),
    ];
    for (subject, edit, guards) in cases {
        let mut snapshot = checked.snapshot.clone();
        edit(&mut snapshot);
        let refused = refusals(subject, &snapshot, &settings);
        let refused: Vec<&str> = refused.iter().map(|refusal| refusal.guard.as_str()).collect();
        assert_eq!(refused, guards, "{subject:?}");
    }
}
