//! The review, against plans that somebody tampered with: it did not make them, and believes nothing.

use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::plan::review::{Fault, review};
use s3_replication_remediator::plan::{Change, Plan, Planned, key_grant};
use s3_replication_remediator::policy::{Grant, PolicyDocument};
use s3_replication_remediator::requirement::Area;
use s3_replication_remediator::snapshot::Snapshot;
use s3_replication_remediator::target::GrantRequest;
use serde_json::{Value, json};

use crate::grants::{closed_keys, moved};
use crate::world::*;

/// What the review says to the plan after it was tampered with. The digest is that of another plan in any case.
fn faults(checked: &Checked, tamper: impl FnOnce(&mut Vec<Planned>)) -> Vec<Fault> {
    let mut plan: Plan = checked.plan.clone();
    tamper(&mut plan.changes);
    let failure = review(&checked.snapshot, &checked.assessments, plan, &checked.settings).unwrap_err();
    let mut faults: Vec<Fault> = failure
        .objections
        .iter()
        .map(|objection| objection.fault)
        .collect();
    faults.sort_unstable();
    faults.dedup();
    faults
}

/// The plan for an account in which the role may do nothing, with the document changed.
async fn rewritten(rewrite: impl FnOnce(&mut Value)) -> Vec<Fault> {
    let checked = check_json(&bare()).await;
    faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            let mut document = change.after.as_ref().unwrap().raw().clone();
            rewrite(&mut document);
            change.after = Some(PolicyDocument::from_value(document).unwrap());
        }
    })
}

#[tokio::test]
async fn a_plan_as_it_was_made_passes() {
    check_json(&bare()).await.reviewed();
    check_json(&closed_keys()).await.reviewed();
}

#[tokio::test]
async fn any_tampering_breaks_the_digest() {
    let faults = rewritten(|document| document["Statement"][0]["Sid"] = json!("Renamed")).await;
    assert_eq!(faults, [Fault::Digest]);
}

