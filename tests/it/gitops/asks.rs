//! Argo CD's action `reconcile`, carried out on live objects while nothing else would have Windlass look for an hour.

use std::fmt::Debug;

use kube::Resource;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;
use windlass::api::Inventory;

use super::actions;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::sim::vcenter::VERSION_OLD;
use crate::world::World;

/// Sets the annotation of a live object to this.
async fn annotate<K>(world: &World, name: &str, at: &Value) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let patch = json!({"metadata": {"annotations": {"windlass.dev/reconcile-at": at}}});
    world.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// What the action makes of a live object, sent as Argo CD sends it.
async fn reconcile<K>(world: &World, name: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + Debug,
{
    let live = serde_json::to_value(world.api::<K>().get(name).await?)?;
    let asked = actions::after("reconcile", &live).await;
    annotate::<K>(world, name, &asked["metadata"]["annotations"]["windlass.dev/reconcile-at"]).await
}

/// Waits until the Inventory shows the cluster at this version.
async fn found(world: &World, version: &str) -> anyhow::Result<()> {
    let so = |s: &crate::world::Status| s.json["vcenter"]["clusters"][0]["currentVersion"] == version;
    let came = world.until_of::<Inventory>("vc", so).await;
    came.map(drop).map_err(|n| {
        n.error
            .context(world.report(&format!("the Inventory never showed {version}; last: {:#}", n.last)))
    })
}

/// How often the vCenter was asked what versions it holds, which only probes and Inventories ask.
fn lists(world: &World) -> usize {
    let asks = |e: &&crate::sim::Entry| e.path.ends_with("/cluster-available-versions");
    world.vcenter.log().requests().iter().filter(asks).count()
}

#[tokio::test]
async fn a_look_that_somebody_asks_for_is_taken_at_once_and_starts_nothing() -> anyhow::Result<()> {
    let mut world = World::new("asked", Config::with_clusters(1)).await?;
    for pause in ["probe", "pollWaiting", "pollCalm", "wake"] {
        world.timing[pause] = json!(3_600_000);
    }
    world.connect("vc").await?;
    let operator = world.operator().await?;
    world.connected("vc", "Reachable").await?;
    world
        .create::<Inventory>(
            "vc",
            json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "spec": {"connectionRef": {"name": "vc"}}}),
        )
        .await?;
    found(&world, VERSION_OLD).await?;
    let windows = json!([{"cron": "0 0 1 1 *", "duration": "1m", "timeZone": "UTC"}]);
    let clusters = json!([{"cluster": "domain-c1"}]);
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEWER, "clusters": clusters, "schedule": {"windows": windows}}),
        )
        .await?;
    world
        .until("b", "seen at the old version", |s| {
            s.reason() == "WaitingForWindow" && s.row("domain-c1")["currentVersion"] == VERSION_OLD
        })
        .await?;

    // Somebody upgrades it in vCenter's own pages.
    world
        .vcenter
        .edit_cluster("domain-c1", |c| c.current_version = VERSION_NEW.to_owned());
    reconcile::<Inventory>(&world, "vc").await?;
    found(&world, VERSION_NEW).await?;
    let (status, before) = (world.until("b", "untouched", |_| true).await?, lists(&world));
    assert_eq!(status.row("domain-c1")["currentVersion"], VERSION_OLD, "nobody asked for this one");
    reconcile::<ClusterUpgradeBatch>(&world, "b").await?;
    world
        .until("b", "seen at the new version", |s| {
            s.reason() == "WaitingForWindow" && s.row("domain-c1")["currentVersion"] == VERSION_NEW
        })
        .await?;
    assert_eq!(lists(&world), before, "nor for these");
    reconcile::<Connection>(&world, "vc").await?;
    world.wait(async |world| Ok((lists(world) > before).then_some(()))).await?;

    // Asked for while no operator runs: the next one looks.
    assert_eq!(operator.terminate().await?, Some(0));
    world
        .vcenter
        .edit_cluster("domain-c1", |c| c.current_version = VERSION_NEWER.to_owned());
    annotate::<Inventory>(&world, "vc", &json!(jiff::Timestamp::now().to_string())).await?;
    let _next = world.operator().await?;
    found(&world, VERSION_NEWER).await?;
    assert!(world.vcenter.log().posts().is_empty(), "a look is no start");
    Ok(())
}
