//! Every byte to or from a vendor.
//!
//! One folder per vendor, on one [`http`] layer. A vendor's client offers the same five things, and [`VendorClient`] is the seam that
//! the controllers see; a fifth vendor is one folder and one variant here:
//!
//! - `probe`: is it there, is it what we think, may we use it;
//! - `list`: one look at every target, for all resources on a Connection at once;
//! - `observe`: one look at one target, with all its detail. Not seen is a value, not an error;
//! - `prepare`: everything slow that comes before a start, ending in a fresh look. Its [`Ready`] can [`start`](Ready::start) once,
//!   with a permit;
//! - `logout`: at shutdown.
//!
//! What an answer to a start *proves* is judged by a pure function of the vendor's folder (`answers.rs`); what a sight proves is judged
//! by the core. Nothing that a vendor documents as unconfirmed may be relied on for a start: unknown words become "not seen" or "lost".

pub mod credentials;
mod decode;
pub mod error;
pub mod http;
#[cfg(test)]
pub(crate) mod mutated;
pub mod recovery_appliance;
mod seam;
mod session;
pub mod text;
pub mod vcenter;

pub use seam::CallObserver;
pub use seam::ClientOptions;
pub use seam::FoundCluster;
pub use seam::FoundUpdate;
pub use seam::FoundVersion;
pub use seam::Inventory;
pub use seam::ListFailure;
pub use seam::Listing;
pub use seam::Probe;
pub use seam::Updates;

use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use error::VendorError;
use http::Unsent;
use recovery_appliance::RecoveryAppliance;
use vcenter::VCenter;

/// The client of one Connection, whatever its type.
#[derive(Clone)]
pub enum VendorClient {
    /// A recovery appliance.
    RecoveryAppliance(RecoveryAppliance),
    /// vCenter.
    VCenter(VCenter),
}

/// What a start asks, for the receipt: no session, no header, nothing secret.
pub fn describe_request(target: &TargetKey, order: &Order) -> String {
    match target.vendor {
        VendorType::RecoveryAppliance => recovery_appliance::describe_request(target, order),
        VendorType::VCenter => vcenter::describe_request(target, order),
        // No client speaks to these yet, so nothing is ever asked of them.
        VendorType::Hmc | VendorType::ArubaCentral => format!("{target} {}", order.version),
    }
}

/// A start that is prepared; see [`VendorClient::prepare`].
#[must_use = "a prepared start is started or deliberately dropped"]
pub enum Ready {
    /// On a recovery appliance.
    RecoveryAppliance(recovery_appliance::Ready),
    /// On a vCenter.
    VCenter(vcenter::Ready),
}

impl VendorClient {
    /// Whether the endpoint answers, is what the Connection says, and lets us in.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        match self {
            VendorClient::RecoveryAppliance(client) => client.probe().await,
            VendorClient::VCenter(client) => client.probe().await,
        }
    }

    /// One look at every target that the endpoint lists. `start_open` says whether a start may be under way there by now; it is asked before
    /// anything is done that leaves a trace.
    pub async fn list(&self, start_open: impl Fn() -> bool + Send + Sync) -> Result<Listing, Box<ListFailure>> {
        match self {
            VendorClient::RecoveryAppliance(client) => client.list(start_open).await,
            VendorClient::VCenter(client) => client.list().await,
        }
    }

    /// One look at one target. `job`: the vendor's job that is known to carry its run out, where it is; not every vendor has jobs.
    pub async fn observe(&self, target: &TargetKey, job: Option<&str>) -> Sight {
        match self {
            VendorClient::RecoveryAppliance(client) => client.observe(target, job).await,
            VendorClient::VCenter(client) => client.observe(target).await,
        }
    }

    /// Everything slow that comes before a start.
    pub async fn prepare(&self, target: &TargetKey) -> Result<Ready, VendorError> {
        match self {
            VendorClient::RecoveryAppliance(client) => client.prepare(target).await.map(Ready::RecoveryAppliance),
            VendorClient::VCenter(client) => client.prepare(target).await.map(Ready::VCenter),
        }
    }

    /// What the endpoint offers, for people. `start_open`: as in [`list`](Self::list).
    pub async fn inventory(&self, start_open: impl Fn() -> bool + Send + Sync) -> Result<Inventory, VendorError> {
        match self {
            VendorClient::RecoveryAppliance(client) => client.inventory(start_open).await,
            VendorClient::VCenter(client) => client.inventory().await,
        }
    }

    /// Ends the session. Best effort.
    pub async fn logout(&self) {
        match self {
            VendorClient::RecoveryAppliance(client) => client.logout().await,
            VendorClient::VCenter(client) => client.logout().await,
        }
    }
}

impl Ready {
    /// The look that preparing ended in.
    pub fn sight(&self) -> &Sight {
        match self {
            Ready::RecoveryAppliance(ready) => ready.sight(),
            Ready::VCenter(ready) => ready.sight(),
        }
    }

    /// Sends the start, once. `Err`: nothing left the process.
    pub async fn start(self, permit: StartPermit) -> Result<Sent, Box<Unsent>> {
        match self {
            Ready::RecoveryAppliance(ready) => ready.start(permit).await,
            Ready::VCenter(ready) => ready.start(permit).await,
        }
    }
}
