//! Decides whether a statement of a resource policy covers the caller, and at which level.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>.
//!
//! The level matters: naming everyone or the session allows by itself, naming the role allows within the permissions
//! boundary, and naming the account leaves the decision to the account's own policies.

use serde_json::Value;

use super::answer::{DoubtReason, Layer, Mismatch};
use super::matching::{Notes, PreparedCaller, PreparedRequest, Reach};
use super::pattern::{glob, has_wildcard};
use super::statement::{Effect, Flaw, Listed, Statement, malformed, strings};
use super::truth::{Judged, Truth};

/// One entry of `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    /// `*`
    Anyone,
    /// A whole account, by id and, in the ARN form, partition.
    Account { id: String, partition: Option<String> },
    /// A role, user or session, by ARN.
    Arn(String),
    /// The unique id that IAM leaves in the place of a role or user that was deleted.
    Deleted(String),
    /// An AWS service.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// A form that we do not model, such as a canonical user id.
    Other { kind: String, value: String },
}

impl Principal {
    pub(super) fn read_all(element: &'static str, value: &Value) -> Result<Vec<Self>, Flaw> {
        const EXPECTED: &str = "`*` or an object of principals";
        if value.as_str() == Some("*") {
            return Ok(vec![Self::Anyone]);
        }
        let Some(kinds) = value.as_object().filter(|kinds| !kinds.is_empty()) else {
            return Err(malformed(element, EXPECTED, value));
        };
        let mut principals = Vec::new();
        for (kind, values) in kinds {
            for value in strings(element, values)? {
                principals.push(Self::read(kind, value));
            }
        }
        Ok(principals)
    }

    pub(super) fn read(kind: &str, value: &str) -> Self {
        match kind {
            "AWS" => Self::read_aws(value),
            "Service" => Self::Service(value.to_owned()),
            "Federated" => Self::Federated(value.to_owned()),
            other => Self::Other {
                kind: other.to_owned(),
                value: value.to_owned(),
            },
        }
    }

    fn read_aws(value: &str) -> Self {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if value == "*" {
            return Self::Anyone;
        }
        if is_account(value) {
            return Self::Account {
                id: value.to_owned(),
                partition: None,
            };
        }
        if let Some(["arn", partition, "iam", "", account, "root"]) = super::matching::arn_parts(value)
            && is_account(account)
        {
            return Self::Account {
                id: account.to_owned(),
                partition: Some(partition.to_owned()),
            };
        }
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
        let is_unique_id = value.len() >= 16
            && value.starts_with('A')
            && value
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_unique_id {
            return Self::Deleted(value.to_owned());
        }
        Self::Arn(value.to_owned())
    }

