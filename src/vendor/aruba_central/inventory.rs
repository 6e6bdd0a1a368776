//! What devices the customers of a provider have, for people: counted by model, version and recommended build.
//!
//! No upgrade depends on what is found here, and it is paid for from what upgrades leave of a day's calls.

use std::collections::BTreeMap;

use super::ArubaCentral;
use super::look::Whose;
use crate::upgrade::fleet::Scope;
use crate::upgrade::target::TargetKey;
use crate::vendor::error::VendorError;
use crate::vendor::seam::FoundFirmware;
use crate::vendor::seam::Inventory;
use crate::vendor::seam::InventoryAsk;

impl ArubaCentral {
    /// Looks everything up that is asked for. A customer that cannot be read fails the whole: a gap would not be seen.
    pub async fn inventory(&self, ask: &InventoryAsk) -> Result<Inventory, VendorError> {
        let shared = &*self.shared;
        let mut found: BTreeMap<FoundFirmware, u32> = BTreeMap::new();
        for customer in &ask.customer_ids {
            for type_ in &ask.device_types {
                let target = TargetKey::customer(shared.http.authority().clone(), customer, type_);
                let whose = Whose {
                    customer,
                    type_,
                    object: &target.object,
                };
                let looked = shared.look(&whose, &Scope::default(), false).await;
                let (sight, _) = looked.map_err(|unseen| unseen.error)?;
                if !sight.complete {
                    return Err(VendorError::Unreadable {
                        authority: shared.http.authority().to_string(),
                        operation: "list_devices",
                        what: format!(
                            "a part of the {type_} devices of customer {customer}: {}",
                            sight.says.unwrap_or_default()
                        ),
                    });
                }
                for line in sight.fleet.into_iter().flat_map(|fleet| fleet.lines) {
                    let row = FoundFirmware {
                        customer_id: customer.clone(),
                        device_type: type_.clone(),
                        model: line.model,
                        version: line.version,
                        recommended: line.recommended,
                        devices: 0,
                    };
                    let count = found.entry(row).or_default();
                    *count = count.saturating_add(line.devices);
                }
            }
        }
        let truncated = found.len() > ask.most_rows;
        let firmware = found
            .into_iter()
            .take(ask.most_rows)
            .map(|(row, devices)| FoundFirmware { devices, ..row });
        Ok(Inventory::ArubaCentral {
            firmware: firmware.collect(),
            truncated,
        })
    }
}
