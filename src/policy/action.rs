//! Decides whether a statement is about an action.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>.

use super::answer::{DoubtReason, Mismatch};
use super::matching::{Notes, PreparedRequest, split_action};
use super::pattern::glob_ignoring_case;
use super::statement::{Flaw, Listed, Statement};
use super::truth::Judged;

/// `*`, or `service:name` with wildcards. Letter case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionPattern {
    pub(super) source: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Every,
    Of {
        service: String,
        name: String,
    },
    /// Text without a colon, which IAM refuses.
    Bare,
}

impl ActionPattern {
    pub(super) fn read(text: &str) -> Self {
        let form = match text.split_once(':') {
            _ if text == "*" => Form::Every,
            Some((service, name)) => Form::Of {
                service: service.to_ascii_lowercase(),
                name: name.to_ascii_lowercase(),
            },
            None => Form::Bare,
        };
        Self {
            source: text.to_owned(),
            form,
        }
    }

    pub(super) fn matches(&self, service: &str, name: &str) -> Judged {
        match &self.form {
            Form::Every => Judged::YES,
            Form::Of {
                service: wanted_service,
                name: wanted_name,
            } => {
                let matches =
                    glob_ignoring_case(wanted_service, service) && glob_ignoring_case(wanted_name, name);
                matches.into()
            }
            // Whatever it might be taken for: the service, or the whole action with a wildcard in the colon's place.
            Form::Bare => {
                let action = format!("{service}:{name}");
                let may_mean = [service, action.as_str()]
                    .iter()
                    .any(|meant| glob_ignoring_case(&self.source, meant));
                if may_mean { Judged::UNKNOWN } else { Judged::NO }
            }
        }
    }
}

impl Statement {
    /// Is it about `service:Name`, or may it be, whatever else it says?
    #[must_use]
    pub fn may_be_about(&self, action: &str) -> bool {
        let (service, name) = split_action(action);
        !self.is_about(service, name).is_settled_no()
    }

    /// Is it about the action, whatever else it says?
    pub(super) fn is_about(&self, service: &str, name: &str) -> Judged {
        let any = |patterns: &[ActionPattern]| {
            patterns.iter().fold(Judged::NO, |found, pattern| {
                found.or(pattern.matches(service, name))
            })
        };
        match &self.actions {
            Listed::These(patterns) => any(patterns),
            Listed::AllBut(patterns) => any(patterns).negated(),
            Listed::Missing | Listed::Flawed(_) => Judged::UNKNOWN,
        }
    }

    pub(super) fn covers_action(&self, subject: &PreparedRequest<'_>, notes: Option<&mut Notes>) -> Judged {
        let judged = self.is_about(subject.service, subject.name);
        if let Some(notes) = notes {
            let named = || match &self.actions {
                Listed::These(patterns) | Listed::AllBut(patterns) => {
                    patterns.iter().map(|pattern| pattern.source.clone()).collect()
                }
                Listed::Missing | Listed::Flawed(_) => Vec::new(),
            };
            if judged.truth.is_unknown() {
                notes.doubts.push(DoubtReason::Flaw(match &self.actions {
                    Listed::Missing => Flaw::Missing("Action"),
                    Listed::Flawed(flaw) => flaw.clone(),
                    Listed::These(_) | Listed::AllBut(_) => Flaw::Malformed {
                        element: "Action".to_owned(),
                        expected: "`service:name`",
                        found: named().join(", "),
                    },
                }));
            } else if judged.truth.is_no() {
                notes.mismatches.push(match &self.actions {
                    Listed::AllBut(_) => Mismatch::ActionExcepted { named: named() },
                    Listed::These(_) | Listed::Missing | Listed::Flawed(_) => {
                        Mismatch::Action { named: named() }
                    }
                });
            }
        }
        judged
    }
}
