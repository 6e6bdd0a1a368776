//! Flux: a layout in which no upgrade that waits holds a worker, and the expressions for those who gate all the same.

use serde_json::Value;
use serde_json::json;

use crate::chart::Manifests;
use crate::chart::ROOT;

/// The expressions of the Kustomization that hands upgrades over.
pub fn expressions() -> Value {
    let (_, handoff) = kustomization("upgrades-handoff");
    handoff["spec"]["healthCheckExprs"].clone()
}

fn kustomization(file: &str) -> (String, Value) {
    let text = std::fs::read_to_string(format!("{ROOT}/deploy/flux/{file}.yaml")).unwrap();
    let all = Manifests::read(&text);
    (text, all.only("Kustomization").clone())
}

#[test]
fn an_upgrade_that_waits_for_days_is_waited_for_by_nobody() {
    let (text, upgrades) = kustomization("upgrades");
    assert_eq!(upgrades["spec"]["wait"], json!(false));
    assert!(text.contains("# WARNING."), "it says why");
    for file in ["windlass", "connections"] {
        let (_, waited) = kustomization(file);
        assert_eq!(waited["spec"]["wait"], json!(true), "{file}");
        assert!(waited["spec"]["timeout"].is_string(), "{file}");
    }
    for file in ["windlass", "connections", "upgrades", "upgrades-handoff"] {
        let (_, one) = kustomization(file);
        assert!(one["spec"].get("force").is_none(), "{file}: a forced apply is a deletion");
        let on = one["spec"]["dependsOn"].to_string();
        assert!(!on.contains("upgrades"), "{file} waits for upgrades");
    }
}

#[test]
fn a_handed_over_upgrade_counts_as_done_once_windlass_has_looked_at_it() {
    let (_, handoff) = kustomization("upgrades-handoff");
    let (_, plain) = kustomization("upgrades");
    assert_eq!(handoff["metadata"], plain["metadata"], "one takes the other's place");
    let expressions = handoff["spec"]["healthCheckExprs"].as_array().unwrap();
    let kinds: Vec<&Value> = expressions.iter().map(|e| &e["kind"]).collect();
    assert_eq!(
        kinds,
        ["ClusterUpgradeBatch", "ApplianceUpdate", "FirmwareUpgrade"],
        "Connections keep the usual check"
    );
    for one in expressions {
        assert_eq!(one["apiVersion"], "windlass.dev/v1alpha1");
        assert_eq!(one["current"], "status.observedGeneration == metadata.generation");
        let stalled = "has(status.conditions) && status.conditions.exists(c, c.type == 'Stalled' && c.status == 'True')";
        assert_eq!(one["failed"], stalled);
    }
}
