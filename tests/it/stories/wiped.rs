//! A status is a view: taken away, it comes back the same, and nothing starts.

use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;

use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::Status;
use crate::world::World;

/// A status without what may differ between two looks at the same facts.
fn lasting(status: &Status) -> Value {
    let mut json = status.json.clone();
    for condition in json["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = Value::Null;
    }
    json
}

#[tokio::test]
async fn a_wiped_status_is_rebuilt_and_nothing_starts() -> anyhow::Result<()> {
    let (world, operator) = World::ready("wiped", Config::with_clusters(2)).await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    let strategy = json!({"maxConcurrent": 2});
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
        )
        .await?;
    let running = |s: &Status| ["domain-c1", "domain-c2"].iter().all(|c| s.row(c)["reason"] == "Running");
    let before = world.until("b", "both run", running).await?;
    world.wipe("b").await?;
    let after = world.until("b", "both run", running).await?;
    for field in ["state", "done", "counts", "startedAt"] {
        assert_eq!(after.json[field], before.json[field], "{field}");
    }
    world.finish();
    let before = world.state("b", "SUCCESS").await?;
    world.wipe("b").await?;
    let after = world.state("b", "SUCCESS").await?;
    assert_eq!(lasting(&after), lasting(&before));

    // And by an operator that remembers nothing.
    operator.terminate().await?;
    world.wipe("b").await?;
    let _operator = world.operator().await?;
    let after = world.state("b", "SUCCESS").await?;
    for field in ["done", "counts", "startedAt", "completedAt", "message"] {
        assert_eq!(after.json[field], before.json[field], "{field}");
    }
    for row in ["domain-c1", "domain-c2"] {
        for field in ["state", "reason", "message", "receipt", "startedAt", "completedAt"] {
            assert_eq!(after.row(row)[field], before.row(row)[field], "{row} {field}");
        }
    }
    assert_eq!(world.vcenter.log().posts().len(), 2);
    Ok(())
}

/// As the second leader of a moment does, who has not seen the end yet.
#[tokio::test]
async fn an_end_that_somebody_wrote_over_is_shown_again_and_nothing_starts() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("overwritten", Config::with_clusters(1)).await?;
    let clusters = json!([{"cluster": "domain-c1"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.until("b", "it runs", |s| s.row("domain-c1")["reason"] == "Running").await?;
    world.finish();
    let before = world.state("b", "SUCCESS").await?;
    let older = json!({"status": {"state": "RUNNING", "completedAt": null}});
    world
        .batches()
        .patch_status("b", &PatchParams::default(), &Patch::Merge(older))
        .await?;
    let after = world
        .until("b", "the end is back", |s| {
            s.state() == "SUCCESS" && !s.json["completedAt"].is_null()
        })
        .await?;
    assert_eq!(lasting(&after), lasting(&before));
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}
