//! What every vendor's client gives and takes, in words that belong to no vendor.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::credentials::CredentialSource;
use super::error::VendorError;
use super::http::Dated;
use super::http::Fence;
use super::http::Http;
use super::text::sanitize;
use crate::clock::Clock;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

/// Told of every request to a vendor; metrics are made of it.
pub trait CallObserver: Send + Sync {
    /// One request ended. `class`: ok, transient, throttled, auth, refused, or unknown for a start whose answer was lost.
    fn call(&self, operation: &'static str, class: &'static str, seconds: f64);
}

/// What a vendor's client is made of.
pub struct ClientOptions {
    /// Where.
    pub authority: Authority,
    /// `spec.caBundlePEM`; without it the public roots are trusted.
    pub ca_bundle_pem: Option<String>,
    /// Asked at each login and each probe.
    pub credentials: Arc<dyn CredentialSource>,
    /// The installation's address fence.
    pub fence: Arc<Fence>,
    /// Timeouts and pauses.
    pub timing: Timing,
    /// All time.
    pub clock: Clock,
    /// Who counts the calls.
    pub observer: Option<Arc<dyn CallObserver>>,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Name of the product, for people.
    pub product: String,
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

/// When and of whom something was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// When it was sent, on our monotonic clock.
    pub mono: Mono,
    /// The same moment on the wall clock.
    pub at: Timestamp,
    /// Who was asked.
    pub authority: Authority,
}

impl Asked {
    /// This moment, of this endpoint.
    pub fn now(http: &Http) -> Asked {
        Asked {
            mono: http.clock().mono(),
            at: http.clock().wall(),
            authority: http.authority().clone(),
        }
    }

    /// When this answer was asked for.
    pub fn of(http: &Http, dated: &Dated) -> Asked {
        Asked {
            mono: dated.asked,
            at: dated.at,
            authority: http.authority().clone(),
        }
    }

    /// A look that showed nothing.
    pub fn not_seen(&self, why: &str, unknown_object: bool, detailed: bool) -> Sight {
        Sight {
            asked: self.mono,
            at: self.at,
            authority: self.authority.clone(),
            complete: unknown_object,
            motion: Motion::NotSeen {
                why: sanitize(why),
                unknown_object,
            },
            looks: None,
            offered: Offered::Unasked,
            jobs: Vec::new(),
            identity: None,
            says: None,
            detailed,
        }
    }
}
