//! Decides which frequent mistake stands behind a denial: what people copy from a page, mistype or take for the same.
//!
//! Each mistake cites its page where it is found. A mistake never has a say in a decision; it is the decision's cause in
//! words of its own, for the person who has to repair it.

mod condition;
mod element;
mod key_policy;
mod words;

use super::answer::{Answer, Layer, Mismatch, StatementRef};
use super::evaluate::{Sides, allows_already, policies, reference};
use super::layers::{Layers, NamedPolicy};
use super::matching::{Notes, PreparedRequest};
use super::request::Request;
use super::statement::{Effect, Statement};

/// A frequent mistake, and where it was made. Its `Display` is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The kind of document.
    pub layer: Layer,
    /// The name of the policy.
    pub policy: String,
    /// The statement, unless it is the policy as a whole.
    pub statement: Option<StatementRef>,
    /// What is wrong.
    pub kind: MistakeKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MistakeKind {
    /// A condition on an encryption context key that S3 does not send.
    EncryptionContextKey {
        /// The condition key.
        key: String,
    },
    /// A wildcard in an operator that takes it literally.
    WildcardTakenLiterally {
        /// The operator.
        operator: String,
        /// The condition key.
        key: String,
        /// The value with the wildcard.
        value: String,
    },
    /// `kms:ViaService` names another Region than that of the key.
    ViaServiceRegion {
        /// What the policy names.
        named: String,
        /// What the request has.
        found: String,
    },
    /// `kms:ViaService` ends like an endpoint in China; the value ends in `.amazonaws.com` everywhere.
    ViaServiceSuffix {
        /// What the policy names.
        named: String,
        /// What the request has.
        found: String,
    },
    /// The encryption context of objects, where a Bucket Key sends that of the bucket.
    ObjectContextWithBucketKey {
        /// What the policy names.
        named: String,
        /// What S3 sends.
        sent: String,
    },
    /// The encryption context of the bucket, where without a Bucket Key each object has its own.
    BucketContextWithoutBucketKey {
        /// What the policy names.
        named: String,
        /// What S3 sends.
        sent: String,
    },
    /// A condition on a key that AWS sets for calls of services in their own name, in a statement for the role.
    SourceConditionOnRole {
        /// The condition key.
        key: String,
    },
    /// A denial outside certain Regions hits the Region of the call.
    RegionDenied {
        /// The Region of the call.
        region: String,
    },
    /// An alias as a resource. KMS authorises on the ARN of the key, which an alias never matches.
    AliasAsResource {
        /// The ARN of the alias.
        alias: String,
    },
    /// The bucket without its objects.
    BucketWithoutObjects {
        /// The resource that is named.
        named: String,
    },
    /// The objects without their bucket.
    ObjectsWithoutBucket {
        /// The resource that is named.
        named: String,
    },
    /// A wildcard right behind the name of the bucket: other buckets match as well.
    OtherBucketsIncluded {
        /// The pattern.
        pattern: String,
    },
    /// An action that sounds like the one that is needed.
    SimilarAction {
        /// The action that is named.
        named: String,
        /// The action that is needed.
        needed: String,
    },
    /// `kms:GenerateDataKey` does not include `kms:Encrypt`.
    GenerateDataKeyWithoutEncrypt,
    /// The boundary allows nothing of a whole service.
    BoundaryWithoutService {
        /// The service, such as `kms`.
        service: String,
    },
    /// A service as principal, where S3 acts as the role.
    ServiceInPlaceOfRole {
        /// The service.
        service: String,
    },
    /// The id that is left of a role or user that was deleted. A new one of the same name is another.
    DeletedPrincipal {
        /// The unique id.
        id: String,
    },
    /// The key policy leaves to the account only to look at the key.
    AccountMayOnlyLook {
        /// The actions left to the account.
        actions: Vec<String>,
    },
    /// The key policy names only others.
    OnlyOthersNamed {
        /// Whom it names.
        named: Vec<String>,
    },
    /// The policy of a key in another account does not mention the caller's account at all.
    CallerAccountNotNamed {
        /// The caller's account.
        account: String,
    },
}

