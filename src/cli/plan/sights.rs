//! What the cluster knows of a target, as the core wants to see it: from an Inventory, from the statuses of upgrades, from receipts. Pure.
//!
//! Nobody asks the vendor here. So a sight of this kind may be old, and what nobody looked up is assumed in favour of a start, and said to be
//! assumed: Windlass itself looks right before it starts anything.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::devices;
use crate::api::Inventory;
use crate::api::inventory::InventoryStatus;
use crate::upgrade::facts::Wish;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Standing;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::JobsBefore;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Planned;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Mono;
use crate::vendor::hmc::state_of_update;

/// What the objects of a cluster tell of one target.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The newest status row that names a version of it: when it was written, the version, and the vendor's name of it.
    pub row: Option<(Timestamp, String, Option<String>)>,
    /// The Inventory that goes through its Connection, if there is one.
    pub inventory: Option<Inventory>,
}

/// A sight, and what of it nobody has seen.
pub struct Assumed {
    /// It.
    pub sight: Sight,
    /// What was assumed, in words.
    pub assumed: Vec<String>,
}

/// The target as the cluster tells of it.
pub fn sight(key: &TargetKey, told: &Told, ledger: &Ledger, wish: &Wish, wall: Timestamp, mono: Mono) -> Assumed {
    let mut assumed = Vec::new();
    let mut seen = Sight {
        complete: true,
        ..Sight::showing(mono, wall, key.authority.clone(), Motion::Still)
    };
    if key.vendor == VendorType::ArubaCentral {
        let inventory = told.inventory.as_ref();
        seen.at = inventory.and_then(|i| i.status.as_ref()?.observed_at).unwrap_or(wall);
        devices::look(key, inventory, wish, &mut seen, &mut assumed);
        return Assumed { sight: seen, assumed };
    }
    let observed = told.inventory.as_ref().and_then(|i| i.status.as_ref());
    let at = observed.and_then(|status| status.observed_at);
    if let (Some(status), Some(at)) = (observed, at) {
        seen.at = at;
        from_inventory(key, status, told, &mut seen);
    }
    let version = newest_version(told, ledger, seen.looks.as_ref().map(|l| l.version.clone()), at);
    match version {
        Some(version) => {
            let looks = seen.looks.get_or_insert_default();
            if looks.version != version {
                // What was offered then was offered to another version.
                seen.offered = Offered::Unasked;
            }
            looks.version = version;
        }
        None if !matches!(seen.motion, Motion::NotSeen { .. }) => {
            seen.looks.get_or_insert_default();
            assumed.push("which version it is at is not known here".to_owned());
        }
        None => {}
    }
    if let Some((_, _, Some(name))) = &told.row {
        seen.identity.get_or_insert_with(|| name.clone());
    }
    if wish.expected_identity.is_some() && seen.identity.is_none() {
        seen.identity.clone_from(&wish.expected_identity);
        assumed.push("the vendor's name of it is not known here".to_owned());
    }
    if seen.offered == Offered::Unasked && !matches!(seen.motion, Motion::NotSeen { .. }) {
        seen.offered = if key.vendor == VendorType::Hmc {
            Offered::Untold
        } else {
            assumed.push(format!("whether {} is offered is not known here", wish.version));
            Offered::Versions(vec![wish.version.clone()])
        };
    }
    if key.vendor == VendorType::Hmc
        && let Some(looks) = &mut seen.looks
        && looks.permissions.is_none()
    {
        looks.permissions = Some(BTreeSet::new());
        assumed.push("what IBM has on its schedule is not known here".to_owned());
    }
    Assumed { sight: seen, assumed }
}

/// The version that was seen last: by an Inventory, by an upgrade, or as what an upgrade came to since.
fn newest_version(told: &Told, ledger: &Ledger, inventory: Option<String>, observed: Option<Timestamp>) -> Option<String> {
    let ended = ledger.last().and_then(|last| match last.standing() {
        Standing::Ended(EndKind::Succeeded | EndKind::AlreadyAtVersion) => Some((last.ended_at()?, last.run.version.clone())),
        _ => None,
    });
    let row = told.row.as_ref().map(|(at, version, _)| (*at, version.clone()));
    let all = [observed.zip(inventory), row, ended];
    all.into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, version)| version)
}

