//! What every vendor's client gives and takes, in words that belong to no vendor.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::credentials::CredentialSource;
use super::credentials::SecretSource;
use super::error::VendorError;
use super::http::Dated;
use super::http::Fence;
use super::http::Http;
use super::text::sanitize;
use super::vault::TokenVault;
use crate::clock::Clock;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

/// Told of every request to a vendor; metrics are made of it.
pub trait CallObserver: Send + Sync {
    /// One request ended. `class`: ok, transient, throttled, auth, refused, or unknown for a start whose answer was lost.
    fn call(&self, operation: &'static str, class: &'static str, seconds: f64);
}

/// Whether a start may be under way on a target, whoever's it is.
pub type StartOpen = dyn Fn(&TargetKey) -> bool + Send + Sync;

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
    /// Asked right before anything that leaves a trace at the vendor and is no start.
    pub start_open: Option<Arc<StartOpen>>,
    /// Other Secrets of the Connection's namespace, which an upgrade names for a server of its own.
    pub secrets: Option<Arc<dyn SecretSource>>,
    /// Where tokens are kept that the vendor hands out.
    pub vault: Option<Arc<dyn TokenVault>>,
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

/// What of an endpoint is to be looked up, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryAsk {
    /// Only what is in this state, in the vendor's word, where the vendor can filter by it (HMC).
    pub state: Option<String>,
    /// Of these customers (Aruba Central).
    pub customer_ids: Vec<String>,
    /// Of these types of device, in the vendor's words (Aruba Central).
    pub device_types: Vec<String>,
    /// Most rows that anybody reads: what goes beyond need not be kept (Aruba Central).
    pub most_rows: usize,
}

/// What an endpoint offers, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inventory {
    /// A vCenter.
    VCenter {
        /// Versions that it holds.
        versions: Vec<FoundVersion>,
        /// Its Supervisor clusters.
        clusters: Vec<FoundCluster>,
    },
    /// A recovery appliance.
    RecoveryAppliance {
        /// What it says it is.
        product: Option<String>,
        /// Version that it is at.
        version: String,
        /// What its repository offers.
        updates: Updates,
    },
    /// Customers of an Aruba Central.
    ArubaCentral {
        /// Devices that look alike, sorted.
        firmware: Vec<FoundFirmware>,
        /// There were more than [`InventoryAsk::most_rows`].
        truncated: bool,
    },
    /// An HMC.
    Hmc {
        /// Bundle that it is at.
        bundle: String,
        /// What IBM scheduled there.
        updates: Vec<FoundRemoteUpdate>,
        /// Until when each token for IBM is good, in the console's order; those whose time cannot be read are left out.
        tokens: Vec<Timestamp>,
    },
}

/// What a recovery appliance's repository offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updates {
    /// These.
    Listed(Vec<FoundUpdate>),
    /// Asked, and the appliance could not say.
    Unavailable {
        /// Why, in the vendor's words.
        why: String,
    },
    /// Not asked: a start may be under way there, and asking would leave a task in the list that its fate is judged by.
    NotAsked,
}

/// A remote firmware update that IBM scheduled on an HMC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundRemoteUpdate {
    /// The console's URI of it.
    pub element_uri: String,
    /// When it is to begin.
    pub scheduled: Option<Timestamp>,
    /// Bundle that it goes to.
    pub target_bundle: Option<String>,
    /// Where it stands, in the console's word.
    pub state: String,
    /// What it waits for, in the console's words; `None` where that was not told.
    pub pending: Option<Vec<String>>,
}

/// Devices of one customer, type, model and version.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFirmware {
    /// Whose they are.
    pub customer_id: String,
    /// Their type, in the vendor's word.
    pub device_type: String,
    /// Their model.
    pub model: String,
    /// Version that they are at.
    pub version: String,
    /// The build that the vendor recommends for them.
    pub recommended: Option<String>,
    /// How many they are.
    pub devices: u32,
}

/// A version that a vCenter holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundVersion {
    /// As the vendor spells it.
    pub version: String,
    /// In the vendor's words.
    pub release_date: Option<String>,
}

/// A Supervisor cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCluster {
    /// Its id.
    pub id: String,
    /// The vendor's name of it.
    pub name: Option<String>,
    /// Version that it is at.
    pub version: Option<String>,
    /// Versions that it may go to.
    pub offered: Vec<String>,
    /// What it does, in the vendor's word.
    pub state: Option<&'static str>,
}

/// An update that a recovery appliance offers. Everything but its version may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundUpdate {
    /// As the vendor spells it.
    pub version: String,
    /// FEATURE, SECURITY, FIX or MULTIPLE.
    pub type_: Option<String>,
    /// MODERATE, IMPORTANT or CRITICAL.
    pub severity: Option<String>,
    /// When it was released.
    pub released: Option<Timestamp>,
    /// Whether the appliance restarts for it.
    pub reboot: Option<bool>,
    /// What it is about, redacted and bounded.
    pub summary: Option<String>,
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
        let unseen = Motion::NotSeen {
            why: sanitize(why),
            unknown_object,
        };
        Sight {
            complete: unknown_object,
            detailed,
            ..Sight::showing(self.mono, self.at, self.authority.clone(), unseen)
        }
    }
}
