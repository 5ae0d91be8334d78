//! Decides how the layers together answer a request.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>,
//! across accounts <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>,
//! for keys <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html>.
//!
//! Every layer is reduced to what it allows and what it denies, in three-valued logic; one formula combines them. A
//! layer that was not read is unknown in both, so it can neither allow nor be taken for silent. The formula is worked
//! out twice at once, with absent condition keys absent and with them unknown: where the decisions differ, the answer
//! rests on the absence of a key.

mod doubt;
mod guardrail;
mod near_miss;
mod reasons;

pub(super) use near_miss::allows_already;
pub(super) use reasons::{policies, reference};

use crate::observed::Observed;

use super::answer::{Answer, Decision, Layer, Levels};
use super::layers::{Layers, NamedPolicy, PolicyLevel, PolicySet};
use super::matching::{PreparedCaller, PreparedRequest, Reach};
use super::request::{Caller, Request};
use super::statement::Effect;
use super::truth::{Judged, Truth};

/// Is the request allowed, and why?
pub fn evaluate(request: &Request, layers: &Layers<'_>) -> Answer {
    let sides = Sides::of(request, layers);
    let answer = reasons::answer(&sides, sides.formula().outcome());
    Answer {
        near_misses: reasons::near(&sides, answer.decision),
        ..answer
    }
}

/// The same answer without near misses. They are most of the work and of the memory, and of the thousand rules that a
/// role may serve only a few are told in words.
pub fn judge(request: &Request, layers: &Layers<'_>) -> Answer {
    let sides = Sides::of(request, layers);
    reasons::answer(&sides, sides.formula().outcome())
}

/// The decision alone.
pub fn decision(request: &Request, layers: &Layers<'_>) -> Decision {
    Sides::of(request, layers).formula().outcome().decision
}

/// What the caller's own policies say where nothing else has a say: no boundary, and a resource that leaves all to the
/// account.
pub fn identity_verdict(request: &Request, policies: &PolicySet) -> Decision {
    let subject = PreparedRequest::of(request, Truth::No);
    let side = side_of_set(&subject, Layer::Identity, policies, &mut Vec::new());
    combined(side.denies.truth, side.allows.any().truth)
}

/// What one layer allows and denies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) allows: Reach,
    pub(super) denies: Judged,
}

impl Side {
    const SILENT: Self = Self {
        allows: Reach::NONE,
        denies: Judged::NO,
    };
    const UNREAD: Self = Self {
        allows: Reach::UNKNOWN,
        denies: Judged::UNKNOWN,
    };

    fn or(self, other: Self) -> Self {
        Self {
            allows: self.allows.or(other.allows),
            denies: self.denies.or(other.denies),
        }
    }
}

/// A statement that may apply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) layer: Layer,
    pub(super) policy: &'a NamedPolicy,
    pub(super) index: usize,
    pub(super) effect: Effect,
    pub(super) reach: Reach,
}

/// Every layer by itself.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    pub(super) request: &'a Request,
    pub(super) layers: &'a Layers<'a>,
    pub(super) subject: PreparedRequest<'a>,
    pub(super) identity: Side,
    pub(super) boundary: Option<Side>,
    pub(super) resource: Side,
    /// The levels of the organisation that allow nothing, or may.
    pub(super) scps: Vec<Side>,
    pub(super) rcps: Vec<Side>,
    pub(super) grants: Judged,
    /// The statements that apply or may apply.
    pub(super) hits: Vec<Hit<'a>>,
}

