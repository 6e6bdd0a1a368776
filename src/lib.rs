//! Windlass upgrades what Kubernetes does not run, each start at most once.
//!
//! Read in this order: [`api`] is what people write and see; [`upgrade`] decides, purely; [`vendor`] holds every byte to or from
//! a vendor; [`controller`] fetches facts, asks the core, and carries out what it says. The rest is plumbing.

// Unit tests may sleep, spawn and read clocks; the same lines are checked when the library is built for the product.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod api;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod health;
pub mod lease;
pub mod metrics;
pub mod server;
pub mod telemetry;
pub mod upgrade;
pub mod vendor;

#[cfg(test)]
mod purity;
#[cfg(test)]
mod scale;
