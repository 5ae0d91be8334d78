//! What holds for every account: small accounts are made up, planned for, changed as planned, and looked at again.

use proptest::prelude::*;
use s3_replication_remediator::apply::Status;
use s3_replication_remediator::assessment::{Assessment, Repair, answer_with, assess, grants_of};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::plan::Change;
use s3_replication_remediator::policy::{Decision, NamedPolicy, PolicyDocument, PolicySet};
use s3_replication_remediator::requirement::{Area, Necessity, Requirement};
use serde_json::{Value, json};

use crate::apply::apply_to;
use crate::former::remembered;
use crate::settling::check_unsettled;
use crate::world::*;

/// Statements that a role may have already: right, nearly right, too wide, and denying.
fn statement() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec![
        json!("s3:*"),
        json!(["s3:GetReplicationConfiguration", "s3:ListBucket"]),
        json!(["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]),
        json!("s3:GetObject*"),
        json!("s3:Replicate*"),
        json!("kms:*"),
        json!("kms:Decrypt"),
        json!(["kms:Encrypt", "kms:GenerateDataKey*"]),
        json!("*"),
    ]);
    let resource = prop::sample::select(vec![
        json!("*"),
        json!("arn:aws:s3:::source"),
        json!(["arn:aws:s3:::source", "arn:aws:s3:::source/*"]),
        json!("arn:aws:s3:::source/a/*"),
        json!("arn:aws:s3:::replica/*"),
        json!("arn:aws:s3:::second*"),
        json!(SOURCE_KEY),
        json!([SOURCE_KEY, REPLICA_KEY]),
    ]);
    let condition = prop::sample::select(vec![
        Value::Null,
        Value::Null,
        json!({"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::*/*"}}),
        json!({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::source", "arn:aws:s3:::replica"]}}),
        json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
        json!({"StringEquals": {"kms:NeverHeardOf": "x"}}),
        json!({"FancyNewOperator": {"kms:ViaService": "x"}}),
    ]);
    let effect = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
    (effect, action, resource, condition).prop_map(|(effect, action, resource, condition)| {
        let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        2 => prop::sample::select(vec!["a/", "a/b/", "b", "${*}", "${aws:username}/", "*", "a?c", "'\"\\", "$", "é/", "日/", "a\nb"])
            .prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
    ]
}

fn key_policy() -> impl Strategy<Value = Option<Value>> {
    let account = |action: Value, condition: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": action, "Resource": "*"});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        Some(json!({"Version": "2012-10-17", "Statement": [statement]}))
    };
    prop::sample::select(vec![
        None,
        None,
        account(json!(["kms:CreateGrant", "kms:RevokeGrant"]), Value::Null),
        account(json!("kms:Describe*"), Value::Null),
        account(
            json!(["kms:Decrypt", "kms:CreateGrant", "kms:RevokeGrant"]),
            Value::Null,
        ),
        account(
            json!("kms:*"),
            json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
        ),
    ])
}

#[derive(Debug, Clone)]
struct Case {
    world: Value,
    unconstrained_grants: bool,
}

impl Case {
    fn settings(&self) -> GuardSettings {
        GuardSettings {
            unconstrained_grants: self.unconstrained_grants,
            ..GuardSettings::default()
        }
    }
}

fn a_rule() -> impl Strategy<Value = Value> {
    (
        prefix(),
        prop::sample::select(vec!["replica", "second"]),
        any::<bool>(),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(prefix, destination, deletes, kms)| {
            let mut rule = rule("r", &prefix, destination, REPLICA_KEY);
            if deletes {
                rule["DeleteMarkerReplication"]["Status"] = json!("Enabled");
            }
            if !kms {
                rule["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"] = json!("Disabled");
            }
            rule
        })
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::collection::vec(a_rule(), 1..=3),
        prop::collection::vec(statement(), 0..=3),
        (key_policy(), key_policy()),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.15, prop::collection::vec(statement(), 1..=2)),
    )
        .prop_map(
            |(mut rules, statements, (source, replica), (bucket_key, tagged, lock), theirs, boundary)| {
                for (index, rule) in rules.iter_mut().enumerate() {
                    rule["ID"] = json!(format!("r{index}"));
                }
                let mut world = bare();
                world["buckets"]["second"] = json!({"region": "eu-west-2"});
                world["buckets"]["source"]["replication"]["Rules"] = json!(rules);
                world["buckets"]["source"]["encryption"]["bucketKey"] = json!(bucket_key);
                world["buckets"]["source"]["objectLock"] = json!(lock);
                if theirs {
                    world["buckets"]["second"]["owner"] = json!(OTHER);
                }
                if !tagged {
                    world["keys"][REPLICA_KEY]["tags"] = json!({});
                }
                if let Some(policy) = source {
                    world["keys"][SOURCE_KEY]["policy"] = policy;
                }
                if let Some(policy) = replica {
                    world["keys"][REPLICA_KEY]["policy"] = policy;
                }
                if !statements.is_empty() {
                    world["roles"][ROLE]["inline"]["theirs"] =
                        json!({"Version": "2012-10-17", "Statement": statements});
                }
                if let Some(statements) = boundary {
                    let arn = "arn:aws:iam::111122223333:policy/boundary";
                    world["policies"][arn] = json!({"Version": "2012-10-17", "Statement": statements});
                    world["roles"][ROLE]["boundary"] = json!(arn);
                }
                Case {
                    world,
                    unconstrained_grants: lock && bucket_key,
                }
            },
        )
}

