//! What the tests of several verbs need: one page, one moment, and a few objects of one bad night.

use std::path::Path;

use jiff::tz::TimeZoneDatabase;
use serde_json::Value;
use serde_json::json;

use super::kinds;
use super::page::Page;
use super::page::Paint;
use super::record::Record;
use super::seen::Upgrade;

/// The page of the guide: no colours, 03:10 on a Saturday in Madrid.
pub fn page() -> Page {
    Page {
        me: "kubectl windlass",
        paint: Paint::PLAIN,
        now: "2026-11-28T02:10:00Z".parse().unwrap(),
        zone: TimeZoneDatabase::bundled().get("Europe/Madrid").unwrap(),
    }
}

/// An upgrade with this spec and status, of the newest generation.
pub fn upgrade(kind: &str, namespace: &str, name: &str, spec: &Value, status: &Value) -> Upgrade {
    let kind = kinds::find(kind).unwrap();
    let mut object = json!({
        "metadata": {
            "name": name, "namespace": namespace, "generation": 1, "creationTimestamp": "2026-11-25T09:00:00Z",
            "managedFields": [{"subresource": "status", "time": "2026-11-28T02:07:00Z"}],
        },
        "spec": spec, "status": {"observedGeneration": 1},
    });
    object["status"]
        .as_object_mut()
        .unwrap()
        .extend(status.as_object().unwrap().clone());
    Upgrade::read(&kind, &object).unwrap()
}

