//! From what a vendor's client found to what an Inventory shows: rows, bounds, one line for a table. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::inventory::ApplianceInventory;
use crate::api::inventory::ApplianceOffer;
use crate::api::inventory::CentralInventory;
use crate::api::inventory::ClusterInventory;
use crate::api::inventory::FirmwareCount;
use crate::api::inventory::HmcInventory;
use crate::api::inventory::InventoryStatus;
use crate::api::inventory::MOST_ROWS;
use crate::api::inventory::MOST_VERSIONS;
use crate::api::inventory::OfferedVersion;
use crate::api::inventory::RemoteFirmwareUpdate;
use crate::api::inventory::RemoteFirmwareUpdateToken;
use crate::api::inventory::VCenterInventory;
use crate::upgrade::version;
use crate::upgrade::version::Order;
use crate::vendor::FoundCluster;
use crate::vendor::FoundFirmware;
use crate::vendor::FoundRemoteUpdate;
use crate::vendor::FoundUpdate;
use crate::vendor::FoundVersion;
use crate::vendor::Inventory;
use crate::vendor::Updates;
use crate::vendor::error::VendorError;

/// What one pass has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Everything was seen.
    pub ready: bool,
    /// One word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// What was found; `None` leaves standing what was found before.
    pub found: Option<Found>,
}

/// The part of the status that a look fills.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// One line.
    pub summary: String,
    /// Everything in it was seen by this look.
    pub fresh: bool,
    /// More was found than is shown.
    pub truncated: bool,
    /// A vCenter's.
    pub vcenter: Option<VCenterInventory>,
    /// A recovery appliance's.
    pub recovery_appliance: Option<ApplianceInventory>,
    /// An HMC's.
    pub hmc: Option<HmcInventory>,
    /// An Aruba Central's.
    pub aruba_central: Option<CentralInventory>,
}

impl Shown {
    /// Nothing could be looked up.
    pub fn not_ready(reason: &'static str, message: String) -> Shown {
        Shown {
            ready: false,
            reason,
            message,
            found: None,
        }
    }
}

