//! The ledger outlives what people do to it: receipts stay, count, and say what happened.

use kube::Api;
use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::UpgradeReceipt;

use crate::sim::vcenter::VERSION_NEW;
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
    let word = json!({"verdict": "NotStarted", "by": "windlass", "reason": "would be convenient"});
    let resolve = Patch::Merge(json!({"spec": {"resolution": word}}));
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

#[tokio::test]
async fn a_foreign_receipt_blocks_its_target_and_no_other() -> anyhow::Result<()> {
    let world = World::new("foreign", quick(2)).await?;
    world.connect("vc").await?;
    // A receipt that says it is the second of a ledger without a first.
    let authority = world.vcenter.address().to_string();
    let key = windlass::upgrade::target::TargetKey::parse(&format!("vcenter|{authority}|domain-c1")).unwrap();
    let claim = json!({
        "target": key.canonical(), "targetHash": key.hash(), "sequence": 2, "connection": "vc", "before": "{}",
        "run": {"namespace": world.namespace, "version": VERSION_NEW, "runKey": ""},
        "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "x", "uid": "x", "generation": 1},
    });
    let receipt = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
        "metadata": {"name": key.receipt_name(2)}, "spec": {"claim": claim},
    });
    world.apply(&receipt).await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    let strategy = json!({"maxConcurrent": 2});
    let _operator = world.operator().await?;
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
        )
        .await?;
    world.row("b", "domain-c2", "SUCCESS", "UpgradeSucceeded").await?;
    let status = world.reason("b", "PENDING", "LedgerDamaged").await?;
    assert!(status.message().contains("receipt 1 is missing"), "{}", status.message());
    assert_eq!(world.starts("domain-c1"), 0);
    Ok(())
}
