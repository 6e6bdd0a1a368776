//! The devices of one customer and type (Aruba Central), as a look shows them: aggregated, never one by one.
//!
//! Vendor clients build a [`Fleet`] of the rows that they read; [`count`] says what of it matters to a run: who is in scope, at the version,
//! below it, above it, out of reach. [`row`](super::row) decides and [`conclude`](super::conclude) judges by counts. Central gives no job and no
//! id for a start (`vendors.md` 1.1), so this is all there is to judge by.

pub mod count;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::facts::Options;
use super::quota::Spend;

/// Version of a run that takes each device to the build that Central recommends for it. Stands in the ledger in the place of a version; to
/// Central none is sent.
pub const RECOMMENDED: &str = "recommended";

/// The version of a fleet whose devices are not all at one.
pub const MIXED: &str = "mixed";

/// Most lines of a fleet that a receipt keeps, and most models: of a hundred bytes each they fit into it with room to spare.
pub const MOST_KEPT: usize = 200;

/// What a look is to find out besides what it always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Groups of devices that somebody excludes: whose members they are is asked.
    pub exclude_groups: BTreeSet<String>,
    /// Versions of which is asked whether they are offered; none where that is known or does not matter. Without [`RECOMMENDED`].
    pub versions: BTreeSet<String>,
    /// How dear the look may be.
    pub spend: Spend,
}

/// All devices of one customer and type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Sorted; equal ones are merged.
    pub lines: Vec<Line>,
    /// The groups that this look asked for: of no other it is known who is in them.
    pub groups: BTreeSet<String>,
    /// The groups that it was to ask for, whether or not it could.
    pub asked_groups: BTreeSet<String>,
    /// The versions of which it was to ask whether they are offered, whether or not it could.
    pub asked_versions: BTreeSet<String>,
    /// Of the groups, the ones that the customer does not have.
    pub unknown_groups: BTreeSet<String>,
    /// Version that was asked for to the models that it is not offered for; to none where it is offered for all of them. A version that is not
    /// here was not asked for.
    pub offers: BTreeMap<String, BTreeSet<String>>,
}

/// Devices that look alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Their model.
    pub model: String,
    /// The version that they are at; empty where Central does not tell.
    pub version: String,
    /// The build that Central recommends for them.
    pub recommended: Option<String>,
    /// For when an upgrade of them is scheduled (`firmware_scheduled_at`), in seconds since 1970.
    pub scheduled: Option<i64>,
    /// Whether Central says that they need one.
    pub upgrade_required: Option<bool>,
    /// Central reaches them (`device_status` is Up).
    pub reachable: bool,
    /// Which of the groups that were asked for they are in.
    pub groups: BTreeSet<String>,
    /// How many they are.
    pub devices: u32,
}

impl Fleet {
    /// Of any number of lines in any order, each of at least one device.
    pub fn of(lines: impl IntoIterator<Item = Line>, groups: BTreeSet<String>, unknown_groups: BTreeSet<String>) -> Fleet {
        let mut lines: Vec<Line> = lines.into_iter().filter(|line| line.devices > 0).collect();
        lines.sort();
        let mut merged: Vec<Line> = Vec::new();
        for line in lines {
            match merged.last_mut() {
                Some(last) if last.alike(&line) => last.devices = last.devices.saturating_add(line.devices),
                _ => merged.push(line),
            }
        }
        Fleet {
            lines: merged,
            asked_groups: groups.clone(),
            groups,
            asked_versions: BTreeSet::new(),
            unknown_groups,
            offers: BTreeMap::new(),
        }
    }
}

impl Line {
    fn alike(&self, other: &Line) -> bool {
        Line {
            devices: other.devices,
            ..self.clone()
        } == *other
    }
}

/// What of a run's options decides which devices it is about, and when they are where they are to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terms {
    /// The groups whose devices are left alone.
    pub exclude_groups: BTreeSet<String>,
    /// Whether devices may go back to an older version.
    pub allow_downgrade: bool,
    /// Whether devices are rebooted once they have their image; `None` for those that always are.
    #[serde(default)]
    pub reboot: Option<bool>,
}

impl Terms {
    /// Those of a wish; `None` where it is not about a customer's devices.
    pub fn of(options: &Options) -> Option<Terms> {
        match options {
            Options::Customer {
                reboot,
                exclude_groups,
                allow_downgrade,
            } => Some(Terms {
                exclude_groups: exclude_groups.clone(),
                allow_downgrade: *allow_downgrade,
                reboot: *reboot,
            }),
            _ => None,
        }
    }

    /// Those of a receipt, from its options in canonical form. `None` where they are none of a customer's, or say more than this version
    /// knows: then nobody can say which devices they are about.
    pub fn read(canonical: &str) -> Option<Terms> {
        serde_json::from_str(canonical).ok()
    }

    /// This look tells who of the fleet is in scope.
    pub fn told_by(&self, fleet: &Fleet) -> bool {
        fleet.groups.is_superset(&self.exclude_groups)
    }
}

/// What a receipt keeps of the devices in scope, for what came of its start to be judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetBefore {
    /// Devices in scope.
    pub total: u32,
    /// Of those, at the version asked for.
    pub at: u32,
    /// Of those, above it, or at one that cannot be compared with it.
    #[serde(skip_serializing_if = "is_zero")]
    pub above: u32,
    /// Devices of the customer and type that were excluded.
    pub excluded: u32,
    /// Builds that Central recommended then, by model. One, unless Central tells devices of one model apart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recommended: BTreeMap<String, BTreeSet<String>>,
    /// How many devices of which model were at which version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<AtVersion>,
    /// There were more models and versions than stand here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Devices of one model at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AtVersion {
    /// Their model.
    pub model: String,
    /// The version.
    pub version: String,
    /// How many they are.
    pub devices: u32,
}

/// For `skip_serializing_if`, which hands a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[cfg(test)]
#[path = "fleet/fleet_tests.rs"]
mod tests;
