//! What an Inventory may say.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use super::kubectl;
use crate::plane::Plane;

fn spec() -> Value {
    json!({"connectionRef": {"name": "srm-a"}})
}

fn customers(ids: &Value, types: &Value) -> Value {
    json!({"arubaCentral": {"customerIds": ids, "deviceTypes": types}})
}

async fn inventories(plane: &Plane, namespace: &str) -> Objects {
    Objects::namespaced(plane, "Inventory", "inventories", namespace).await
}

#[tokio::test]
async fn inventory_rules() {
    let plane = installed().await;
    let ns = plane.namespace("winv").await.unwrap();
    let inventories = inventories(plane, &ns.name).await;
    let bounds = Some(": must be at least 5m and at most 168h");
    let cases = [
        (json!({}), None),
        (json!({"interval": "5m"}), None),
        (json!({"interval": "168h"}), None),
        (json!({"interval": "4m59s"}), bounds),
        (json!({"interval": "168h1s"}), bounds),
        (json!({"interval": "7d"}), Some("should match")),
        (json!({"connectionRef": null}), Some("spec.connectionRef: Required value")),
        (json!({"hmc": {"state": "scheduled-on-peer"}}), None),
        (json!({"hmc": {"state": "Scheduled"}}), Some("should match")),
        (json!({"hmc": {"state": "a&b"}}), Some("should match")),
        (json!({"hmc": {"status": "scheduled"}}), Some(r#"unknown field "spec.hmc.status""#)),
        (customers(&json!(["4d1c9a70"]), &json!(["CX", "IAP"])), None),
        (customers(&json!([]), &json!(["CX"])), Some("should have at least 1 items")),
        (customers(&json!(["4d1c9a70"]), &json!([])), Some("should have at least 1 items")),
        (customers(&json!(["4d1c9a70"]), &json!(["cx"])), Some("Unsupported value")),
        (customers(&json!(["a", "a"]), &json!(["CX"])), Some("Duplicate value")),
        (customers(&json!(["../a"]), &json!(["CX"])), Some("should match")),
        (customers(&(0..200).map(|n| n.to_string()).collect(), &json!(["CX"])), None),
        (
            customers(&(0..201).map(|n| n.to_string()).collect(), &json!(["CX"])),
            Some("Too many"),
        ),
        (json!({"arubaCentral": {"customerIds": ["a"]}}), Some("deviceTypes: Required value")),
    ];
    inventories.check(&spec(), &cases).await;
    inventories.create("i", &spec()).await.unwrap();
    let refused = inventories
        .patch("i", "", &json!({"spec": {"connectionRef": {"name": "srm-b"}}}))
        .await
        .unwrap_err();
    assert!(refused.contains("another Connection is another inventory"), "{refused}");
}

#[tokio::test]
async fn an_inventory_reads_well_in_one_line() {
    let plane = installed().await;
    let ns = plane.namespace("winv").await.unwrap();
    let inventories = inventories(plane, &ns.name).await;
    let stored = inventories.create("i", &spec()).await.unwrap();
    assert_eq!(stored["status"], json!({"observedGeneration": -1}), "nobody has looked at it");
    let status = json!({"status": {
        "observedGeneration": 1, "observedAt": jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5),
        "summary": "at 9.0.0-10010; offers 9.0.2-10455",
        "recoveryAppliance": {"product": "vSphere Replication", "version": "9.0.0-10010", "updates": [{
            "version": "9.0.2-10455", "type": "FIX", "severity": "IMPORTANT", "releaseDate": "2026-09-01T00:00:00Z", "rebootRequired": true,
        }]},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Observed", "message": "at 9.0.0-10010; offers 9.0.2-10455"}],
    }});
    inventories.patch("i", "/status", &status).await.unwrap();
    let table = kubectl(plane, &["get", "winv", "-n", &ns.name]).await;
    let (header, row) = table.trim_end().split_once('\n').unwrap();
    let titles: Vec<_> = header.split_whitespace().collect();
    assert_eq!(titles, ["NAME", "CONNECTION", "READY", "OBSERVED", "SUMMARY", "AGE"]);
    let cells: Vec<_> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[..3], ["i", "srm-a", "True"], "{row}");
    assert!(cells[3].starts_with("5m"), "{row}");
    assert_eq!(cells[4], "at 9.0.0-10010; offers 9.0.2-10455", "{row}");
}
