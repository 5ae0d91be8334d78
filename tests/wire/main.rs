//! The AWS SDK behind the ports, against a server on this machine that answers what AWS answers on the wire.
//!
//! `cfg(test)` tells the linter that these modules are tests: an integration test's helpers are not so to it.

#[cfg(test)]
mod buckets;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod log;
#[cfg(test)]
mod members;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod writes;
