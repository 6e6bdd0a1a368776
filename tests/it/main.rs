//! Stories against a real API server: one test binary, so that everything links once.
//!
//! All tests share one control plane (see `plane`) and take a namespace each. They run in parallel and in any order.

#[path = "../plane/mod.rs"]
mod plane;

mod plane_stories;