/// The upgrades of the night that the guide tells of.
pub fn night() -> Vec<Upgrade> {
    let vc = json!({"connectionRef": {"name": "vc1"}, "desiredVersion": "v1.30.5+vmware.2"});
    let row = |name: &str, shown: &str, more: Value| {
        let mut row =
            json!({"name": name, "displayName": shown, "desiredVersion": "v1.30.5+vmware.2", "currentVersion": "v1.29.7+vmware.1"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let prod = json!({
        "state": "RUNNING", "done": "1/3", "message": "control plane 2 of 3", "startedAt": "2026-11-28T00:00:09Z",
        "conditions": [{"type": "Ready", "status": "False", "reason": "Running"}, {"type": "Reconciling", "status": "True", "reason": "Running"}],
        "targets": [
            row("domain-c8", "lab-a", json!({"state": "SUCCESS", "reason": "UpgradeSucceeded", "currentVersion": "v1.30.5+vmware.2", "progress": 100, "receipt": "vcenter-4zur24ls5xnrf3hvwxdm-00002"})),
            row("domain-c21", "prod-a", json!({"state": "RUNNING", "reason": "Running", "progress": 60, "message": "control plane 2 of 3", "receipt": "vcenter-vovj6y7jrt3wclhnoezl-00001", "startedAt": "2026-11-28T01:10:09Z"})),
            row("domain-c34", "prod-b", json!({"state": "PENDING", "reason": "Evaluating"})),
        ],
    });
    let branches = json!({
        "state": "PENDING", "done": "0/1", "waitingFor": "WaitingForWindow", "nextActionAt": "2026-11-29T01:00:00Z",
        "message": "next window opens Sun 29 Nov 02:00 Europe/Madrid (spec.schedule.windows)",
        "blockers": [
            {"reason": "WaitingForWindow", "message": "next window opens Sun 29 Nov 02:00 Europe/Madrid (spec.schedule.windows)", "until": "2026-11-29T01:00:00Z"},
            {"reason": "LimitReached", "message": "Connection vc1 allows 1 at once (spec.limits.maxConcurrentUpgrades), and all are in flight; this upgrade goes next"},
        ],
        "conditions": [{"type": "Ready", "status": "False", "reason": "WaitingForWindow"}, {"type": "Reconciling", "status": "True", "reason": "WaitingForWindow"}],
        "targets": [row("domain-c50", "branch-1", json!({"state": "PENDING", "reason": "Evaluating"}))],
    });
    let console = json!({
        "state": "UNKNOWN", "target": "hmc1", "waitingFor": "NeedsResolution",
        "message": "the start may or may not have been taken: the target is as before; resolve receipt hmc-3gcf56nlseiyiyh2wy7l-00004; the answer was: no answer within 120 s",
        "conditions": [{"type": "Ready", "status": "False", "reason": "NeedsResolution"}, {"type": "Stalled", "status": "True", "reason": "NeedsResolution"}],
        "targets": [{
            "name": "hmc1", "displayName": "HMC1", "state": "UNKNOWN", "reason": "NeedsResolution", "currentVersion": "H30", "desiredVersion": "H41",
            "message": "the start may or may not have been taken: the target is as before; resolve receipt hmc-3gcf56nlseiyiyh2wy7l-00004; the answer was: no answer within 120 s",
            "receipt": "hmc-3gcf56nlseiyiyh2wy7l-00004",
        }],
    });
    let hmc = json!({"connectionRef": {"name": "hmc1"}, "version": "H41"});
    let srm = json!({"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455"});
    let done = json!({
        "state": "SUCCESS", "target": "srm-a", "progress": 100, "message": "at 9.0.2-10455", "completedAt": "2026-11-24T21:30:00Z",
        "conditions": [{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded"}],
        "targets": [{"name": "srm-a", "state": "SUCCESS", "reason": "UpgradeSucceeded", "currentVersion": "9.0.2-10455", "desiredVersion": "9.0.2-10455", "progress": 100}],
    });
    vec![
        upgrade("appup", "dr", "srm-a-9-0-2", &srm, &done),
        upgrade("fwup", "mainframe", "hmc1-h41", &hmc, &console),
        upgrade("cub", "vsphere", "branches", &vc, &branches),
        upgrade("cub", "vsphere", "prod", &vc, &prod),
    ]
}

/// A receipt as the API server has it, with this merged over it.
pub fn receipt_json(name: &str, target: &str, sequence: i32, more: &Value) -> Value {
    let mut receipt = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
        "metadata": {"name": name, "creationTimestamp": "2026-11-28T00:00:34Z", "resourceVersion": "7"},
        "spec": {"claim": {
            "target": target, "targetHash": "3gcf56nlseiyiyh2wy7l", "sequence": sequence,
            "run": {"namespace": "mainframe", "version": "H41", "runKey": ""}, "connection": "hmc1", "before": "{\"version\":\"H30\"}",
            "request": "POST /api/console/operations/single-step-install bundle-level=H41",
            "options": "{\"acceptFirmware\":true,\"backupLocation\":\"USB\"}", "holder": "5d1c.1",
            "requestedBy": {"kind": "FirmwareUpgrade", "name": "hmc1-h41", "uid": "0b7e", "generation": 2, "fieldManager": "argocd-controller"},
        }},
    });
    merge(&mut receipt, more);
    receipt
}

/// Merges one value into another.
pub fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (name, value) in more {
                merge(base.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more.clone(),
    }
}

/// The receipt behind the doubt of that night.
pub fn doubt() -> Value {
    receipt_json(
        "hmc-3gcf56nlseiyiyh2wy7l-00004",
        "hmc|hmc1.bank.example:6794|console",
        4,
        &json!({"status": {"answer": {"kind": "Lost", "message": "no answer within 120 s", "at": "2026-11-28T00:02:34Z"}}}),
    )
}

/// The same, read.
pub fn receipt_in_doubt() -> Record {
    Record::read(&doubt(), page().now).unwrap()
}

/// What the guide shows behind a command, without the `$`.
fn shown(command: &str) -> Option<String> {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md")).unwrap_or_default();
    let begin = format!("```console\n$ {command}\n");
    let (_, rest) = guide.split_once(&begin)?;
    rest.split_once("```").map(|(block, _)| block.to_owned())
}

/// The answer is, to the letter, what docs/cli.md shows behind this command: the guide is the golden file.
pub fn as_in_the_guide(command: &str, answer: &str) {
    let guide = shown(command).unwrap_or_default();
    assert!(
        guide == answer,
        "docs/cli.md does not show what this prints:\n\n```console\n$ {command}\n{answer}```\n\nbut:\n\n{guide}"
    );
}