/// The frequent mistakes that bear on a request. Where it is allowed, only what is too wide.
#[must_use]
pub fn mistakes(request: &Request, layers: &Layers<'_>, answer: &Answer) -> Vec<Mistake> {
    let sides = Sides::of(request, layers);
    let mut found = Vec::new();
    for (layer, policy) in policies(&sides) {
        let place = Place {
            sides: &sides,
            answer,
            layer,
            policy,
        };
        let silent = !answer.is_allowed() && !allows_already(&sides, layer);
        for (index, statement) in policy.document.statements().iter().enumerate() {
            let mut kinds = Vec::new();
            match statement.effect {
                Some(Effect::Allow) => place.of_allow(statement, silent, &mut kinds),
                Some(Effect::Deny) => place.of_deny(statement, &mut kinds),
                None => {}
            }
            found.extend(kinds.into_iter().map(|kind| Mistake {
                layer,
                policy: policy.name.clone(),
                statement: Some(reference(layer, policy, index)),
                kind,
            }));
        }
        if silent {
            let kinds = [
                place.boundary_without_service(),
                place.key_policy_without_caller(),
            ];
            found.extend(kinds.into_iter().flatten().map(|kind| Mistake {
                layer,
                policy: policy.name.clone(),
                statement: None,
                kind,
            }));
        }
    }
    found
}

/// A policy that is looked at.
struct Place<'p, 'a> {
    sides: &'p Sides<'a>,
    answer: &'p Answer,
    layer: Layer,
    policy: &'a NamedPolicy,
}

impl Place<'_, '_> {
    fn subject(&self) -> &PreparedRequest<'_> {
        &self.sides.subject
    }

    fn of_allow(&self, statement: &Statement, silent: bool, kinds: &mut Vec<MistakeKind>) {
        let mut notes = Notes::default();
        let reach = statement.reach(self.subject(), self.layer, Effect::Allow, Some(&mut notes));
        if reach.any().truth.is_yes() {
            element::other_buckets(statement, self.subject(), kinds);
            return;
        }
        if !silent {
            return;
        }
        let misses = Misses::of(&notes.mismatches);
        if misses.action.is_none() && misses.principal.is_none() {
            if let Some(named) = misses.resource {
                element::resource(named, self.subject(), kinds);
            }
            let is_alias = kinds
                .iter()
                .any(|kind| matches!(kind, MistakeKind::AliasAsResource { .. }));
            if misses.resource.is_none() || is_alias {
                condition::mistakes(&misses.conditions, self.subject(), kinds);
            }
        }
        if misses.principal.is_none()
            && misses.resource.is_none()
            && let Some(named) = misses.action
        {
            element::action(named, self.subject(), kinds);
            key_policy::account_may_only_look(statement, named, self.sides, self.answer, kinds);
        }
        if misses.action.is_none() && misses.principal.is_some() {
            key_policy::principals(statement, kinds);
        }
    }

    fn of_deny(&self, statement: &Statement, kinds: &mut Vec<MistakeKind>) {
        let reach = statement.reach(self.subject(), self.layer, Effect::Deny, None);
        if reach.any().truth.is_yes() {
            kinds.extend(condition::region_denied(statement, self.subject()));
        }
    }

    fn boundary_without_service(&self) -> Option<MistakeKind> {
        let mentions = self.policy.document.statements().iter().any(|statement| {
            statement.effect != Some(Effect::Deny)
                && element::mentions_service(statement, self.subject().service)
        });
        (self.layer == Layer::Boundary && !mentions).then(|| MistakeKind::BoundaryWithoutService {
            service: self.subject().service.to_ascii_lowercase(),
        })
    }

    fn key_policy_without_caller(&self) -> Option<MistakeKind> {
        if self.layer != Layer::Resource || !self.subject().is_service("kms") {
            return None;
        }
        key_policy::without_caller(self.policy, self.sides)
    }
}

/// The mismatches of one statement, by element.
struct Misses<'n> {
    principal: Option<&'n [String]>,
    action: Option<&'n [String]>,
    resource: Option<&'n [String]>,
    conditions: Vec<&'n Mismatch>,
}

impl<'n> Misses<'n> {
    fn of(mismatches: &'n [Mismatch]) -> Self {
        let mut misses = Self {
            principal: None,
            action: None,
            resource: None,
            conditions: Vec::new(),
        };
        for mismatch in mismatches {
            match mismatch {
                Mismatch::Principal { named } | Mismatch::PrincipalExcepted { named } => {
                    misses.principal = Some(named);
                }
                Mismatch::Action { named } | Mismatch::ActionExcepted { named } => {
                    misses.action = Some(named)
                }
                Mismatch::Resource { named, .. } | Mismatch::ResourceExcepted { named } => {
                    misses.resource = Some(named);
                }
                Mismatch::ConditionValue { .. }
                | Mismatch::ConditionKeyAbsent { .. }
                | Mismatch::ConditionKeyPresent { .. } => misses.conditions.push(mismatch),
            }
        }
        misses
    }
}

#[cfg(test)]
mod tests;
