//! The ledger outlives what people do to it: receipts stay, count, and say what happened.

use kube::Api;
use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::UpgradeReceipt;
use windlass::upgrade::target::TargetKey;

use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::stories::happy::quick;
use crate::world::World;

fn one() -> Value {
    json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]})
}

/// Whether the API server forbade it.
fn forbidden<T: std::fmt::Debug>(outcome: kube::Result<T>) -> bool {
    matches!(outcome, Err(kube::Error::Api(status)) if status.code == 403)
}

#[tokio::test]
async fn a_receipt_that_is_deleted_stays_and_counts() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("receipt", quick(1)).await?;
    world.batch("b", one()).await?;
    world.started(1).await?;
    let name = world.receipt_names().await?.remove(0);
    let api: Api<UpgradeReceipt> = Api::all(world.client.clone());
    // While the run is under way: its facts are still written into it.
    api.delete(&name, &DeleteParams::default()).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.ends(1).await?, ["Succeeded"]);
    assert!(
        api.get(&name).await?.metadata.deletion_timestamp.is_some(),
        "it stays, with its mark"
    );
    world.delete_batch("b").await?;
    world.batch("b", one()).await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn operator_sa_cannot_set_resolution() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("own-doubt", quick(1)).await?;
    world.batch("b", one()).await?;
    world.state("b", "SUCCESS").await?;
    let name = world.receipt_names().await?.remove(0);
    let token = world
        .plane
        .kubectl(&["create", "token", "windlass", "-n", "windlass-system"])
        .await?
        .ok()?;
    let operator = world.plane.client_with_token(token.trim()).await?;
    let api: Api<UpgradeReceipt> = Api::all(operator);
    let denial = json!({"verdict": "NotStarted", "by": "windlass", "reason": "would be convenient"});
    let resolve = Patch::Merge(json!({"spec": {"resolution": denial}}));
    assert!(forbidden(api.patch(&name, &PatchParams::default(), &resolve).await));
    assert!(forbidden(api.delete(&name, &DeleteParams::default()).await));
    assert!(forbidden(
        api.replace(&name, &kube::api::PostParams::default(), &api.get(&name).await?).await
    ));
    // Through the status it may write, a spec does not change, and a fact is not taken back.
    let smuggled =
        Patch::Merge(json!({"spec": {"resolution": {"verdict": "Failed", "by": "x", "reason": "x"}}, "status": {"evidence": ["x"]}}));
    let stored = api.patch_status(&name, &PatchParams::default(), &smuggled).await?;
    assert!(stored.spec.resolution.is_none());
    for gone in ["answer", "end"] {
        let take_back = Patch::Merge(json!({"status": {gone: null}}));
        assert!(
            api.patch_status(&name, &PatchParams::default(), &take_back).await.is_err(),
            "{gone}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn editor_cannot_delete_receipt() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("editor", quick(1)).await?;
    world.batch("b", one()).await?;
    world.state("b", "SUCCESS").await?;
    let name = world.receipt_names().await?.remove(0);
    world.kubectl(&["create", "serviceaccount", "editor"]).await?;
    let account = format!("--serviceaccount={}:editor", world.namespace);
    for role in ["edit", "windlass-edit"] {
        world
            .kubectl(&["create", "rolebinding", role, &format!("--clusterrole={role}"), &account])
            .await?;
    }
    let token = world.kubectl(&["create", "token", "editor"]).await?;
    let editor = world.plane.client_with_token(token.trim()).await?;
    let receipts: Api<UpgradeReceipt> = Api::all(editor.clone());
    assert!(forbidden(receipts.delete(&name, &DeleteParams::default()).await));
    assert!(forbidden(receipts.get(&name).await));
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    assert!(forbidden(receipts.patch(&name, &PatchParams::default(), &release).await));
    let batches: Api<windlass::api::ClusterUpgradeBatch> = Api::namespaced(editor, &world.namespace);
    let forged = Patch::Merge(json!({"status": {"state": "PENDING"}}));
    assert!(forbidden(batches.patch_status("b", &PatchParams::default(), &forged).await));
    batches.delete("b", &DeleteParams::default()).await?;
    Ok(())
}

/// A receipt that nobody's start made, in the ledger of a cluster.
fn made_up(world: &World, cluster: &str, seq: u32, target: Option<&str>, note: &str) -> Value {
    let key = TargetKey::parse(&format!("vcenter|{}|{cluster}", world.vcenter.address())).unwrap();
    let claim = json!({
        "target": target.map_or_else(|| key.canonical(), str::to_owned), "targetHash": key.hash(), "sequence": seq,
        "connection": "vc", "before": "{}", "note": note,
        "run": {"namespace": world.namespace, "version": VERSION_NEW, "runKey": "made-up"},
        "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "x", "uid": "x", "generation": 1},
    });
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
        "metadata": {"name": key.receipt_name(seq)}, "spec": {"claim": claim},
    })
}

