//! What an UpgradeReceipt keeps.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use super::kubectl;
use super::patched;

/// A hash of its own for each test: receipts are cluster-scoped.
fn spec(hash: &str) -> Value {
    json!({"claim": {
        "target": "vcenter|vc1.example:443|domain-c8", "targetHash": hash, "sequence": 1,
        "run": {"namespace": "vsphere", "version": "v1.30.5+vmware.2", "runKey": ""}, "connection": "vc1",
        "before": r#"{"version":"v1.29.7"}"#, "request": "POST /api/x", "options": "{}", "holder": "3f0c",
        "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "b", "uid": "0b7e", "generation": 1},
    }})
}

async fn receipts() -> Objects {
    Objects::cluster_scoped(installed().await, "UpgradeReceipt", "upgradereceipts").await
}

#[tokio::test]
async fn receipt_rules() {
    let claim = |change: Value| json!({"claim": change});
    let resolution = |verdict: &str| json!({"resolution": {"verdict": verdict, "by": "jane", "reason": "asked the vendor"}});
    let cases = [
        (json!({}), None),
        (
            claim(json!({"note": "WordOfANewerVersion", "request": null, "options": null, "holder": null})),
            None,
        ),
        (
            claim(json!({"requestedBy": {"fieldManager": "argocd-controller", "trackingID": null, "trackingId": "app:x/y"}})),
            None,
        ),
        (claim(json!({"run": {"runKey": null}})), None),
        (claim(json!({"before": "x".repeat(24_576)})), None),
        (claim(json!({"before": "x".repeat(24_577)})), Some("spec.claim.before: Too long")),
        (claim(json!({"sequence": 2_147_483_647})), None),
        (claim(json!({"sequence": 0})), Some("spec.claim.sequence")),
        (claim(json!({"sequence": 2_147_483_648_i64})), Some("spec.claim.sequence")),
        (claim(json!({"targetHash": "UPPER"})), Some("spec.claim.targetHash")),
        (claim(json!({"targetHash": null})), Some("spec.claim.targetHash: Required value")),
        (claim(json!({"run": {"version": "../x"}})), Some("spec.claim.run.version")),
        (json!({"claim": null}), Some("spec.claim: Required value")),
        (resolution("Started"), None),
        (resolution("NotStarted"), None),
        (resolution("Succeeded"), None),
        (resolution("Failed"), None),
        (resolution("Perhaps"), Some(r#"Unsupported value: "Perhaps""#)),
        (
            json!({"resolution": {"verdict": "Failed", "by": "jane"}}),
            Some("spec.resolution.reason: Required value"),
        ),
        (
            json!({"resolution": {"verdict": "Failed", "by": "", "reason": "x"}}),
            Some("spec.resolution.by"),
        ),
    ];
    receipts().await.check(&spec("tried"), &cases).await;
}

#[tokio::test]
async fn facts_of_a_receipt_are_written_once_and_stay() {
    let receipts = receipts().await;
    let name = "vcenter-factsabc-00001";
    receipts.create(name, &spec("factsabc")).await.unwrap();
    let refused = |answer: Result<Value, String>, words: &str| {
        let message = answer.err().unwrap_or_default();
        assert!(message.contains(words), "wanted {words:?}, got {message:?}");
    };

    refused(
        receipts.patch(name, "", &json!({"spec": {"claim": {"sequence": 2}}})).await,
        "a claim cannot be changed",
    );
    refused(
        receipts.patch(name, "", &json!({"spec": {"claim": {"note": "Adopted"}}})).await,
        "a claim cannot be changed",
    );
    refused(
        receipts.patch(name, "", &json!({"spec": {"claim": null}})).await,
        "spec.claim: Required value",
    );

    let facts = [
        (
            "answer",
            json!({"kind": "Lost", "message": "reset", "at": "2026-11-22T12:00:00Z"}),
            "an answer",
        ),
        ("adopted", json!({"at": "2026-11-22T12:20:00Z", "how": "seen moving"}), "adopted"),
        ("hint", json!({"at": "2026-11-22T12:20:00Z", "how": "it was moving"}), "hint"),
        (
            "end",
            json!({"kind": "Levitated", "at": "2026-11-22T13:00:00Z", "how": "seen"}),
            "an end",
        ),
    ];
    for (fact, value, subject) in facts {
        let write = |value: Value| json!({"status": {fact: value}});
        receipts.patch(name, "/status", &write(value.clone())).await.unwrap();
        receipts.patch(name, "/status", &write(value)).await.unwrap();
        refused(
            receipts.patch(name, "/status", &write(json!({"at": "2027-01-01T00:00:00Z"}))).await,
            &format!("{subject} cannot be changed"),
        );
        refused(
            receipts.patch(name, "/status", &write(Value::Null)).await,
            &format!("{subject} cannot be removed"),
        );
    }
    refused(
        receipts.patch(name, "/status", &json!({"status": null})).await,
        "a receipt keeps its facts: its status cannot be removed",
    );

    // The same by replacement, which could carry an explicit null where a patch cannot.
    let stored = receipts
        .patch(name, "/status", &json!({"status": {"evidence": ["still at v1.29.7"]}}))
        .await
        .unwrap();
    let mut without = stored.clone();
    without["status"]["end"] = Value::Null;
    refused(receipts.replace(name, "/status", &without).await, "an end cannot be removed");
    without.as_object_mut().unwrap().remove("status");
    refused(receipts.replace(name, "/status", &without).await, "its status cannot be removed");
    receipts.replace(name, "", &without).await.unwrap();
    let kept = receipts
        .patch(name, "/status", &json!({"status": {"evidence": ["again"]}}))
        .await
        .unwrap();
    assert_eq!(
        kept["status"]["end"], stored["status"]["end"],
        "a write of the object leaves its status alone"
    );
}

#[tokio::test]
async fn evidence_is_bounded() {
    let receipts = receipts().await;
    let name = "vcenter-evidence-00001";
    receipts.create(name, &spec("evidence")).await.unwrap();
    let evidence = |n: usize| json!({"status": {"evidence": vec!["x"; n]}});
    receipts.patch(name, "/status", &evidence(10)).await.unwrap();
    let refused = receipts.patch(name, "/status", &evidence(11)).await.unwrap_err();
    assert!(refused.contains("status.evidence: Too many"), "{refused}");
}

#[tokio::test]
async fn a_resolution_is_set_once() {
    let receipts = receipts().await;
    let name = "vcenter-resolution-00001";
    receipts.create(name, &spec("resolution")).await.unwrap();
    let resolve = |verdict: &str| json!({"spec": {"resolution": {"verdict": verdict, "by": "jane", "reason": "asked the vendor"}}});
    receipts.patch(name, "", &resolve("Started")).await.unwrap();
    let refused = receipts.patch(name, "", &resolve("NotStarted")).await.unwrap_err();
    assert!(refused.contains("a resolution cannot be changed"), "{refused}");
    let refused = receipts.patch(name, "", &json!({"spec": {"resolution": null}})).await.unwrap_err();
    assert!(refused.contains("a resolution cannot be taken back"), "{refused}");
}

#[tokio::test]
async fn a_ledger_is_found_by_its_hash_and_shows_what_became_of_each_start() {
    let plane = installed().await;
    let receipts = receipts().await;
    for (sequence, hash) in [(1, "findme"), (2, "findme"), (1, "another")] {
        let spec = patched(&spec(hash), &json!({"claim": {"sequence": sequence}}));
        receipts.create(&format!("vcenter-{hash}-{sequence:05}"), &spec).await.unwrap();
    }
    let answer = json!({"status": {"answer": {"kind": "Accepted", "job": "job-7"}, "end": {"kind": "Succeeded"}}});
    receipts.patch("vcenter-findme-00001", "/status", &answer).await.unwrap();

    let ledger = "--field-selector=spec.claim.targetHash=findme,spec.claim.run.namespace=vsphere";
    let wide = kubectl(plane, &["get", "rcpt", "-o", "wide", ledger]).await;
    let lines: Vec<Vec<_>> = wide.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{wide}");
    let titles = [
        "NAME",
        "TARGET",
        "VERSION",
        "ANSWER",
        "END",
        "NAMESPACE",
        "REQUESTED-BY",
        "AGE",
        "JOB",
        "FROM",
        "RUNKEY",
        "RESOLVED-BY",
    ];
    assert_eq!(lines[0], titles);
    let first = [
        "vcenter-findme-00001",
        "vcenter|vc1.example:443|domain-c8",
        "v1.30.5+vmware.2",
        "Accepted",
        "Succeeded",
        "vsphere",
        "b",
    ];
    assert_eq!(lines[1][..7], first, "{wide}");
    assert_eq!(lines[1][8..], ["job-7", r#"{"version":"v1.29.7"}"#], "{wide}");
}
