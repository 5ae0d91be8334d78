//! Decides what is missing, whether a policy or a grant can provide it, and which guards withhold it.
//!
//! Only errors start a repair: a requirement without which replication breaks, certainly not met, and within our means.
//! What merely might be better starts none, but a key that is repaired is repaired for good: with its whole set of
//! actions, and in both forms of the encryption context, since whether S3 uses a Bucket Key is decided object by object
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>).

use std::collections::BTreeSet;

use crate::arn::{BucketName, KeyArn};
use crate::assessment::{Assessment, Repair, answer_with, by_area, grants_of};
use crate::guard::{Guard, GuardSettings, Protected, Refusal, refusals};
use crate::observed::Observed;
use crate::policy::{NamedPolicy, PolicyDocument};
use crate::requirement::{Area, ContextForm, Necessity, Requirement};
use crate::snapshot::{Role, RulesById, Snapshot};

use super::our_policy::OurPolicy;
use super::role_policy::{Permission, Written, permission, rule_of};

/// Something that is missing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Need {
    pub(super) requirement: Requirement,
    pub(super) means: Means,
    /// What stands against it.
    pub(super) refusals: Vec<Refusal>,
}

/// How it can be given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Means {
    Statement(Permission),
    /// It would be a statement, if only it could be written.
    NoStatement,
    Grant {
        key: KeyArn,
        operation: String,
        bound_to: Option<BucketName>,
        /// Tells apart the grants of a key that serves source and replicas alike.
        is_source_key: bool,
    },
}

/// What is missing in `bare`, the account without anything of ours. `strict` and `generous` are its assessments without
/// and with unconstrained grants.
pub(super) fn needs(
    bare: &Snapshot,
    rules: &RulesById<'_>,
    role: &Role,
    strict: &[Assessment],
    generous: &[Assessment],
    settings: &GuardSettings,
) -> Vec<Need> {
    let against_all = standing(bare, settings);
    let against_statements = unread_policies(role).collect();
    let generous = by_area(generous);
    let mut needs = Vec::new();
    for (area, mut assessments) in by_area(strict) {
        let is_out_of_reach = |assessment: &&Assessment| is_error(assessment) && !is_automatic(assessment);
        if assessments.iter().any(is_out_of_reach) {
            // The narrow means leave an error open, so what the owner allows beyond them is looked at.
            assessments = generous.get(area).cloned().unwrap_or_default();
        }
        let is_within_reach = |assessment: &&Assessment| is_error(assessment) && is_automatic(assessment);
        if !assessments.iter().any(is_within_reach) {
            continue;
        }
        let judge = NeedFinder {
            bare,
            rules,
            role,
            settings,
            is_whole: assessments
                .iter()
                .any(|assessment| is_error(assessment) && assessment.repair == Repair::RolePolicy),
            against_all: &against_all,
            against_statements: &against_statements,
        };
        needs.extend(assessments.iter().filter_map(|assessment| judge.need(assessment)));
    }
    needs
}

/// Would replication certainly fail for want of it?
pub(super) fn is_error(assessment: &Assessment) -> bool {
    assessment.requirement.necessity == Necessity::Required && assessment.is_denied()
}

/// Is it within our means?
pub(super) fn is_automatic(assessment: &Assessment) -> bool {
    match assessment.repair {
        Repair::RolePolicy | Repair::ConstrainedGrant | Repair::UnconstrainedGrant => true,
        Repair::None | Repair::Person(_) => false,
    }
}

struct NeedFinder<'a> {
    bare: &'a Snapshot,
    rules: &'a RulesById<'a>,
    role: &'a Role,
    settings: &'a GuardSettings,
    /// Is our policy to hold all that is needed of the key, what others grant too?
    is_whole: bool,
    /// What stands against every change, and against every one of our policy.
    against_all: &'a Vec<Refusal>,
    against_statements: &'a Vec<Refusal>,
}

