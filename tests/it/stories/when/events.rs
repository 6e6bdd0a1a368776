//! One Event for each change of what is waited for, and none for looking again.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;

use super::attentive;
use super::frozen;
use super::in_secs;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::world::World;

/// What the batch was told to wait for, in order.
async fn waits(world: &World) -> anyhow::Result<Vec<String>> {
    let events = world.events("b").await?.into_iter();
    Ok(events
        .filter(|[reason, ..]| reason == "Waiting")
        .map(|[_, action, _]| action)
        .collect())
}

#[tokio::test]
async fn a_blocker_that_stays_never_writes_a_second_event() -> anyhow::Result<()> {
    let world = attentive("blockers", Config::with_clusters(1)).await?;
    let _operator = world.operator().await?;
    world.connected("vc", "Reachable").await?;
    let hours_away = (Timestamp::now() + SignedDuration::from_hours(12)).to_zoned(jiff::tz::TimeZone::UTC);
    let window = json!({"cron": hours_away.strftime("%-M %-H * * *").to_string(), "duration": "1h", "timeZone": "UTC"});
    world.batch("b", scheduled(1, &json!({"windows": [window]}))).await?;
    world.reason("b", "PENDING", "WaitingForWindow").await?;
    let version = async |w: &World| anyhow::Ok(w.batches().get("b").await?.metadata.resource_version);
    let before = world
        .until("b", "looked at", |s| s.row("domain-c1")["currentVersion"].is_string())
        .await?;
    let written = version(&world).await?;
    world.looks(5).await?;
    assert_eq!(
        version(&world).await?,
        written,
        "nothing is written for looking again: {:#}",
        before.json
    );
    // A new generation, and the same blocker.
    world.edit("b", json!({"timeout": "2h"})).await?;
    world.reason("b", "PENDING", "WaitingForWindow").await?;

    world.edit("b", json!({"schedule": frozen(-60, 3600)})).await?;
    world
        .until("b", "two things in the way", |s| s.blockers() == ["Frozen", "WaitingForWindow"])
        .await?;
    world.edit("b", json!({"schedule": {"windows": null}})).await?;
    world.reason("b", "PENDING", "Frozen").await?;
    // Another end of the same freeze: the time moves, the blocker does not change.
    let longer = json!({"freezes": [{"from": in_secs(-60), "until": in_secs(7200)}]});
    world.edit("b", json!({"schedule": longer})).await?;
    world.reason("b", "PENDING", "Frozen").await?;
    world.looks(3).await?;
    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let told = world
        .wait(async |w| {
            let all = w.events("b").await?;
            let started = all.iter().any(|[reason, ..]| reason == "Started");
            Ok(if started { Some(waits(w).await?) } else { None })
        })
        .await?;
    let times: Vec<&str> = told.iter().map(String::as_str).filter(|w| *w != "Evaluating").collect();
    assert_eq!(times, ["WaitingForWindow", "Frozen"], "{told:?}");
    let series = world
        .kubectl(&[
            "get",
            "events.events.k8s.io",
            "-o",
            "jsonpath={.items[?(@.reason==\"Waiting\")].series}",
        ])
        .await?;
    assert_eq!(series.trim(), "", "nor is one counted up");
    Ok(())
}
