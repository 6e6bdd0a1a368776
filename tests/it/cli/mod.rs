//! The command line: the real binary, typed by people with exactly the roles of the chart, against the real API server.
//!
//! What each verb prints in detail is told by golden tests beside it; these are about what only a cluster can show: rights, identity, and that
//! nothing is written which was not asked for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod doctor;
mod doubt;
mod night;
mod person;
mod plan;
mod word;
