//! A model checker's proof that one run starts once.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]

mod actions;
mod canonical;
mod core;
mod explorations;
mod mutations;
mod outside;
mod properties;
mod protocol;
mod quick;
mod quiet;
mod scope;
mod world;
