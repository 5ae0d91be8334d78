//! Tests of what may be changed, and how: guards, plans, their review, applying and undoing, against accounts in memory.
//!
//! `cfg(test)` tells the linter that these modules are tests: an integration test's helpers are not so to it.

#[cfg(test)]
#[path = "../core"]
#[expect(dead_code, reason = "these tests need a part of what the account can do")]
mod shared {
    pub(crate) mod account;
}

#[cfg(test)]
mod apply;
#[cfg(test)]
mod former;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod review;
#[cfg(test)]
mod settling;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod world;
