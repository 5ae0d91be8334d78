//! Decides how knowledge combines: yes, no, and "cannot be known from what was read" (Kleene's three-valued logic).
//!
//! IAM itself knows only yes and no, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.
//! The third value stands for a document that could not be read or an element that we do not model: it survives a
//! combination exactly where the other operands do not settle the result, so that no caller has to remember to check.

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It certainly does not hold.
    No,
    /// Nothing that was read settles it.
    Unknown,
    /// It certainly holds.
    Yes,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// It does not hold.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }

    /// Does it certainly hold?
    #[must_use]
    pub fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }

    /// Does it certainly not hold?
    #[must_use]
    pub fn is_no(self) -> bool {
        matches!(self, Self::No)
    }

    /// Is it open?
    #[must_use]
    pub fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// One judgement made twice: as the request stands, and as if the condition keys that it lacks might be present.
///
/// Where the two answers differ, the answer rests on the absence of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    /// With absent keys absent.
    pub(crate) truth: Truth,
    /// With absent keys unknown.
    pub(crate) blind: Truth,
}

impl Judged {
    pub(crate) const YES: Self = Self::both(Truth::Yes);
    pub(crate) const NO: Self = Self::both(Truth::No);
    pub(crate) const UNKNOWN: Self = Self::both(Truth::Unknown);

    /// A judgement that no absent key takes part in.
    pub(crate) const fn both(truth: Truth) -> Self {
        Self { truth, blind: truth }
    }

    /// A judgement that follows from the absence of a key.
    pub(crate) const fn by_absence(truth: Truth) -> Self {
        Self {
            truth,
            blind: Truth::Unknown,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            truth: self.truth.and(other.truth),
            blind: self.blind.and(other.blind),
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            truth: self.truth.or(other.truth),
            blind: self.blind.or(other.blind),
        }
    }

    pub(crate) fn negated(self) -> Self {
        Self {
            truth: self.truth.negated(),
            blind: self.blind.negated(),
        }
    }

    /// Nothing can make it hold, not even a key that is absent.
    pub(crate) fn is_settled_no(self) -> bool {
        self.truth.is_no() && self.blind.is_no()
    }
}

impl From<bool> for Judged {
    fn from(holds: bool) -> Self {
        Self::both(holds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, No, Unknown, Yes};

    #[test]
    fn an_unknown_operand_survives_exactly_where_the_other_does_not_settle_the_result() {
        let table: [(Truth, Truth, Truth, Truth); 6] = [
            (Yes, Yes, Yes, Yes),
            (Yes, Unknown, Unknown, Yes),
            (Yes, No, No, Yes),
            (Unknown, Unknown, Unknown, Unknown),
            (Unknown, No, No, Unknown),
            (No, No, No, No),
        ];
        for (a, b, and, or) in table {
            assert_eq!((a.and(b), b.and(a)), (and, and), "{a:?} and {b:?}");
            assert_eq!((a.or(b), b.or(a)), (or, or), "{a:?} or {b:?}");
        }
        assert_eq!([Yes, Unknown, No].map(Truth::negated), [No, Unknown, Yes]);
    }
}