#[tokio::test]
async fn a_foreign_receipt_blocks_its_target_and_no_other() -> anyhow::Result<()> {
    let world = World::new("foreign", quick(4)).await?;
    world.connect("vc").await?;
    let elsewhere = "vcenter|elsewhere.example:443|domain-c9";
    world.apply(&made_up(&world, "domain-c1", 2, None, "AlreadyAtVersion")).await?;
    world
        .apply(&made_up(&world, "domain-c2", 1, Some(elsewhere), "AlreadyAtVersion"))
        .await?;
    world.apply(&made_up(&world, "domain-c3", 1, None, "WordOfTheNextVersion")).await?;
    let clusters: Vec<Value> = (1..=4).map(|n| json!({"cluster": format!("domain-c{n}")})).collect();
    let strategy = json!({"maxConcurrent": 4});
    let operator = world.operator().await?;
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
        )
        .await?;
    world.row("b", "domain-c4", "SUCCESS", "UpgradeSucceeded").await?;
    let status = world.reason("b", "PENDING", "LedgerDamaged").await?;
    for (cluster, reason, says) in [
        ("domain-c1", "LedgerDamaged", "receipt 1 is missing"),
        ("domain-c2", "LedgerDamaged", "elsewhere.example"),
        ("domain-c3", "ReceiptUnreadable", "upgrade Windlass"),
    ] {
        assert_eq!(status.row(cluster)["reason"], reason, "{:#}", status.json);
        assert!(status.row_message(cluster).contains(says), "{}", status.row_message(cluster));
    }
    world.looks(2).await?;
    let started: Vec<String> = world.vcenter.log().committed().into_iter().map(|s| s.target).collect();
    assert_eq!(started, ["domain-c4"]);
    assert!(!operator.log()?.contains("panicked"));
    Ok(())
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_blocks_its_target_and_no_other() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("illegible", quick(2)).await?;
    world.batch("a", one()).await?;
    world.state("a", "SUCCESS").await?;
    let name = world.receipt_names().await?.remove(0);
    let at = |time: &str| {
        let settled = json!([{"type": "Settled", "status": "True", "lastTransitionTime": time}]);
        json!({"status": {"conditions": settled}}).to_string()
    };
    let patch = ["patch", "rcpt", &name, "--subresource=status", "--type=merge", "-p"];
    // The schema takes this for a date-time; no calendar does.
    world
        .kubectl(&[patch.as_slice(), &[&at("2026-01-01T00:00:00+99:99")]].concat())
        .await?;
    let blocked = world.reason("a", "PENDING", "LedgerDamaged").await?;
    assert!(blocked.message().contains("cannot read"), "{}", blocked.message());
    world.edit("a", json!({"runKey": "2", "desiredVersion": VERSION_NEWER})).await?;
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c2"}]}))
        .await?;
    world.state("b", "SUCCESS").await?;
    world.looks(2).await?;
    assert_eq!(
        (world.starts("domain-c1"), world.starts("domain-c2")),
        (1, 1),
        "blocked, and nobody else"
    );
    world.kubectl(&[patch.as_slice(), &[&at("2026-01-01T00:00:00Z")]].concat()).await?;
    world.state("a", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 2, "repaired, it goes on");
    Ok(())
}
