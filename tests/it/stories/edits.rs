//! Edits at any time: what was sent is frozen in its receipt, everything else takes effect, and nothing starts twice.

use serde_json::json;

use crate::sim::vcenter::Config;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::stories::happy::quick;
use crate::world::World;

fn one(version: &str) -> serde_json::Value {
    json!({"desiredVersion": version, "clusters": [{"cluster": "domain-c1"}]})
}

#[tokio::test]
async fn a_cluster_removed_and_added_back_is_not_started_again() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("removed", Config::with_clusters(2)).await?;
    let (c1, c2) = (json!({"cluster": "domain-c1"}), json!({"cluster": "domain-c2"}));
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": [c1, c2]}))
        .await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.edit("b", json!({"clusters": [c2]})).await?;
    let status = world
        .until("b", "the row is marked removed", |s| s.row("domain-c1")["removed"] == true)
        .await?;
    assert_eq!(status.row_state("domain-c1"), "RUNNING", "followed all the same");
    assert_eq!(status.json["done"], "0/1", "no longer counted");
    world.looks(2).await?;
    assert_eq!(world.starts("domain-c2"), 0, "and it still holds its slot");

    world.edit("b", json!({"clusters": [c1, c2]})).await?;
    world.until("b", "back", |s| s.row("domain-c1")["removed"] != true).await?;
    world.edit("b", json!({"clusters": [c2]})).await?;
    world.until("b", "removed again", |s| s.row("domain-c1")["removed"] == true).await?;
    world.finish();
    let status = world.until("b", "its row is gone", |s| s.row("domain-c1").is_null()).await?;
    assert!(!status.row("domain-c2").is_null());

    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.edit("b", json!({"clusters": [c1, c2]})).await?;
    world.row("b", "domain-c1", "SUCCESS", "UpgradeSucceeded").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_entry_added_mid_run_is_started_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("added", Config::with_clusters(2)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let both = json!({"clusters": [{"cluster": "domain-c1"}, {"cluster": "domain-c2"}], "strategy": {"maxConcurrent": 2}});
    world.edit("b", both).await?;
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!((world.starts("domain-c1"), world.starts("domain-c2")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn options_changed_after_accept_is_runkey_conflict() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("options", Config::with_clusters(1)).await?;
    let ignoring = json!({"clusters": [{"cluster": "domain-c1", "ignorePrecheckWarnings": true}]});
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.edit("b", ignoring).await?;
    let queued = world.reason("b", "RUNNING", "EditQueued").await?;
    assert_eq!(queued.row_state("domain-c1"), "RUNNING", "what runs goes on");
    world.finish();
    let refused = world.reason("b", "REJECTED", "RunKeyConflict").await?;
    assert!(refused.message().contains("runKey"), "{}", refused.message());
    assert_eq!(
        world.ends(1).await?,
        ["Succeeded"],
        "no receipt for a refusal that the spec can mend"
    );
    world.edit("b", json!({"clusters": [{"cluster": "domain-c1"}]})).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_new_run_key_of_what_is_done_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("run-key", quick(1)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    world.edit("b", json!({"runKey": "again"})).await?;
    world.reason("b", "SUCCESS", "AlreadyAtVersion").await?;
    assert_eq!(world.ends(2).await?, ["Succeeded", "AlreadyAtVersion"]);
    assert_eq!(world.receipts().await?[1].spec.claim.run.run_key, "again");
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_failed_starts_again_only_with_a_new_run_key() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| c.fail_after_nodes = Some(1));
    let (world, _operator) = World::ready("failed", config).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "FAILED", "VendorFailed").await?;
    world
        .vcenter
        .edit_cluster("domain-c1", |c| (c.failure, c.fail_after_nodes) = (None, None));
    // A new generation that changes nothing of the run.
    world.edit("b", json!({"timeout": "2h"})).await?;
    world.row("b", "domain-c1", "FAILED", "VendorFailed").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    world.edit("b", json!({"runKey": "2"})).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.ends(2).await?, ["Failed", "Succeeded"]);
    assert_eq!(world.starts("domain-c1"), 2, "once for each run key");
    Ok(())
}

#[tokio::test]
async fn a_version_edited_in_flight_waits_for_the_end() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("edited", Config::with_clusters(1)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.edit("b", json!({"desiredVersion": VERSION_NEWER})).await?;
    let queued = world.reason("b", "RUNNING", "EditQueued").await?;
    assert_eq!(queued.row("domain-c1")["desiredVersion"], VERSION_NEW, "the row shows what runs");
    world.looks(3).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    world.finish();
    world
        .until("b", "the next run is under way", |s| {
            s.row_state("domain-c1") == "RUNNING" && s.row("domain-c1")["desiredVersion"] == VERSION_NEWER
        })
        .await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    let versions: Vec<String> = world.vcenter.log().committed().into_iter().map(|s| s.version).collect();
    assert_eq!(versions, [VERSION_NEW, VERSION_NEWER]);
    Ok(())
}

#[tokio::test]
async fn a_version_edited_after_success_is_one_new_run() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("next", quick(1)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.state("b", "SUCCESS").await?;
    world.edit("b", json!({"desiredVersion": VERSION_NEWER})).await?;
    world
        .until("b", "SUCCESS at the newer version", |s| {
            s.state() == "SUCCESS" && s.row("domain-c1")["desiredVersion"] == VERSION_NEWER
        })
        .await?;
    assert_eq!(world.ends(2).await?, ["Succeeded", "Succeeded"]);
    assert_eq!(world.starts("domain-c1"), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

#[tokio::test]
async fn options_changed_after_reject_starts_new_attempt() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| c.prechecks = vec![Note::new(Severity::Warning, "A datastore is nearly full.")]);
    let (world, _operator) = World::ready("rejected", config).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    let refused = world.reason("b", "REJECTED", "VendorRejected").await?;
    assert!(
        refused.row_message("domain-c1").contains("nearly full"),
        "the vendor's words: {:#}",
        refused.json
    );
    world.edit("b", json!({"timeout": "2h"})).await?;
    world.reason("b", "REJECTED", "VendorRejected").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1, "the same again is not asked again");
    let ignoring = json!({"clusters": [{"cluster": "domain-c1", "ignorePrecheckWarnings": true}]});
    world.edit("b", ignoring).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.ends(2).await?, ["Rejected", "Succeeded"]);
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn each_cluster_is_sent_its_own_version() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("own-version", quick(2)).await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2", "desiredVersion": VERSION_NEWER}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.state("b", "SUCCESS").await?;
    let sent: Vec<_> = world.vcenter.log().committed().into_iter().map(|s| (s.target, s.version)).collect();
    let wanted = [("domain-c1", VERSION_NEW), ("domain-c2", VERSION_NEWER)];
    assert_eq!(sent, wanted.map(|(c, v)| (c.to_owned(), v.to_owned())));
    Ok(())
}
