//! Fetches facts, asks the core, and carries out what it says.

pub mod permit;
