//! What GitOps tools do to whatever they apply, by the tools' own code where there is one: prune and add back, hooks, renames, moves, two owners,
//! forced applies, rollbacks. Whichever of them it is, one run starts once.
//!
//! More of these ways are in [`recreated`](super::recreated): a namespace made again, two forced replaces, a restore without status.

use serde_json::Value;
use serde_json::json;

use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::stories::happy::quick;
use crate::world::World;

fn one(version: &str) -> Value {
    json!({"desiredVersion": version, "clusters": [{"cluster": "domain-c1"}]})
}

/// What a Kustomization of this name asks for.
fn kustomization(name: &str, batch: &Value) -> Value {
    json!({"name": name, "objects": [batch]})
}

/// Deletes and creates, as a hook with BeforeHookCreation does at each sync; waits for nothing but its end.
async fn synced_as_a_hook(world: &World, batch: &Value) -> anyhow::Result<()> {
    world.delete_batch("b").await?;
    world.apply(batch).await
}

#[tokio::test]
async fn pruned_and_added_back_starts_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("pruned", Config::with_clusters(1)).await?;
    let request = kustomization("upgrades", &world.manifest("b", &one(VERSION_NEW)));
    world.plane.gitops("flux-apply", &request).await?;
    world.started(1).await?;
    let pruned = async || -> anyhow::Result<()> {
        let answer = world.plane.gitops("flux-delete", &request).await?;
        assert!(answer["changes"].as_object().unwrap().values().all(|c| c == "deleted"), "{answer}");
        world.plane.gitops("flux-apply", &request).await?;
        Ok(())
    };
    pruned().await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    pruned().await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    pruned().await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_is_a_hook_starts_once_however_often_it_is_synced() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("hook", Config::with_clusters(1)).await?;
    let batch = world.manifest("b", &one(VERSION_NEW));
    world.apply(&batch).await?;
    // Some of these come while a start is prepared, some while its answer is awaited: no wait in between.
    for _ in 0..20 {
        synced_as_a_hook(&world, &batch).await?;
    }
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    synced_as_a_hook(&world, &batch).await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    synced_as_a_hook(&world, &batch).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn renamed_in_git_starts_once_whichever_comes_first() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("renamed", Config::with_clusters(1)).await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    // The new one first, as tools that prune at the end do it.
    world.batch("renamed", one(VERSION_NEW)).await?;
    world.row("renamed", "domain-c1", "RUNNING", "Running").await?;
    world.delete_batch("b").await?;
    // The old one first.
    world.delete_batch("renamed").await?;
    world.batch("again", one(VERSION_NEW)).await?;
    world.row("again", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.reason("again", "SUCCESS", "UpgradeSucceeded").await?;
    world.batch("after-all", one(VERSION_NEW)).await?;
    world.reason("after-all", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn moved_to_another_namespace_starts_once() -> anyhow::Result<()> {
    let mut world = World::new("moved-from", Config::with_clusters(1)).await?;
    let other = world.neighbour("moved-to").await?;
    world.args.extend(["--watch-namespace".to_owned(), other.namespace.clone()]);
    for tenant in [&world, &other] {
        tenant.connect("vc").await?;
    }
    let _operator = world.operator().await?;
    world.batch("b", one(VERSION_NEW)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    other.batch("b", one(VERSION_NEW)).await?;
    other.reason("b", "PENDING", "TargetBusy").await?;
    world.delete_batch("b").await?;
    other.looks(2).await?;
    other.reason("b", "PENDING", "TargetBusy").await?;
    world.finish();
    other.reason("b", "SUCCESS", "AlreadyAtVersion").await?;
    assert_eq!(world.ends(1).await?, ["Succeeded"], "it was followed to its end all the same");
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn two_owners_of_one_object_start_one() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("owners", Config::with_clusters(1)).await?;
    let owned = |version: &str| world.manifest("b", &one(version));
    // Each takes the object back at its every turn, with its own version.
    let turn = async || -> anyhow::Result<()> {
        world.apply(&owned(VERSION_NEWER)).await?;
        world
            .plane
            .gitops("flux-apply", &kustomization("theirs", &owned(VERSION_NEW)))
            .await?;
        Ok(())
    };
    for _ in 0..3 {
        turn().await?;
    }
    world.started(1).await?;
    for _ in 0..3 {
        turn().await?;
        world.looks(1).await?;
    }
    assert_eq!(world.vcenter.log().posts().len(), 1, "one run at a time, whoever owns it");
    for _ in 0..4 {
        turn().await?;
        world.finish();
        world.looks(2).await?;
    }
    // Whichever came first: each version once, and none of them back to an older one.
    let versions: Vec<String> = world.vcenter.log().committed().into_iter().map(|s| s.version).collect();
    assert!(
        versions == [VERSION_NEW] || versions == [VERSION_NEW, VERSION_NEWER] || versions == [VERSION_NEWER],
        "{versions:?}"
    );
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}

/// Flux with `force: true`: what must not change is deleted and made again.
#[tokio::test]
async fn a_forced_apply_of_what_cannot_change_starts_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("forced", Config::with_clusters(1)).await?;
    world.secret("other", vcenter::USER, vcenter::PASSWORD).await?;
    world.apply(&world.connection("other")).await?;
    let batch = world.manifest("b", &one(VERSION_NEW));
    world.plane.gitops("flux-apply", &kustomization("upgrades", &batch)).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let first = world.batches().get("b").await?.metadata.uid;
    let mut through_other = batch.clone();
    through_other["spec"]["connectionRef"]["name"] = json!("other");
    let mut request = kustomization("upgrades", &through_other);
    let refused = world.plane.gitops("flux-apply", &request).await.unwrap_err().to_string();
    assert!(refused.contains("create a new object"), "{refused}");
    request["force"] = json!(true);
    world.plane.gitops("flux-apply", &request).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_ne!(world.batches().get("b").await?.metadata.uid, first, "another object");
    world.finish();
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

/// A chart of the user's own with an upgrade in it.
struct Chart<'a> {
    world: &'a World,
    folder: String,
}

impl Chart<'_> {
    fn new(world: &World) -> anyhow::Result<Chart<'_>> {
        let folder = world.plane.scratch().join(format!("{}-chart", world.namespace));
        std::fs::create_dir_all(folder.join("templates"))?;
        std::fs::write(folder.join("Chart.yaml"), "{apiVersion: v2, name: fleet, version: 1.0.0}")?;
        let mut batch = world.manifest("b", &one("{{ .Values.version }}"));
        batch["spec"]["schedule"] = json!({"notBefore": "{{ .Values.notBefore }}"});
        std::fs::write(folder.join("templates/b.yaml"), batch.to_string())?;
        Ok(Chart {
            world,
            folder: folder.display().to_string(),
        })
    }

    async fn helm(&self, verb: &[&str], more: &[&str]) -> anyhow::Result<String> {
        let args = [verb, &["--namespace", &self.world.namespace], more].concat();
        self.world.plane.helm(&args).await?.ok()
    }

    /// `helm upgrade --install` to this version, from this day on.
    async fn upgrade(&self, version: &str, from: &str, more: &[&str]) -> anyhow::Result<String> {
        let set = format!("version={version},notBefore={from}T00:00:00Z");
        self.helm(&["upgrade", "--install", "fleet", &self.folder], &[&["--set", &set], more].concat())
            .await
    }
}

