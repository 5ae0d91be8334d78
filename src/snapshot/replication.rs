//! A bucket's replication configuration, as GetBucketReplication returns it.
//!
//! Implements <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html>.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, BucketName, InvalidName, KeyReference, RoleArn};
#[cfg(doc)]
use crate::policy::UNWRITABLE;

/// How the object is called that stands for all objects of a rule. No policy can name it ([`UNWRITABLE`]), and hardly a run
/// of `?` is as long: what matches it matches whatever comes behind the prefix.
pub const SAMPLE_NAME: &str = concat!(
    "\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}",
    "\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}",
    "\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}",
    "\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}\u{f8ff}",
);

/// The replication configuration of a source bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// The role that S3 assumes to replicate.
    pub role: RoleArn,
    /// All rules, disabled ones included, in S3's order.
    pub rules: Vec<Rule>,
}

impl Replication {
    /// A configuration, with what the priorities of its rules make of each other.
    pub fn new(role: RoleArn, rules: Vec<Rule>) -> Self {
        let superseding = |rule: &Rule| {
            let mut others = rules.iter();
            let other = others.find(|other| other.enabled && rule.enabled && other.supersedes(rule));
            other.map(|other| other.id.clone())
        };
        let superseded: Vec<Option<String>> = rules.iter().map(superseding).collect();
        let rules = rules.into_iter().zip(superseded);
        Self {
            role,
            rules: rules
                .map(|(rule, superseded_by)| Rule {
                    superseded_by,
                    ..rule
                })
                .collect(),
        }
    }
}

/// Which generation of the rule's form is used. They differ in what they mean, not only in how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No `Filter`: the prefix stands in the rule, and users' delete markers are replicated.
    V1,
    /// With `Filter`, `Priority` and `DeleteMarkerReplication`.
    V2,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The id, which S3 makes up where the author gave none. Author's text: escape it wherever it is shown.
    pub id: String,
    /// Disabled rules do nothing.
    pub enabled: bool,
    /// Of rules that would send one object to the same bucket, S3 goes by the one with the highest.
    pub priority: Option<i32>,
    /// The enabled rule that S3 goes by in place of this one, for each object that this one would take.
    pub superseded_by: Option<String>,
    /// Form of the rule.
    pub schema: Schema,
    /// Which objects it takes.
    pub filter: RuleFilter,
    /// Where replicas go.
    pub destination: BucketName,
    /// The account that the author says owns the destination. Nobody checks it: it proves nothing.
    pub claimed_account: Option<AccountId>,
    /// Are replicas to be owned by the destination's owner (`AccessControlTranslation`)?
    pub owner_override: bool,
    /// Are objects under KMS keys replicated (`SseKmsEncryptedObjects`)?
    pub sse_kms_objects: bool,
    /// Are changes of metadata on replicas replicated back?
    pub replica_modifications: bool,
    /// `ReplicaKmsKeyID` as it stands in the rule; S3 does not check that there is such a key.
    pub replica_key: Option<String>,
    /// Are delete markers replicated?
    pub delete_markers: bool,
    /// Without metrics S3 reports no failure of this rule to anyone.
    pub metrics: bool,
}

impl Rule {
    /// The key that replicas are to be encrypted with, as a checked name.
    ///
    /// # Errors
    /// The rule names something that is neither a key ARN nor an alias ARN.
    pub fn replica_key(&self) -> Result<Option<KeyReference>, InvalidName> {
        self.replica_key.as_deref().map(str::parse).transpose()
    }

    /// Does S3 go by this rule for all that the other would do? Which of two rules it goes by for what only one of them
    /// selects, AWS does not say, so a rule that selects less does not.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>
    fn supersedes(&self, other: &Self) -> bool {
        self.priority
            .zip(other.priority)
            .is_some_and(|(own, its)| own > its)
            && self.schema == Schema::V2
            && self.destination == other.destination
            && other.filter.prefix.starts_with(&self.filter.prefix)
            && self.filter.tags.iter().all(|tag| other.filter.tags.contains(tag))
            && self.sse_kms_objects >= other.sse_kms_objects
            && self.delete_markers >= other.delete_markers
            && self.replica_modifications >= other.replica_modifications
    }

    /// Does S3 go by this rule rather than the other for every object under KMS keys that both filters let through? It does
    /// whatever the priorities where the other does not select such objects: these criteria are "additional filters".
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>
    pub fn takes_all_before(&self, other: &Self) -> bool {
        let has_priority = self.schema == Schema::V2
            && self
                .priority
                .zip(other.priority)
                .is_some_and(|(own, its)| own > its);
        (has_priority || !other.sse_kms_objects)
            && self.destination == other.destination
            && self.filter.tags.is_empty()
            && self.sse_kms_objects
    }

