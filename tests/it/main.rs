//! The one test binary.

#[path = "../sim/mod.rs"]
mod sim;
