//! What the types read and write, and what their rules say without a cluster. `tests/it/crds.rs` asks a real API server.

use serde_json::Value;
use serde_json::json;

use super::ApplianceUpdate;
use super::ClusterUpgradeBatch;
use super::Connection;
use super::UpgradeReceipt;
use super::appliance_update::ApplianceUpdateStatus;
use super::cluster_upgrade_batch::ClusterUpgradeBatchStatus;
use super::cluster_upgrade_batch::Counts;
use super::connection::ConnectionStatus;
use super::connection::ConnectionType;
use super::upgrade_receipt::UpgradeReceiptStatus;

fn connection(url: &str) -> Connection {
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "vc1", "namespace": "vsphere"},
        "spec": {"type": "VCenter", "url": url, "credentialsSecretRef": {"name": "vc1"}, "caBundlePEM": "-----BEGIN CERTIFICATE-----"},
    }))
    .unwrap()
}

fn batch(change: impl FnOnce(&mut Value)) -> ClusterUpgradeBatch {
    let mut spec = json!({
        "connectionRef": {"name": "vc1"}, "desiredVersion": "v1.30.5+vmware.2",
        "clusters": [{"cluster": "domain-c8", "canary": true}, {"cluster": "domain-c34", "desiredVersion": "v1.29.9+vmware.1"}],
        "strategy": {"maxConcurrent": 1, "maxFailures": 0, "soak": "1h"}, "timeout": "8h", "runKey": "again",
    });
    change(&mut spec);
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch", "metadata": {"name": "b", "namespace": "vsphere"}, "spec": spec,
    }))
    .unwrap()
}

fn appliance(change: impl FnOnce(&mut Value)) -> Connection {
    let mut spec = json!({
        "type": "RecoveryAppliance", "url": "https://srm-a.dr.example", "credentialsSecretRef": {"name": "srm-a"},
        "recoveryAppliance": {"basePath": "/api/rest/configure/v2"},
    });
    change(&mut spec);
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "srm-a", "namespace": "dr"}, "spec": spec,
    }))
    .unwrap()
}

fn update() -> ApplianceUpdate {
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ApplianceUpdate", "metadata": {"name": "srm-a-9-0-2", "namespace": "dr"},
        "spec": {"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455", "timeout": "3h", "suspend": true, "runKey": "again",
            "schedule": {"windows": [{"cron": "0 22 * * 2", "duration": "2h", "timeZone": "UTC"}]}},
    }))
    .unwrap()
}

fn receipt() -> UpgradeReceipt {
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt", "metadata": {"name": "vcenter-abc-00001"},
        "spec": {"claim": {
            "target": "vcenter|vc1.example:443|domain-c8", "targetHash": "abc", "sequence": 1,
            "run": {"namespace": "vsphere", "version": "v1.30.5+vmware.2", "runKey": ""}, "connection": "vc1",
            "before": "{}", "request": "POST /api", "options": "{}", "holder": "boot",
            "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "b", "uid": "u", "generation": 1},
        }},
    }))
    .unwrap()
}

#[test]
fn objects_are_written_as_they_were_read() {
    let objects = [
        serde_json::to_value(connection("https://vc1.example")).unwrap(),
        serde_json::to_value(batch(|_| {})).unwrap(),
        serde_json::to_value(receipt()).unwrap(),
    ];
    assert_eq!(objects[0]["spec"]["caBundlePEM"], "-----BEGIN CERTIFICATE-----");
    assert_eq!(
        objects[1]["spec"]["clusters"][1],
        json!({"cluster": "domain-c34", "desiredVersion": "v1.29.9+vmware.1"})
    );
    assert_eq!(objects[2]["spec"]["claim"]["requestedBy"]["generation"], 1);
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<Connection>(objects[0].clone()).unwrap()).unwrap(),
        objects[0]
    );
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<ClusterUpgradeBatch>(objects[1].clone()).unwrap()).unwrap(),
        objects[1]
    );
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<UpgradeReceipt>(objects[2].clone()).unwrap()).unwrap(),
        objects[2]
    );
}

