//! Every stop button stops starts, and starts only: what runs is followed to its end.

use serde_json::json;

use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::Operator;
use crate::world::World;

fn two() -> serde_json::Value {
    json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]})
}

/// The first of two clusters runs.
async fn running(story: &str) -> anyhow::Result<(World, Operator)> {
    let (world, operator) = World::ready(story, Config::with_clusters(2)).await?;
    world.batch("b", two()).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    Ok((world, operator))
}

/// A stop is in force: the run under way comes to its end, and nothing follows it.
async fn stops(world: &World, reason: &str) -> anyhow::Result<()> {
    world.until("b", "shown as a blocker", |s| s.blockers().contains(&reason)).await?;
    world.finish();
    let stopped = world.reason("b", "PENDING", reason).await?;
    assert_eq!((stopped.row_state("domain-c1"), &stopped.json["done"]), ("SUCCESS", &json!("1/2")));
    assert_eq!(stopped.waiting_for(), reason);
    let kstatus = if reason == "StartsDisabled" { "True" } else { "" };
    assert_eq!(
        stopped.condition("Reconciling", "status"),
        kstatus,
        "a person's stop is no progress"
    );
    world.looks(3).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

/// The stop is lifted: the second cluster starts.
async fn goes_on(world: &World) -> anyhow::Result<()> {
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!((world.starts("domain-c1"), world.starts("domain-c2")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn suspended_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = running("suspended").await?;
    world.edit("b", json!({"suspend": true})).await?;
    stops(&world, "Suspended").await?;
    world.edit("b", json!({"suspend": null})).await?;
    goes_on(&world).await
}

#[tokio::test]
async fn held_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = running("held").await?;
    world.hold("b", Some("incident 4711")).await?;
    stops(&world, "Held").await?;
    let status = world.state("b", "PENDING").await?;
    assert!(status.message().contains("incident 4711"), "{}", status.message());
    world.hold("b", None).await?;
    goes_on(&world).await
}

#[tokio::test]
async fn a_held_connection_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = running("conn-held").await?;
    world.hold_connection("vc", Some("vCenter is being backed up")).await?;
    stops(&world, "Held").await?;
    world.hold_connection("vc", None).await?;
    goes_on(&world).await
}

#[tokio::test]
async fn a_suspended_connection_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = running("conn-suspended").await?;
    world.suspend_connection("vc", Some(true)).await?;
    stops(&world, "Suspended").await?;
    world.suspend_connection("vc", None).await?;
    goes_on(&world).await
}

#[tokio::test]
async fn an_operator_with_starts_disabled_starts_nothing() -> anyhow::Result<()> {
    let (mut world, operator) = running("disabled").await?;
    operator.terminate().await?;
    world.args.push("--starts-enabled=false".to_owned());
    let disabled = world.operator().await?;
    stops(&world, "StartsDisabled").await?;
    disabled.terminate().await?;
    world.args.pop();
    let _enabled = world.operator().await?;
    goes_on(&world).await
}

#[tokio::test]
async fn created_suspended_starts_nothing_and_shows_what_it_would_do() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("dry-run", Config::with_clusters(2)).await?;
    let mut spec = two();
    spec["suspend"] = json!(true);
    world.batch("b", spec).await?;
    let status = world
        .until("b", "targets are filled", |s| s.row("domain-c2")["currentVersion"].is_string())
        .await?;
    assert_eq!((status.state(), status.reason().as_str()), ("PENDING", "Suspended"));
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty() && world.receipts().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn hold_survives_selfheal() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("selfheal", Config::with_clusters(1)).await?;
    let clusters = json!([{"cluster": "domain-c1"}]);
    let manifest = world.manifest("b", &json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "suspend": true}));
    world.apply(&manifest).await?;
    world.hold("b", Some("not tonight")).await?;
    let go = world.manifest("b", &json!({"desiredVersion": VERSION_NEW, "clusters": clusters}));
    for _ in 0..3 {
        world.apply(&go).await?;
    }
    world.reason("b", "PENDING", "Held").await?;
    world.looks(3).await?;
    assert!(
        world.vcenter.log().posts().is_empty(),
        "what Git states does not take the hold away"
    );
    world.hold("b", None).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    Ok(())
}