fn is_automatic_error(assessment: &Assessment) -> bool {
    assessment.is_denied()
        && assessment.requirement.necessity == Necessity::Required
        && matches!(
            assessment.repair,
            Repair::RolePolicy | Repair::ConstrainedGrant | Repair::UnconstrainedGrant
        )
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// What the rules' needs get that are met where a document stands in place of ours: beside what others grant to the role,
/// or alone.
fn met_with(checked: &Checked, document: &Value, alone: bool) -> Vec<Requirement> {
    let role = checked.snapshot.role.found().unwrap();
    let mut identity = if alone {
        PolicySet::default()
    } else {
        role.identity_policies()
    };
    identity.policies.retain(|policy| policy.name != POLICY);
    if let Ok(document) = PolicyDocument::from_value(document.clone()) {
        identity.policies.push(NamedPolicy::new(POLICY, document));
    }
    let is_met = |assessment: &&Assessment| {
        let requirement = &assessment.requirement;
        let grants = grants_of(&checked.snapshot, &requirement.area);
        // A denial that is not understood leaves open whether what is allowed succeeds; it is allowed all the same.
        !answer_with(
            &checked.snapshot,
            role,
            &requirement.area,
            &requirement.request,
            &identity,
            &grants,
        )
        .is_denied()
    };
    let met = checked.assessments.iter().filter(is_met);
    met.map(|assessment| assessment.requirement.clone()).collect()
}

/// What our policy says; an empty one where there is none.
fn policy_of(world: &World) -> Value {
    let state = world.state();
    let ours = state.roles[&ROLE.parse().unwrap()].inline.get(POLICY).cloned();
    ours.unwrap_or_else(|| json!({"Version": "2012-10-17", "Statement": []}))
}

/// Every document that lacks one statement, or one text of one list, of the given one; and whether that is about a key.
fn smaller(document: &Value) -> Vec<(Value, bool)> {
    let mut all = Vec::new();
    let statements = document["Statement"].as_array().unwrap();
    for index in 0..statements.len() {
        let mut without = document.clone();
        without["Statement"].as_array_mut().unwrap().remove(index);
        let is_of_key = statements[index].get("Condition").is_some();
        all.push((without, is_of_key));
        for pointer in [
            "/Action",
            "/Resource",
            "/Condition/StringLike/kms:EncryptionContext:aws:s3:arn",
        ] {
            let Some(list) = statements[index].pointer(pointer).and_then(Value::as_array) else {
                continue;
            };
            // Without its only text there is no statement, which is tried above.
            for item in 0..if list.len() == 1 { 0 } else { list.len() } {
                let mut without = document.clone();
                let statement = &mut without["Statement"][index];
                statement
                    .pointer_mut(pointer)
                    .unwrap()
                    .as_array_mut()
                    .unwrap()
                    .remove(item);
                all.push((without, is_of_key));
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_passes_its_review_mends_what_it_can_and_leaves_nothing_to_plan(case in case()) {
        run(async {
            let world = world(&case.world);
            let checked = check_with(&world, case.settings()).await;
            let reviewed = checked.reviewed();
            let has_changes = reviewed.has_changes();
            let outcome = apply_to(&world, &checked).await;
            prop_assert_eq!(outcome.status, if has_changes { Status::Applied } else { Status::AlreadyInPlace });
            let again = check_with(&world, case.settings()).await;
            again.reviewed();
            prop_assert_eq!(again.kinds(), [] as [&str; 0]);
            for assessment in again.assessments.iter().filter(|assessment| is_automatic_error(assessment)) {
                let is_withheld = again.plan.withheld.iter().any(|withheld| withheld.meets.contains(&assessment.requirement));
                prop_assert!(is_withheld, "{:?}", assessment.requirement);
            }
            Ok(())
        })?;
    }

    #[test]
    fn nothing_in_a_plan_can_be_left_out(case in case()) {
        run(async {
            let checked = check_with(&world(&case.world), case.settings()).await;
            let Some(document) = checked.document() else { return Ok(()) };
            // A key is repaired whole, whatever others grant of it, so its statements are measured by themselves.
            let (whole, whole_alone) = (met_with(&checked, &document, false), met_with(&checked, &document, true));
            for (less, is_of_key) in smaller(&document) {
                let (fewer, all) = if is_of_key {
                    (met_with(&checked, &less, true), &whole_alone)
                } else {
                    (met_with(&checked, &less, false), &whole)
                };
                prop_assert!(fewer.len() < all.len(), "{} does as well as {}", less, document);
            }
            Ok(())
        })?;
    }

    #[test]
    fn an_explicit_denial_is_not_answered(case in case()) {
        run(async {
            let checked = check_with(&world(&case.world), case.settings()).await;
            for assessment in &checked.assessments {
                if assessment.answer.decision == Decision::ExplicitlyDenied {
                    for planned in &checked.plan.changes {
                        prop_assert!(!planned.meets.contains(&assessment.requirement));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_key_or_bucket_that_did_not_earn_it_is_named(case in case()) {
        run(async {
            let checked = check_with(&world(&case.world), case.settings()).await;
            let planned: String = checked.plan.changes.iter().map(|planned| planned.change.after().to_string()).collect();
            if case.world["keys"][REPLICA_KEY]["tags"] == json!({}) {
                prop_assert!(!planned.contains(REPLICA_KEY), "{}", planned);
            }
            if case.world["buckets"]["second"]["owner"] == json!(OTHER) {
                prop_assert!(!planned.contains("second"), "{}", planned);
            }
            Ok(())
        })?;
    }

    #[test]
    fn undoing_what_was_applied_leaves_the_account_as_it_was(case in case()) {
        run(async {
            let world = world(&case.world);
            let before = world.state().clone();
            apply_to(&world, &check_with(&world, case.settings()).await).await;
            crate::undo::undo_all(&world).await;
            prop_assert_eq!(&*world.state(), &before);
            // Equal values may still be written in another order: an auditor compares bytes.
            let written = |state: &Value| state.to_string();
            prop_assert_eq!(written(&json!(*world.state())), written(&json!(before)));
            Ok(())
        })?;
    }

    #[test]
    fn when_the_rules_are_removed_the_account_becomes_what_it_was(case in case()) {
        run(async {
            let world = world(&case.world);
            let remove = || world.edit(|state| {
                state.buckets.get_mut(&"source".parse().unwrap()).unwrap().replication = None;
            });
            let mut before = world.state().clone();
            before.buckets.get_mut(&"source".parse().unwrap()).unwrap().replication = None;
            apply_to(&world, &check_with(&world, case.settings()).await).await;
            remove();
            let places = remembered(&[ROLE], &[SOURCE_KEY, REPLICA_KEY]);
            let checked = check_remembering(&world, case.settings(), places.clone()).await;
            apply_to(&world, &checked).await;
            prop_assert_eq!(&*world.state(), &before);
            prop_assert!(check_remembering(&world, case.settings(), places).await.plan.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn whatever_is_remembered_nothing_goes_that_the_rules_need(case in case(), other in any::<bool>()) {
        run(async {
            let world = world(&case.world);
            apply_to(&world, &check_with(&world, case.settings()).await).await;
            let role = if other { "arn:aws:iam::111122223333:role/other" } else { ROLE };
            let places = remembered(&[role], &[SOURCE_KEY, REPLICA_KEY, "arn:aws:kms:eu-west-2:111122223333:key/old"]);
            let checked = check_remembering(&world, case.settings(), places).await;
            checked.reviewed();
            prop_assert_eq!(checked.kinds(), [] as [&str; 0]);
            Ok(())
        })?;
    }

    #[test]
    fn the_rules_may_change_in_any_way_and_what_they_no_longer_need_goes(first in case(), second in case()) {
        run(async {
            let world = world(&first.world);
            apply_to(&world, &check_with(&world, first.settings()).await).await;
            // The account becomes the second one; what we wrote stays.
            let ours = world.state().roles[&ROLE.parse().unwrap()].inline.get(POLICY).cloned();
            let mut changed = second.world.clone();
            if let Some(ours) = ours {
                changed["roles"][ROLE]["inline"][POLICY] = ours;
            }
            let changed = crate::world::world(&changed);
            let checked = check_with(&changed, second.settings()).await;
            checked.reviewed();
            apply_to(&changed, &checked).await;
            let again = check_with(&changed, second.settings()).await;
            prop_assert_eq!(again.kinds(), [] as [&str; 0]);
            Ok(())
        })?;
    }

    #[test]
    fn hostile_text_changes_neither_document_nor_command(prefix in "\\PC{0,12}") {
        run(async {
            let rules = json!([rule("r", &prefix, "replica", REPLICA_KEY)]);
            let checked = check_json(&with(bare(), "/buckets/source/replication/Rules", rules)).await;
            checked.reviewed();
            for planned in &checked.plan.changes {
                let json = json!(planned.change);
                prop_assert!(json["diff"].as_str().unwrap().is_ascii());
                prop_assert!(json["undo"].as_str().unwrap().is_ascii());
                if let Change::PutRolePolicy(change) = &planned.change {
                    let text = change.after.as_ref().unwrap().raw().to_string();
                    prop_assert_eq!(&PolicyDocument::parse(&text).unwrap(), change.after.as_ref().unwrap());
                }
            }
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn while_the_rules_are_unsettled_everything_is_given_and_nothing_is_taken(first in case(), second in case()) {
        run(async {
            let repaired = world(&first.world);
            apply_to(&repaired, &check_with(&repaired, first.settings()).await).await;
            let ours = repaired.state().roles[&ROLE.parse().unwrap()].inline.get(POLICY).cloned();
            let mut changed = second.world.clone();
            if let Some(ours) = ours {
                changed["roles"][ROLE]["inline"][POLICY] = ours;
            }
            let (slow, fast) = (world(&changed), world(&changed));
            let before = check_with(&slow, second.settings()).await;
            let met_before = met_with(&before, &policy_of(&slow), true);
            let unsettled = check_unsettled(&slow, second.settings(), Default::default()).await;
            unsettled.reviewed();
            apply_to(&slow, &unsettled).await;
            // What our policy allowed it allows, and what can be repaired is, unless it waits for room.
            let after = check_unsettled(&slow, second.settings(), Default::default()).await;
            after.reviewed();
            prop_assert_eq!(after.kinds(), [] as [&str; 0]);
            let met_after = met_with(&after, &policy_of(&slow), true);
            for met in &met_before {
                prop_assert!(met_after.contains(met), "{:?}", met);
            }
            for assessment in after.assessments.iter().filter(|assessment| is_automatic_error(assessment)) {
                let is_withheld = after.plan.withheld.iter().any(|withheld| withheld.meets.contains(&assessment.requirement));
                prop_assert!(is_withheld, "{:?}", assessment.requirement);
            }
            // In the end it is as if nobody had waited.
            apply_to(&slow, &check_with(&slow, second.settings()).await).await;
            apply_to(&fast, &check_with(&fast, second.settings()).await).await;
            prop_assert_eq!(policy_of(&slow), policy_of(&fast));
            prop_assert_eq!(check_with(&slow, second.settings()).await.kinds(), [] as [&str; 0]);
            Ok(())
        })?;
    }
}

#[test]
fn the_assessments_of_the_account_are_the_ones_that_the_plan_is_made_of() {
    run(async {
        let checked = check_json(&bare()).await;
        assert_eq!(assess(&checked.snapshot, false), checked.assessments);
        assert!(
            checked
                .assessments
                .iter()
                .any(|assessment| matches!(assessment.requirement.area, Area::Source))
        );
    });
}