impl<'a> Sides<'a> {
    pub(super) fn of(request: &'a Request, layers: &'a Layers<'a>) -> Self {
        let (is_service, is_service_linked) = match &request.caller {
            Caller::Service(_) => (true, false),
            Caller::Role { role, .. } => (false, role.path().starts_with("/aws-service-role/")),
        };
        let bounded = match layers.boundary {
            _ if is_service => Truth::No,
            Observed::Found(_) => Truth::Yes,
            Observed::Absent => Truth::No,
            Observed::Unreadable(_) => Truth::Unknown,
        };
        let subject = PreparedRequest::of(request, bounded);
        let mut hits = Vec::new();
        // A service has no policies of its own, and organisations bind neither it nor service-linked roles:
        // https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html#not-restricted-by-scp
        let identity = if is_service {
            Side::SILENT
        } else {
            side_of_set(&subject, Layer::Identity, layers.identity, &mut hits)
        };
        let boundary = match layers.boundary {
            _ if is_service => None,
            Observed::Found(policy) => Some(side_of_policy(&subject, Layer::Boundary, policy, &mut hits)),
            Observed::Absent => None,
            Observed::Unreadable(_) => Some(Side::UNREAD),
        };
        let resource = match layers.resource {
            Observed::Found(policy) => side_of_policy(&subject, Layer::Resource, policy, &mut hits),
            Observed::Absent => Side::SILENT,
            Observed::Unreadable(_) => Side::UNREAD,
        };
        let mut levels = |layer, levels: &'a [PolicyLevel], applies: bool| -> Vec<Side> {
            let levels = if applies { levels } else { &[] };
            levels
                .iter()
                .map(|level| side_of_set(&subject, layer, &level.policies, &mut hits))
                .collect()
        };
        let scps = levels(Layer::Scp, layers.scps, !is_service && !is_service_linked);
        let rcps = levels(Layer::Rcp, layers.rcps, !is_service_linked);
        let grants = match layers.grants {
            _ if !subject.is_service("kms") => Judged::NO,
            Observed::Found(grants) => grants.iter().fold(Judged::NO, |any, grant| {
                any.or(Judged::both(grant.fits(&subject).0))
            }),
            Observed::Absent => Judged::NO,
            Observed::Unreadable(_) => Judged::UNKNOWN,
        };
        Self {
            request,
            layers,
            subject,
            identity,
            boundary,
            resource,
            scps,
            rcps,
            grants,
            hits,
        }
    }

    /// The levels of the resource policy's Allow statements.
    pub(super) fn levels(&self) -> Levels {
        Levels {
            direct: self.resource.allows.direct.truth,
            role: self.resource.allows.role.truth,
            account: self.resource.allows.account.truth,
        }
    }

    pub(super) fn formula(&self) -> Formula {
        let all_allow = |levels: &[Side]| {
            levels
                .iter()
                .fold(Judged::YES, |all, level| all.and(level.allows.any()))
        };
        let denies = |levels: &[Side]| levels.iter().fold(Judged::NO, |any, level| any.or(level.denies));
        let kind = match &self.subject.caller {
            PreparedCaller::Service(_) => CallKind::Service,
            PreparedCaller::Role { account, .. } if *account == &self.request.resource_account => {
                CallKind::SameAccount {
                    // Keys and roles trust nobody by default, not even their own account; other resources do.
                    needs_delegation: self.subject.is_service("kms") || self.subject.is_service("sts"),
                }
            }
            PreparedCaller::Role { .. } => CallKind::CrossAccount,
        };
        Formula {
            kind,
            identity: self.identity.allows.any(),
            boundary: match self.boundary {
                None => Judged::YES,
                // Unread, it might also not exist.
                Some(side) => side.allows.any(),
            },
            resource: self.resource.allows,
            scps: all_allow(&self.scps),
            rcps: all_allow(&self.rcps),
            grants: self.grants,
            denies: self
                .identity
                .denies
                .or(self.boundary.map_or(Judged::NO, |side| side.denies))
                .or(self.resource.denies)
                .or(denies(&self.scps))
                .or(denies(&self.rcps)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    Service,
    SameAccount { needs_delegation: bool },
    CrossAccount,
}

/// What decides a request, as one value: so that "what if not for the boundary" is the same formula once more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Formula {
    pub(super) kind: CallKind,
    pub(super) identity: Judged,
    pub(super) boundary: Judged,
    pub(super) resource: Reach,
    pub(super) scps: Judged,
    pub(super) rcps: Judged,
    pub(super) grants: Judged,
    pub(super) denies: Judged,
}

/// The decision, and the decision if absent condition keys might be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DecisionPair {
    pub(super) decision: Decision,
    pub(super) blind: Decision,
}

impl Formula {
    /// Does someone grant it, denials aside?
    pub(super) fn granted(&self) -> Judged {
        let Reach {
            direct,
            role,
            account,
        } = self.resource;
        let by_policies = match self.kind {
            CallKind::Service => direct,
            CallKind::SameAccount { needs_delegation } => {
                let delegated = if needs_delegation { account } else { Judged::YES };
                let through_boundary = role.or(self.identity.and(delegated));
                direct.or(self.boundary.and(through_boundary))
            }
            CallKind::CrossAccount => self.identity.and(self.boundary).and(self.resource.any()),
        };
        // AWS does not say whether a boundary limits a grant: a grant that the boundary does not contain is possible.
        let by_grant = self.grants.and(self.boundary.or(Judged::UNKNOWN));
        by_policies.or(by_grant).and(self.scps).and(self.rcps)
    }

    pub(super) fn outcome(&self) -> DecisionPair {
        let granted = self.granted();
        DecisionPair {
            decision: combined(self.denies.truth, granted.truth),
            blind: combined(self.denies.blind, granted.blind),
        }
    }
}

fn combined(denied: Truth, granted: Truth) -> Decision {
    match (denied, granted) {
        (Truth::Yes, _) => Decision::ExplicitlyDenied,
        // Denied for certain; that an unread document might deny it once more changes nothing.
        (Truth::No | Truth::Unknown, Truth::No) => Decision::ImplicitlyDenied,
        (Truth::No, Truth::Yes) => Decision::Allowed,
        (Truth::Unknown, Truth::Yes) | (Truth::No | Truth::Unknown, Truth::Unknown) => Decision::Undetermined,
    }
}

fn side_of_set<'a>(
    subject: &PreparedRequest<'_>,
    layer: Layer,
    set: &'a PolicySet,
    hits: &mut Vec<Hit<'a>>,
) -> Side {
    let unread = if set.is_complete() {
        Side::SILENT
    } else {
        Side::UNREAD
    };
    set.policies.iter().fold(unread, |side, policy| {
        side.or(side_of_policy(subject, layer, policy, hits))
    })
}

pub(super) fn side_of_policy<'a>(
    subject: &PreparedRequest<'_>,
    layer: Layer,
    policy: &'a NamedPolicy,
    hits: &mut Vec<Hit<'a>>,
) -> Side {
    let mut side = Side::SILENT;
    for (index, statement) in policy.document.statements().iter().enumerate() {
        // A statement that says neither may be either; its flaw keeps both from being certain.
        let effects: &[Effect] = match statement.effect {
            Some(Effect::Allow) => &[Effect::Allow],
            Some(Effect::Deny) => &[Effect::Deny],
            None => &[Effect::Allow, Effect::Deny],
        };
        for &effect in effects {
            let reach = statement.reach(subject, layer, effect, None);
            if reach.any().is_settled_no() {
                continue;
            }
            match effect {
                Effect::Allow => side.allows = side.allows.or(reach),
                Effect::Deny => side.denies = side.denies.or(reach.any()),
            }
            hits.push(Hit {
                layer,
                policy,
                index,
                effect,
                reach,
            });
        }
    }
    side
}

#[cfg(test)]
mod tests;
