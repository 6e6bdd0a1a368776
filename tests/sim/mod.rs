//! Simulators of the vendors that Windlass talks to.
//!
//! They are written from the vendors' own pages (the project's table of vendor facts; the marks [C] confirmed, [I] inferred and
//! [U] unconfirmed in these files are that table's) and **share no type with the product**: a mistake in the product's `wire`
//! types must not be repeated here, or the two would agree on it. Nothing under `tests/sim` may import the product.
//!
//! Each simulator speaks TLS on a loopback port, keeps state that moves with a clock which can be set, and can be told over plain
//! HTTP on a second port to misbehave. Its log of **committed starts** is the oracle of every test: what counts is not what the
//! client believes but how often the vendor really began something.
//!
//! Callers: the stories in `tests/it`, the demo in `tests/demo`, and the runnable example `sim` (see `main.rs` beside this file).
//!
//! | module | what | vendor-neutral |
//! |---|---|---|
//! | [`tls`], [`door`] | certificates; the listener, whose connections can be cut | yes |
//! | [`clock`] | simulated time | yes |
//! | [`faults`], [`pipeline`] | fault rules and the path of one request through them | yes |
//! | [`log`] | requests and committed starts | yes |
//! | [`control`], [`running`] | the control API; a started simulator | yes |
//! | [`secret`] | what nobody may print | yes |
//! | [`vendor`] | what a simulator of one vendor has to provide | yes |
//! | [`vcenter`] | vCenter, `namespace-management/software/clusters` | no |
//! | [`appliance`] | the VMware recovery appliance, configuration API v2 | no |
//! | [`aruba`] | Aruba Central (classic), at the level of a provider with many customers | no |
//! | [`hmc`] | IBM's Hardware Management Console, Web Services API | no |
//!
//! A story uses it so:
//!
//! ```ignore
//! let vc = VCenter::start(Config::with_clusters(1)).await?;
//! let rule = vc.faults().add(Rule::new(Action::Drop { when: When::After }).on(vcenter::starts()).times(1));
//! // ... let the operator act on vc.url() with vc.ca_pem() ...
//! vc.faults().wait_until_hit(rule).await?;
//! assert_eq!(vc.log().starts("domain-c1").len(), 1);
//! assert!(vc.log().duplicates().is_empty());
//! ```
#![allow(dead_code, unused_imports, reason = "shared by several targets, none of which uses all of it")]
#![allow(
    clippy::disallowed_methods,
    reason = "the product's rules for clocks and sending do not bind its counterpart"
)]

pub mod appliance;
pub mod aruba;
pub mod clock;
pub mod control;
pub mod door;
pub mod faults;
pub mod hmc;
pub mod log;
pub mod pipeline;
pub mod running;
pub mod secret;
pub mod tls;
pub mod vcenter;
pub mod vendor;

#[cfg(test)]
mod checks;

pub use clock::Clock;
pub use faults::{Action, Match, Rule, When};
pub use log::{Entry, Log, Outcome, Start};
pub use running::{Options, Running};
pub use vcenter::{Config, VCenter};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic of another holder: a failed test must not hide its own message behind a poisoned lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
