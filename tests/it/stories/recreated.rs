//! Resources that go away and come back: their starts do not.

use std::time::Duration;

use serde_json::json;

use super::support::bold_batch;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::world::World;

fn one() -> serde_json::Value {
    json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]})
}

#[tokio::test]
async fn namespace_recreated_does_not_start_twice() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("namespace", Config::with_clusters(1)).await?;
    world.batch("b", one()).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.recreate_namespace().await?;
    world.connect("vc").await?;
    world.batch("b", one()).await?;
    let adopted = world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_eq!(
        adopted.row("domain-c1")["receipt"],
        world.receipt_names().await?[0].as_str(),
        "the first one's run"
    );
    world.finish();
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;

    world.recreate_namespace().await?;
    world.connect("vc").await?;
    world.batch("b", one()).await?;
    let done = world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(done.json["done"], "1/1");
    assert!(done.row("domain-c1")["completedAt"].is_string(), "it shows the end it had");
    assert_eq!(world.vcenter.log().posts().len(), 1);
    assert_eq!(world.ends(1).await?, ["Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn force_replace_twice_starts_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("replace", Config::with_clusters(1)).await?;
    let manifest = world.manifest("b", &one());
    world.apply(&manifest).await?;
    world.started(1).await?;
    for _ in 0..2 {
        world.force_replace(&manifest).await?;
        world.row("b", "domain-c1", "RUNNING", "Running").await?;
    }
    world.finish();
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    world.force_replace(&manifest).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_run_whose_batch_is_gone_is_followed_to_its_end() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("deleted", Config::with_clusters(1)).await?;
    world.batch("b", one()).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.delete_batch("b").await?;
    world.looks(2).await?;
    assert!(
        world.receipts().await?[0].status.as_ref().is_some_and(|s| s.end.is_none()),
        "it runs"
    );
    world.finish();
    assert_eq!(world.ends(1).await?, ["Succeeded"]);
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_run_whose_batch_is_gone_is_followed_though_another_batch_waits_for_it() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("deleted-waited", Config::with_clusters(1)).await?;
    world.batch("a", one()).await?;
    world.row("a", "domain-c1", "RUNNING", "Running").await?;
    let newer = json!({"desiredVersion": VERSION_NEWER, "clusters": [{"cluster": "domain-c1"}]});
    world.batch("b", newer).await?;
    world.reason("b", "PENDING", "TargetBusy").await?;
    world.delete_batch("a").await?;
    world.finish();
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.ends(2).await?, ["Succeeded", "Succeeded"]);
    assert_eq!(world.starts("domain-c1"), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_run_whose_batch_is_gone_is_followed_though_others_cannot_be_seen() -> anyhow::Result<()> {
    let mut world = World::new("sweep-seen", Config::with_clusters(1)).await?;
    let silent = World::new("sweep-silent", Config::with_clusters(4)).await?;
    world.args.extend(["--watch-namespace".to_owned(), silent.namespace.clone()]);
    let _operator = world.operator().await?;
    for tenant in [&world, &silent] {
        tenant.connect("vc").await?;
    }
    bold_batch(&silent, 4).await?;
    silent.started(4).await?;
    world.batch("b", one()).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    silent.vcenter.faults().add(Rule::new(Action::Hang { when: When::Before }));
    for tenant in [&world, &silent] {
        tenant.delete_batch("b").await?;
    }
    world.finish();
    // Each silent one is given up after 30 s only.
    let ends = tokio::time::timeout(Duration::from_secs(25), world.ends(1)).await??;
    assert_eq!(ends, ["Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn a_restore_without_status_starts_nothing() -> anyhow::Result<()> {
    let (world, operator) = World::ready("restore", Config::with_clusters(2)).await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    let manifest = world.manifest("b", &json!({"desiredVersion": VERSION_NEW, "clusters": clusters}));
    world.apply(&manifest).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    // One run under way, one not begun.
    world.delete_batch("b").await?;
    world.apply(&manifest).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1, "one at a time, also after the restore");
    world.finish();
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    let before = world.state("b", "SUCCESS").await?;
    // All over, and an operator that knows nothing of it.
    world.delete_batch("b").await?;
    operator.terminate().await?;
    world.apply(&manifest).await?;
    let _operator = world.operator().await?;
    let after = world.state("b", "SUCCESS").await?;
    for field in ["state", "done", "startedAt", "completedAt"] {
        assert_eq!(before.json[field], after.json[field], "{field}");
    }
    assert_eq!(world.vcenter.log().posts().len(), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_connection_that_goes_and_comes_back_starts_nothing_again() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("connection", Config::with_clusters(2)).await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.connections().delete("vc", &kube::api::DeleteParams::default()).await?;
    let blind = world.row("b", "domain-c1", "RUNNING", "OutOfSight").await?;
    assert!(blind.row_message("domain-c1").contains("ConnectionNotReady"), "{:#}", blind.json);
    world.finish();
    world.connect("vc").await?;
    world.row("b", "domain-c1", "SUCCESS", "UpgradeSucceeded").await?;
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!((world.starts("domain-c1"), world.starts("domain-c2")), (1, 1));
    Ok(())
}
