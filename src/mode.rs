//! Whether this program may change anything, and the value that every write requires.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How far the program goes with a repair that it has planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It tells the repair and never makes it.
    #[default]
    DryRun,
    /// It makes the repair when a person sends back the plan's digest.
    Approve,
    /// It makes the repair at once.
    Auto,
}

/// The permission to write. Code that writes takes one, and [`Mode::write_access`] alone makes them, so that a dry run
/// cannot write however it is called.
#[derive(Debug)]
pub struct WriteAccess(());

impl Mode {
    /// The permission to write, in the modes that may.
    pub fn write_access(self) -> Option<WriteAccess> {
        match self {
            Self::DryRun => None,
            Self::Approve | Self::Auto => Some(WriteAccess(())),
        }
    }

    /// The mode as it is written in settings and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `dry-run`, `approve` or `auto`")]
pub struct InvalidMode;

impl FromStr for Mode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        [Self::DryRun, Self::Approve, Self::Auto]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(InvalidMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_holds_no_permission_to_write() {
        assert!(Mode::default().write_access().is_none());
        assert!(Mode::Approve.write_access().is_some());
        assert!(Mode::Auto.write_access().is_some());
    }

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in [Mode::DryRun, Mode::Approve, Mode::Auto] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("Auto".parse::<Mode>(), Err(InvalidMode));
    }
}
