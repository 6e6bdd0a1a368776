//! Stories against a real API server: one test binary, so that everything links once.
//!
//! All tests share one control plane (see `plane`) and take a namespace each. They run in parallel and in any order.
#![allow(clippy::disallowed_methods, reason = "tests read clocks, sleep and spawn; the product may not")]

#[path = "../plane/mod.rs"]
mod plane;
#[path = "../sim/mod.rs"]
mod sim;

mod central;
mod chart;
mod cli;
mod conformance;
mod console;
mod crds;
mod deploy;
mod docs;
mod endpoint;
mod gitops;
mod ground;
mod image;
mod leaps;
mod plane_stories;
mod proof;
mod scale;
mod site;
mod stories;
mod told;
mod world;
mod world_people;
