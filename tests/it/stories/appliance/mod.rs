//! Stories of updates of recovery appliances. The oracle is the log of the simulated appliance: what it committed, not what is shown.

mod doubts;
mod endings;
mod happy;
mod inventory;
mod others;
mod refusals;
mod sight;
mod tables;
mod twice;
mod waits;
