//! Decides whether one value of a request matches one value of a condition.
//!
//! Implements the comparisons of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.
//! A value of the request that cannot be read as what the operator compares (a number, a date, an ARN, …) matches
//! nothing. What such a value of the policy does, AWS does not say.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;

use super::super::answer::DoubtReason;
use super::super::arn_pattern::ArnPattern;
use super::super::matching::arn_parts;
use super::super::pattern::{glob, glob_tokens};
use super::super::request::Context;
use super::super::statement::malformed;
use super::super::template::{Missing, Template};
use super::Base;

/// One value of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    template: Template,
    /// The value as what the operator compares, read once; without meaning where the template holds a variable.
    read: Read,
}

#[derive(Debug, Clone, PartialEq)]
enum Read {
    Text,
    Arn(Option<Box<ArnPattern>>),
    Number(Option<Decimal>),
    Instant(Option<Timestamp>),
    Flag(Option<bool>),
    Network(Option<IpNet>),
    Bytes(Option<Vec<u8>>),
}

/// What comparing two values gives.
#[derive(Debug)]
pub(super) enum Test<'o> {
    Is(bool),
    /// The value of the policy holds a variable that has no value.
    NoValue(Missing<'o>),
    Unsure(DoubtReason),
}

impl Operand {
    pub(super) fn read(base: Option<Base>, text: &str, variables: bool) -> Self {
        Self {
            template: Template::parse(text, variables),
            read: Read::of(base, text, variables),
        }
    }

    /// The value as the policy writes it.
    pub(super) fn source(&self) -> &str {
        self.template.source()
    }

    /// The value as "true" or "false".
    pub(super) fn flag(&self) -> Option<bool> {
        flag(self.template.source())
    }

    pub(super) fn test(&self, base: Base, value: &str, context: &Context) -> Test<'_> {
        let matches = match (base, self.template.plain()) {
            (Base::Arn, _) => return self.test_arn(value, context),
            (Base::StringLike, Some(text)) => Ok(glob(text, value)),
            (Base::StringLike, None) => {
                let tokens = self.template.tokens(context);
                tokens.map(|tokens| glob_tokens(&tokens, value))
            }
            (_, Some(text)) => match self.read.unreadable() {
                Some(expected) => {
                    let found = Value::from(text);
                    return Test::Unsure(DoubtReason::Flaw(malformed("Condition", expected, &found)));
                }
                None => Ok(self.read.matches(base, text, value)),
            },
            (_, None) => {
                let text = self.template.fill(context);
                text.map(|text| Read::of(Some(base), &text, false).matches(base, &text, value))
            }
        };
        matches.map_or_else(Test::NoValue, Test::Is)
    }

    fn test_arn(&self, value: &str, context: &Context) -> Test<'_> {
        let Some(found) = arn_parts(value) else {
            return Test::Is(false);
        };
        if let Read::Arn(Some(wanted)) = &self.read {
            let difference = wanted.difference(&found, context);
            return difference.map_or_else(Test::NoValue, |part| Test::Is(part.is_none()));
        }
        // AWS does not say what a pattern with fewer than six parts matches; what no reading of it can match, it does
        // not.
        match self.template.tokens(context) {
            Ok(tokens) if glob_tokens(&tokens, value) => {
                Test::Unsure(DoubtReason::ShortArn(self.source().to_owned()))
            }
            Ok(_) => Test::Is(false),
            Err(missing) => Test::NoValue(missing),
        }
    }
}

impl Read {
    fn of(base: Option<Base>, text: &str, variables: bool) -> Self {
        match base {
            Some(Base::Arn) => Self::Arn(ArnPattern::read(text, variables).map(Box::new)),
            Some(Base::Numeric(_)) => Self::Number(Decimal::read(text)),
            Some(Base::Date(_)) => Self::Instant(instant(text)),
            Some(Base::Bool) => Self::Flag(flag(text)),
            Some(Base::IpAddress) => Self::Network(network(text)),
            Some(Base::Binary) => Self::Bytes(BASE64.decode(text).ok()),
            Some(Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::Null)
            | None => Self::Text,
        }
    }

