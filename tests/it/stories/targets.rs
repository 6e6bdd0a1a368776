//! What a target itself says: nothing is sent where nothing is to be done, or where it must not be.

use serde_json::json;

use crate::sim::vcenter::Cluster;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::Failure;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::sim::vcenter::VERSION_OLD;
use crate::stories::happy::quick;
use crate::world::World;

/// One cluster that was brought to the new version by somebody.
fn at_new() -> Config {
    quick(1).each_cluster(|c| {
        VERSION_NEW.clone_into(&mut c.current_version);
        c.available_versions = vec![VERSION_NEWER.to_owned()];
    })
}

fn one(version: &str) -> serde_json::Value {
    json!({"desiredVersion": version, "clusters": [{"cluster": "domain-c1"}]})
}

#[tokio::test]
async fn a_cluster_at_its_version_is_not_started() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("at-version", at_new()).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    let status = world.reason("b", "SUCCESS", "AlreadyAtVersion").await?;
    assert!(status.row_message("domain-c1").contains("nothing was sent"), "{:#}", status.json);
    assert_eq!(world.ends(1).await?, ["AlreadyAtVersion"], "a note, so that it stays spent");
    assert!(world.vcenter.log().posts().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_cluster_in_error_is_not_started_before_it_is_cleared() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| {
        c.failure = Some(Failure {
            desired_version: None,
            messages: Vec::new(),
        });
    });
    let (world, _operator) = World::ready("in-error", config).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    let status = world.reason("b", "PENDING", "TargetInError").await?;
    assert!(status.message().contains("clear it in vSphere"), "{}", status.message());
    world.looks(3).await?;
    assert!(world.vcenter.log().posts().is_empty());
    world.vcenter.edit_cluster("domain-c1", |c| c.failure = None);
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn an_older_version_is_never_sent() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("downgrade", at_new()).await?;
    world.batch("b", one(VERSION_OLD)).await?;
    let status = world.reason("b", "REJECTED", "WouldDowngrade").await?;
    assert_eq!(status.condition("Stalled", "status"), "True");
    assert_eq!(world.ends(1).await?, ["WouldDowngrade"]);
    assert!(world.vcenter.log().posts().is_empty());
    world.edit("b", json!({"desiredVersion": VERSION_NEWER})).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn helm_rollback_is_rejected_as_downgrade() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("rollback", quick(1)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.state("b", "SUCCESS").await?;
    world.batch("b", one(VERSION_OLD)).await?;
    world.reason("b", "REJECTED", "WouldDowngrade").await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(
        world.vcenter.log().posts().len(),
        1,
        "neither the rollback nor its undoing sent anything"
    );
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn an_unknown_cluster_is_never_posted() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("unknown", quick(1)).await?;
    let clusters = json!([{"cluster": "domain-c7"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    let status = world.reason("b", "PENDING", "TargetNotFound").await?;
    assert!(status.message().contains("domain-c7"), "{}", status.message());
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty());
    let mut late = Cluster::new("domain-c7", VERSION_OLD, &[VERSION_NEW]);
    late.upgrade_secs = 1;
    world.vcenter.put_cluster(late);
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c7"), 1);
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_not_offered_is_never_posted() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| c.available_versions = vec![VERSION_NEW.to_owned()]);
    let (world, _operator) = World::ready("not-offered", config).await?;
    world.batch("b", one(VERSION_NEWER)).await?;
    let status = world.reason("b", "PENDING", "VersionNotOffered").await?;
    assert!(
        status.message().contains(VERSION_NEW),
        "lists what is offered: {}",
        status.message()
    );
    assert_eq!(status.waiting_for(), "VersionNotOffered");
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty());
    world
        .vcenter
        .edit_cluster("domain-c1", |c| c.available_versions.push(VERSION_NEWER.to_owned()));
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn a_cluster_of_another_name_is_never_started() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("identity", quick(1)).await?;
    let named = |name: &str| json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1", "clusterName": name}]});
    world.batch("b", named("prod-b")).await?;
    let status = world.reason("b", "REJECTED", "IdentityMismatch").await?;
    let message = status.row_message("domain-c1");
    assert!(message.contains("supervisor-domain-c1") && message.contains("prod-b"), "{message}");
    assert!(world.receipts().await?.is_empty(), "judged anew at every change");
    assert!(world.vcenter.log().posts().is_empty());
    world.batch("b", named("supervisor-domain-c1")).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_mended_at_the_vendor_is_seen_without_a_restart() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("renamed", quick(1)).await?;
    let clusters = json!([{"cluster": "domain-c1", "clusterName": "prod-a"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.reason("b", "REJECTED", "IdentityMismatch").await?;
    world.vcenter.edit_cluster("domain-c1", |c| c.name = "prod-a".to_owned());
    world.edit("b", json!({"timeout": "2h"})).await?;
    let done = world.state("b", "SUCCESS").await?;
    assert_eq!(done.row("domain-c1")["displayName"], "prod-a");
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}
