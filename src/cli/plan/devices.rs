//! What the cluster knows of the devices of a customer, from the Inventory of its Connection. Pure.
//!
//! Part of [`sights`](super::sights), which is its only caller. An Inventory tells of no group who is in it, so devices that an upgrade leaves alone
//! are counted with the others, and that is said to be assumed.

use std::collections::BTreeSet;

use crate::api::Inventory;
use crate::api::inventory::FirmwareCount;
use crate::upgrade::facts::Wish;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::Line;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::fleet::Terms;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;

/// Puts into the sight what the Inventory shows of a customer's devices.
pub(super) fn look(key: &TargetKey, inventory: Option<&Inventory>, wish: &Wish, seen: &mut Sight, assumed: &mut Vec<String>) {
    let (customer, device_type) = key.as_customer().unwrap_or_default();
    let status = inventory.and_then(|inventory| inventory.status.as_ref());
    let central = status.and_then(|status| status.aruba_central.as_ref());
    let all = central.map(|central| central.firmware.as_slice()).unwrap_or_default();
    let theirs: Vec<&FirmwareCount> = all
        .iter()
        .filter(|row| row.customer_id == customer && row.device_type == device_type)
        .collect();
    if theirs.is_empty() {
        seen.motion = Motion::NotSeen {
            why: format!("no Inventory here shows {device_type} devices of customer {customer}; Windlass looks before it starts anything"),
            unknown_object: false,
        };
        return;
    }
    if status.is_some_and(|status| status.truncated) {
        assumed.push("the Inventory does not show all devices".to_owned());
    }
    let terms = Terms::of(&wish.options).unwrap_or_default();
    if !terms.exclude_groups.is_empty() {
        assumed.push("which devices are in the groups that it leaves alone is not known here".to_owned());
    }
    let line = |row: &&FirmwareCount| Line {
        model: row.model.clone(),
        version: row.version.clone(),
        recommended: row.recommended.clone(),
        reachable: true,
        devices: u32::try_from(row.devices).unwrap_or_default(),
        ..Line::default()
    };
    let mut fleet = Fleet::of(theirs.iter().map(line), terms.exclude_groups, BTreeSet::new());
    if wish.version != RECOMMENDED {
        assumed.push(format!("whether {} is offered for each model is not known here", wish.version));
        fleet.offers.insert(wish.version.clone(), BTreeSet::new());
    }
    seen.fleet = Some(fleet);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::super::sights::Assumed;
    use super::super::sights::Told;
    use super::super::sights::sight;
    use crate::upgrade::facts::TargetFacts;
    use crate::upgrade::ledger::Ledger;
    use crate::upgrade::sight::Motion;
    use crate::upgrade::testing::at;
    use crate::upgrade::testing::devices;
    use crate::upgrade::testing::mono;

    fn plan(firmware: &Value) -> Assumed {
        let target = TargetFacts::customer([]).wish(|wish| wish.options = devices::leaving_alone(&[devices::LAB]));
        let inventory = serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "i", "namespace": "n"},
            "spec": {"connectionRef": {"name": "central"}}, "status": {"observedAt": at(900), "arubaCentral": {"firmware": firmware}},
        }));
        let told = Told {
            row: None,
            inventory: inventory.ok(),
        };
        let wish = target.wish.as_ref().unwrap();
        sight(&target.key, &told, &Ledger::default(), wish, at(1000), mono(1000))
    }

    fn row(device_type: &str, version: &str, devices: u32) -> Value {
        json!({"customerId": "4d1c9a70", "deviceType": device_type, "model": "6300M", "version": version, "devices": devices})
    }

    #[test]
    fn devices_that_an_inventory_counted_are_planned_for_and_what_it_cannot_tell_is_said() {
        let seen = plan(&json!([
            row("CX", "10.11.1021", 3),
            row("IAP", "8.6", 9),
            row("CX", "10.13.1010", 2)
        ]));
        let fleet = seen.sight.fleet.unwrap();
        assert_eq!(fleet.lines.iter().map(|line| line.devices).sum::<u32>(), 5);
        assert!(seen.assumed.iter().any(|a| a.contains("groups")), "{:?}", seen.assumed);
        assert!(seen.assumed.iter().any(|a| a.contains("offered")), "{:?}", seen.assumed);
    }

    #[test]
    fn devices_that_no_inventory_shows_are_not_assumed_to_be_there() {
        let seen = plan(&json!([row("IAP", "8.6", 9)]));
        assert!(matches!(seen.sight.motion, Motion::NotSeen { unknown_object: false, .. }));
        assert!(seen.assumed.is_empty(), "{:?}", seen.assumed);
    }
}
