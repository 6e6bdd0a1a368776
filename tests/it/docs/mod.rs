//! The documents, as they are read: every link leads somewhere, every page is in the book, and every word that a status may say is explained.
//!
//! No network, and a cluster for the manifests only. What commands in the guides do is for `chart::guides`, what the command line prints for its golden tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod links;
mod manifests;
mod page;
mod words;
