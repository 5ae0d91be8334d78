//! Every attack that was tried on this program, one test each; `docs/THREATS.md` says which guard stops which.
//!
//! `cfg(test)` tells the linter that these modules are tests: an integration test's helpers are not so to it.

#[cfg(test)]
#[path = "../core"]
#[expect(dead_code, reason = "these tests need a part of what the account can do")]
mod shared {
    pub(crate) mod account;
}
#[cfg(test)]
#[path = "../plan/world.rs"]
mod world;

#[cfg(test)]
mod destinations;
#[cfg(test)]
mod events;
#[cfg(test)]
mod exhaustion;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod function;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod hidden;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod output;
#[cfg(test)]
mod race;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod template;
#[cfg(test)]
mod text;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod undo;
