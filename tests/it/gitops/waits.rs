//! Flux's and Helm's own code against the real API server and a running operator: what they wait for, and what they leave alone.

use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::FirmwareUpgrade;

use super::actions;
use super::flux;
use crate::central;
use crate::sim::aruba;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_OLD;
use crate::world::World;

/// Longer than anything here takes that comes at all.
const PATIENT: u64 = 60_000;

/// Long enough for an operator to look at an object, and more. Half a poll more than whole ones: one that falls on the very end is an error of
/// its own, and no verdict.
const SHORT: u64 = 4050;

/// Applies a batch as a Kustomization does, with or without the expressions that hand over. `Ok` when it counts as done.
async fn applied(world: &World, batch: &Value, handoff: bool, timeout: u64) -> anyhow::Result<Result<(), String>> {
    let expressions = if handoff { flux::expressions() } else { json!([]) };
    let request = json!({"name": "upgrades", "objects": [batch], "healthCheckExprs": expressions, "timeoutMillis": timeout});
    let answer = world.plane.gitops("flux-apply", &request).await?;
    Ok(answer["failed"].as_str().map_or(Ok(()), |why| Err(why.to_owned())))
}

/// A batch that waits for its window, which opens in the first minute of each year.
fn waiting(world: &World) -> Value {
    let windows = json!([{"cron": "0 0 1 1 *", "duration": "1m", "timeZone": "UTC"}]);
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}], "schedule": {"windows": windows}});
    world.manifest("b", &spec)
}

#[tokio::test]
async fn an_upgrade_that_waits_for_days_never_holds_a_kustomization_that_hands_over() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("flux-window", Config::with_clusters(1)).await?;
    let batch = waiting(&world);
    assert_eq!(applied(&world, &batch, true, PATIENT).await?, Ok(()));
    world.reason("b", "PENDING", "WaitingForWindow").await?;
    // The same with `wait: true` and no expressions: held until the timeout, for as many days as it waits.
    let held = applied(&world, &batch, false, SHORT).await?.unwrap_err();
    assert!(held.contains("InProgress"), "{held}");
    assert!(world.vcenter.log().posts().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_nobody_has_looked_at_is_never_handed_over() -> anyhow::Result<()> {
    let world = World::new("flux-unseen", Config::with_clusters(1)).await?;
    world.connect("vc").await?;
    let batch = waiting(&world);
    for handoff in [true, false] {
        let held = applied(&world, &batch, handoff, SHORT).await?.unwrap_err();
        assert!(held.contains("InProgress"), "{held}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_needs_a_person_fails_a_kustomization_at_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("flux-refused", Config::with_clusters(1)).await?;
    world
        .vcenter
        .edit_cluster("domain-c1", |c| c.current_version = VERSION_NEW.to_owned());
    let clusters = json!([{"cluster": "domain-c1"}]);
    let batch = world.manifest("b", &json!({"desiredVersion": VERSION_OLD, "clusters": clusters}));
    for handoff in [false, true] {
        // Handed over are upgrades that a moment ago were on their way, so only what has failed by then is seen.
        if handoff {
            world.reason("b", "REJECTED", "WouldDowngrade").await?;
        }
        let failed = applied(&world, &batch, handoff, PATIENT).await?.unwrap_err();
        assert!(failed.contains("Failed"), "{failed}");
    }
    Ok(())
}

/// Self-heal is one more apply of what is in Git.
#[tokio::test]
async fn hold_survives_selfheal() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("selfheal", Config::with_clusters(1)).await?;
    world.hold_connection("vc", Some("not before it is held")).await?;
    let batch = world.manifest("b", &json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]}));
    applied(&world, &batch, false, 0).await?.map_err(anyhow::Error::msg)?;
    // The patch that Argo CD sends for its action.
    let live = serde_json::to_value(world.batches().get("b").await?)?;
    let held = actions::after("hold", &live).await;
    let patch = json!({"metadata": {"annotations": held["metadata"]["annotations"]}});
    world.batches().patch("b", &PatchParams::default(), &Patch::Merge(patch)).await?;
    world.hold_connection("vc", None).await?;
    for _ in 0..2 {
        applied(&world, &batch, false, 0).await?.map_err(anyhow::Error::msg)?;
        world.apply(&batch).await?;
        let status = world.reason("b", "PENDING", "Held").await?;
        assert!(status.message().contains("held in Argo CD"), "{}", status.message());
    }
    world.looks(3).await?;
    assert!(world.vcenter.log().posts().is_empty());
    let live = serde_json::to_value(world.batches().get("b").await?)?;
    assert_eq!(actions::offered(&live).await, json!(["reconcile", "release"]));
    world.hold("b", None).await?;
    world.started(1).await?;
    Ok(())
}

/// Nothing that Windlass writes is a difference to what is in Git: a second apply changes nothing, before the run, in it and after it.
#[tokio::test]
async fn live_equals_applied_after_run() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("no-drift", Config::with_clusters(1)).await?;
    let batch = world.manifest("b", &json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]}));
    let request = json!({"name": "upgrades", "objects": [batch]});
    let apply = async || -> anyhow::Result<Vec<Value>> {
        let answer = world.plane.gitops("flux-apply", &request).await?;
        Ok(answer["changes"].as_object().unwrap().values().cloned().collect())
    };
    assert_eq!(apply().await?, ["created"]);
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_eq!(apply().await?, ["unchanged"]);
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(apply().await?, ["unchanged"]);
    // As `kubectl diff` and Argo CD's structured merge have it: spec is byte for byte what was applied.
    let live = serde_json::to_value(world.batches().get("b").await?)?;
    assert_eq!(live["spec"], batch["spec"]);
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn live_equals_applied_after_a_run_of_devices_too() -> anyhow::Result<()> {
    let (world, _operator) = central::World::ready("no-drift-devices", central::still()).await?;
    let spec = json!({
        "connectionRef": {"name": central::NAME}, "version": aruba::VERSION_NEW,
        "arubaCustomer": {"customerId": aruba::CUSTOMER, "deviceType": "CX", "reboot": true},
    });
    let upgrade = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "FirmwareUpgrade",
        "metadata": {"name": "u", "namespace": world.namespace}, "spec": spec,
    });
    let request = json!({"name": "upgrades", "objects": [upgrade]});
    let apply = async || -> anyhow::Result<Vec<Value>> {
        let answer = world.plane.gitops("flux-apply", &request).await?;
        Ok(answer["changes"].as_object().unwrap().values().cloned().collect())
    };
    assert_eq!(apply().await?, ["created"]);
    world.taken().await?;
    assert_eq!(apply().await?, ["unchanged"]);
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(apply().await?, ["unchanged"]);
    let live = world.api::<FirmwareUpgrade>().get("u").await?;
    assert_eq!(serde_json::to_value(live)?["spec"], spec);
    world.assert_started(1, 1);
    Ok(())
}
