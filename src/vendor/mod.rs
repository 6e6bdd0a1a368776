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

pub mod aruba_central;
pub mod credentials;
mod decode;
pub mod error;
pub mod hmc;
pub mod http;
mod hush;
#[cfg(test)]
pub(crate) mod mutated;
pub mod recovery_appliance;
mod seam;
mod session;
pub mod text;
pub mod vault;
pub mod vcenter;

pub use seam::CallObserver;
pub use seam::ClientOptions;
pub use seam::FoundCluster;
pub use seam::FoundFirmware;
pub use seam::FoundRemoteUpdate;
pub use seam::FoundUpdate;
pub use seam::FoundVersion;
pub use seam::Inventory;
pub use seam::InventoryAsk;
pub use seam::ListFailure;
pub use seam::Listing;
pub use seam::Probe;
pub use seam::StartOpen;
pub use seam::Updates;

use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::fleet::Scope;
use crate::upgrade::quota::Quota;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use aruba_central::ArubaCentral;
use error::VendorError;
use hmc::Hmc;
use http::Unsent;
use recovery_appliance::RecoveryAppliance;
use vcenter::VCenter;

/// The client of one Connection, whatever its type.
#[derive(Clone)]
pub enum VendorClient {
    /// Aruba Central.
    ArubaCentral(ArubaCentral),
    /// An HMC.
    Hmc(Hmc),
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
        VendorType::Hmc => hmc::describe_request(target, order),
        VendorType::ArubaCentral => aruba_central::describe_request(target, order),
    }
}

/// A start that is prepared; see [`VendorClient::prepare`].
#[must_use = "a prepared start is started or deliberately dropped"]
pub enum Ready {
    /// At Aruba Central.
    ArubaCentral(aruba_central::Ready),
    /// On an HMC.
    Hmc(hmc::Ready),
    /// On a recovery appliance.
    RecoveryAppliance(recovery_appliance::Ready),
    /// On a vCenter.
    VCenter(vcenter::Ready),
}

impl VendorClient {
    /// Whether the endpoint answers, is what the Connection says, and lets us in.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        match self {
            VendorClient::ArubaCentral(client) => client.probe().await,
            VendorClient::Hmc(client) => client.probe().await,
            VendorClient::RecoveryAppliance(client) => client.probe().await,
            VendorClient::VCenter(client) => client.probe().await,
        }
    }

    /// One look at every target that the endpoint lists.
    pub async fn list(&self) -> Result<Listing, Box<ListFailure>> {
        match self {
            VendorClient::ArubaCentral(client) => Ok(client.list()),
            VendorClient::Hmc(client) => client.list().await,
            VendorClient::RecoveryAppliance(client) => client.list().await,
            VendorClient::VCenter(client) => client.list().await,
        }
    }

    /// One look at one target. `job`: the vendor's job that is known to carry its run out, where it is; not every vendor has jobs. `scope`: what
    /// else it is to find out, of a vendor whose targets are sets of devices.
    pub async fn observe(&self, target: &TargetKey, job: Option<&str>, scope: &Scope) -> Sight {
        match self {
            VendorClient::ArubaCentral(client) => client.observe(target, scope).await,
            VendorClient::Hmc(client) => client.observe(target, job).await,
            VendorClient::RecoveryAppliance(client) => client.observe(target, job).await,
            VendorClient::VCenter(client) => client.observe(target).await,
        }
    }

    /// Everything slow that comes before a start of this order.
    pub async fn prepare(&self, target: &TargetKey, order: &Order) -> Result<Ready, VendorError> {
        match self {
            VendorClient::ArubaCentral(client) => client.prepare(target, order).await.map(Ready::ArubaCentral),
            VendorClient::Hmc(client) => client.prepare(target, order).await.map(Ready::Hmc),
            VendorClient::RecoveryAppliance(client) => client.prepare(target).await.map(Ready::RecoveryAppliance),
            VendorClient::VCenter(client) => client.prepare(target).await.map(Ready::VCenter),
        }
    }

    /// What the endpoint offers, for people.
    pub async fn inventory(&self, ask: &InventoryAsk) -> Result<Inventory, VendorError> {
        match self {
            VendorClient::ArubaCentral(client) => client.inventory(ask).await,
            VendorClient::Hmc(client) => client.inventory(ask.state.as_deref()).await,
            VendorClient::RecoveryAppliance(client) => client.inventory().await,
            VendorClient::VCenter(client) => client.inventory().await,
        }
    }

    /// Puts the token with which the vendor's people may schedule an upgrade where people find it. `None`: there is none, or the vendor has no
    /// such thing.
    pub async fn hand_over(&self, connection: &str) -> Option<HandedOver> {
        match self {
            VendorClient::Hmc(client) => client.hand_over(connection).await,
            VendorClient::ArubaCentral(_) | VendorClient::RecoveryAppliance(_) | VendorClient::VCenter(_) => None,
        }
    }

    /// What may still be asked today, where the vendor counts that and has told. Asks nobody.
    pub fn quota(&self) -> Option<Quota> {
        match self {
            VendorClient::ArubaCentral(client) => client.quota(),
            VendorClient::Hmc(_) | VendorClient::RecoveryAppliance(_) | VendorClient::VCenter(_) => None,
        }
    }

    /// How many times the tokens that the vendor replaces came and were stored since this was asked last. Asks nobody.
    pub fn take_rotated(&self) -> u64 {
        match self {
            VendorClient::ArubaCentral(client) => client.take_rotated(),
            VendorClient::Hmc(_) | VendorClient::RecoveryAppliance(_) | VendorClient::VCenter(_) => 0,
        }
    }

    /// Ends the session. Best effort.
    pub async fn logout(&self) {
        match self {
            VendorClient::ArubaCentral(client) => client.logout().await,
            VendorClient::Hmc(client) => client.logout().await,
            VendorClient::RecoveryAppliance(client) => client.logout().await,
            VendorClient::VCenter(client) => client.logout().await,
        }
    }
}

impl Ready {
    /// The look that preparing ended in.
    pub fn sight(&self) -> &Sight {
        match self {
            Ready::ArubaCentral(ready) => ready.sight(),
            Ready::Hmc(ready) => ready.sight(),
            Ready::RecoveryAppliance(ready) => ready.sight(),
            Ready::VCenter(ready) => ready.sight(),
        }
    }

    /// Sends the start, once. `Err`: nothing left the process.
    pub async fn start(self, permit: StartPermit) -> Result<Sent, Box<Unsent>> {
        match self {
            Ready::ArubaCentral(ready) => ready.start(permit).await,
            Ready::Hmc(ready) => ready.start(permit).await,
            Ready::RecoveryAppliance(ready) => ready.start(permit).await,
            Ready::VCenter(ready) => ready.start(permit).await,
        }
    }
}
