//! Stories of Aruba Central: a customer's devices, of which only they themselves tell what became of a start.

mod doubts;
mod happy;
mod inventory;
mod open;
mod others;
mod quota;
mod refusals;
mod secrets;
mod sight;
mod tokens;
mod weekend;
