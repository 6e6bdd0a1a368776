//! What every vendor's client gives and takes, in words that belong to no vendor.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::VendorError;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;

/// Told of every request to a vendor; metrics are made of it.
pub trait CallObserver: Send + Sync {
    /// One request ended. `class`: ok, transient, throttled, auth, refused, or unknown for a start whose answer was lost.
    fn call(&self, operation: &'static str, class: &'static str, seconds: f64);
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Name of the product, for people.
    pub product: &'static str,
    /// Its version, where a documented call tells.
    pub version: Option<String>,
    /// For the Ready condition.
    pub message: String,
}

/// One look at every target that an endpoint lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// When the request was sent.
    pub asked: Mono,
    /// The same moment on the wall clock.
    pub at: Timestamp,
    /// Who answered.
    pub authority: Authority,
    /// Every row was read. What is missing from an incomplete list was not looked at; what is missing from a complete one is not seen.
    pub complete: bool,
    /// Target's object to its sight.
    pub sights: BTreeMap<String, Sight>,
}

/// A list that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFailure {
    /// When the list was asked for.
    pub asked: Mono,
    /// The same moment on the wall clock.
    pub at: Timestamp,
    /// Why it did not come.
    pub error: VendorError,
}
