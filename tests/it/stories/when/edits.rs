//! What an edit does at once, what waits behind a run, and what is told of the runs before.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;

use super::attentive;
use super::frozen;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::stories::support::assert_each_started_once;

#[tokio::test]
async fn an_edit_of_when_and_how_many_never_waits_and_one_of_what_never_acts_on_a_run() -> anyhow::Result<()> {
    let world = attentive("when-and-what", Config::with_clusters(3)).await?;
    let _operator = world.operator().await?;
    world.batch("b", scheduled(3, &json!({}))).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    // When and how many: at once, on what has not started.
    world
        .edit("b", json!({"schedule": frozen(-60, 3600), "strategy": {"maxConcurrent": 2}}))
        .await?;
    world.until("b", "frozen", |s| s.blockers() == ["Frozen"]).await?;
    world.edit("b", json!({"suspend": true})).await?;
    world.until("b", "suspended", |s| s.blockers() == ["Suspended", "Frozen"]).await?;
    world.edit("b", json!({"suspend": null, "schedule": null})).await?;
    let two = world.row("b", "domain-c2", "RUNNING", "Running").await?;
    assert_eq!(two.row_state("domain-c1"), "RUNNING", "two at once now");

    // What: pinned in what runs, and queued behind it.
    let ignoring: Value = (1..=3)
        .map(|n| json!({"cluster": format!("domain-c{n}"), "ignorePrecheckWarnings": true}))
        .collect();
    world
        .edit("b", json!({"desiredVersion": VERSION_NEWER, "clusters": ignoring}))
        .await?;
    let queued = world.reason("b", "RUNNING", "EditQueued").await?;
    let generation = format!("generation {}", queued.json["observedGeneration"]);
    assert!(queued.message().contains(&generation), "{generation}: {}", queued.message());
    for cluster in ["domain-c1", "domain-c2"] {
        assert_eq!(queued.row(cluster)["desiredVersion"], VERSION_NEW, "what was sent");
    }
    assert_eq!(queued.row("domain-c3")["desiredVersion"], VERSION_NEWER, "what will be");
    world.edit("b", json!({"suspend": true})).await?;
    world.looks(2).await?;
    assert_eq!(world.vcenter.log().posts().len(), 2, "nothing is sent anew");
    world.finish();
    world.reason("b", "PENDING", "Suspended").await?;
    assert_each_started_once(&world, 2);
    Ok(())
}

#[tokio::test]
async fn runs_before_are_never_forgotten_but_for_all_beyond_five() -> anyhow::Result<()> {
    const RUNS: usize = 7;
    let versions: Vec<String> = (0..RUNS).map(|n| format!("v1.{}.0+vmware.1", 30 + n)).collect();
    let config = Config::with_clusters(1).each_cluster(|c| {
        c.upgrade_secs = 0;
        c.available_versions.clone_from(&versions);
    });
    let world = attentive("history", config).await?;
    let operator = world.operator().await?;
    let clusters = json!([{"cluster": "domain-c1"}]);
    for version in &versions {
        world.batch("b", json!({"desiredVersion": version, "clusters": clusters})).await?;
        world
            .until("b", version, |s| {
                s.state() == "SUCCESS" && s.row("domain-c1")["desiredVersion"] == *version
            })
            .await?;
    }
    let told = |status: &crate::world::Status| -> Vec<String> {
        let history = status.json["history"].as_array().into_iter().flatten();
        history
            .map(|past| format!("{} {}", past["version"].as_str().unwrap(), past["state"].as_str().unwrap()))
            .collect()
    };
    let five: Vec<String> = versions[1..RUNS - 1].iter().rev().map(|v| format!("{v} SUCCESS")).collect();
    let status = world.state("b", "SUCCESS").await?;
    assert_eq!(told(&status), five, "newest first, without the one that is shown");
    // From the ledger: it survives the status.
    operator.terminate().await?;
    world.wipe("b").await?;
    let _operator = world.operator().await?;
    let status = world.state("b", "SUCCESS").await?;
    assert_eq!(told(&status), five);
    let starts = world.vcenter.log().committed();
    assert_eq!(starts.iter().map(|s| s.version.clone()).collect::<Vec<_>>(), versions, "each once");
    assert!(starts.is_sorted_by(|a, b| b.at.duration_since(a.at) > SignedDuration::ZERO));
    Ok(())
}
