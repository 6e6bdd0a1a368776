//! The console itself: what it is, what is on offer for it, and how its next upgrade will go.
//!
//! Plain data, changed at any time through `Hmc::edit_console`. What is under way is in [`super::life`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The feature by which updates tell their percentage and steps [C].
pub const RCL_PROGRESS: &str = "rcl-progress";

/// How something failed: the codes that a synchronous operation would have been answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub status: u16,
    pub reason: u32,
    pub message: String,
}

impl Failure {
    /// 500, with a reason of those that say no more [C: 0 to 39].
    pub fn new(message: &str) -> Self {
        Self {
            status: 500,
            reason: 12,
            message: message.to_owned(),
        }
    }
}

/// How upgrades end that begin from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// At the bundle, and told as done.
    #[default]
    Success,
    /// Told as failed before the restart, at the bundle of before.
    Failure(Failure),
    /// It restarts and is at the bundle of before; told as failed.
    SameBundle,
    /// It restarts and is at the bundle of before; told as done.
    Nothing,
    /// Told as done, but at another bundle than the one asked for.
    ThirdBundle(String),
    /// It goes down for its restart and stays down.
    NeverBack,
}

/// The console.
#[derive(Clone, Debug, Serialize)]
pub struct Console {
    pub name: String,
    pub version: String,
    pub api_version: (u32, u32),
    /// Without one its properties have none: it cannot be upgraded through this API [C].
    pub bundle: Option<String>,
    /// What may be retrieved for it, oldest first. Reaching one removes it and those before it.
    pub on_offer: Vec<String>,
    /// Without a list the operation is not known: an older console [C].
    pub features: Option<Vec<String>>,
    /// Something else keeps it busy: starts are 409.2, and an update that is due waits.
    pub busy: bool,
    /// Simulated seconds of the backup, which is an upgrade's first part.
    pub backup_secs: u64,
    /// Simulated seconds of the rest before the restart.
    pub install_secs: u64,
    /// Simulated seconds of a restart, in which nothing answers.
    pub down_secs: u64,
    /// Simulated seconds after a restart in which it is not all there yet [U]. IBM's client waits for a console that cannot be reached,
    /// and gives up on one that answers 503: so by default there are none.
    pub slow_secs: u64,
    /// Simulated seconds between the new bundle's showing and the upgrade's end.
    pub finish_secs: u64,
    pub ends: Ends,
}

impl Console {
    /// A z16's console: 2.16.0, at a bundle that has the features of the API's version 4.10.
    pub fn z16(bundle: &str, on_offer: &[&str]) -> Self {
        let features = [
            "hmc-delete-retrieved-internal-code",
            "rcl-history",
            RCL_PROGRESS,
            "report-a-problem",
        ];
        Self {
            name: "HMC1".to_owned(),
            version: "2.16.0".to_owned(),
            api_version: (4, 10),
            bundle: Some(bundle.to_owned()),
            on_offer: on_offer.iter().map(|bundle| (*bundle).to_owned()).collect(),
            features: Some(features.map(str::to_owned).to_vec()),
            busy: false,
            backup_secs: 60,
            install_secs: 300,
            down_secs: 240,
            slow_secs: 0,
            finish_secs: 30,
            ends: Ends::default(),
        }
    }

    /// A z17's console: 2.17.0.
    pub fn z17(bundle: &str, on_offer: &[&str]) -> Self {
        Self {
            version: "2.17.0".to_owned(),
            api_version: (4, 40),
            ..Self::z16(bundle, on_offer)
        }
    }

    /// One from before the features, and so without `rcl-progress`.
    #[must_use]
    pub fn without_features(mut self) -> Self {
        (self.api_version, self.features) = ((4, 1), None);
        self
    }

    /// One that cannot be upgraded through this API.
    #[must_use]
    pub fn without_bundle(mut self) -> Self {
        self.bundle = None;
        self
    }

    pub fn has_feature(&self, name: &str) -> bool {
        self.features.iter().flatten().any(|feature| feature == name)
    }

    /// Is at this bundle from now on.
    pub fn become_bundle(&mut self, bundle: &str) {
        self.bundle = Some(bundle.to_owned());
        if let Some(at) = self.on_offer.iter().position(|offer| offer == bundle) {
            self.on_offer.drain(..=at);
        }
    }

    /// Its properties, in the shape of the public definition of a z16's console, and with the level of the bundle added to it.
    pub fn properties(&self) -> Value {
        let level = |level: &str, kind: &str, updated: Option<i64>| json!({"level": level, "type": kind, "last-update": updated});
        let levels = |current: &str, at: [i64; 3], accepted: &str, removable: &str| {
            json!([
                level(current, "retrieved", Some(at[0])),
                level(current, "activated", Some(at[1])),
                level(accepted, "accepted", Some(at[2])),
                level(current, "installable-concurrent", None),
                level(removable, "removable-concurrent", None),
            ])
        };
        let mut streams = json!({"ec": [
            {
                "number": "P41499",
                "part-number": "01LL062",
                "type": "SYSTEM",
                "description": "Hardware Management Console Framework",
                "mcl": levels("333", [1_650_524_126_000, 1_650_526_481_000, 1_642_750_400_000], "327", "328"),
            },
            {
                "number": "P41470",
                "part-number": "01LL058",
                "type": "HMCBIOS",
                "description": "Hardware Management Console Platform Firmware",
                "mcl": levels("2", [1_566_551_669_000, 1_566_551_779_000, 1_566_553_286_000], "2", "000"),
            },
        ]});
        if let Some(bundle) = &self.bundle {
            streams["bundle-level"] = json!(bundle);
        }
        json!({
            "object-uri": "/api/console",
            "object-id": "5b1d5ac6-3c06-4f8d-8a2e-70a4b4f4a0ce",
            "parent": null,
            "class": "console",
            "name": self.name,
            "description": "A simulated console",
            "version": self.version,
            "ip-swapping-available": true,
            "is-auto-switch-enabled": false,
            "is-locked": false,
            "paired-role": "",
            "machine-info": {"machine-type": "2461", "machine-serial": "SIM0001", "machine-model": "TW1"},
            "network-info": {
                "this-hmc": [{
                    "domain-name": "hmc.example.com",
                    "hmc-name": self.name,
                    "interface-name": "eth0",
                    "is-private": false,
                    "mac": "020000000001",
                    "ipv4-address": [{"ip-address": "192.0.2.10", "subnet-mask": "255.255.255.0"}],
                    "ipv6-address": [{"ip-address": "2001:db8:0:0:0:0:0:10", "prefix-length": 64}],
                }],
                "paired-hmc": null,
            },
            "ec-mcl-description": streams,
        })
    }
}
