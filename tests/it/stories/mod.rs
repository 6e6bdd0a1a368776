//! Stories of upgrades: the real binary, the real API server, a simulated vCenter. The oracle is the simulator's log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests are in here")]

mod access;
mod answers;
mod appliance;
mod aruba;
mod edits;
mod endings;
mod happy;
mod hmc;
mod ledger;
mod lost;
mod metrics;
mod outdated;
mod process;
mod recreated;
mod reports;
mod resolved;
mod rollout;
mod secrets;
mod shards;
mod stops;
mod strange;
mod support;
mod targets;
mod tenants;
mod trace;
mod twice;
mod types;
mod when;
mod wiped;

pub use happy::quick;
