//! What cannot be seen, or not all of it.

use serde_json::json;

use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Kind;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::faults::BodyKind;

fn second_page() -> crate::sim::Match {
    aruba::device_lists().query("offset=1000")
}

#[tokio::test]
async fn a_page_that_is_missing_starts_nothing_and_ends_nothing() -> anyhow::Result<()> {
    let config = still().estate(|e| e.sizes.cx = 1200).pace(|p| p.stagger_secs = 0);
    let (world, _operator) = World::ready("aruba-page", config).await?;
    let fails = || Action::Status {
        status: 500,
        body: BodyKind::default(),
        when: When::Before,
        headers: Vec::new(),
    };
    let rule = world.central.faults().add(Rule::new(fails()).on(second_page()));
    world.upgrade(VERSION_NEW).await?;
    let waits = world.until("a page", |s| s.message().contains("page 2")).await?;
    assert_eq!(waits.state(), "PENDING");
    world.looks(3).await?;
    world.assert_started(0, 0);
    world.central.faults().remove(rule)?;
    world.taken().await?;
    assert_eq!(world.central.starts(CUSTOMER, Kind::Cx)[0].options["devices"], json!(1200));
    // All devices of the first page are there, and nobody knows of the others.
    let rule = world.central.faults().add(Rule::new(fails()).on(second_page()));
    world.finish()?;
    world.reason("RUNNING", "OutOfSight").await?;
    world.looks(3).await?;
    world.central.faults().remove(rule)?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn rows_that_move_between_pages_are_noticed() -> anyhow::Result<()> {
    let config = still().estate(|e| e.sizes.cx = 1200).settings(|s| s.rows_shift = true);
    let (world, _operator) = World::ready("aruba-shift", config).await?;
    world.upgrade(VERSION_NEW).await?;
    world.until("twice", |s| s.message().contains("twice")).await?;
    world.assert_started(0, 0);
    world.central.set(|s| s.rows_shift = false);
    world.taken().await?;
    Ok(())
}

#[tokio::test]
async fn devices_that_are_out_of_reach_are_waited_for_and_never_called_failed() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-offline", still().estate(|e| e.offline_every = 4)).await?;
    world
        .upgrade_with(json!({"version": VERSION_NEW, "timeout": "2h"}), json!({}))
        .await?;
    world.taken().await?;
    world.finish()?;
    world.until("three are there", |s| s.message().contains("3 of 4")).await?;
    world.advance(2 * 3600)?;
    let lost = world.until("UNKNOWN", |s| s.state() == "UNKNOWN").await?;
    assert!(lost.message().contains("out of Central's reach"), "{}", lost.message());
    world.central.set_online(&aruba::Place::new(0, Kind::Cx, 3).id(), true)?;
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    world.assert_started(1, 1);
    Ok(())
}
