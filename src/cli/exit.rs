//! The exit codes, for pipelines.
//!
//! <https://www.gnu.org/software/libc/manual/html_node/Exit-Status.html>: a few small numbers, each with one meaning, and
//! never those above 125, which shells use themselves.

use std::process::ExitCode;

use super::report::Verdict;

/// How a run ended. Of several buckets the worst counts; that is the order here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Nothing that was asked to fail on was found.
    Healthy,
    /// At risk, where that was asked to fail.
    AtRisk,
    /// Something that matters could not be read.
    Undetermined,
    /// Objects are not replicated.
    Broken,
    /// A plan was not carried out.
    NotApplied,
    /// AWS could not be asked.
    Unreachable,
    /// The arguments, the settings or a file cannot be used.
    Usage,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::Healthy,
        Self::Broken,
        Self::Undetermined,
        Self::Usage,
        Self::AtRisk,
        Self::Unreachable,
        Self::NotApplied,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Broken => 1,
            Self::Undetermined => 2,
            Self::Usage => 3,
            Self::AtRisk => 4,
            Self::Unreachable => 5,
            Self::NotApplied => 6,
        }
    }

    /// What it means, for the help and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Healthy => "healthy, or nothing as bad as `--fail-on` says",
            Self::Broken => "broken: objects are not replicated",
            Self::Undetermined => "undetermined: something that matters could not be read",
            Self::Usage => "the arguments, the settings or a file cannot be used",
            Self::AtRisk => "at risk, only with `--fail-on at-risk`",
            Self::Unreachable => "AWS could not be asked: no credentials, no connection, no permission",
            Self::NotApplied => {
                "the plan of `apply` or `undo` is not in place, or `backlog` made no job: refused, declined or failed"
            }
        }
    }

    /// The table for the help.
    pub fn table() -> String {
        let mut table = String::from("Exit codes (the worst of several buckets):");
        for exit in Self::ALL {
            table.push_str(&format!("\n  {}  {}", exit.code(), exit.meaning()));
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// From which verdict on a check fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FailOn {
    /// Already where replication is at risk.
    AtRisk,
    /// Where it is broken, or that could not be determined.
    #[default]
    Undetermined,
    /// Only where it is broken.
    Broken,
    /// Never for what is found.
    Never,
}

impl FailOn {
    /// What a verdict means to the pipeline.
    pub fn exit(self, verdict: Verdict) -> Exit {
        match verdict {
            Verdict::AtRisk if self <= Self::AtRisk => Exit::AtRisk,
            Verdict::Undetermined if self <= Self::Undetermined => Exit::Undetermined,
            Verdict::Broken if self <= Self::Broken => Exit::Broken,
            Verdict::Healthy | Verdict::AtRisk | Verdict::Undetermined | Verdict::Broken => Exit::Healthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_fails_from_where_it_was_asked_to() {
        use FailOn as On;
        use Verdict::{AtRisk, Broken, Healthy, Undetermined};
        for (fail_on, codes) in [
            (On::AtRisk, [0, 4, 2, 1]),
            (On::Undetermined, [0, 0, 2, 1]),
            (On::Broken, [0, 0, 0, 1]),
            (On::Never, [0, 0, 0, 0]),
        ] {
            let exits = [Healthy, AtRisk, Undetermined, Broken].map(|verdict| fail_on.exit(verdict).code());
            assert_eq!(exits, codes, "{fail_on:?}");
        }
    }

    #[test]
    fn broken_is_worse_than_undetermined_whatever_their_numbers() {
        assert_eq!(
            [Exit::Undetermined, Exit::Broken].into_iter().max(),
            Some(Exit::Broken)
        );
        assert_eq!(
            [Exit::Broken, Exit::Unreachable].into_iter().max(),
            Some(Exit::Unreachable)
        );
    }

    #[test]
    fn no_number_means_two_things() {
        let codes: std::collections::BTreeSet<u8> = Exit::ALL.map(Exit::code).into();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
