//! Decides which principals of a resource policy miss the replication role because of a frequent mistake.
//!
//! S3 replicates as the role, so a policy must name the role or its account and not the service:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>.

use super::super::answer::Answer;
use super::super::evaluate::{CallKind, Sides};
use super::super::layers::NamedPolicy;
use super::super::matching::PreparedCaller;
use super::super::principal::Principal;
use super::super::request::fold;
use super::super::statement::{Effect, Listed, Statement};
use super::MistakeKind;

/// Principals that people mean to cover the role, and that do not.
pub(super) fn principals(statement: &Statement, kinds: &mut Vec<MistakeKind>) {
    for principal in listed(statement) {
        match principal {
            Principal::Service(service) => kinds.push(MistakeKind::ServiceInPlaceOfRole {
                service: service.clone(),
            }),
            Principal::Deleted(id) => kinds.push(MistakeKind::DeletedPrincipal { id: id.clone() }),
            Principal::Anyone
            | Principal::Account { .. }
            | Principal::Arn(_)
            | Principal::Federated(_)
            | Principal::Other { .. } => {}
        }
    }
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
pub(super) fn account_may_only_look(
    statement: &Statement,
    named: &[String],
    sides: &Sides<'_>,
    answer: &Answer,
    kinds: &mut Vec<MistakeKind>,
) {
    let looks = |action: &String| {
        let action = fold(action);
        ["kms:describe", "kms:list", "kms:get"]
            .iter()
            .any(|prefix| action.starts_with(prefix))
    };
    let to_account = listed(statement)
        .iter()
        .any(|principal| matches!(principal, Principal::Account { .. }));
    if to_account
        && sides.subject.is_service("kms")
        && answer.layers.levels.account.is_no()
        && !named.is_empty()
        && named.iter().all(looks)
    {
        kinds.push(MistakeKind::AccountMayOnlyLook {
            actions: named.to_vec(),
        });
    }
}

/// A key policy whose Allow statements name neither the role nor its account.
pub(super) fn without_caller(policy: &NamedPolicy, sides: &Sides<'_>) -> Option<MistakeKind> {
    let PreparedCaller::Role {
        arn,
        session,
        account,
        ..
    } = &sides.subject.caller
    else {
        return None;
    };
    let mut others = Vec::new();
    for statement in policy.document.statements() {
        if statement.effect != Some(Effect::Allow) {
            continue;
        }
        for principal in listed(statement) {
            match principal {
                Principal::Anyone => return None,
                Principal::Account { id, .. } if id == account.as_str() => return None,
                Principal::Arn(named) if named == arn || named == session => return None,
                Principal::Account { .. } | Principal::Arn(_) => {
                    let text = principal.text();
                    if !others.contains(&text) {
                        others.push(text);
                    }
                }
                // These have words of their own, or we do not know what they mean.
                Principal::Deleted(_)
                | Principal::Service(_)
                | Principal::Federated(_)
                | Principal::Other { .. } => {}
            }
        }
    }
    if sides.formula().kind == CallKind::CrossAccount {
        return Some(MistakeKind::CallerAccountNotNamed {
            account: account.to_string(),
        });
    }
    (!others.is_empty()).then_some(MistakeKind::OnlyOthersNamed { named: others })
}

fn listed(statement: &Statement) -> &[Principal] {
    match &statement.principals {
        Listed::These(principals) => principals,
        Listed::AllBut(_) | Listed::Missing | Listed::Flawed(_) => &[],
    }
}