#[tokio::test]
async fn a_wildcard_or_one_action_more_is_too_much() {
    type Rewrite = fn(&mut Value);
    let rewrites: [(&str, Rewrite); 9] = [
        ("every key", |document| {
            document["Statement"][0]["Resource"] = json!(["*"])
        }),
        ("buckets with the same beginning", |document| {
            document["Statement"][0]["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"] =
                json!(["arn:aws:s3:::source*"]);
        }),
        ("any object", |document| {
            document["Statement"][0]["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"] =
                json!(["*"]);
        }),
        ("any service", |document| {
            document["Statement"][0]["Condition"]["StringEquals"] = json!({});
        }),
        ("another service", |document| {
            document["Statement"][0]["Condition"]["StringEquals"]["kms:ViaService"] =
                json!("dynamodb.us-east-1.amazonaws.com");
        }),
        ("every action", |document| {
            document["Statement"][1]["Action"] = json!(["kms:*"])
        }),
        ("reading objects", |document| {
            document["Statement"][3]["Action"]
                .as_array_mut()
                .unwrap()
                .push(json!("s3:GetObjectRetention"));
        }),
        ("deleting replicas elsewhere", |document| {
            document["Statement"][4]["Resource"]
                .as_array_mut()
                .unwrap()
                .push(json!("arn:aws:s3:::elsewhere/*"));
        }),
        ("a statement without a name", |document| {
            document["Statement"].as_array_mut().unwrap().push(json!(
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}));
        }),
    ];
    for (what, rewrite) in rewrites {
        let faults = rewritten(rewrite).await;
        assert!(
            faults.contains(&Fault::TooMuch) || faults.contains(&Fault::Form),
            "{what}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn an_action_on_objects_that_no_rule_takes_is_found_by_trying_it() {
    let rules = json!([rule("r", "tax/", "replica", REPLICA_KEY)]);
    let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules)).await;
    for (narrow, wide) in [
        ("/tax/*", "/*"),
        ("/tax/*", "/tax*"),
        ("source/tax/*", "source/hr/*"),
    ] {
        let faults = faults(&checked, |changes| {
            if let Change::PutRolePolicy(change) = &mut changes[0].change {
                let text = change
                    .after
                    .as_ref()
                    .unwrap()
                    .raw()
                    .to_string()
                    .replace(narrow, wide);
                change.after = Some(PolicyDocument::parse(&text).unwrap());
            }
        });
        assert!(
            faults.contains(&Fault::TooMuch) || faults.contains(&Fault::NotMet),
            "{wide}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn what_is_written_with_escaped_wildcards_is_tried_as_what_it_means() {
    const STOLEN_KEY: &str = "arn:aws:kms:eu-west-1:444455556666:key/secret";
    let key = |context: &str| {
        json!({"Sid": "X1", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [STOLEN_KEY],
            "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [context]}}})
    };
    let objects = |action: &str, resource: &str| json!({"Sid": "X1", "Effect": "Allow", "Action": [action], "Resource": [resource]});
    let rules = json!([rule("r", "tax/", "replica", REPLICA_KEY)]);
    for planted in [
        objects("s3:ReplicateObject", "arn:aws:s3:::stolen/${*}*"),
        objects("s3:ReplicateDelete", "arn:aws:s3:::stolen/a${?}*"),
        objects("s3:GetObjectVersionForReplication", "arn:aws:s3:::source/hr${$}*"),
        key("arn:aws:s3:::stolen/${*}*"),
        key("arn:aws:s3:::stolen/x${?}*"),
    ] {
        let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules.clone())).await;
        let faults = faults(&checked, |changes| {
            if let Change::PutRolePolicy(change) = &mut changes[0].change {
                let mut document = change.after.as_ref().unwrap().raw().clone();
                document["Statement"]
                    .as_array_mut()
                    .unwrap()
                    .push(planted.clone());
                change.after = Some(PolicyDocument::from_value(document).unwrap());
            }
        });
        assert!(faults.contains(&Fault::TooMuch), "{planted}: {faults:?}");
    }
}

#[tokio::test]
async fn a_bucket_that_bears_the_name_of_the_sample_object_is_no_object() {
    const BUCKET: &str = "prod-s3-replication-remediator-sample";
    let mut world = with(
        bare(),
        "/buckets/source/replication/Rules",
        json!([rule("r", "", BUCKET, REPLICA_KEY)]),
    );
    world["buckets"][BUCKET] = json!({"region": "eu-west-2"});
    let checked = check_json(&world).await;
    let named = format!("\"arn:aws:s3:::{BUCKET}\"");
    let faults = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            let text = change.after.as_ref().unwrap().raw().to_string();
            assert!(text.contains(&named), "{text}");
            let wide = text.replace(&named, "\"arn:aws:s3:::prod-other\"");
            change.after = Some(PolicyDocument::parse(&wide).unwrap());
        }
    });
    assert!(faults.contains(&Fault::TooMuch), "{faults:?}");
}

#[tokio::test]
async fn a_document_that_is_not_as_ours_around_its_statements_is_refused() {
    // Under the older version of the language `${*}` is no longer a bare star, so that statements say something else.
    type Rewrite = fn(&mut Value);
    let rewrites: [Rewrite; 4] = [
        |document| document["Version"] = json!("2008-10-17"),
        |document| drop(document.as_object_mut().unwrap().remove("Version")),
        |document| document["Id"] = json!("ours"),
        |document| document["Statement"] = document["Statement"][0].clone(),
    ];
    for rewrite in rewrites {
        let faults = rewritten(rewrite).await;
        assert!(faults.contains(&Fault::Form), "{faults:?}");
    }
}

const PAYROLL: &str = "arn:aws:kms:eu-west-1:111122223333:key/payroll";

