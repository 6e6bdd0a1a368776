//! Stories of an HMC that upgrades itself. The oracle is the log of the simulated console: what it committed, not what is shown.

mod doubts;
mod happy;
mod inventory;
mod others;
mod refusals;
mod remote;
mod secrets;
mod sight;
