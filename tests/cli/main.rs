//! The command line: what it shows of accounts in memory, and how its binary behaves.
//!
//! `cfg(test)` tells the linter that these modules are tests: an integration test's helpers are not so to it.

#[cfg(test)]
#[path = "../core"]
#[expect(dead_code, reason = "these tests need a part of what the account can do")]
mod shared {
    pub(crate) mod account;
}
#[cfg(test)]
mod binary;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod login;
#[cfg(test)]
mod output;
#[cfg(test)]
mod pages;
#[cfg(test)]
#[path = "../core/scenarios/patch.rs"]
mod patch;
#[cfg(test)]
#[path = "../core/scenarios/story.rs"]
#[expect(dead_code, reason = "these tests need a part of what a story can do")]
mod story;

#[cfg(test)]
use shared::account;