/// A statement that gives a key for one bucket, as we would write it.
fn lends(key: &str, bucket: &str) -> Value {
    json!({"Sid": "Lent", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key], "Condition": {
        "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [format!("arn:aws:s3:::{bucket}/*")]},
    }})
}

#[tokio::test]
async fn what_somebody_planted_into_our_policy_makes_nothing_more_pass_its_review() {
    // It names the key and the bucket, and would give the key if the role were in that organization.
    let mut planted = lends(PAYROLL, "elsewhere");
    planted["Sid"] = json!("Planted");
    planted["Condition"]["StringEqualsIfExists"] = json!({"aws:PrincipalOrgID": "o-example"});
    let mut account = with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({POLICY: {"Version": "2012-10-17", "Statement": [planted]}}),
    );
    account["keys"][PAYROLL] = json!({"tags": opted_in()});
    let checked = check_json(&account).await;
    checked.reviewed();
    let faults = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            let mut document = change.after.as_ref().unwrap().raw().clone();
            let statements = document["Statement"].as_array_mut().unwrap();
            statements.push(lends(PAYROLL, "elsewhere"));
            change.after = Some(PolicyDocument::from_value(document).unwrap());
        }
    });
    assert_eq!(faults, [Fault::Digest, Fault::Guarded, Fault::TooMuch]);
}

#[tokio::test]
async fn a_statement_that_somebody_else_wrote_into_our_policy_may_not_go() {
    // Nothing needs it; but it is theirs.
    let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let account = with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({POLICY: {"Version": "2012-10-17", "Statement": [theirs]}}),
    );
    let checked = check_json(&account).await;
    checked.reviewed();
    let faults = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            let mut document = change.after.as_ref().unwrap().raw().clone();
            let statements = document["Statement"].as_array_mut().unwrap();
            statements.retain(|statement| statement["Sid"] != "Theirs");
            change.after = Some(PolicyDocument::from_value(document).unwrap());
        }
    });
    assert_eq!(faults, [Fault::Digest, Fault::NotOurs]);
}

#[tokio::test]
async fn what_is_named_in_our_policy_already_is_judged_again_where_more_of_it_is_given() {
    // As we write it, and for the replicas of another rule: the key has been in our policy before.
    for planted in [
        json!({"Sid": "Planted", "Effect": "Deny", "Action": ["kms:Encrypt"], "Resource": [SOURCE_KEY]}),
        lends(SOURCE_KEY, "elsewhere"),
    ] {
        let account = with(
            bare(),
            &at("roles", ROLE, "inline"),
            json!({POLICY: {"Version": "2012-10-17", "Statement": [planted]}}),
        );
        let checked = check_json(&account).await;
        checked.reviewed();
        let mut untagged = checked.snapshot.clone();
        let key = SOURCE_KEY.parse().unwrap();
        untagged.keys.get_mut(&key).unwrap().tags = Observed::Absent;
        let (assessments, settings) = (&checked.assessments, &checked.settings);
        let failure = review(&untagged, assessments, checked.plan.clone(), settings).unwrap_err();
        assert!(failure.to_string().contains("key-opt-in"), "{planted} {failure}");
    }
}

#[tokio::test]
async fn what_is_claimed_must_be_met() {
    let faults = rewritten(|document| {
        document["Statement"].as_array_mut().unwrap().remove(0);
    })
    .await;
    assert_eq!(faults, [Fault::Digest, Fault::NotMet]);
}

#[tokio::test]
async fn what_works_may_not_be_lost() {
    let ours = check_json(&bare()).await.document().unwrap();
    let mut repaired = with(bare(), &at("roles", ROLE, "inline"), json!({POLICY: ours}));
    // The rule now needs one thing more, so that there is a plan.
    repaired["buckets"]["source"]["replication"]["Rules"][0]["DeleteMarkerReplication"]["Status"] =
        json!("Enabled");
    let checked = check_json(&repaired).await;
    checked.reviewed();
    let faults = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            let mut document = change.after.as_ref().unwrap().raw().clone();
            document["Statement"].as_array_mut().unwrap().remove(0);
            change.after = Some(PolicyDocument::from_value(document).unwrap());
        }
    });
    assert_eq!(faults, [Fault::Digest, Fault::Lost]);
}

#[tokio::test]
async fn another_policy_or_another_role_is_not_ours() {
    let checked = check_json(&bare()).await;
    let other_name = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            change.name = "theirs".to_owned();
        }
    });
    assert!(other_name.contains(&Fault::NotOurs), "{other_name:?}");
    let other_role = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            change.role = "arn:aws:iam::111122223333:role/admin".parse().unwrap();
        }
    });
    assert!(other_role.contains(&Fault::NotOurs), "{other_role:?}");
}

#[tokio::test]
async fn a_grant_that_is_wider_or_to_somebody_else_is_refused() {
    let checked = check_json(&closed_keys()).await;
    type Tamper = fn(&mut GrantRequest);
    let tampering: [Tamper; 6] = [
        |request| request.context_equals.clear(),
        |request| {
            request.operations.insert("CreateGrant".to_owned());
        },
        |request| {
            request.operations.insert("Encrypt".to_owned());
        },
        |request| {
            request
                .context_equals
                .insert("aws:s3:arn".to_owned(), "arn:aws:s3:::elsewhere".to_owned());
        },
        |request| request.grantee = "arn:aws:iam::111122223333:role/eve".parse().unwrap(),
        |request| request.retiring_principal = "arn:aws:iam::444455556666:root".to_owned(),
    ];
    for tamper in tampering {
        let faults = faults(&checked, |changes| {
            if let Change::CreateGrant(request) = &mut changes[0].change {
                tamper(request);
            }
        });
        assert!(
            faults.contains(&Fault::NotOurs) || faults.contains(&Fault::TooMuch),
            "{faults:?}"
        );
    }
}

#[tokio::test]
async fn a_guard_that_the_plan_forgot_is_asked_again() {
    let checked = check_json(&bare()).await;
    let mut untagged = checked.snapshot.clone();
    let key = SOURCE_KEY.parse().unwrap();
    untagged.keys.get_mut(&key).unwrap().tags = Observed::Absent;
    let failure = review(
        &untagged,
        &checked.assessments,
        checked.plan.clone(),
        &checked.settings,
    )
    .unwrap_err();
    assert_eq!(failure.objections[0].fault, Fault::Guarded);
    assert!(failure.to_string().contains("key-opt-in"), "{failure}");
}

#[tokio::test]
async fn what_only_a_strangers_rule_needs_is_too_much_on_our_side_as_well() {
    for account in [bare(), closed_keys()] {
        let checked = check_json(&account).await;
        let mut snapshot = checked.snapshot.clone();
        let replica = snapshot
            .destinations
            .get_mut(&"replica".parse().unwrap())
            .unwrap();
        if let Observed::Found(bucket) = replica {
            bucket.owner = Observed::Found(OTHER.parse().unwrap());
        }
        // The part of the plan that names nothing of the stranger's.
        let mut plan = checked.plan.clone();
        plan.changes
            .retain(|planned| planned.change.target() != REPLICA_KEY);
        let ours = |area: &Area| matches!(area, Area::Source | Area::SourceKey(_));
        for planned in &mut plan.changes {
            planned.meets.retain(|requirement| ours(&requirement.area));
            if let Change::PutRolePolicy(change) = &mut planned.change {
                let mut document = change.after.as_ref().unwrap().raw().clone();
                let statements = document["Statement"].as_array_mut().unwrap();
                statements.retain(|statement| !statement.to_string().contains("replica"));
                change.after = Some(PolicyDocument::from_value(document).unwrap());
            }
        }
        let failure = review(&snapshot, &checked.assessments, plan, &checked.settings).unwrap_err();
        let faults: Vec<Fault> = failure
            .objections
            .iter()
            .map(|objection| objection.fault)
            .collect();
        assert!(faults.contains(&Fault::TooMuch), "{failure}");
    }
}

#[tokio::test]
async fn a_change_that_was_made_from_something_else_than_what_is_there_is_refused() {
    let theirs = PolicyDocument::from_value(json!({"Version": "2012-10-17", "Statement": []})).unwrap();
    let recreated = with(bare(), &at("roles", ROLE, "id"), json!("AROAANOTHERANOTHERAAA"));
    let [other_role, other_key] = [
        check_json(&recreated).await.plan.changes[0].basis.clone(),
        check_json(&with(closed_keys(), &at("keys", SOURCE_KEY, "tags"), json!({})))
            .await
            .plan
            .changes[0]
            .basis
            .clone(),
    ];
    let checked = check_json(&bare()).await;
    let before = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            change.before = Some(theirs);
        }
    });
    assert!(before.contains(&Fault::Basis), "{before:?}");
    let role = faults(&checked, |changes| changes[0].basis = other_role);
    assert_eq!(role, [Fault::Digest, Fault::Basis]);
    let checked = check_json(&closed_keys()).await;
    let key = faults(&checked, |changes| changes[0].basis = other_key);
    assert_eq!(key, [Fault::Digest, Fault::Basis]);
}

#[tokio::test]
async fn a_grant_to_another_role_is_refused_though_its_name_follows_from_it_and_so_is_one_of_another_name() {
    let checked = check_json(&closed_keys()).await;
    let renamed = faults(&checked, |changes| {
        if let Change::CreateGrant(request) = &mut changes[0].change {
            request.name = "s3-replication-remediator/0".to_owned();
        }
    });
    assert_eq!(renamed, [Fault::Digest, Fault::NotOurs]);
    let identity = &checked.snapshot.identity;
    let other = faults(&checked, |changes| {
        if let Change::CreateGrant(request) = &mut changes[0].change {
            let (source, bound_to) = ("source".parse().unwrap(), "source".parse().unwrap());
            let eve = "arn:aws:iam::111122223333:role/eve".parse().unwrap();
            let (key, operations) = (request.key.clone(), request.operations.clone());
            *request = key_grant::grant(identity, &source, &eve, &key, operations, Some(&bound_to));
        }
    });
    assert!(other.contains(&Fault::NotOurs), "{other:?}");
}

#[tokio::test]
async fn a_grant_is_revoked_only_if_it_is_ours_and_there() {
    let world = moved().await;
    let checked = check(&world).await;
    checked.reviewed();
    let revoked = |changes: &mut Vec<Planned>, edit: fn(&mut Grant)| {
        let all = changes.iter_mut().map(|planned| &mut planned.change);
        let mut edited = 0;
        for change in all {
            if let Change::RevokeGrant(revocation) = change {
                edit(&mut revocation.grant);
                edited += 1;
            }
        }
        assert!(edited > 0);
    };
    let other_id = faults(&checked, |changes| {
        revoked(changes, |grant| grant.id = "x".to_owned())
    });
    assert!(other_id.contains(&Fault::Basis), "{other_id:?}");
    let mut unsettled = checked.snapshot.clone();
    unsettled.former.is_settled = false;
    let failure = review(
        &unsettled,
        &checked.assessments,
        checked.plan.clone(),
        &checked.settings,
    )
    .unwrap_err();
    assert!(failure.to_string().contains("rules-unsettled"), "{failure}");
    // Somebody else's, in the plan and in the account.
    let rename: fn(&mut Grant) = |grant| grant.name = Some("theirs".to_owned());
    let mut snapshot = checked.snapshot.clone();
    for key in snapshot.keys.values_mut() {
        if let Observed::Found(grants) = &mut key.grants {
            grants.iter_mut().for_each(rename);
        }
    }
    let mut plan = checked.plan.clone();
    revoked(&mut plan.changes, rename);
    let failure = review(&snapshot, &checked.assessments, plan, &checked.settings).unwrap_err();
    assert!(failure.to_string().contains("is not ours"), "{failure}");
}

#[tokio::test]
async fn every_guard_is_asked_again_about_all_that_is_touched() {
    type Edit = fn(&mut Snapshot);
    let edits: [(Edit, &str); 4] = [
        (
            |snapshot| match &mut snapshot.role {
                Observed::Found(role) => role.tags.clear(),
                Observed::Absent | Observed::Unreadable(_) => panic!("there is a role"),
            },
            "role-opt-in",
        ),
        (
            |snapshot| {
                let tags = [("s3-replication-remediator".to_owned(), "ignore".to_owned())];
                snapshot.source.tags = Observed::Found(tags.into_iter().collect());
            },
            "source-opt-out",
        ),
        (
            |snapshot| {
                for key in snapshot.keys.values_mut() {
                    key.tags = Observed::Absent;
                }
            },
            "key-opt-in",
        ),
        (
            |snapshot| match snapshot
                .destinations
                .get_mut(&"replica".parse().unwrap())
                .unwrap()
            {
                Observed::Found(bucket) => bucket.owner = Observed::Found(OTHER.parse().unwrap()),
                Observed::Absent | Observed::Unreadable(_) => panic!("there is a destination"),
            },
            "destination-account",
        ),
    ];
    for account in [bare(), closed_keys()] {
        let checked = check_json(&account).await;
        for (edit, guard) in edits {
            let mut snapshot = checked.snapshot.clone();
            edit(&mut snapshot);
            let (assessments, settings) = (&checked.assessments, &checked.settings);
            let failure = review(&snapshot, assessments, checked.plan.clone(), settings).unwrap_err();
            assert!(failure.to_string().contains(guard), "{guard}: {failure}");
        }
    }
}

#[tokio::test]
async fn a_statement_of_another_form_is_refused_whatever_it_gives() {
    type Rewrite = fn(&mut Value);
    let rewrites: [(&str, Rewrite); 12] = [
        ("no name", |statements| {
            drop(statements[0].as_object_mut().unwrap().remove("Sid"))
        }),
        ("an odd name", |statements| statements[0]["Sid"] = json!("a b")),
        ("one name twice", |statements| {
            statements[0]["Sid"] = statements[1]["Sid"].clone()
        }),
        ("an element", |statements| statements[0]["Comment"] = json!("")),
        ("a text for a list", |statements| {
            statements[2]["Resource"] = statements[2]["Resource"][0].clone()
        }),
        ("a denial", |statements| {
            let mut denial = statements[3].clone();
            denial["Sid"] = json!("Denial");
            denial["Effect"] = json!("Deny");
            denial["Resource"] = json!(["arn:aws:s3:::elsewhere/*"]);
            statements.as_array_mut().unwrap().push(denial);
        }),
        ("an action on a key", |statements| {
            statements[0]["Action"]
                .as_array_mut()
                .unwrap()
                .push(json!("kms:DescribeKey"));
        }),
        ("a wildcard within a name", |statements| {
            statements[4]["Resource"]
                .as_array_mut()
                .unwrap()
                .push(json!("arn:aws:s3:::replica/*/x*"));
        }),
        ("a condition more", |statements| {
            statements[0]["Condition"]["Bool"] = json!({"aws:SecureTransport": "true"});
        }),
        ("a condition on buckets", |statements| {
            statements[3]["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
        }),
        ("another service", |statements| {
            statements[0]["Condition"]["StringEquals"]["kms:ViaService"] =
                json!("s3.eu-west-2.amazonaws.com");
        }),
        ("any context", |statements| {
            statements[0]["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"] = json!(["*"]);
        }),
    ];
    for (what, rewrite) in rewrites {
        let faults = rewritten(|document| rewrite(&mut document["Statement"])).await;
        assert!(faults.contains(&Fault::Form), "{what}: {faults:?}");
    }
}