fn from_inventory(key: &TargetKey, status: &InventoryStatus, told: &Told, seen: &mut Sight) {
    if let Some(vcenter) = &status.vcenter {
        let Some(cluster) = vcenter.clusters.iter().find(|c| c.cluster == key.object) else {
            if !status.truncated && told.row.is_none() {
                seen.motion = Motion::NotSeen {
                    why: format!("vCenter listed no cluster {}", key.object),
                    unknown_object: true,
                };
            }
            return;
        };
        seen.identity.clone_from(&cluster.name);
        if cluster.state.as_deref() == Some("PENDING") {
            seen.motion = Motion::Moving {
                toward: None,
                progress: None,
            };
        }
        seen.looks = cluster.current_version.clone().map(|version| Looks {
            version,
            faulted: cluster.state.as_deref() == Some("ERROR"),
            ..Looks::default()
        });
        seen.offered = Offered::Versions(cluster.available_versions.clone());
    }
    if let Some(appliance) = &status.recovery_appliance {
        seen.looks = appliance.version.clone().map(|version| Looks {
            version,
            ..Looks::default()
        });
        // A look during an upgrade did not ask what it offers; an empty list is not told from that.
        if !appliance.updates.is_empty() {
            seen.offered = Offered::Versions(appliance.updates.iter().map(|u| u.version.clone()).collect());
        }
    }
    if let Some(hmc) = &status.hmc {
        let whole = told
            .inventory
            .as_ref()
            .is_some_and(|i| i.spec.hmc.as_ref().is_none_or(|h| h.state.is_none()));
        seen.jobs = hmc.remote_firmware_updates.iter().map(remote).collect();
        if seen.jobs.iter().any(|job| job.state == JobState::Running) {
            seen.motion = Motion::Moving {
                toward: None,
                progress: None,
            };
        }
        let tokens: Vec<Timestamp> = hmc.remote_firmware_update_tokens.iter().filter_map(|t| t.expiration_date).collect();
        seen.permitted = tokens.iter().max().copied();
        seen.looks = hmc.bundle_level.clone().map(|version| Looks {
            version,
            jobs: whole.then(|| JobsBefore {
                ids: seen.jobs.iter().map(|job| job.id.clone()).collect(),
                ..JobsBefore::default()
            }),
            permissions: Some(tokens.iter().map(Timestamp::to_string).collect()),
            ..Looks::default()
        });
        seen.offered = Offered::Untold;
    }
}

