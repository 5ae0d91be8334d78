//! Decides whether a statement is about a resource.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html> and, for ARNs that
//! are not complete, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>. KMS authorises
//! every call on the ARN of the key, so an alias never matches:
//! <https://docs.aws.amazon.com/kms/latest/developerguide/cmks-in-iam-policies.html>.

use super::answer::{ArnPart, DoubtReason, Layer, Mismatch};
use super::arn_pattern::ArnPattern;
use super::matching::{Notes, PreparedRequest};
use super::pattern::{glob, glob_tokens};
use super::statement::{Effect, Flaw, Listed, Statement};
use super::template::{Lack, Missing, Template};
use super::truth::Judged;

/// `*`, or an ARN with wildcards in each of its six parts and policy variables in the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResourcePattern {
    pub(super) source: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Every,
    Arn(Box<ArnPattern>),
    /// A variable stands before the last part, where IAM does not take one: the whole pattern.
    Misplaced(Template),
    /// Fewer than six parts and no `*` at the end; with wildcards for the missing parts.
    Incomplete(Box<ArnPattern>),
}

impl ResourcePattern {
    pub(super) fn read(text: &str, variables: bool) -> Self {
        let (pattern, is_complete) = ArnPattern::read_resource(text, variables);
        let form = match pattern {
            _ if text == "*" => Form::Every,
            pattern if variables && pattern.head.iter().any(|part| part.contains("${")) => {
                Form::Misplaced(Template::parse(text, variables))
            }
            pattern if is_complete => Form::Arn(Box::new(pattern)),
            pattern => Form::Incomplete(Box::new(pattern)),
        };
        Self {
            source: text.to_owned(),
            form,
        }
    }

    fn matches(&self, subject: &PreparedRequest<'_>, layer: Layer, effect: Effect) -> Fit<'_> {
        match (&self.form, &subject.resource_parts) {
            (Form::Every, _) => Fit::Fits,
            (Form::Incomplete(completed), parts) => {
                let difference = parts
                    .as_ref()
                    .map(|parts| completed.difference(parts, subject.context));
                let fits = matches!(difference, Some(Ok(None)));
                // AWS completes it in policies of identities, and says nothing of others.
                if fits && matches!(layer, Layer::Identity | Layer::Boundary) {
                    Fit::Fits
                } else if fits || glob(&self.source, subject.resource) {
                    Fit::Unsure(DoubtReason::ShortArn(self.source.clone()))
                } else {
                    Fit::Not(ArnPart::Whole)
                }
            }
            (Form::Arn(_) | Form::Misplaced(_), None) => Fit::Not(ArnPart::Whole),
            (Form::Misplaced(whole), Some(_)) => match (whole.tokens(subject.context), effect) {
                // Taken as text it matches nothing. That is safe only where matching would allow.
                (Ok(tokens), Effect::Deny) if glob_tokens(&tokens, subject.resource) => {
                    Fit::Unsure(DoubtReason::MisplacedVariable(self.source.clone()))
                }
                (Err(missing), Effect::Deny) if missing.why == Lack::Unknown => Fit::NoValue(missing),
                (Ok(_) | Err(_), _) => Fit::Not(ArnPart::Whole),
            },
            (Form::Arn(pattern), Some(parts)) => match pattern.difference(parts, subject.context) {
                Ok(None) => Fit::Fits,
                // At the end of a part `*` "can expand to match beyond the colon boundaries"; AWS does not say when.
                Ok(Some(_)) if pattern.has_open_part() && glob(&self.source, subject.resource) => {
                    Fit::Unsure(DoubtReason::OpenPart(self.source.clone()))
                }
                Ok(Some(part)) => Fit::Not(part),
                Err(missing) => Fit::NoValue(missing),
            },
        }
    }
}

/// How a pattern fits a resource.
#[derive(Debug)]
enum Fit<'p> {
    Fits,
    Not(ArnPart),
    NoValue(Missing<'p>),
    Unsure(DoubtReason),
}

impl Statement {
    pub(super) fn covers_resource(
        &self,
        subject: &PreparedRequest<'_>,
        layer: Layer,
        effect: Effect,
        mut notes: Option<&mut Notes>,
    ) -> Judged {
        let (patterns, excepted) = match &self.resources {
            Listed::These(patterns) => (patterns, false),
            Listed::AllBut(patterns) => (patterns, true),
            // A trust policy has no resource: it is about the role that it belongs to.
            Listed::Missing if layer == Layer::Resource && subject.is_service("sts") => return Judged::YES,
            Listed::Missing => return doubt(notes, DoubtReason::Flaw(Flaw::Missing("Resource"))),
            Listed::Flawed(flaw) => return doubt(notes, DoubtReason::Flaw(flaw.clone())),
        };
        // An exception that is not sure must not widen an Allow either, so effects change places inside it.
        let effect_of_match = match (effect, excepted) {
            (effect, false) => effect,
            (Effect::Allow, true) => Effect::Deny,
            (Effect::Deny, true) => Effect::Allow,
        };
        let mut found = Judged::NO;
        let mut nearest = ArnPart::Whole;
        for pattern in patterns {
            match pattern.matches(subject, layer, effect_of_match) {
                Fit::Fits => {
                    found = Judged::YES;
                    break;
                }
                Fit::Not(part) => nearest = nearest.max(part),
                Fit::NoValue(missing) => {
                    nearest = ArnPart::Resource;
                    let key = missing.key.to_owned();
                    match missing.why {
                        Lack::Absent => {
                            found = found.or(Judged::by_absence(super::truth::Truth::No));
                            if let Some(notes) = notes.as_deref_mut() {
                                notes.absent.push(key);
                            }
                        }
                        Lack::SeveralValues => {}
                        Lack::Unknown => {
                            let reason = DoubtReason::ValueUnknown { key };
                            found = found.or(doubt(notes.as_deref_mut(), reason));
                        }
                    }
                }
                Fit::Unsure(reason) => found = found.or(doubt(notes.as_deref_mut(), reason)),
            }
        }
        let judged = if excepted { found.negated() } else { found };
        if let Some(notes) = notes
            && judged.truth.is_no()
        {
            let named = patterns.iter().map(|pattern| pattern.source.clone()).collect();
            notes.mismatches.push(if excepted {
                Mismatch::ResourceExcepted { named }
            } else {
                Mismatch::Resource { part: nearest, named }
            });
        }
        judged
    }
}

fn doubt(notes: Option<&mut Notes>, reason: DoubtReason) -> Judged {
    if let Some(notes) = notes {
        notes.doubts.push(reason);
    }
    Judged::UNKNOWN
}
