//! The pure core: what is to be done about an upgrade, given facts and a time.
//!
//! [`controller`](crate::controller) gathers [`facts`], calls [`decide`](decide::decide) and carries its [`decision`] out;
//! [`vendor`](crate::vendor) fills [`sight`]s. Nothing here reads a clock, draws a random number, awaits, or talks to anybody: clippy's
//! disallowed methods say so. `decide` is the only place where anything is decided, [`conclude`](conclude::conclude) the only place
//! where evidence is judged. Read in this order.

pub mod calls;
pub mod conclude;
pub mod decide;
pub mod decision;
pub mod facts;
pub mod fleet;
pub mod history;
pub mod ledger;
pub mod memory;
pub mod quota;
pub mod reason;
pub mod receipt;
pub mod rollout;
pub mod row;
pub mod schedule;
pub mod sight;
pub mod slots;
pub mod summary;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
pub mod timing;
pub mod version;
pub mod when;