    /// An object key that the rule takes, for evaluating permissions with: policies are matched against one object.
    pub fn sample_key(&self) -> String {
        format!("{}{SAMPLE_NAME}", self.filter.prefix)
    }
}

/// Rules, to be found by their ids: a thousand of them have ten thousand requirements, each of which names its rules.
///
/// S3 takes no two rules of one id. If there were two, both would be found.
#[derive(Debug)]
pub struct RulesById<'a>(BTreeMap<&'a str, Vec<&'a Rule>>);

impl<'a> RulesById<'a> {
    pub(super) fn of(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut by_id: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
        for rule in rules {
            by_id.entry(&rule.id).or_default().push(rule);
        }
        Self(by_id)
    }

    /// The rules with these ids.
    pub fn named(&self, ids: &BTreeSet<String>) -> impl Iterator<Item = &'a Rule> {
        ids.iter()
            .filter_map(|id| self.0.get(id.as_str()))
            .flatten()
            .copied()
    }
}

/// Which objects a rule takes: those that have the prefix and all the tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Empty for the whole bucket.
    pub prefix: String,
    /// All must be on the object.
    pub tags: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, priority: i32, change: impl Fn(&mut Rule)) -> Rule {
        let mut rule = Rule {
            id: id.to_owned(),
            enabled: true,
            priority: Some(priority),
            superseded_by: None,
            schema: Schema::V2,
            filter: RuleFilter::default(),
            destination: "replica".parse().unwrap(),
            claimed_account: None,
            owner_override: false,
            sse_kms_objects: true,
            replica_modifications: false,
            replica_key: None,
            delete_markers: false,
            metrics: true,
        };
        change(&mut rule);
        rule
    }

    #[test]
    fn a_rule_stands_in_for_one_of_lower_priority_only_where_it_takes_all_that_that_one_would() {
        let tag = || ("class".to_owned(), "a".to_owned());
        let lower = |rule: &mut Rule| rule.filter.prefix = "logs/".to_owned();
        type Case<'a> = (&'a str, bool, &'a dyn Fn(&mut Rule));
        let higher: [Case<'_>; 11] = [
            ("all objects", true, &|_| {}),
            ("the same prefix", true, &lower),
            ("a narrower prefix", false, &|rule| {
                rule.filter.prefix = "logs/a/".to_owned()
            }),
            ("objects with a tag", false, &|rule| rule.filter.tags.push(tag())),
            ("another bucket", false, &|rule| {
                rule.destination = "other".parse().unwrap();
            }),
            ("nothing, since it is off", false, &|rule| rule.enabled = false),
            ("no objects under KMS keys", false, &|rule| {
                rule.sse_kms_objects = false
            }),
            ("a lower priority", false, &|rule| rule.priority = Some(0)),
            ("the same priority", false, &|rule| rule.priority = Some(1)),
            ("no priority", false, &|rule| rule.priority = None),
            ("delete markers too", true, &|rule| rule.delete_markers = true),
        ];
        for (what, expected, change) in higher {
            let role = "arn:aws:iam::111122223333:role/crr".parse().unwrap();
            let replication = Replication::new(role, vec![rule("low", 1, lower), rule("high", 2, change)]);
            let superseded: Vec<_> = replication
                .rules
                .iter()
                .map(|rule| rule.superseded_by.as_deref())
                .collect();
            assert_eq!(superseded, [expected.then_some("high"), None], "{what}");
        }
        // What priority a rule has that names none, AWS does not say.
        let nameless = |rule: &mut Rule| rule.priority = None;
        let role = "arn:aws:iam::111122223333:role/crr".parse().unwrap();
        let replication = Replication::new(role, vec![rule("low", 1, nameless), rule("high", 2, |_| {})]);
        assert!(replication.rules.iter().all(|rule| rule.superseded_by.is_none()));
    }

    #[test]
    fn what_a_rule_does_not_select_another_takes_whatever_its_priority_if_it_has_the_same_destination_and_no_tags()
     {
        let plain = rule("plain", 2, |rule| rule.sse_kms_objects = false);
        type Case<'a> = (&'a str, bool, &'a dyn Fn(&mut Rule));
        let others: [Case<'_>; 5] = [
            ("a lower priority", true, &|_| {}),
            ("no priority", true, &|rule| rule.priority = None),
            ("another bucket", false, &|rule| {
                rule.destination = "other".parse().unwrap();
            }),
            ("objects with a tag", false, &|rule| {
                rule.filter.tags.push(("class".to_owned(), "a".to_owned()));
            }),
            ("no objects under KMS keys either", false, &|rule| {
                rule.sse_kms_objects = false
            }),
        ];
        for (what, expected, change) in others {
            assert_eq!(
                rule("kms", 1, change).takes_all_before(&plain),
                expected,
                "{what}"
            );
        }
        assert!(!rule("kms", 1, |_| {}).takes_all_before(&rule("other", 2, |_| {})));
    }
}