    /// The entry as a person would name it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Anyone => "*".to_owned(),
            Self::Account { id, .. } => format!("account {id}"),
            Self::Arn(text) | Self::Deleted(text) | Self::Service(text) | Self::Federated(text) => {
                text.clone()
            }
            Self::Other { kind, value } => format!("{kind} {value}"),
        }
    }

    /// The level at which the entry covers the caller.
    fn reach(&self, subject: &PreparedRequest<'_>, layer: Layer, effect: Effect) -> Reach {
        match (&subject.caller, self) {
            (PreparedCaller::Role { .. }, Self::Anyone) => Reach::direct(Judged::YES),
            (
                PreparedCaller::Role {
                    account, partition, ..
                },
                Self::Account { id, partition: of },
            ) => {
                let same = id == account.as_str() && of.as_ref().is_none_or(|of| of == partition);
                Reach {
                    account: same.into(),
                    ..Reach::NONE
                }
            }
            (PreparedCaller::Role { arn, session, .. }, Self::Arn(named)) => {
                if named == session {
                    Reach::direct(Judged::YES)
                } else if named == arn {
                    Reach {
                        role: Judged::YES,
                        ..Reach::NONE
                    }
                } else if has_wildcard(named)
                    && effect == Effect::Deny
                    && (glob(named, session) || glob(named, arn))
                {
                    // IAM takes no wildcards here, so a stored policy should not have one; if it has, it must not
                    // be the reason for calling a denial void.
                    Reach::direct(Judged::UNKNOWN)
                } else {
                    Reach::NONE
                }
            }
            (PreparedCaller::Role { .. }, Self::Deleted(_) | Self::Service(_) | Self::Federated(_)) => {
                Reach::NONE
            }
            (PreparedCaller::Role { .. }, Self::Other { kind, .. }) if kind == "CanonicalUser" => Reach {
                // A canonical user id stands for a whole account; which one, only S3 knows.
                account: Judged::UNKNOWN,
                ..Reach::NONE
            },
            (_, Self::Other { .. }) => Reach::UNKNOWN,
            (PreparedCaller::Service(name), Self::Service(named)) => Reach::direct((name == named).into()),
            // AWS says that `*` stands for all users, and not whether services are among them.
            (PreparedCaller::Service(_), Self::Anyone) => match layer {
                Layer::Rcp => Reach::direct(Judged::YES),
                Layer::Resource | Layer::Identity | Layer::Boundary | Layer::Scp | Layer::Grant => {
                    Reach::direct(Judged::UNKNOWN)
                }
            },
            (
                PreparedCaller::Service(_),
                Self::Account { .. } | Self::Arn(_) | Self::Deleted(_) | Self::Federated(_),
            ) => Reach::NONE,
        }
    }
}

impl Statement {
    pub(super) fn covers_caller(
        &self,
        subject: &PreparedRequest<'_>,
        layer: Layer,
        effect: Effect,
        notes: Option<&mut Notes>,
    ) -> Reach {
        let has_principals = match layer {
            Layer::Resource | Layer::Rcp => true,
            Layer::Identity | Layer::Boundary | Layer::Scp | Layer::Grant => false,
        };
        let (reach, doubt) = match &self.principals {
            Listed::Missing if !has_principals => (Reach::ATTACHED, None),
            Listed::Missing => (
                Reach::UNKNOWN,
                Some(DoubtReason::Flaw(Flaw::Missing("Principal"))),
            ),
            Listed::Flawed(flaw) => (Reach::UNKNOWN, Some(DoubtReason::Flaw(flaw.clone()))),
            Listed::These(_) | Listed::AllBut(_) if !has_principals => (
                Reach::UNKNOWN,
                Some(DoubtReason::Flaw(Flaw::Misplaced("Principal"))),
            ),
            Listed::These(principals) => reach_of_these(principals, subject, layer, effect),
            Listed::AllBut(principals) => reach_of_all_but(principals, subject, layer, effect),
        };
        if let Some(notes) = notes {
            if let Some(doubt) = doubt {
                notes.doubts.push(doubt);
            }
            let named = |principals: &[Principal]| principals.iter().map(Principal::text).collect();
            match &self.principals {
                Listed::These(principals) if reach.any().truth.is_no() => {
                    notes.mismatches.push(Mismatch::Principal {
                        named: named(principals),
                    });
                }
                Listed::AllBut(principals) if reach.any().truth.is_no() => {
                    notes.mismatches.push(Mismatch::PrincipalExcepted {
                        named: named(principals),
                    });
                }
                Listed::These(_) | Listed::AllBut(_) | Listed::Missing | Listed::Flawed(_) => {}
            }
        }
        reach
    }
}

fn reach_of_these(
    principals: &[Principal],
    subject: &PreparedRequest<'_>,
    layer: Layer,
    effect: Effect,
) -> (Reach, Option<DoubtReason>) {
    let mut reach = Reach::NONE;
    let mut doubt = None;
    for principal in principals {
        let one = principal.reach(subject, layer, effect);
        if one.any().truth.is_unknown() {
            doubt = Some(DoubtReason::Principal(principal.text()));
        }
        reach = reach.or(one);
    }
    (reach, doubt)
}

