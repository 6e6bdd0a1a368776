//! A word on a receipt where the admission policies of the chart are in force.

use http::Method;
use serde_json::json;

use super::person::Person;
use crate::chart::site;
use crate::chart::site::RECEIPTS;
use crate::chart::site::installed;

#[tokio::test]
async fn the_word_is_given_in_the_name_that_the_policy_wants_and_nobody_else_gives_it() -> anyhow::Result<()> {
    let plane = installed().await;
    let namespace = plane.namespace("cli-word").await?.name;
    let admin = site::Person::new(plane, "admin", &["system:masters"]).await;
    let name = "vcenter-cliword-00001";
    let claim = json!({
        "target": "vcenter|vc1.example:443|domain-c8", "targetHash": "cliword", "sequence": 1,
        "run": {"namespace": "vsphere", "version": "v1.30.5+vmware.2", "runKey": ""}, "connection": "vc1",
        "before": "{\"version\":\"v1.29.7+vmware.1\"}", "request": "POST /api/x", "options": "{}", "holder": "3f0c",
        "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "b", "uid": "0b7e", "generation": 1},
    });
    let made = admin.create_receipt(name, "cliword", &json!({"claim": claim})).await;
    made.map_err(anyhow::Error::msg)?;
    let lost = json!({"status": {"answer": {"kind": "Lost", "message": "no answer", "at": "2026-11-28T00:00:00Z"}}});
    let status = format!("{RECEIPTS}/{name}/status");
    admin.send(Method::PATCH, &status, &lost).await.map_err(anyhow::Error::msg)?;

    let args = ["resolve", name, "--verdict", "succeeded", "--reason", "seen in vSphere", "--yes"];
    let auditor = Person::new(plane, &namespace, "auditor", &["windlass-auditor"]).await?;
    let denied = auditor.types(&args).await?.failed();
    assert!(denied.contains("ask for the ClusterRole windlass-resolver"), "{denied}");

    let resolver = Person::new(plane, &namespace, "resolver", &["windlass-resolver"]).await?;
    let written = resolver.types(&args).await?.with(0);
    assert!(written.contains(&format!("{} says Succeeded", resolver.user)), "{written}");
    let receipt = admin.send(Method::GET, &format!("{RECEIPTS}/{name}"), &json!({})).await.unwrap();
    assert_eq!(
        receipt["spec"]["resolution"],
        json!({"verdict": "Succeeded", "by": resolver.user, "reason": "seen in vSphere"})
    );
    Ok(())
}
