//! The operator's part of the conformance to the appliance's specification.
//!
//! It needs nothing but the kind: where the control plane does not have it, the story says that this side is not seen.

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;

use super::front::Front;
use crate::proof::show;
use crate::sim::Running;
use crate::sim::appliance::Appliance;
use crate::sim::appliance::PASSWORD;
use crate::sim::appliance::TARGET;
use crate::sim::appliance::USER;
use crate::sim::appliance::VERSION_NEW;
use crate::world::World;

/// What the operator's client asks an appliance for.
pub const OPERATIONS: [&str; 7] = [
    "POST /session",
    "DELETE /session",
    "GET /appliance",
    "GET /tasks",
    "GET /tasks/{task_id}",
    "POST /appliance/update-manager/actions/retrieve-updates",
    "POST /appliance/update-manager/updates/{update_version}/actions/install",
];

/// As the control plane names the kind.
const KIND: &str = "applianceupdates.windlass.dev";

/// A wrong password, probe, a session that ends, a version that is not offered, an update that succeeds, logout.
/// False where there is no such kind.
pub async fn lives(world: &World, front: &Front, appliance: &Running<Appliance>) -> anyhow::Result<bool> {
    if !world.plane.kubectl(&["get", "crd", KIND]).await?.status.success() {
        show("conformance: there is no ApplianceUpdate yet, so of the appliance only the simulator is checked");
        return Ok(false);
    }
    // Long enough to be seen QUEUED and RUNNING, and no longer.
    appliance.edit_machine(|machine| (machine.queued_secs, machine.run_secs) = (1, 3));
    appliance.set(|s| s.retrieve_secs = 1);
    world.secret("vr", USER, "lower-the-anchor").await?;
    world.apply(&connection(world, front)).await?;
    let operator = world.operator().await?;
    world.connected("vr", "AuthFailed").await?;
    world.secret("vr", USER, PASSWORD).await?;
    world.connected("vr", "Reachable").await?;

    let logins = appliance.logins();
    appliance.expire_all_sessions();
    world
        .wait(async |_: &World| Ok((appliance.logins() > logins).then_some(())))
        .await
        .context("a session that ended is renewed")?;

    update(world, "none", "9.9.9-1").await?;
    until(world, "none", |status| status["waitingFor"] == "VersionNotOffered").await?;
    world.kubectl(&["delete", KIND, "none"]).await?;
    update(world, "next", VERSION_NEW).await?;
    until(world, "next", |status| status["state"] == "SUCCESS").await?;
    assert_eq!(appliance.log().starts(TARGET).len(), 1);
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    assert_eq!(appliance.live_sessions(), 0, "it logged out");
    Ok(true)
}

fn connection(world: &World, front: &Front) -> Value {
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "vr", "namespace": world.namespace},
        "spec": {
            "type": "RecoveryAppliance", "url": front.url(), "caBundlePEM": front.ca_pem(), "credentialsSecretRef": {"name": "vr"},
        },
    })
}

async fn update(world: &World, name: &str, version: &str) -> anyhow::Result<()> {
    let update = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ApplianceUpdate", "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"connectionRef": {"name": "vr"}, "version": version},
    });
    world.apply(&update).await
}

async fn until(world: &World, name: &str, so: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let mut last = Value::Null;
    let waited = world.wait(async |world: &World| {
        let told: Value = serde_json::from_str(&world.kubectl(&["get", KIND, name, "-o", "json"]).await?)?;
        last = told["status"].clone();
        Ok(so(&last).then_some(()))
    });
    waited.await.with_context(|| world.report(&format!("{name}: {last:#}")))
}