fn reach_of_all_but(
    principals: &[Principal],
    subject: &PreparedRequest<'_>,
    layer: Layer,
    effect: Effect,
) -> (Reach, Option<DoubtReason>) {
    // A form that is not sure is looked for as in a denial, where it stays unsure.
    let listed = principals.iter().fold(Reach::NONE, |reach, principal| {
        reach.or(principal.reach(subject, layer, Effect::Deny))
    });
    let whole = principals.contains(&Principal::Anyone)
        || [listed.direct, listed.role, listed.account]
            .iter()
            .all(|level| level.truth.is_yes());
    let is_service = matches!(subject.caller, PreparedCaller::Service(_));
    let (applies, doubt) = match (listed.any().truth, effect) {
        // AWS does not support it: what it would do to all others is not to be relied on.
        (Truth::No, Effect::Allow) => (
            Judged::UNKNOWN,
            Some(DoubtReason::Flaw(Flaw::Misplaced("NotPrincipal"))),
        ),
        (Truth::No, Effect::Deny) => (Judged::YES, None),
        (Truth::Yes, _) if whole || (is_service && listed.direct.truth.is_yes()) => (Judged::NO, None),
        (Truth::Unknown | Truth::Yes, _) => (Judged::UNKNOWN, Some(DoubtReason::PartialNotPrincipal)),
    };
    match (effect, subject.bounded) {
        (Effect::Deny, Truth::Yes) => (Reach::direct(Judged::YES), None),
        (Effect::Deny, Truth::Unknown) if !applies.truth.is_yes() => (
            Reach::direct(Judged::UNKNOWN),
            Some(DoubtReason::NotPrincipalAndUnreadBoundary),
        ),
        (Effect::Allow | Effect::Deny, _) => (Reach::direct(applies), doubt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_read_as_what_its_form_says() {
        let account = |id: &str, partition: Option<&str>| Principal::Account {
            id: id.into(),
            partition: partition.map(str::to_owned),
        };
        let arn = |text: &str| Principal::Arn(text.into());
        for (text, expected) in [
            ("*", Principal::Anyone),
            ("111122223333", account("111122223333", None)),
            (
                "arn:aws-cn:iam::111122223333:root",
                account("111122223333", Some("aws-cn")),
            ),
            ("11112222333", arn("11112222333")),
            ("11112222333x", arn("11112222333x")),
            ("arn:aws:iam::1:root", arn("arn:aws:iam::1:root")),
            (
                "arn:aws:iam::111122223333:role/root",
                arn("arn:aws:iam::111122223333:role/root"),
            ),
            (
                "arn:aws:sts::111122223333:root",
                arn("arn:aws:sts::111122223333:root"),
            ),
            ("AROAEXAMPLEEXAM2", Principal::Deleted("AROAEXAMPLEEXAM2".into())),
            ("AROAEXAMPLEEXAM", arn("AROAEXAMPLEEXAM")),
            ("BROAEXAMPLEEXAMPLE", arn("BROAEXAMPLEEXAMPLE")),
            ("AROAEXAMPLEEXAMPLEx", arn("AROAEXAMPLEEXAMPLEx")),
        ] {
            assert_eq!(Principal::read("AWS", text), expected, "{text}");
        }
        assert_eq!(Principal::read("Federated", "idp").text(), "idp");
        assert_eq!(
            Principal::read("Service", "s3.amazonaws.com").text(),
            "s3.amazonaws.com"
        );
        assert_eq!(
            Principal::read("CanonicalUser", "79a5").text(),
            "CanonicalUser 79a5"
        );
        assert_eq!(
            Principal::read("AWS", "111122223333").text(),
            "account 111122223333"
        );
        assert_eq!(Principal::read("AWS", "*").text(), "*");
    }
}
