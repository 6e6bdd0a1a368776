//! Upgrades that go well.

use serde_json::json;

use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

/// Clusters that take two simulated seconds to upgrade.
pub fn quick(n: usize) -> Config {
    Config::with_clusters(n).each_cluster(|c| c.upgrade_secs = 2)
}

#[tokio::test]
async fn three_clusters_upgrade_and_each_is_started_once() -> anyhow::Result<()> {
    let (world, operator) = World::ready("happy", quick(3)).await?;
    let clusters = json!([{"cluster": "domain-c1", "canary": true}, {"cluster": "domain-c2"}, {"cluster": "domain-c3"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    let status = world.state("b", "SUCCESS").await?;
    assert_eq!(status.reason(), "UpgradeSucceeded");
    assert_eq!(status.json["done"], "3/3");
    let starts: Vec<String> = world.vcenter.log().committed().iter().map(|s| s.target.clone()).collect();
    assert_eq!(starts, ["domain-c1", "domain-c2", "domain-c3"], "canary first, one at a time");
    for receipt in world.receipts().await? {
        let end = receipt.status.unwrap().end.unwrap();
        assert_eq!(end.kind, "Succeeded", "{}", end.how);
    }
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    assert_eq!(world.vcenter.live_sessions(), 0, "it logged out");
    Ok(())
}