#[test]
fn an_update_is_written_as_it_was_read() {
    let written = serde_json::to_value(update()).unwrap();
    assert_eq!(written["spec"]["schedule"]["windows"][0]["timeZone"], "UTC");
    assert_eq!(serde_json::from_value::<ApplianceUpdate>(written).unwrap(), update());
    update().validate_cel().unwrap();
    let unseen: ApplianceUpdateStatus = serde_json::from_value(json!({"observedGeneration": -1, "levitates": true})).unwrap();
    assert_eq!(unseen.observed_generation, Some(-1));
    assert_eq!(serde_json::to_value(ApplianceUpdateStatus::default()).unwrap(), json!({}));
}

#[test]
fn a_block_of_a_type_is_for_that_type_and_its_path_has_a_default() {
    appliance(|_| {}).validate_cel().unwrap();
    let bare = appliance(|spec| spec["recoveryAppliance"] = json!({}));
    assert_eq!(bare.spec.base_path(), "/api/rest/configure/v2");
    let elsewhere = appliance(|spec| spec["recoveryAppliance"]["basePath"] = "/proxy/v2".into());
    assert_eq!(elsewhere.spec.base_path(), "/proxy/v2");
    assert_eq!(bare.spec.max_concurrent_upgrades(), 1);
    let refused = appliance(|spec| spec["type"] = "VCenter".into()).validate_cel().unwrap_err();
    assert!(refused.to_string().contains("for type RecoveryAppliance only"), "{refused}");
    for type_ in [ConnectionType::VCenter, ConnectionType::RecoveryAppliance, ConnectionType::Hmc] {
        assert_eq!(serde_json::to_value(type_).unwrap(), type_.word());
    }
}

#[test]
fn a_null_that_a_template_left_is_as_good_as_absent() {
    let b = batch(|spec| {
        for field in ["strategy", "timeout", "runKey", "suspend"] {
            spec[field] = Value::Null;
        }
        spec["clusters"][0]["canary"] = Value::Null;
    });
    assert_eq!(
        (b.spec.strategy, b.spec.timeout, b.spec.run_key, b.spec.suspend),
        (None, None, None, None)
    );
    assert_eq!(b.spec.clusters[0].canary, None);
}

#[test]
fn a_status_that_nobody_has_written_reads() {
    let unseen = json!({"observedGeneration": -1});
    assert_eq!(
        serde_json::from_value::<ClusterUpgradeBatchStatus>(unseen.clone())
            .unwrap()
            .observed_generation,
        Some(-1)
    );
    assert_eq!(
        serde_json::from_value::<ConnectionStatus>(unseen).unwrap().observed_generation,
        Some(-1)
    );
    assert_eq!(
        serde_json::from_value::<UpgradeReceiptStatus>(json!({})).unwrap(),
        UpgradeReceiptStatus::default()
    );
    assert_eq!(serde_json::to_value(ClusterUpgradeBatchStatus::default()).unwrap(), json!({}));
}

#[test]
fn words_of_a_newer_version_read() {
    let status: ClusterUpgradeBatchStatus = serde_json::from_value(json!({
        "state": "LEVITATING", "waitingFor": "FullMoon", "newField": {"x": 1}, "counts": {"levitating": 1},
        "targets": [{"name": "domain-c8", "state": "LEVITATING", "height": 3}], "conditions": [{"type": "Levitating"}],
    }))
    .unwrap();
    assert_eq!(status.state.as_deref(), Some("LEVITATING"));
    assert_eq!(status.counts, Some(Counts::default()));

    let status: UpgradeReceiptStatus =
        serde_json::from_value(json!({"answer": {"kind": "Perhaps"}, "end": {"kind": "Levitated"}, "adopted": {}})).unwrap();
    assert_eq!(status.answer.unwrap().kind, "Perhaps");
    assert_eq!(status.end.unwrap().kind, "Levitated");

    let mut newer = serde_json::to_value(receipt()).unwrap();
    newer["spec"]["claim"]["note"] = "SomethingElse".into();
    let newer: UpgradeReceipt = serde_json::from_value(newer).unwrap();
    assert_eq!(newer.spec.claim.note.as_deref(), Some("SomethingElse"));
}