fn remote(update: &crate::api::inventory::RemoteFirmwareUpdate) -> Job {
    let word = update.state.clone().unwrap_or_default();
    Job {
        id: update.element_uri.clone(),
        state: state_of_update(&word),
        word,
        does: update.target_bundle.clone().map_or(Does::Untold, Does::Installs),
        progress: None,
        says: None,
        planned: update.scheduled_execution_time.map(|at| Planned {
            at,
            window: std::time::Duration::ZERO,
            created: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::upgrade::facts::TargetFacts;
    use crate::upgrade::receipt::Receipt;
    use crate::upgrade::testing::FROM;
    use crate::upgrade::testing::TO;
    use crate::upgrade::testing::at;
    use crate::upgrade::testing::mono;
    use crate::upgrade::testing::vc1;

    fn inventory(observed: u64, found: &Value) -> Inventory {
        let mut status = json!({"observedAt": at(observed)});
        status.as_object_mut().unwrap().extend(found.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "i", "namespace": "n"},
            "spec": {"connectionRef": {"name": "vc1"}}, "status": status,
        }))
        .unwrap()
    }

    fn listed(observed: u64, state: &str) -> Told {
        let row = json!({"cluster": "domain-c8", "name": "lab-a", "currentVersion": FROM, "availableVersions": [TO], "state": state});
        Told {
            row: None,
            inventory: Some(inventory(observed, &json!({"vcenter": {"clusters": [row]}}))),
        }
    }

    fn seen(told: &Told, receipts: Vec<Receipt>) -> Assumed {
        let target = TargetFacts::of("domain-c8");
        let ledger = Ledger::read(&target.key, receipts).unwrap();
        sight(&target.key, told, &ledger, target.wish.as_ref().unwrap(), at(1000), mono(1000))
    }

    #[test]
    fn what_an_inventory_saw_is_taken_as_it_was_seen() {
        let ready = seen(&listed(900, "READY"), Vec::new());
        assert_eq!(ready.sight.looks.unwrap().version, FROM);
        assert_eq!(ready.sight.offered, Offered::Versions(vec![TO.to_owned()]));
        assert_eq!(ready.sight.identity.as_deref(), Some("lab-a"));
        assert!(ready.assumed.is_empty());
        let moving = seen(&listed(900, "PENDING"), Vec::new());
        assert!(matches!(moving.sight.motion, Motion::Moving { .. }));
        assert!(seen(&listed(900, "ERROR"), Vec::new()).sight.looks.unwrap().faulted);
    }

    #[test]
    fn a_cluster_that_is_not_listed_is_not_assumed_to_be_there() {
        let mut told = listed(900, "READY");
        told.inventory = Some(inventory(900, &json!({"vcenter": {"clusters": []}})));
        let gone = seen(&told, Vec::new());
        assert!(matches!(gone.sight.motion, Motion::NotSeen { unknown_object: true, .. }) && gone.assumed.is_empty());
    }

    #[test]
    fn an_inventory_from_before_an_upgrade_tells_nothing_of_after_it() {
        let upgraded = Receipt::no(1).created(910).accepted(911).ended(EndKind::Succeeded, 950);
        let after = seen(&listed(900, "READY"), vec![upgraded.clone()]);
        assert_eq!(after.sight.looks.unwrap().version, TO);
        assert_eq!(
            after.assumed.len(),
            1,
            "what is offered to that version nobody has seen: {:?}",
            after.assumed
        );
        let later = seen(&listed(960, "READY"), vec![upgraded]);
        assert_eq!(later.sight.looks.unwrap().version, FROM, "somebody took it back since");
    }

    #[test]
    fn what_nobody_has_seen_is_assumed_and_said() {
        let unknown = seen(&Told::default(), Vec::new());
        assert_eq!(unknown.sight.offered, Offered::Versions(vec![TO.to_owned()]));
        assert_eq!(unknown.assumed.len(), 2, "{:?}", unknown.assumed);
        let row = Told {
            row: Some((at(800), FROM.to_owned(), Some("lab-a".to_owned()))),
            inventory: None,
        };
        let known = seen(&row, Vec::new());
        assert_eq!((known.sight.looks.unwrap().version.as_str(), known.assumed.len()), (FROM, 1));
    }

    #[test]
    fn what_ibm_has_scheduled_is_seen_and_what_no_inventory_tells_is_said_to_be_assumed() {
        let target = TargetFacts::of("console");
        let key = TargetKey::console(vc1());
        let look = |told: &Told| sight(&key, told, &Ledger::default(), target.wish.as_ref().unwrap(), at(1000), mono(1000));
        let update = json!({
            "elementUri": "/api/console/remote-firmware-updates/1f0c", "scheduledExecutionTime": at(5000), "targetBundle": "H41",
            "state": "scheduled",
        });
        let hmc = json!({"hmc": {"bundleLevel": "H30", "remoteFirmwareUpdates": [update], "remoteFirmwareUpdateTokens": [{"expirationDate": at(9000)}]}});
        let told = Told {
            row: None,
            inventory: Some(inventory(900, &hmc)),
        };
        let seen = look(&told);
        assert_eq!(seen.sight.jobs[0].state, JobState::Queued);
        assert_eq!((seen.sight.permitted, seen.assumed.len()), (Some(at(9000)), 0));
        assert!(
            look(&Told::default())
                .assumed
                .iter()
                .any(|a| a.contains("what IBM has on its schedule"))
        );
    }
}