#[tokio::test]
async fn a_release_that_helm_rolls_back_takes_no_version_back_and_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("helm", quick(1)).await?;
    let chart = Chart::new(&world)?;
    let (past, far) = ("2020-01-01", "2200-01-01");
    chart.upgrade(VERSION_NEW, past, &["--wait", "--timeout", "90s"]).await?;
    assert_eq!(
        world.state("b", "SUCCESS").await?.reason(),
        "UpgradeSucceeded",
        "a wait for an upgrade that runs"
    );
    // It waits for its time; helm does not, and rolls back what has not failed.
    let waits = ["--wait", "--timeout", "5s", "--rollback-on-failure"];
    let gave_up = chart.upgrade(VERSION_NEWER, far, &waits).await.unwrap_err().to_string();
    assert!(gave_up.contains("rollback"), "{gave_up}");
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1, "the old version is where it is already");
    // And by hand, after the next version has run.
    chart.upgrade(VERSION_NEWER, past, &[]).await?;
    world
        .until("b", "SUCCESS at the newer version", |s| {
            s.state() == "SUCCESS" && s.row("domain-c1")["desiredVersion"] == VERSION_NEWER
        })
        .await?;
    chart.helm(&["rollback", "fleet", "1"], &[]).await?;
    world.reason("b", "REJECTED", "WouldDowngrade").await?;
    assert_eq!(world.vcenter.log().posts().len(), 2, "each version once");
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}
