//! Decides what makes an answer uncertain: keys that the request lacks, unread documents, elements not understood.

use std::collections::BTreeSet;

use crate::observed::ReadFailure;

use super::super::answer::{AbsentKey, Doubt, DoubtReason, Layer, StatementRef};
use super::super::matching::Notes;
use super::super::truth::Truth;
use super::reasons::{KEPT, reference};
use super::{CallKind, Sides};

pub(super) fn absent_keys(sides: &Sides<'_>) -> Vec<AbsentKey> {
    let mut absent = BTreeSet::new();
    for hit in &sides.hits {
        let reach = hit.reach.any();
        if reach.truth == reach.blind {
            continue;
        }
        if absent.len() >= KEPT / 4 {
            break;
        }
        let Some(statement) = hit.policy.document.statements().get(hit.index) else {
            continue;
        };
        let mut notes = Notes::default();
        let _ = statement.reach(&sides.subject, hit.layer, hit.effect, Some(&mut notes));
        absent.extend(notes.absent.into_iter().map(|key| AbsentKey {
            key,
            statement: reference(hit.layer, hit.policy, hit.index),
        }));
    }
    absent.into_iter().collect()
}

pub(super) fn doubts(sides: &Sides<'_>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let is_service = sides.formula().kind == CallKind::Service;
    let mut unread = |layer, failure: &ReadFailure| {
        doubts.push(Doubt {
            layer,
            statement: None,
            reason: DoubtReason::Unread(failure.clone()),
        });
    };
    if !is_service {
        sides
            .layers
            .identity
            .unread
            .iter()
            .for_each(|failure| unread(Layer::Identity, failure));
        if let Some(failure) = sides.layers.boundary.failure() {
            unread(Layer::Boundary, failure);
        }
    }
    if let Some(failure) = sides.layers.resource.failure() {
        unread(Layer::Resource, failure);
    }
    for (layer, levels, applied) in [
        (Layer::Scp, sides.layers.scps, &sides.scps),
        (Layer::Rcp, sides.layers.rcps, &sides.rcps),
    ] {
        for (level, _) in levels.iter().zip(applied) {
            level
                .policies
                .unread
                .iter()
                .for_each(|failure| unread(layer, failure));
        }
    }
    if let Some(failure) = sides.layers.grants.failure()
        && sides.subject.is_service("kms")
    {
        unread(Layer::Grant, failure);
    }
    for hit in &sides.hits {
        if !hit.reach.any().truth.is_unknown() {
            continue;
        }
        if doubts.len() >= KEPT {
            break;
        }
        let Some(statement) = hit.policy.document.statements().get(hit.index) else {
            continue;
        };
        let mut notes = Notes::default();
        let _ = statement.reach(&sides.subject, hit.layer, hit.effect, Some(&mut notes));
        let statement = reference(hit.layer, hit.policy, hit.index);
        for reason in notes.doubts {
            let doubt = Doubt {
                layer: hit.layer,
                statement: Some(statement.clone()),
                reason,
            };
            if !doubts.contains(&doubt) {
                doubts.push(doubt);
            }
        }
    }
    doubts.extend(grant_doubts(sides).into_iter().take(KEPT));
    doubts
}

fn grant_doubts(sides: &Sides<'_>) -> Vec<Doubt> {
    if !sides.subject.is_service("kms") {
        return Vec::new();
    }
    let grants = sides.layers.grants.found().map_or(&[][..], Vec::as_slice);
    let against_boundary = sides.formula().boundary.truth;
    grants
        .iter()
        .enumerate()
        .filter_map(|(index, grant)| {
            let reason = match grant.fits(&sides.subject) {
                (_, Some(reason)) => reason,
                (Truth::Yes, None) if !against_boundary.is_yes() => DoubtReason::GrantAgainstBoundary,
                (_, None) => return None,
            };
            Some(Doubt {
                layer: Layer::Grant,
                statement: Some(StatementRef {
                    layer: Layer::Grant,
                    policy: grant.name.clone().unwrap_or_else(|| grant.id.clone()),
                    sid: None,
                    index,
                }),
                reason,
            })
        })
        .collect()
}
