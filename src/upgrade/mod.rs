//! The pure core: what is to be done about an upgrade, given facts and a time.
//!
//! [`controller`](crate::controller) gathers facts, calls [`decide`](decide::decide) and carries the answer out; [`vendor`](crate::vendor)
//! fills [`Sight`](sight::Sight)s. Nothing here reads a clock, draws a random number, awaits, or talks to anybody: clippy's
//! disallowed methods say so. `decide` is the only place where anything is decided, [`conclude`](conclude::conclude) the only place
//! where evidence is judged.

pub mod receipt;
pub mod sight;
pub mod target;
pub mod timing;
