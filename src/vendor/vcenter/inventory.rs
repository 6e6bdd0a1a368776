//! What a vCenter offers, for people: every version that it holds, and every Supervisor cluster with where it is and may go.
//!
//! Two reads, `GET clusters` and `GET cluster-available-versions`. No upgrade depends on what is found here.

use serde_json::Value;

use super::VCenter;
use super::VERSIONS;
use super::failure;
use super::json_of;
use super::wire;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::vendor::error::VendorError;
use crate::vendor::seam::FoundCluster;
use crate::vendor::seam::FoundVersion;
use crate::vendor::seam::Inventory;

impl VCenter {
    /// Looks everything up.
    pub async fn inventory(&self) -> Result<Inventory, VendorError> {
        let listing = self.list().await.map_err(|failure| failure.error)?;
        let versions = self.held().await?;
        let clusters = listing.sights.into_iter().map(|(id, sight)| cluster(id, sight)).collect();
        Ok(Inventory::VCenter { versions, clusters })
    }

    /// Versions that this vCenter holds for Supervisor clusters, as it lists them. What a given cluster may go to is fewer, and in its own look.
    pub(super) async fn held(&self) -> Result<Vec<FoundVersion>, VendorError> {
        const OPERATION: &str = "list_versions";
        let (dated, _) = self.get(OPERATION, &VERSIONS).await?;
        match json_of(&dated.reply) {
            Some(Value::Array(rows)) if dated.reply.status == 200 => Ok(rows.iter().filter_map(version).collect()),
            _ => Err(failure(&self.shared.http, OPERATION, &dated.reply)),
        }
    }
}

fn version(row: &Value) -> Option<FoundVersion> {
    Some(FoundVersion {
        version: wire::word(row, "version")?,
        release_date: wire::word(row, "release_date"),
    })
}

fn cluster(id: String, sight: Sight) -> FoundCluster {
    let state = match (&sight.motion, &sight.looks) {
        (Motion::Moving { .. }, _) => Some("PENDING"),
        (Motion::Still, Some(looks)) => Some(if looks.faulted { "ERROR" } else { "READY" }),
        _ => None,
    };
    FoundCluster {
        id,
        name: sight.identity,
        version: sight.looks.map(|looks| looks.version),
        offered: match sight.offered {
            Offered::Versions(versions) => versions,
            Offered::Unasked | Offered::Untold | Offered::Unavailable { .. } => Vec::new(),
        },
        state,
    }
}