/// Whether a status says that its last look succeeded.
pub fn ready(status: &InventoryStatus) -> bool {
    status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// What a look has to say. `old` keeps what this look could not ask.
pub fn shown(old: Option<&InventoryStatus>, looked: &Result<Inventory, VendorError>) -> Shown {
    match looked {
        Ok(Inventory::VCenter { versions, clusters }) => observed(vcenter(versions, clusters)),
        Ok(Inventory::ArubaCentral { firmware, truncated }) => observed(central(firmware, *truncated)),
        Ok(Inventory::Hmc { bundle, updates, tokens }) => observed(console(bundle, updates, tokens)),
        Ok(Inventory::RecoveryAppliance { product, version, updates }) => {
            let before = old
                .and_then(|s| s.recovery_appliance.as_ref())
                .map(|a| a.updates.clone())
                .unwrap_or_default();
            appliance(product.as_ref(), version, updates, before)
        }
        Err(error) => Shown::not_ready(error.reason(), error.message()),
    }
}

fn observed(found: Found) -> Shown {
    Shown {
        ready: true,
        reason: "Observed",
        message: found.summary.clone(),
        found: Some(found),
    }
}

fn many(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn console(bundle: &str, updates: &[FoundRemoteUpdate], tokens: &[Timestamp]) -> Found {
    Found {
        summary: format!(
            "at {bundle}; {}, {}",
            many(updates.len(), "remote firmware update"),
            many(tokens.len(), "token")
        ),
        fresh: true,
        truncated: updates.len() > MOST_ROWS || tokens.len() > MOST_ROWS,
        hmc: Some(HmcInventory {
            bundle_level: Some(bundle.to_owned()),
            remote_firmware_updates: updates.iter().take(MOST_ROWS).map(remote).collect(),
            remote_firmware_update_tokens: tokens
                .iter()
                .take(MOST_ROWS)
                .map(|until| RemoteFirmwareUpdateToken {
                    expiration_date: Some(*until),
                })
                .collect(),
        }),
        ..Found::default()
    }
}

fn central(firmware: &[FoundFirmware], cut: bool) -> Found {
    let shown = &firmware[..firmware.len().min(MOST_ROWS)];
    let devices = firmware.iter().fold(0_u32, |sum, row| sum.saturating_add(row.devices));
    let customers: BTreeSet<&str> = firmware.iter().map(|row| row.customer_id.as_str()).collect();
    let behind = firmware.iter().filter(|row| {
        let below = |build: &String| matches!(version::order(build, &row.version), Order::Newer);
        row.recommended.as_ref().is_some_and(below)
    });
    let behind = behind.fold(0_u32, |sum, row| sum.saturating_add(row.devices));
    let more = if cut { "at least " } else { "" };
    let many_devices = usize::try_from(devices).unwrap_or(usize::MAX);
    Found {
        summary: format!(
            "{more}{} of {}, {behind} below what is recommended",
            many(many_devices, "device"),
            many(customers.len(), "customer")
        ),
        fresh: true,
        truncated: cut || firmware.len() > MOST_ROWS,
        aruba_central: Some(CentralInventory {
            firmware: shown
                .iter()
                .map(|row| FirmwareCount {
                    customer_id: row.customer_id.clone(),
                    device_type: row.device_type.clone(),
                    model: row.model.clone(),
                    version: row.version.clone(),
                    recommended: row.recommended.clone(),
                    devices: i32::try_from(row.devices).unwrap_or(i32::MAX),
                })
                .collect(),
        }),
        ..Found::default()
    }
}

fn remote(update: &FoundRemoteUpdate) -> RemoteFirmwareUpdate {
    RemoteFirmwareUpdate {
        element_uri: update.element_uri.clone(),
        scheduled_execution_time: update.scheduled,
        target_bundle: update.target_bundle.clone(),
        state: Some(update.state.clone()),
        pending_conditions: update.pending.clone().unwrap_or_default(),
    }
}

fn vcenter(versions: &[FoundVersion], clusters: &[FoundCluster]) -> Found {
    let updatable = clusters.iter().filter(|c| !c.offered.is_empty()).count();
    let truncated = versions.len() > MOST_ROWS || clusters.len() > MOST_ROWS || clusters.iter().any(|c| c.offered.len() > MOST_VERSIONS);
    Found {
        summary: format!(
            "{}, {updatable} with updates; {}",
            many(clusters.len(), "Supervisor cluster"),
            many(versions.len(), "version")
        ),
        fresh: true,
        truncated,
        vcenter: Some(VCenterInventory {
            versions: versions
                .iter()
                .take(MOST_ROWS)
                .map(|v| OfferedVersion {
                    version: v.version.clone(),
                    release_date: v.release_date.clone(),
                })
                .collect(),
            clusters: clusters
                .iter()
                .take(MOST_ROWS)
                .map(|c| ClusterInventory {
                    cluster: c.id.clone(),
                    name: c.name.clone(),
                    current_version: c.version.clone(),
                    available_versions: c.offered.iter().take(MOST_VERSIONS).cloned().collect(),
                    state: c.state.map(str::to_owned),
                })
                .collect(),
        }),
        ..Found::default()
    }
}

fn appliance(product: Option<&String>, version: &str, updates: &Updates, before: Vec<ApplianceOffer>) -> Shown {
    let fresh = matches!(updates, Updates::Listed(_));
    let found = |updates: Vec<ApplianceOffer>, offers: &str, truncated: bool| Found {
        summary: format!("at {version}; {offers}"),
        fresh,
        truncated,
        vcenter: None,
        recovery_appliance: Some(ApplianceInventory {
            product: product.cloned(),
            version: Some(version.to_owned()),
            updates,
        }),
        ..Found::default()
    };
    match updates {
        Updates::Listed(all) => {
            let shown: Vec<ApplianceOffer> = all.iter().take(MOST_ROWS).map(offer).collect();
            let versions: Vec<&str> = all.iter().take(MOST_NAMED).map(|u| u.version.as_str()).collect();
            let more = all.len().saturating_sub(MOST_NAMED);
            let offers = match (all.len(), more) {
                (0, _) => "no updates".to_owned(),
                (_, 0) => format!("offers {}", versions.join(", ")),
                _ => format!("offers {} and {more} more", versions.join(", ")),
            };
            observed(found(shown, &offers, all.len() > MOST_ROWS))
        }
        Updates::NotAsked => observed(found(
            before,
            "an update may be under way: what it offers was not asked again",
            false,
        )),
        Updates::Unavailable { why } => Shown {
            ready: false,
            reason: "RepositoryUnreachable",
            message: format!("the appliance cannot say what it offers: {why}"),
            found: Some(found(before, "what it offers is not known", false)),
        },
    }
}

/// Most versions in the one line: it is a table's cell.
const MOST_NAMED: usize = 3;

fn offer(update: &FoundUpdate) -> ApplianceOffer {
    ApplianceOffer {
        version: update.version.clone(),
        type_: update.type_.clone(),
        severity: update.severity.clone(),
        release_date: update.released,
        reboot_required: update.reboot,
        summary: update.summary.clone(),
    }
}