#[tokio::test]
async fn what_iam_or_kms_would_refuse_is_refused_before() {
    let large = rewritten(|document| {
        let statements = document["Statement"].as_array_mut().unwrap();
        for number in 0..60 {
            let mut again = statements[0].clone();
            again["Sid"] = json!(format!("Again{number}"));
            statements.push(again);
        }
    });
    assert!(large.await.contains(&Fault::TooLarge));
    let checked = check_json(&bare()).await;
    let named = faults(&checked, |changes| {
        if let Change::PutRolePolicy(change) = &mut changes[0].change {
            change.name = "a b".to_owned();
        }
    });
    assert!(named.contains(&Fault::Form), "{named:?}");
    let twice = faults(&checked, |changes| changes.push(changes[0].clone()));
    assert!(twice.contains(&Fault::Form), "{twice:?}");
    let checked = check_json(&closed_keys()).await;
    type Tamper = fn(&mut GrantRequest);
    let tampering: [(Tamper, Fault); 4] = [
        (|request| request.name = "a b".to_owned(), Fault::Form),
        (|request| request.operations.clear(), Fault::Form),
        (
            |request| {
                drop(
                    request
                        .context_equals
                        .insert("tenant".to_owned(), "arn:aws:s3:::source".to_owned()),
                )
            },
            Fault::Form,
        ),
        (
            |request| {
                let long = format!("arn:aws:s3:::{}", "a".repeat(400));
                request.context_equals.insert("aws:s3:arn".to_owned(), long);
            },
            Fault::TooLarge,
        ),
    ];
    for (tamper, fault) in tampering {
        let faults = faults(&checked, |changes| {
            if let Change::CreateGrant(request) = &mut changes[0].change {
                tamper(request);
            }
        });
        assert!(faults.contains(&fault), "{faults:?}");
    }
}
