//! Decides which comparison an operator's name stands for.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

/// A condition operator, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) struct Operator {
    pub(in crate::policy) base: Base,
    /// `…Not…`: holds where no value matches, and where the key is absent.
    pub(in crate::policy) negated: bool,
    pub(in crate::policy) quantifier: Quantifier,
    pub(in crate::policy) if_exists: bool,
}

/// What is asked of a key with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Quantifier {
    /// The operator is for single values.
    None,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// The comparison itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    /// `ArnEquals` and `ArnLike` do the same.
    Arn,
    Numeric(Comparison),
    Date(Comparison),
    Bool,
    IpAddress,
    Binary,
    Null,
}

/// How the value of the request must stand to that of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn holds(self, found_to_wanted: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => found_to_wanted.is_eq(),
            Self::Less => found_to_wanted.is_lt(),
            Self::LessOrEqual => found_to_wanted.is_le(),
            Self::Greater => found_to_wanted.is_gt(),
            Self::GreaterOrEqual => found_to_wanted.is_ge(),
        }
    }
}

impl Operator {
    /// `None` for a name that we do not know. Letter case counts: AWS documents one spelling.
    pub(in crate::policy) fn read(name: &str) -> Option<Self> {
        let (quantifier, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Quantifier::All, rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Quantifier::Any, rest)
        } else {
            (Quantifier::None, name)
        };
        if rest == "Null" {
            return (quantifier == Quantifier::None).then_some(Self {
                base: Base::Null,
                negated: false,
                quantifier,
                if_exists: false,
            });
        }
        let (if_exists, rest) = match rest.strip_suffix("IfExists") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (base, negated) = match rest {
            "StringEquals" => (Base::StringEquals, false),
            "StringNotEquals" => (Base::StringEquals, true),
            "StringEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, true),
            "StringLike" => (Base::StringLike, false),
            "StringNotLike" => (Base::StringLike, true),
            "ArnEquals" | "ArnLike" => (Base::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Base::Arn, true),
            "NumericEquals" => (Base::Numeric(Comparison::Equal), false),
            "NumericNotEquals" => (Base::Numeric(Comparison::Equal), true),
            "NumericLessThan" => (Base::Numeric(Comparison::Less), false),
            "NumericLessThanEquals" => (Base::Numeric(Comparison::LessOrEqual), false),
            "NumericGreaterThan" => (Base::Numeric(Comparison::Greater), false),
            "NumericGreaterThanEquals" => (Base::Numeric(Comparison::GreaterOrEqual), false),
            "DateEquals" => (Base::Date(Comparison::Equal), false),
            "DateNotEquals" => (Base::Date(Comparison::Equal), true),
            "DateLessThan" => (Base::Date(Comparison::Less), false),
            "DateLessThanEquals" => (Base::Date(Comparison::LessOrEqual), false),
            "DateGreaterThan" => (Base::Date(Comparison::Greater), false),
            "DateGreaterThanEquals" => (Base::Date(Comparison::GreaterOrEqual), false),
            "Bool" => (Base::Bool, false),
            "IpAddress" => (Base::IpAddress, false),
            "NotIpAddress" => (Base::IpAddress, true),
            "BinaryEquals" => (Base::Binary, false),
            _ => return None,
        };
        Some(Self {
            base,
            negated,
            quantifier,
            if_exists,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_quantifier_a_comparison_and_whether_the_key_may_be_absent() {
        assert_eq!(
            Operator::read("ForAnyValue:StringNotLikeIfExists"),
            Some(Operator {
                base: Base::StringLike,
                negated: true,
                quantifier: Quantifier::Any,
                if_exists: true,
            })
        );
        let null = Operator::read("Null").unwrap();
        assert_eq!(
            (null.base, null.negated, null.if_exists),
            (Base::Null, false, false)
        );
    }

    #[test]
    fn every_operator_that_aws_documents_is_known() {
        for (name, base, negated) in [
            ("StringEquals", Base::StringEquals, false),
            ("StringNotEquals", Base::StringEquals, true),
            ("StringEqualsIgnoreCase", Base::StringEqualsIgnoreCase, false),
            ("StringNotEqualsIgnoreCase", Base::StringEqualsIgnoreCase, true),
            ("StringLike", Base::StringLike, false),
            ("StringNotLike", Base::StringLike, true),
            ("NumericEquals", Base::Numeric(Comparison::Equal), false),
            ("NumericNotEquals", Base::Numeric(Comparison::Equal), true),
            ("NumericLessThan", Base::Numeric(Comparison::Less), false),
            (
                "NumericLessThanEquals",
                Base::Numeric(Comparison::LessOrEqual),
                false,
            ),
            ("NumericGreaterThan", Base::Numeric(Comparison::Greater), false),
            (
                "NumericGreaterThanEquals",
                Base::Numeric(Comparison::GreaterOrEqual),
                false,
            ),
            ("DateEquals", Base::Date(Comparison::Equal), false),
            ("DateNotEquals", Base::Date(Comparison::Equal), true),
            ("DateLessThan", Base::Date(Comparison::Less), false),
            ("DateLessThanEquals", Base::Date(Comparison::LessOrEqual), false),
            ("DateGreaterThan", Base::Date(Comparison::Greater), false),
            (
                "DateGreaterThanEquals",
                Base::Date(Comparison::GreaterOrEqual),
                false,
            ),
            ("Bool", Base::Bool, false),
            ("BinaryEquals", Base::Binary, false),
            ("IpAddress", Base::IpAddress, false),
            ("NotIpAddress", Base::IpAddress, true),
            ("ArnEquals", Base::Arn, false),
            ("ArnLike", Base::Arn, false),
            ("ArnNotEquals", Base::Arn, true),
            ("ArnNotLike", Base::Arn, true),
        ] {
            let read = Operator::read(&format!("{name}IfExists")).unwrap();
            assert_eq!(
                (read.base, read.negated, read.if_exists),
                (base, negated, true),
                "{name}"
            );
            assert_eq!(
                Operator::read(name).map(|read| read.if_exists),
                Some(false),
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_that_aws_does_not_document_is_unknown() {
        for name in [
            "",
            "stringEquals",
            "StringEqual",
            "NullIfExists",
            "ForAllValues:Null",
            "ForAllValues:",
            "IfExists",
            "ForAnyValues:StringEquals",
            "StringEqualsIfExistsIfExists",
            "BinaryNotEquals",
            "NumericNotLessThan",
        ] {
            assert_eq!(Operator::read(name), None, "{name}");
        }
    }

    #[test]
    fn an_order_holds_for_exactly_its_comparisons() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        for (order, holds) in [
            (Comparison::Equal, [false, true, false]),
            (Comparison::Less, [true, false, false]),
            (Comparison::LessOrEqual, [true, true, false]),
            (Comparison::Greater, [false, false, true]),
            (Comparison::GreaterOrEqual, [false, true, true]),
        ] {
            assert_eq!(
                [Less, Equal, Greater].map(|found| order.holds(found)),
                holds,
                "{order:?}"
            );
        }
    }
}
