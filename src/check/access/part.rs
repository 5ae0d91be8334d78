//! Which of a rule's objects a Deny singles out: one object for each pattern of a Deny that names a part of them is asked
//! about.
//!
//! Policies are matched against one object, and the sample that stands for a rule is in no such part. Whether these
//! objects are denied is not read off the pattern but evaluated
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>). Where there is more to
//! ask than can be asked, that is told as unread: whoever may write a policy could hide a Deny among a thousand others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{main_check, words};
use crate::assessment::{Assessment, not_allowed_for, resource_policy};
use crate::check::{CheckId, Examination, Facts};
use crate::policy::{Decision, Effect, NamedPolicy};
use crate::requirement::{Area, Necessity};
use crate::snapshot::Rule;
use crate::source::Read;
use crate::source::read::NOT_ATTEMPTED;

/// Questions that are asked: rules and policies may both be a thousand.
const MOST_QUESTIONS: usize = 5_000;

/// Where that is not enough, so many rules of each destination or key stand for all: one statement denies a part of the
/// objects of each of them alike.
const FEW_RULES: usize = 8;

/// Characters of prefixes that are compared with characters of patterns.
const MOST_COMPARED: usize = 10_000_000;

/// What is denied for a part of the objects. Whether there are such objects is not known.
pub(super) fn denied(
    check: CheckId,
    facts: &Facts<'_>,
    areas: &BTreeMap<&Area, Vec<&Assessment>>,
    examination: &mut Examination,
) -> Vec<Assessment> {
    let is_told_here = |area: &Area| {
        main_check(area) == check
            || (check == CheckId::DestinationPolicy && matches!(area, Area::Destination(_)))
    };
    let areas: BTreeMap<&Area, &Vec<&Assessment>> = areas
        .iter()
        .filter(|(area, _)| is_told_here(area))
        .map(|(area, assessments)| (*area, assessments))
        .collect();
    let patterns = patterns(facts, &areas);
    if patterns.is_empty() {
        return Vec::new();
    }
    let (mut asked, mut is_all) = questions(facts, &areas, &patterns, usize::MAX);
    if !is_all {
        (asked, is_all) = questions(facts, &areas, &patterns, FEW_RULES);
        examination.not_evaluated("of which further rules Deny statements single out a part of the objects");
    }
    if !is_all {
        examination.unread(&Read::BucketPolicy.failed(
            "which further parts of the objects Deny statements single out: they name too many",
            NOT_ATTEMPTED,
        ));
    }
    let (denied, unknown): (Vec<_>, Vec<_>) = not_allowed_for(facts.snapshot, asked.into_iter())
        .into_iter()
        .partition(|one| one.answer.decision == Decision::ExplicitlyDenied);
    for one in unknown
        .iter()
        .filter(|one| one.answer.decision == Decision::Undetermined)
    {
        let (_, object) = words::object_of(facts, &one.requirement.area);
        examination.not_evaluated(format!(
            "whether {} on {object} is denied for a part of the objects, such as {}",
            one.requirement.request.action,
            words::an_object(&[one])
        ));
    }
    denied
}

/// A requirement that is to be asked about for another object of a rule.
type Question<'a> = (&'a Assessment, &'a Rule, String);

/// What is to be asked, of as many rules at most for each action and pattern; and whether it is all.
fn questions<'a>(
    facts: &'a Facts<'_>,
    areas: &BTreeMap<&'a Area, &Vec<&'a Assessment>>,
    patterns: &'a BTreeSet<String>,
    most_rules: usize,
) -> (Vec<Question<'a>>, bool) {
    let rules = facts.snapshot.rules_by_id();
    let mut left = MOST_COMPARED;
    let mut asked = Vec::new();
    for assessments in areas.values() {
        let mut of_rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        // What is denied of all objects, or needed of few, is told elsewhere.
        let needed = assessments
            .iter()
            .copied()
            .filter(|one| one.answer.is_allowed() && one.requirement.necessity == Necessity::Required);
        for (one, pattern) in needed.flat_map(|one| patterns.iter().map(move |pattern| (one, pattern))) {
            // Rules that share a requirement share the prefix.
            let Some(rule) = rules.named(&one.requirement.rule_ids).next() else {
                continue;
            };
            let prefix = &rule.filter.prefix;
            if !may_meet(pattern, prefix) {
                continue;
            }
            let asked_before = of_rules
                .entry((&one.requirement.request.action, pattern))
                .or_default();
            if *asked_before >= most_rules {
                continue;
            }
            let cost = pattern.len().saturating_mul(prefix.len());
            match left.checked_sub(cost).filter(|_| asked.len() < MOST_QUESTIONS) {
                Some(rest) => left = rest,
                None => return (asked, false),
            }
            if let Some(object) = example(pattern, prefix) {
                *asked_before += 1;
                asked.push((one, rule, object));
            }
        }
    }
    (asked, true)
}

/// Can the pattern match anything under the prefix, by what stands before its first wildcard?
fn may_meet(pattern: &str, prefix: &str) -> bool {
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    prefix.starts_with(literal) || literal.starts_with(prefix)
}

/// The patterns of objects, without the bucket, in Deny statements about anything that is asked about.
fn patterns(facts: &Facts<'_>, areas: &BTreeMap<&Area, &Vec<&Assessment>>) -> BTreeSet<String> {
    let snapshot = facts.snapshot;
    let all = areas.values().copied().flatten();
    let actions: BTreeSet<&str> = all.map(|one| one.requirement.request.action.as_str()).collect();
    let mut found = BTreeSet::new();
    if let Some(role) = snapshot.role.found() {
        let own = role.inline.policies.iter().chain(&role.managed.policies);
        own.chain(role.boundary.found())
            .for_each(|policy| add(policy, &actions, &mut found));
    }
    for area in areas.keys().copied() {
        if let Some(policy) = resource_policy(snapshot, area).found() {
            add(policy, &actions, &mut found);
        }
    }
    found
}

