//! The proxy of the proofs: here it only says whether the API server still has to answer something.
#![allow(dead_code, reason = "its faults are for the proofs")]

#[path = "../it/proof/effects.rs"]
pub mod effects;
#[path = "../it/proof/era.rs"]
pub mod era;
#[path = "../it/proof/proxy.rs"]
pub mod proxy;
#[path = "../it/proof/replies.rs"]
pub mod replies;
#[path = "../it/proof/watches.rs"]
pub mod watches;