    /// What the policy's value should be, where it is not that.
    fn unreadable(&self) -> Option<&'static str> {
        match self {
            Self::Number(None) => Some("a number"),
            Self::Instant(None) => Some("a date, a time with its zone, or seconds since 1970"),
            Self::Flag(None) => Some("`true` or `false`"),
            Self::Network(None) => Some("an address or a CIDR block"),
            Self::Bytes(None) => Some("base64"),
            Self::Text
            | Self::Arn(_)
            | Self::Number(Some(_))
            | Self::Instant(Some(_))
            | Self::Flag(Some(_))
            | Self::Network(Some(_))
            | Self::Bytes(Some(_)) => None,
        }
    }

    /// Compares with a value of the request; `text` is the policy's value.
    fn matches(&self, base: Base, text: &str, value: &str) -> bool {
        match (base, self) {
            (Base::StringEquals, _) => text == value,
            (Base::StringEqualsIgnoreCase, _) => {
                text.eq_ignore_ascii_case(value) || text.to_lowercase() == value.to_lowercase()
            }
            (Base::Numeric(order), Self::Number(Some(wanted))) => {
                Decimal::read(value).is_some_and(|found| order.holds(found.cmp(wanted)))
            }
            (Base::Date(order), Self::Instant(Some(wanted))) => {
                instant(value).is_some_and(|found| order.holds(found.cmp(wanted)))
            }
            (Base::Bool, Self::Flag(Some(wanted))) => flag(value) == Some(*wanted),
            (Base::IpAddress, Self::Network(Some(wanted))) => {
                network(value).is_some_and(|found| wanted.contains(&found))
            }
            (Base::Binary, Self::Bytes(Some(wanted))) => {
                BASE64.decode(value).is_ok_and(|found| found == *wanted)
            }
            _ => false,
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A CIDR block; a bare address is the block of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

/// ISO 8601 as the W3C profiles it (<https://www.w3.org/TR/NOTE-datetime>): with a zone, or a day, month or year alone,
/// which is its first moment in UTC; or seconds since 1970. Four digits could be both, and nobody means 1970 by them.
fn instant(text: &str) -> Option<Timestamp> {
    let date = match text.len() {
        4 if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(format!("{text}-01-01")),
        7 if text.as_bytes().get(4) == Some(&b'-') => Some(format!("{text}-01")),
        10 if text.as_bytes().get(4) == Some(&b'-') => Some(text.to_owned()),
        _ => None,
    };
    if let Some(date) = date {
        let date: jiff::civil::Date = date.parse().ok()?;
        return Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().ok()
}

/// A decimal number of any length, in the form in which equal numbers are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        Some(Self {
            negative: negative && !(whole.is_empty() && fraction.is_empty()),
            whole: whole.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || {
            self.whole
                .len()
                .cmp(&other.whole.len())
                .then_with(|| self.whole.cmp(&other.whole))
                .then_with(|| self.fraction.cmp(&other.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operator::Comparison;
    use super::*;

    fn matches(base: Base, wanted: &str, found: &str) -> bool {
        matches!(
            Operand::read(Some(base), wanted, true).test(base, found, &Context::new()),
            Test::Is(true)
        )
    }

    #[test]
    fn numbers_are_compared_as_decimals_of_any_length() {
        let order = |a: &str, b: &str| Some(Decimal::read(a)?.cmp(&Decimal::read(b)?));
        for (a, b, expected) in [
            ("1.20", "1.2", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("+7", "007.0", Ordering::Equal),
            (".5", "0.5", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("1.19", "1.2", Ordering::Less),
            ("-2", "-1", Ordering::Less),
            ("-1", "1", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
        ] {
            assert_eq!(order(a, b), Some(expected), "{a} {b}");
            assert_eq!(order(b, a), Some(expected.reverse()), "{b} {a}");
        }
        for text in ["", ".", "-", "1e3", "inf", "NaN", "0x1", "1 ", "1.2.3", "--1"] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
        assert!(!matches(Base::Numeric(Comparison::Equal), "1", "one"));
    }

    #[test]
    fn dates_are_instants_however_they_are_written() {
        let same = |a, b| matches(Base::Date(Comparison::Equal), a, b);
        assert!(same("2026-05-04T10:20:30Z", "2026-05-04T05:20:30-05:00"));
        assert!(same("2026-05-04", "2026-05-04T00:00:00Z"));
        assert!(same("1777890030", "2026-05-04T10:20:30Z"));
        assert!(same("2026-05-04T10:20Z", "2026-05-04T10:20:00Z"));
        assert!(same("2026-05", "2026-05-01T00:00:00Z"));
        assert!(same("2026", "2026-01-01"), "four digits are a year");
        assert!(same("20260", "1970-01-01T05:37:40Z"));
        assert!(same("-100", "1969-12-31T23:58:20Z"));
        assert!(same("1777890", "1970-01-21T13:51:30Z"));
        assert!(!same("1777-05-04x", "1777-05-04"));
        assert!(!same("2026-13", "2027-01"));
        assert!(
            !same("2026-05-04T10:20:30", "2026-05-04T10:20:30Z"),
            "no zone is no instant"
        );
        assert!(!same("yesterday", "yesterday"));
    }

    #[test]
    fn an_address_is_in_a_block_of_its_own_family() {
        let inside = |block, address| matches(Base::IpAddress, block, address);
        assert!(inside("10.1.2.3/16", "10.1.200.1"));
        assert!(inside("2001:db8::/32", "2001:DB8:1::5"));
        assert!(inside("10.0.0.1", "10.0.0.1"));
        assert!(!inside("10.0.0.1", "10.0.0.2"));
        assert!(!inside("0.0.0.0/0", "::1"));
        assert!(!inside("10.0.0.0/33", "10.0.0.1"));
    }

    #[test]
    fn the_parts_of_an_arn_are_compared_one_by_one() {
        let like = |wanted, found| matches(Base::Arn, wanted, found);
        assert!(like("arn:aws:s3:::b/x:?:z/*", "arn:aws:s3:::b/x:y:z/1"));
        assert!(!like("arn:aws:s3:*:00:00Z", "arn:aws:s3:::b/10:00:00Z"));
        assert!(!like("arn:aws:s3:::b", "b"));
        assert!(!like("b", "b"));
        let short = Operand::read(Some(Base::Arn), "arn:aws:s3*", true);
        let test = |value| short.test(Base::Arn, value, &Context::new());
        assert!(matches!(
            test("arn:aws:s3:::b"),
            Test::Unsure(DoubtReason::ShortArn(_))
        ));
        assert!(matches!(test("arn:aws:sqs:::b"), Test::Is(false)));
    }

    #[test]
    fn text_flags_and_bytes_are_compared_as_what_they_are() {
        assert!(!matches(Base::StringEquals, "b*", "bx"));
        assert!(matches(Base::StringEqualsIgnoreCase, "ÄB", "äb"));
        assert!(!matches(Base::StringEqualsIgnoreCase, "ab", "ac"));
        assert!(matches(Base::Bool, "False", "false"));
        assert!(!matches(Base::Bool, "0", "false"));
        assert!(matches(Base::Binary, "QUJD", "QUJD"));
        assert!(!matches(Base::Binary, "QUJD", "QUJE"));
        assert!(!matches(Base::Binary, "!", "!"));
    }

    #[test]
    fn a_variable_is_filled_in_before_the_value_is_read() {
        let context = Context::new().with("aws:PrincipalTag/n", "10.50");
        let test = |base, wanted: &str, found: &str| {
            let operand = Operand::read(Some(base), wanted, true);
            matches!(operand.test(base, found, &context), Test::Is(true))
        };
        assert!(test(
            Base::Numeric(Comparison::Equal),
            "${aws:PrincipalTag/n}",
            "10.5"
        ));
        assert!(test(
            Base::Arn,
            "arn:aws:s3:::b/${aws:PrincipalTag/n}?",
            "arn:aws:s3:::b/10.50x"
        ));
        assert!(
            !test(
                Base::Arn,
                "arn:aws:iam::${aws:PrincipalTag/n}:role/a",
                "arn:aws:iam::10.50:role/a"
            ),
            "only the last part of an ARN takes variables"
        );
        assert!(test(Base::StringLike, "?${aws:PrincipalTag/n}*", "x10.50y"));
    }
}
