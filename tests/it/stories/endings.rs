//! Runs that lose sight of their vendor, or end badly.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::posts;
use super::support::receipts;
use crate::sim::Clock;
use crate::sim::Config;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Prechecks;
use crate::sim::vcenter::Severity;
use crate::world::World;

const C1: &str = "domain-c1";

/// One cluster whose upgrade goes on only when the story moves the vendor's clock.
fn still(n: usize) -> Config {
    Config::with_clusters(n).clock(Clock::frozen())
}

fn finish(world: &World) {
    world.vcenter.clock().advance(Duration::from_hours(1));
}

#[tokio::test]
async fn a_vendor_that_goes_away_never_makes_a_run_fail_or_start_again() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("away", still(1)).await?;
    bold_batch(&world, 1).await?;
    world.reason("b", "RUNNING", "Running").await?;
    world.vcenter.stop().await;
    let status = world.reason("b", "RUNNING", "OutOfSight").await?;
    assert_eq!(status.row_state(C1), "RUNNING");
    world.connected("vc", "Unreachable").await?;
    finish(&world);
    world.vcenter.resume().await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    world.connected("vc", "Reachable").await?;
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_connection_deleted_in_mid_run_never_loses_the_run() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("disconnected", still(1)).await?;
    bold_batch(&world, 1).await?;
    world.reason("b", "RUNNING", "Running").await?;
    world.connections().delete("vc", &DeleteParams::default()).await?;
    let status = world.reason("b", "RUNNING", "OutOfSight").await?;
    assert!(status.row_message(C1).contains("Connection vc does not exist"), "{status:?}");
    assert!(status.row_message(C1).contains("ConnectionNotReady"), "{status:?}");
    finish(&world);
    world.connect("vc").await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(receipts(&world, C1).await?, ["Accepted/Succeeded"]);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn an_accepted_start_that_came_to_nothing_fails_and_is_never_repeated() -> anyhow::Result<()> {
    let config = quick(1)
        .settings(|s| s.prechecks = Prechecks::AfterAccept)
        .each_cluster(|c| c.prechecks = vec![Note::new(Severity::Error, "host esx7 is in maintenance")]);
    let (world, _operator) = World::ready("vain", config).await?;
    bold_batch(&world, 1).await?;
    let status = world.state("b", "FAILED").await?;
    assert_eq!(status.row_state(C1), "FAILED");
    let message = status.row_message(C1);
    assert!(
        message.contains("PrecheckAfterAccept") && message.contains("host esx7 is in maintenance"),
        "{message}"
    );
    world.vcenter.edit_cluster(C1, |c| c.prechecks.clear());
    world.edit("b", json!({"strategy": {"maxFailures": 2}})).await?;
    world.looks(3).await?;
    assert_eq!(posts(&world, C1).len(), 1);
    assert_eq!(receipts(&world, C1).await?, ["Accepted/Failed"]);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_ends_in_error_fails_in_the_vendors_words_and_is_never_repeated() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| c.fail_after_nodes = Some(1));
    let (world, _operator) = World::ready("broken", config).await?;
    bold_batch(&world, 1).await?;
    let status = world.state("b", "FAILED").await?;
    let row = status.row(C1);
    assert_eq!(
        (row["state"].as_str(), row["reason"].as_str()),
        (Some("FAILED"), Some("VendorFailed"))
    );
    assert!(
        status.row_message(C1).contains("a control plane node did not become ready"),
        "{status:?}"
    );
    world.looks(3).await?;
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}

/// The shortest timeout that the API takes is a minute, on the real clock: this story lasts that long.
#[tokio::test]
async fn a_run_past_its_timeout_is_overdue_and_never_failed_while_it_moves() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("overdue", still(1)).await?;
    bold_batch(&world, 1).await?;
    world.edit("b", json!({"timeout": "1m"})).await?;
    let status = world.reason("b", "RUNNING", "Overdue").await?;
    assert_eq!(status.condition("Overdue", "status"), "True");
    assert_eq!(status.row_state(C1), "RUNNING");
    finish(&world);
    let status = world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(status.condition("Overdue", "status"), "");
    assert_each_started_once(&world, 1);
    Ok(())
}
