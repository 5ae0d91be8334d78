//! The replication role and every policy that says what it may do.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>: inline policies and
//! attached ones together say what it may, and its boundary what it may at most.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::join;

use crate::arn::RoleArn;
use crate::observed::{Observed, ReadFailure};
use crate::policy::{NamedPolicy, PolicySet};
use crate::snapshot::{Identity, Role};
use crate::source::read::NOT_AVAILABLE_ACROSS_ACCOUNTS;
use crate::source::{Read, Source};

use super::{CONCURRENT, at_most};

/// Reads the role. IAM is asked by name alone, so another account's role is never asked for: the answer would be a
/// role of ours that happens to bear the same name.
pub(super) async fn read<S: Source>(source: &S, identity: &Identity, role: &RoleArn) -> Observed<Role> {
    if *role.account() != identity.account {
        return Observed::Unreadable(ReadFailure {
            permit: Read::Role.permit(&role.to_string()),
            ..Read::Role.failed(format!("role {role}"), NOT_AVAILABLE_ACROSS_ACCOUNTS)
        });
    }
    let (record, inline_names, attached) = join!(
        source.role(role),
        source.inline_policy_names(role),
        source.attached_policies(role),
    );
    let record = match record {
        Observed::Found(record) => record,
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable(failure) => return Observed::Unreadable(failure),
    };

    let mut inline = PolicySet::default();
    let inline_names = listed(inline_names, &mut inline);
    let mut managed = PolicySet::default();
    let attached = listed(attached, &mut managed);
    let managed_arns: BTreeSet<&str> = attached
        .iter()
        .map(|policy| policy.arn.as_str())
        .chain(record.boundary.as_deref())
        .collect();
    let (inline_documents, managed_documents) = join!(
        at_most(
            CONCURRENT,
            inline_names.iter().map(|name| source.inline_policy(role, name))
        ),
        at_most(
            CONCURRENT,
            managed_arns
                .iter()
                .map(|arn| async { (*arn, source.managed_policy(arn).await) })
        ),
    );
    for document in inline_documents {
        add(document, &mut inline);
    }
    let managed_documents: BTreeMap<&str, Observed<NamedPolicy>> = managed_documents.into_iter().collect();
    for policy in &attached {
        if let Some(document) = managed_documents.get(policy.arn.as_str()) {
            add(document.clone(), &mut managed);
        }
    }
    let boundary = match record.boundary.as_deref() {
        None => Observed::Absent,
        Some(arn) => match managed_documents.get(arn) {
            Some(Observed::Found(policy)) => Observed::Found(policy.clone()),
            Some(Observed::Unreadable(failure)) => Observed::Unreadable(failure.clone()),
            // The role has a boundary all the same; what it permits is not known.
            Some(Observed::Absent) | None => Observed::Unreadable(
                Read::ManagedPolicy.failed(format!("permissions boundary {arn}"), "NoSuchEntity"),
            ),
        },
    };
    Observed::Found(Role {
        arn: record.arn,
        id: record.id,
        trust: record.trust,
        tags: record.tags,
        boundary,
        boundary_arn: record.boundary,
        inline,
        managed,
    })
}

/// What a list names. One that could not be read means that there may be policies of which nothing is known.
fn listed<T>(list: Observed<Vec<T>>, set: &mut PolicySet) -> Vec<T> {
    match list {
        Observed::Found(items) => items,
        Observed::Absent => Vec::new(),
        Observed::Unreadable(failure) => {
            set.unread.push(failure);
            Vec::new()
        }
    }
}

/// A policy that was listed and is not there any more was removed in between: it says nothing now.
fn add(document: Observed<NamedPolicy>, set: &mut PolicySet) {
    match document {
        Observed::Found(policy) => set.policies.push(policy),
        Observed::Absent => {}
        Observed::Unreadable(failure) => set.unread.push(failure),
    }
}
