//! Connections of another type than an upgrade goes through: nothing is asked of them, and the upgrade says what is wrong.

use anyhow::Context as _;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::ApplianceUpdate;

use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::happy::quick;
use crate::world::World;

/// Waits until an update was looked at and is REJECTED for its Connection's type; its status.
async fn refused(world: &World, name: &str) -> anyhow::Result<Value> {
    let api: Api<ApplianceUpdate> = Api::namespaced(world.client.clone(), &world.namespace);
    let mut last = Value::Null;
    let waited = world.wait(async |_: &World| {
        last = serde_json::to_value(api.get(name).await?.status)?;
        let so = last["state"] == "REJECTED" && last["conditions"][0]["reason"] == "ConnectionTypeMismatch";
        Ok(so.then(|| last.clone()))
    });
    let waited = waited.await;
    waited.with_context(|| world.report(&format!("update {name} was never refused; last: {last:#}")))
}

#[tokio::test]
async fn a_connection_of_another_type_is_asked_nothing_and_the_right_one_goes_on() -> anyhow::Result<()> {
    let world = World::new("types", quick(1)).await?;
    world.secret("vc", USER, PASSWORD).await?;
    let mut other = world.connection("vc");
    other["spec"]["type"] = "RecoveryAppliance".into();
    world.apply(&other).await?;
    let _operator = world.operator().await?;
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]});
    world.batch("b", spec).await?;
    let status = world.reason("b", "REJECTED", "ConnectionTypeMismatch").await?;
    let said = "Connection vc is of type RecoveryAppliance, but this kind goes through one of type VCenter; nothing is sent";
    assert!(status.message().starts_with(said), "{}", status.message());
    assert_eq!(status.condition("Stalled", "status"), "True");
    let of_clusters = |path: &str| path.contains("/api/vcenter/") || path.contains("/api/session");
    let asked: Vec<String> = world
        .vcenter
        .log()
        .requests()
        .iter()
        .map(|e| e.path.clone())
        .filter(|p| of_clusters(p))
        .collect();
    assert!(asked.is_empty(), "{asked:?}");

    // The name is what the batch holds on to: behind it stands the right type now.
    world.connections().delete("vc", &DeleteParams::default()).await?;
    world.apply(&world.connection("vc")).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);

    // And the other way round, through a Connection that works.
    let looked = world.vcenter.log().posts().len();
    world
        .apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "ApplianceUpdate", "metadata": {"name": "u", "namespace": world.namespace},
            "spec": {"connectionRef": {"name": "vc"}, "version": "9.0.2-10455", "schedule": {"notAfter": "2026-01-01T00:00:00Z"}},
        }))
        .await?;
    let status = refused(&world, "u").await?;
    assert_eq!(
        (&status["target"], &status["targets"][0]["name"]),
        (&json!("vc"), &json!("vc")),
        "{status:#}"
    );
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("goes through one of type RecoveryAppliance"),
        "{status:#}"
    );
    assert_eq!(world.vcenter.log().posts().len(), looked);
    assert_eq!(world.receipts().await?.len(), 1, "not even a note, though it is too late for it");
    Ok(())
}
