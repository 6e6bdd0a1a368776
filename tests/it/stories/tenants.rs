//! Several who want the same cluster: one start, whoever asks.

use serde_json::json;

use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::stories::happy::quick;
use crate::world::World;

fn one(version: &str) -> serde_json::Value {
    json!({"desiredVersion": version, "clusters": [{"cluster": "domain-c1"}]})
}

#[tokio::test]
async fn two_batches_of_one_version_start_one() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("two-batches", quick(1)).await?;
    world.batch("a", one(VERSION_NEW)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.state("a", "SUCCESS").await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    assert_eq!(world.ends(1).await?, ["Succeeded"], "both show one receipt");
    Ok(())
}

#[tokio::test]
async fn two_versions_one_target_start_one() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("two-versions", Config::with_clusters(1)).await?;
    world.batch("a", one(VERSION_NEW)).await?;
    world.row("a", "domain-c1", "RUNNING", "Running").await?;
    world.batch("b", one(VERSION_NEWER)).await?;
    let busy = world.reason("b", "PENDING", "TargetBusy").await?;
    assert!(busy.message().contains("ClusterUpgradeBatch/a"), "{}", busy.message());
    world.looks(3).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1, "one at a time");
    world.finish();
    world.state("a", "SUCCESS").await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(
        world.batches().get("a").await?.status.unwrap().state.unwrap(),
        "SUCCESS",
        "drift takes back nothing"
    );
    assert_eq!(world.starts("domain-c1"), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

#[tokio::test]
async fn another_namespace_starts_nothing_and_is_told_nothing() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("tenant-a", Config::with_clusters(1)).await?;
    let other = world.neighbour("tenant-b").await?;
    other.connect("vc").await?;
    let _second = other.operator().await?;
    world.batch("secret-project", one(VERSION_NEW)).await?;
    world.row("secret-project", "domain-c1", "RUNNING", "Running").await?;
    other.batch("b", one(VERSION_NEW)).await?;
    let busy = other.reason("b", "PENDING", "TargetBusy").await?;
    let told = busy.json.to_string();
    assert!(!told.contains(&world.namespace) && !told.contains("secret-project"), "{told}");
    world.looks(4).await?;
    world.finish();
    world.state("secret-project", "SUCCESS").await?;
    other.reason("b", "SUCCESS", "AlreadyAtVersion").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn two_namespaces_of_one_operator_start_one() -> anyhow::Result<()> {
    let mut world = World::new("both-a", quick(1)).await?;
    let other = world.neighbour("both-b").await?;
    world.args.extend(["--watch-namespace".to_owned(), other.namespace.clone()]);
    for tenant in [&world, &other] {
        tenant.connect("vc").await?;
        tenant.batch("b", one(VERSION_NEW)).await?;
    }
    let _operator = world.operator().await?;
    world.state("b", "SUCCESS").await?;
    other.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    let mut ends = [world.ends(1).await?, other.ends(1).await?].concat();
    ends.sort();
    assert_eq!(ends, ["AlreadyAtVersion", "Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn a_namespace_without_the_password_is_told_nothing_of_the_vcenter() -> anyhow::Result<()> {
    let mut world = World::new("knows", Config::with_clusters(1)).await?;
    let other = world.neighbour("guesses").await?;
    world.args.extend(["--watch-namespace".to_owned(), other.namespace.clone()]);
    world.connect("vc").await?;
    other.secret("vc", vcenter::USER, "a guess").await?;
    other.apply(&other.connection("vc")).await?;
    let _operator = world.operator().await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    other.batch("b", one(VERSION_NEWER)).await?;
    other.state("b", "PENDING").await?;
    world.looks(3).await?;
    let told = other.state("b", "PENDING").await?;
    let row = told.row("domain-c1");
    assert!(row["currentVersion"].is_null() && row["displayName"].is_null(), "{:#}", told.json);
    Ok(())
}

#[tokio::test]
async fn two_connections_to_one_vcenter_start_one() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("two-conns", Config::with_clusters(1)).await?;
    world.secret("other", vcenter::USER, vcenter::PASSWORD).await?;
    let mut other = world.connection("other");
    other["spec"]["url"] = json!(format!("{}/", world.vcenter.url()));
    world.apply(&other).await?;
    let mut through_other = one(VERSION_NEW);
    through_other["connectionRef"] = json!({"name": "other"});
    world.batch("a", one(VERSION_NEW)).await?;
    world.batch("b", through_other).await?;
    for batch in ["a", "b"] {
        world.row(batch, "domain-c1", "RUNNING", "Running").await?;
    }
    world.finish();
    for batch in ["a", "b"] {
        world.reason(batch, "SUCCESS", "UpgradeSucceeded").await?;
    }
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}