fn add(policy: &NamedPolicy, actions: &BTreeSet<&str>, found: &mut BTreeSet<String>) {
    let raw = policy.document.raw_statements();
    for (raw, statement) in raw.iter().zip(policy.document.statements()) {
        if statement.effect() == Some(Effect::Deny)
            && actions.iter().any(|action| statement.may_be_about(action))
        {
            for element in ["Resource", "Condition"] {
                texts(raw.get(element), &mut |text| found.extend(of_objects(text)));
            }
        }
    }
}

/// Every text below a value.
fn texts(value: Option<&Value>, each: &mut dyn FnMut(&str)) {
    match value {
        Some(Value::String(text)) => each(text),
        Some(Value::Array(values)) => values.iter().for_each(|value| texts(Some(value), each)),
        Some(Value::Object(fields)) => fields.values().for_each(|value| texts(Some(value), each)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
    }
}

/// What a pattern of objects says behind the bucket. What says nothing there names all objects, or none.
fn of_objects(text: &str) -> Option<String> {
    // Not every pattern is a whole ARN.
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let resource = match parts.as_slice() {
        [_, _, service, _, _, resource] if *service == "s3" || service.contains(['*', '?']) => *resource,
        [_, _, _, _, _, _] => return None,
        _ => text,
    };
    let object = match resource.split_once('/') {
        Some((_, object)) => object,
        // A star in the name of a bucket may reach into its objects.
        None => resource.get(resource.find('*')?..)?,
    };
    (!object.chars().all(|c| c == '*')).then(|| object.to_owned())
}

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    One,
    Run,
}

/// `${*}`, `${?}` and `${$}` are the characters themselves:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        let mut ahead = rest.clone();
        let escaped = match (character, ahead.next(), ahead.next(), ahead.next()) {
            ('$', Some('{'), Some(escaped @ ('*' | '?' | '$')), Some('}')) => Some(escaped),
            _ => None,
        };
        tokens.push(match (escaped, character) {
            (Some(escaped), _) => {
                rest = ahead;
                Token::Character(escaped)
            }
            (None, '*') => Token::Run,
            (None, '?') => Token::One,
            (None, other) => Token::Character(other),
        });
    }
    tokens
}

/// An object under the prefix that the pattern matches. None where there can be none.
fn example(pattern: &str, prefix: &str) -> Option<String> {
    let tokens = tokens(pattern);
    // How far the pattern may have come at each character of the prefix.
    let mut reached = BTreeSet::from([0]);
    for character in prefix.chars() {
        reached = closure(&tokens, reached)
            .into_iter()
            .filter_map(|at| match tokens.get(at)? {
                Token::Run => Some(at),
                Token::One => Some(at + 1),
                Token::Character(expected) => (*expected == character).then_some(at + 1),
            })
            .collect();
    }
    // What has come furthest has the least to add. A run that is next takes something: most objects are no folders.
    let at = reached.last().copied()?;
    let rest = tokens.get(at..)?.iter().map(|token| match token {
        Token::Character(character) => *character,
        Token::One | Token::Run => 'x',
    });
    let object: String = prefix.chars().chain(rest).collect();
    (!object.is_empty()).then_some(object)
}

/// A run may be empty.
fn closure(tokens: &[Token], mut reached: BTreeSet<usize>) -> BTreeSet<usize> {
    let mut open: Vec<usize> = reached.iter().copied().collect();
    while let Some(at) = open.pop() {
        if tokens.get(at) == Some(&Token::Run) && reached.insert(at + 1) {
            open.push(at + 1);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_under_the_prefix_and_in_the_pattern() {
        for (pattern, prefix, expected) in [
            ("secret/*", "", Some("secret/x")),
            ("secret/*", "secret/", Some("secret/x")),
            ("secret/a/*", "secret/", Some("secret/a/x")),
            ("secret/*", "secret/a/", Some("secret/a/x")),
            ("secret/*", "public/", None),
            ("*.exe", "", Some("x.exe")),
            ("*.exe", "tools/", Some("tools/x.exe")),
            ("p*l/secret/*", "payroll/", Some("payroll/secret/x")),
            ("p?yroll/*/x", "payroll/", Some("payroll/x/x")),
            ("pay", "payroll/", None),
            ("${*}/${$}", "*/", Some("*/$")),
            ("${*}/*", "a/", None),
            ("ü*", "ü/", Some("ü/x")),
            ("?", "", Some("x")),
        ] {
            assert_eq!(
                example(pattern, prefix).as_deref(),
                expected,
                "{pattern} {prefix}"
            );
        }
    }

    #[test]
    fn only_patterns_of_some_objects_count() {
        for (text, expected) in [
            ("arn:aws:s3:::logs/secret/*", Some("secret/*")),
            ("arn:aws-cn:s3:::*/*.exe", Some("*.exe")),
            ("arn:*:s3:*:*:logs/secret/*", Some("secret/*")),
            ("*/secret/*", Some("secret/*")),
            ("arn:aws:s3:::logs*secret*", Some("*secret*")),
            ("o-a1b2c3d4e5/*", None),
            ("aws:kms", None),
            ("arn:aws:s3:::logs/*", None),
            ("arn:aws:s3:::logs", None),
            ("arn:aws:s3:::logs*", None),
            ("*", None),
            ("arn:aws:kms:eu-west-1:111122223333:key/1", None),
        ] {
            assert_eq!(of_objects(text).as_deref(), expected, "{text}");
        }
    }
}