impl NeedFinder<'_> {
    fn need(&self, assessment: &Assessment) -> Option<Need> {
        let requirement = &assessment.requirement;
        if matches!(requirement.necessity, Necessity::WhereUsed(_)) {
            return None;
        }
        let means = match &requirement.area {
            Area::Source | Area::Destination(_) => {
                (is_error(assessment) && is_automatic(assessment)).then(|| self.statement(requirement))??
            }
            Area::SourceKey(key) | Area::ReplicaKey(key) => match assessment.repair {
                Repair::RolePolicy => self.statement(requirement)?,
                Repair::ConstrainedGrant | Repair::UnconstrainedGrant => Means::Grant {
                    key: key.clone(),
                    operation: requirement.request.action.strip_prefix("kms:")?.to_owned(),
                    bound_to: (assessment.repair == Repair::ConstrainedGrant)
                        .then(|| self.bucket(requirement))
                        .flatten(),
                    is_source_key: matches!(requirement.area, Area::SourceKey(_)),
                },
                // Somebody else allows it today. What we write must not stop being enough when that is tidied up.
                Repair::None if self.is_whole && assessment.answer.is_allowed() => {
                    self.statement(requirement)?
                }
                // Nobody knows whether it is met; a statement of ours may make that certain.
                Repair::None if !assessment.answer.is_allowed() => {
                    let statement = self.statement(requirement)?;
                    self.would_allow(requirement, &statement).then_some(statement)?
                }
                Repair::None | Repair::Person(_) => return None,
            },
        };
        let mut refusals = self.refusals(requirement, &means);
        refusals.sort();
        refusals.dedup();
        Some(Need {
            requirement: requirement.clone(),
            means,
            refusals,
        })
    }

    fn statement(&self, requirement: &Requirement) -> Option<Means> {
        permission(requirement, self.rules, self.bare).map(|written| match written {
            Written::Exactly(permission) => Means::Statement(permission),
            Written::PrefixNotWritable => Means::NoStatement,
        })
    }

    fn bucket(&self, requirement: &Requirement) -> Option<BucketName> {
        debug_assert_eq!(requirement.form, Some(ContextForm::Bucket));
        Some(match &requirement.area {
            Area::Source | Area::SourceKey(_) => self.bare.source.name.clone(),
            Area::Destination(_) | Area::ReplicaKey(_) => {
                rule_of(requirement, self.rules)?.destination.clone()
            }
        })
    }

    fn would_allow(&self, requirement: &Requirement, means: &Means) -> bool {
        let Means::Statement(permission) = means else {
            return false;
        };
        let source = self.bare.source.name.arn(self.role.arn.partition());
        let added = OurPolicy::default().with(&BTreeSet::from([permission.clone()]), &source);
        let mut identity = self.role.identity_policies();
        identity.policies.extend(added.map(named));
        let grants = grants_of(self.bare, &requirement.area);
        let answer = answer_with(
            self.bare,
            self.role,
            &requirement.area,
            &requirement.request,
            &identity,
            &grants,
        );
        answer.is_allowed()
    }

    fn refusals(&self, requirement: &Requirement, means: &Means) -> Vec<Refusal> {
        let ask = |subject| refusals(subject, self.bare, self.settings);
        let mut all = self.against_all.clone();
        if !matches!(means, Means::Grant { .. }) {
            all.extend(self.against_statements.iter().cloned());
        }
        all.extend(self.unproven_destinations(requirement));
        match means {
            Means::Statement(permission) => {
                if let Some(key) = permission.key() {
                    all.extend(ask(Protected::KeyInPolicy(&key)));
                }
            }
            Means::NoStatement => all.push(Refusal::always(
                Guard::PrefixCharacters,
                "the rule's prefix holds characters that IAM takes in no policy, and a wildcard in their place would \
                 allow more than the rule needs",
                "write the statement by hand, as wide as you judge right",
            )),
            Means::Grant { key, .. } => all.extend(ask(Protected::KeyForGrant(key))),
        }
        all
    }

    /// Why no rule that has the requirement leads to a bucket that is proven to be ours.
    fn unproven_destinations(&self, requirement: &Requirement) -> Vec<Refusal> {
        let mut all = Vec::new();
        for rule in self.rules.named(&requirement.rule_ids) {
            let refused = refusals(
                Protected::Destination(&rule.destination),
                self.bare,
                self.settings,
            );
            if refused.is_empty() {
                return Vec::new();
            }
            all.extend(refused);
        }
        all
    }
}

/// What stands against every change for this bucket.
pub(super) fn standing(snapshot: &Snapshot, settings: &GuardSettings) -> Vec<Refusal> {
    let mut all = refusals(Protected::Role, snapshot, settings);
    all.extend(refusals(Protected::Source, snapshot, settings));
    all
}

/// Inline policies that were not read: what ours says now, and how large the others are, is then not known.
pub(super) fn unread_policies(role: &Role) -> impl Iterator<Item = Refusal> {
    role.inline.unread.iter().map(|failure| {
        Refusal::unless(
            Guard::FactsUnread,
            format!("{} could not be read", failure.what.escape_debug()),
            format!("our role needs {}", failure.permit),
        )
    })
}

fn named(document: PolicyDocument) -> NamedPolicy {
    NamedPolicy::new("planned", document)
}

/// Is the destination known to belong to somebody whom nobody trusts?
pub(super) fn is_certainly_foreign(
    snapshot: &Snapshot,
    bucket: &BucketName,
    settings: &GuardSettings,
) -> bool {
    let owner = snapshot
        .destination(bucket)
        .and_then(Observed::found)
        .and_then(|bucket| bucket.owner.found());
    owner.is_some_and(|owner| {
        *owner != snapshot.identity.account && !settings.trusted_accounts.contains(owner)
    })
}
