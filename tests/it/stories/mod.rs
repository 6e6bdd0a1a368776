//! Stories of upgrades: the real binary, the real API server, a simulated vCenter. The oracle is the simulator's log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests are in here")]

mod edits;
mod happy;
mod ledger;
mod recreated;
mod reports;
mod resolved;
mod rollout;
mod stops;
mod strange;
mod targets;
mod tenants;
mod wiped;
mod access;
mod answers;
mod endings;
mod happy;
mod lost;
mod process;
mod secrets;
mod support;
