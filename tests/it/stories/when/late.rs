//! Too late: while nobody ran, while nobody could look, and from the beginning.

use serde_json::Value;
use serde_json::json;

use super::attentive;
use super::in_secs;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::support::assert_each_started_once;
use crate::world::Status;
use crate::world::World;

const MINUTE: i64 = 60;

/// By the operator's clock it is so many minutes before now.
fn minutes_ago(world: &World, minutes: i64) -> anyhow::Result<()> {
    world.set_clock(-minutes * MINUTE * 1000)
}

#[tokio::test]
async fn what_was_missed_while_no_operator_ran_is_never_sent_late() -> anyhow::Result<()> {
    let world = attentive("missed", Config::with_clusters(2)).await?;
    // Frozen, then 30 minutes in which starts are allowed, then frozen until five minutes ago.
    let freeze = |from: i64, until: i64| json!({"from": in_secs(from * MINUTE), "until": in_secs(until * MINUTE)});
    let freezes = json!([freeze(-80, -50), freeze(-20, -5)]);
    minutes_ago(&world, 70)?;
    let operator = world.operator().await?;
    let of =
        |cluster: &str, schedule: Value| json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": cluster}], "schedule": schedule});
    world.batch("b", of("domain-c1", json!({"freezes": freezes}))).await?;
    let until_then = json!({"freezes": freezes, "notAfter": in_secs(-20 * MINUTE)});
    world.batch("dated", of("domain-c2", until_then)).await?;
    for name in ["b", "dated"] {
        let waits = world.reason(name, "PENDING", "Frozen").await?;
        assert_eq!(waits.json["nextActionAt"], freezes[0]["until"], "{:#}", waits.json);
    }
    operator.terminate().await?;

    minutes_ago(&world, 10)?;
    let _operator = world.operator().await?;
    world.reason("dated", "CANCELLED", "NotStartedInTime").await?;
    let next = freezes[1]["until"].clone();
    world.until("b", "the next opening", |s| s.json["nextActionAt"] == next).await?;
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty(), "not sent late");
    assert_eq!(world.ends(1).await?, ["NotStartedInTime"], "a note, and no permit");

    minutes_ago(&world, 0)?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.looks(2).await?;
    assert_each_started_once(&world, 1);
    assert_eq!(world.starts("domain-c2"), 0);
    Ok(())
}

/// What a status says, but for when it was written and for which generation, and for what was seen by the way before it was over.
fn said(status: &Status) -> Value {
    // The vendor's name of a cluster is only known from a look, and one that is over is not looked at again.
    let unnamed = status.json.to_string().replace("supervisor-", "");
    let mut said: Value = serde_json::from_str(&unnamed).unwrap_or_default();
    said["observedGeneration"].take();
    for condition in said["conditions"].as_array_mut().into_iter().flatten() {
        condition["observedGeneration"].take();
        condition["lastTransitionTime"].take();
    }
    for row in said["targets"].as_array_mut().into_iter().flatten() {
        row["currentVersion"].take();
        row["displayName"].take();
    }
    said
}

/// Created too late: cancelled, and noted. Created again it says the same. Only a new run key with a later `notAfter` starts it.
async fn too_late(story: &str, reachable: bool) -> anyhow::Result<()> {
    let world = attentive(story, Config::with_clusters(1)).await?;
    if !reachable {
        world.vcenter.stop().await;
    }
    let _operator = world.operator().await?;
    world.connected("vc", if reachable { "Reachable" } else { "Unreachable" }).await?;
    let spec = scheduled(1, &json!({"notAfter": in_secs(-3600)}));
    world.batch("b", spec.clone()).await?;
    let first = world.reason("b", "CANCELLED", "NotStartedInTime").await?;
    assert!(first.message().contains("runKey"), "says how to go on: {}", first.message());
    assert_eq!(world.ends(1).await?, ["NotStartedInTime"]);
    world.delete_batch("b").await?;
    world.batch("b", spec).await?;
    let again = world.reason("b", "CANCELLED", "NotStartedInTime").await?;
    assert_eq!(said(&again), said(&first), "it says how it ended");
    let later = json!({"notAfter": in_secs(3600)});
    world.edit("b", json!({"schedule": later})).await?;
    let same = world.reason("b", "CANCELLED", "NotStartedInTime").await?;
    assert_eq!(said(&same), said(&again), "too late stays too late");
    assert_eq!(world.ends(1).await?, ["NotStartedInTime"], "noted once");
    assert!(world.vcenter.log().posts().is_empty());

    world.vcenter.resume().await?;
    world.edit("b", json!({"runKey": "next-night"})).await?;
    let running = world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let past: Vec<&Value> = running.json["history"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| &p["state"])
        .collect();
    assert_eq!(past, ["CANCELLED"], "{:#}", running.json);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn created_too_late_never_starts_however_often_it_is_created() -> anyhow::Result<()> {
    too_late("too-late", true).await
}

#[tokio::test]
async fn created_too_late_and_out_of_reach_never_starts_once_it_is_reached() -> anyhow::Result<()> {
    too_late("too-late-too-far", false).await
}
