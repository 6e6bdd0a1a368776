//! Clocks that are off, jump and are set right: no window opens early, and none that closed opens again.

use jiff::SignedDuration;

use serde_json::json;

use super::after;
use super::attentive;
use super::frozen;
use super::in_secs;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::support::assert_each_started_once;
use crate::stories::support::receipts;

#[tokio::test]
async fn a_clock_that_is_ahead_never_opens_a_window_early() -> anyhow::Result<()> {
    let world = attentive("ahead", Config::with_clusters(1)).await?;
    world.set_clock(8_000)?;
    let _operator = world.operator().await?;
    world.connected("vc", "Reachable").await?;
    let opens = in_secs(8);
    world.batch("b", scheduled(1, &json!({"notBefore": opens}))).await?;
    world
        .until("b", "withdrawn by the API server's clock", |s| {
            s.row_message("domain-c1").contains("the API server's time")
        })
        .await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let told = receipts(&world, "domain-c1").await?;
    let (last, before) = told.split_last().unwrap();
    assert_eq!(last, "Accepted/open");
    assert!(!before.is_empty() && before.iter().all(|r| r == "none/Withdrawn"), "{told:?}");
    let posts = world.vcenter.log().posts();
    assert_eq!(posts.len(), 1, "once, however often it was tried");
    assert!(
        after(opens, posts[0].wall) >= SignedDuration::ZERO,
        "{} before {opens}",
        posts[0].wall
    );
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumps_past_the_end_never_starts_what_is_left() -> anyhow::Result<()> {
    let world = attentive("past-the-end", Config::with_clusters(2)).await?;
    let _operator = world.operator().await?;
    world.batch("b", scheduled(2, &frozen(600, 7200))).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.set_clock(900_000)?;
    world
        .until("b", "frozen by our clock", |s| s.blockers().contains(&"Frozen"))
        .await?;
    world.finish();
    let waits = world.reason("b", "PENDING", "Frozen").await?;
    assert_eq!(waits.row_state("domain-c1"), "SUCCESS", "followed all the same: {:#}", waits.json);
    world.looks(2).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    world.set_clock(0)?;
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(&world, 2);
    Ok(())
}

#[tokio::test]
async fn a_clock_stepped_back_over_the_end_never_starts_anything_again() -> anyhow::Result<()> {
    let world = attentive("stepped-back", Config::with_clusters(2)).await?;
    let _operator = world.operator().await?;
    world.batch("b", scheduled(1, &json!({}))).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let closes = frozen(2, 3600);
    world.edit("b", json!({"schedule": closes})).await?;
    let late = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c2"}], "schedule": closes, "suspend": true});
    world.batch("late", late).await?;
    world
        .until("late", "the window is closed", |s| s.blockers().contains(&"Frozen"))
        .await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    world.edit("late", json!({"suspend": null})).await?;
    world.set_clock(-20_000)?;
    world
        .until("late", "withdrawn by the API server's clock", |s| {
            s.row_message("domain-c2").contains("the API server's time")
        })
        .await?;
    world.set_clock(0)?;
    world.reason("late", "PENDING", "Frozen").await?;
    let told = receipts(&world, "domain-c2").await?;
    assert!(!told.is_empty() && told.iter().all(|r| r == "none/Withdrawn"), "{told:?}");
    assert_eq!(world.vcenter.log().posts().len(), 1, "nothing twice, and nothing new");
    world.edit("late", json!({"schedule": null})).await?;
    world.row("late", "domain-c2", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 2);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_far_off_never_starts_anything_and_once_set_right_is_not_waited_for() -> anyhow::Result<()> {
    let world = attentive("far-off", Config::with_clusters(1)).await?;
    world.set_clock(3_600_000)?;
    let _operator = world.operator().await?;
    world.batch("b", scheduled(1, &json!({}))).await?;
    world
        .until("b", "withdrawn", |s| s.row_message("domain-c1").contains("clock and ours differ"))
        .await?;
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty());
    world.set_clock(0)?;
    // Its withdrawn receipts are dated an hour from now: that hour is not waited for.
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 1);
    Ok(())
}
