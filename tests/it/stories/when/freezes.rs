//! Freezes that somebody puts in while a batch is under way, on the batch itself and on its Connection.

use serde_json::json;

use super::attentive;
use super::frozen;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::stories::support::assert_each_started_once;
use crate::world::Status;
use crate::world::World;

/// A freeze is in force: what runs is followed to its end, and the next waits.
async fn waits(world: &World, starts: usize) -> anyhow::Result<Status> {
    world.until("b", "shown as a blocker", |s| s.blockers().contains(&"Frozen")).await?;
    world.finish();
    let waits = world.reason("b", "PENDING", "Frozen").await?;
    assert_eq!(waits.json["done"], format!("{starts}/3"), "followed to its end");
    assert!(
        waits.json["nextActionAt"].is_string() && waits.message().contains("CHG-991"),
        "{:#}",
        waits.json
    );
    world.looks(2).await?;
    assert_eq!(world.vcenter.log().posts().len(), starts);
    Ok(waits)
}

#[tokio::test]
async fn a_freeze_added_under_way_never_lets_the_next_start_nor_stops_what_runs() -> anyhow::Result<()> {
    let world = attentive("freeze", Config::with_clusters(3)).await?;
    let _operator = world.operator().await?;
    world.batch("b", scheduled(3, &json!({}))).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.edit("b", json!({"schedule": frozen(-60, 3600)})).await?;
    let own = waits(&world, 1).await?;
    assert!(own.message().contains("spec.schedule.freezes"), "{}", own.message());

    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.edit_connection("vc", json!({"schedule": frozen(-60, 3600)})).await?;
    let theirs = waits(&world, 2).await?;
    assert!(theirs.message().contains("Connection vc, schedule.freezes"), "{}", theirs.message());

    // Both: each is told, and lifting one lifts nothing.
    world.edit("b", json!({"schedule": frozen(-60, 7200)})).await?;
    world.until("b", "both", |s| s.blockers() == ["Frozen", "Frozen"]).await?;
    world.edit_connection("vc", json!({"schedule": null})).await?;
    world.until("b", "its own is left", |s| s.blockers() == ["Frozen"]).await?;
    assert_eq!(world.vcenter.log().posts().len(), 2);

    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c3", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(&world, 3);
    Ok(())
}