#[test]
fn zeros_that_people_look_for_are_written() {
    let status = ClusterUpgradeBatchStatus {
        counts: Some(Counts {
            total: 3,
            ..Counts::default()
        }),
        ..Default::default()
    };
    assert_eq!(serde_json::to_value(status).unwrap()["counts"]["failed"], 0);
    assert_eq!(
        serde_json::to_value(ConnectionStatus {
            in_flight: Some(0),
            ..Default::default()
        })
        .unwrap(),
        json!({"inFlight": 0})
    );
}

#[test]
fn each_cluster_needs_a_version_of_its_own_or_the_batch_has_one() {
    batch(|_| {}).validate_cel().unwrap();
    batch(|spec| {
        spec["desiredVersion"].take();
        spec["clusters"][0]["desiredVersion"] = "v1.30.5".into();
    })
    .validate_cel()
    .unwrap();
    let refused = batch(|spec| {
        spec["desiredVersion"].take();
    })
    .validate_cel()
    .unwrap_err();
    assert!(refused.to_string().contains("every cluster needs a version"), "{refused}");
}

#[test]
fn a_schedule_is_written_as_it_was_read_and_means_the_same() {
    let written = json!({
        "notBefore": "2026-11-25T00:00:00Z", "notAfter": "2026-12-10T00:00:00Z",
        "windows": [{"cron": "0 1 * * 6,0", "duration": "4h", "timeZone": "Europe/Madrid"}],
        "freezes": [{"from": "2026-12-18T00:00:00Z", "until": "2027-01-04T00:00:00Z", "reason": "year-end freeze CHG-991"}],
    });
    let b = batch(|spec| spec["schedule"] = written.clone());
    assert_eq!(serde_json::to_value(&b).unwrap()["spec"]["schedule"], written);
    let plain = b.spec.schedule.unwrap().written().unwrap();
    assert_eq!(plain.windows[0].duration, std::time::Duration::from_hours(4));
    crate::upgrade::schedule::Schedule::parse(&plain).unwrap();

    let unreadable = batch(|spec| spec["schedule"] = json!({"windows": [{"cron": "0 1 * * 6", "duration": "4d", "timeZone": "UTC"}]}));
    let refused = unreadable.spec.schedule.unwrap().written().unwrap_err().to_string();
    assert_eq!(
        refused,
        "schedule.windows[0]: duration \"4d\": expected more than 0s and at most 168h"
    );
}

#[test]
fn a_connection_has_a_limit_also_where_none_is_written() {
    let mut here = connection("https://vc1.example");
    assert_eq!(here.spec.max_concurrent_upgrades(), 8);
    here.spec.limits = serde_json::from_value(json!({"maxConcurrentUpgrades": 3})).unwrap();
    assert_eq!(here.spec.max_concurrent_upgrades(), 3);
}

#[test]
fn a_connection_keeps_its_address() {
    let here = connection("https://vc1.example");
    here.validate_cel().unwrap();
    here.validate_cel_update(&here).unwrap();
    let refused = connection("https://vc2.example").validate_cel_update(&here).unwrap_err();
    assert!(refused.to_string().contains("create a new Connection"), "{refused}");
}

#[test]
fn facts_of_a_receipt_are_written_once() {
    let status = |status: Value| UpgradeReceipt {
        status: serde_json::from_value(status).unwrap(),
        ..receipt()
    };
    let bare = status(Value::Null);
    let lost = status(json!({"answer": {"kind": "Lost"}}));
    let ended = status(json!({"answer": {"kind": "Lost"}, "end": {"kind": "NotTaken", "how": "two looks"}}));
    lost.validate_cel_update(&bare).unwrap();
    ended.validate_cel_update(&lost).unwrap();
    for (new, old, because) in [
        (
            status(json!({"answer": {"kind": "Accepted"}})),
            &lost,
            "an answer cannot be changed",
        ),
        (status(json!({"evidence": ["x"]})), &lost, "an answer cannot be removed"),
        (bare, &lost, "its status cannot be removed"),
        (lost.clone(), &ended, "an end cannot be removed"),
    ] {
        let refused = new.validate_cel_update(old).unwrap_err().to_string();
        assert!(refused.contains(because), "{because}: {refused}");
    }
}
