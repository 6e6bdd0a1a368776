//! The specs that a sequence of operations ends with, and how a fresh world ends that gets one of them at once.
//!
//! Each wishes for a run that no operation can have asked for (its runKey), toward a version that no operation can have reached, or
//! toward something that comes to nothing whatever happened before.

use serde_json::Value;
use serde_json::json;

use super::stage::Stage;
use crate::sim::vcenter::Severity;

/// Offered to every cluster, and asked for by no operation.
pub const FINAL: &str = "v1.31.4+vmware.1-fips-vsc0.1.12-24600000";

/// One spec to end with.
pub struct Final {
    /// What it is.
    pub name: &'static str,
    /// State and reason that it comes to.
    pub comes_to: (&'static str, &'static str),
    /// How many clusters get there, and the reasons of what blocks the others.
    pub done: (&'static str, &'static [&'static str]),
    /// Makes the spec, and whatever it needs of the vendor.
    make: fn(&Stage, &mut Value),
}

impl Final {
    /// Whether a status, in its normal form, says all of that.
    pub fn is(&self, shown: &Value) -> bool {
        let (state, reason) = self.comes_to;
        let (done, blockers) = self.done;
        let ready = |c: &Value| c["type"] == "Ready" && c["reason"] == reason;
        shown["state"] == state
            && shown["done"] == done
            && shown["blockers"] == json!(blockers)
            && shown["conditions"].as_array().into_iter().flatten().any(ready)
    }

    /// The spec, as it is in this story.
    pub fn spec(&self, stage: &Stage) -> Value {
        let mut spec = json!({
            "connectionRef": {"name": "vc"}, "desiredVersion": FINAL, "runKey": "in-the-end",
            "clusters": stage.story.entries(1..=3), "strategy": {"maxConcurrent": 2, "soak": "500ms"},
        });
        spec["clusters"][0]["canary"] = json!(true);
        (self.make)(stage, &mut spec);
        spec
    }

    /// What the vendor is like from then on; after faults have stopped.
    pub fn arrange(&self, stage: &Stage) {
        if self.comes_to.1 == "TooManyFailures" {
            stage.prechecks(Some(Severity::Error), 1..=1);
        }
    }
}

/// All of them.
pub static FINALS: [Final; 7] = [
    Final {
        name: "all clusters, one a canary",
        comes_to: ("SUCCESS", "UpgradeSucceeded"),
        done: ("3/3", &[]),
        make: |_, _| {},
    },
    Final {
        name: "one cluster misnamed, one failure allowed",
        comes_to: ("FAILED", "PartlyFailed"),
        done: ("2/3", &[]),
        make: |_, spec| {
            spec["clusters"][1]["clusterName"] = json!("nobody");
            spec["strategy"]["maxFailures"] = json!(1);
        },
    },
    Final {
        name: "one version not offered",
        comes_to: ("PENDING", "VersionNotOffered"),
        done: ("2/3", &["VersionNotOffered"]),
        make: |_, spec| spec["clusters"][2]["desiredVersion"] = json!("v1.98.0"),
    },
    Final {
        name: "suspended",
        comes_to: ("PENDING", "Suspended"),
        done: ("0/3", &["Suspended"]),
        make: |_, spec| spec["suspend"] = json!(true),
    },
    Final {
        name: "an older version",
        comes_to: ("REJECTED", "WouldDowngrade"),
        done: ("0/3", &[]),
        make: |_, spec| spec["desiredVersion"] = json!("v1.0.0"),
    },
    Final {
        name: "a cluster that is not there",
        comes_to: ("PENDING", "TargetNotFound"),
        done: ("2/3", &["TargetNotFound"]),
        make: |_, spec| spec["clusters"][2]["cluster"] = json!("domain-missing"),
    },
    Final {
        name: "the canary refused",
        comes_to: ("FAILED", "TooManyFailures"),
        done: ("0/3", &[]),
        make: |_, _| {},
    },
];
