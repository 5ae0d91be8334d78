//! Tests of the whole core, without network and without the AWS SDK, against accounts in memory.
//!
//! `cfg(test)` tells the linter that these modules are tests: an integration test's helpers are not so to it.

#[cfg(test)]
mod account;
#[cfg(test)]
mod collect;
#[cfg(test)]
mod handler;
#[cfg(test)]
mod news;
#[cfg(test)]
mod over_time;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod shared;
