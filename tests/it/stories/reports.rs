//! What people read: Events, columns, and a cluster at rest when nothing happens.

use std::collections::BTreeSet;

use kube::ResourceExt;
use serde_json::Value;
use serde_json::json;

use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::Release;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::happy::quick;
use crate::world::World;

#[tokio::test]
async fn every_step_of_every_cluster_has_its_event() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("events", quick(2)).await?;
    // An answer that comes at once may be there before anybody could show that it is awaited.
    let rule = world
        .vcenter
        .faults()
        .add(Rule::new(Action::Hang { when: When::Before }).on(vcenter::starts()).times(1));
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.row("b", "domain-c1", "PENDING", "Starting").await?;
    world.vcenter.faults().release(rule, Release::Continue)?;
    world.state("b", "SUCCESS").await?;
    let wanted = |events: &BTreeSet<(String, String)>| {
        ["domain-c1", "domain-c2"].iter().all(|c| {
            ["Started", "Succeeded"]
                .iter()
                .all(|r| events.contains(&((*r).to_owned(), (*c).to_owned())))
        })
    };
    let events = world
        .wait(async |w: &World| {
            let list: Value = serde_json::from_str(&w.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).await?)?;
            let items = list["items"].as_array().into_iter().flatten();
            let of_batch = items.filter(|e| e["regarding"]["name"] == "b");
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let seen: BTreeSet<(String, String)> = of_batch.map(|e| (text(&e["reason"]), text(&e["action"]))).collect();
            Ok(wanted(&seen).then_some(seen))
        })
        .await?;
    assert!(events.iter().any(|(reason, _)| reason == "PermitIssued"), "{events:?}");
    let described = world.kubectl(&["describe", "cub", "b"]).await?;
    for word in ["PermitIssued", "Started", "Succeeded", "supervisor-domain-c2"] {
        assert!(described.contains(word), "{word}: {described}");
    }
    Ok(())
}

#[tokio::test]
async fn columns_tell_how_far_it_is() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("columns", Config::with_clusters(2)).await?;
    let clusters = json!([{"cluster": "domain-c1", "canary": true}, {"cluster": "domain-c2"}]);
    let strategy = json!({"soak": "1h"});
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
        )
        .await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    // Its first word may be of a moment that passes before the table is read.
    let status = world
        .until("b", "an hour of soak", |s| {
            let next = s.json["nextActionAt"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
            let far = |at: jiff::Timestamp| at.duration_since(jiff::Timestamp::now()) > jiff::SignedDuration::from_mins(30);
            s.state() == "RUNNING" && s.reason() == "WaitingForSoak" && next.is_some_and(far)
        })
        .await?;
    let table = world.kubectl(&["get", "cub"]).await?;
    let mut lines = table.lines().map(|l| l.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        lines.next().unwrap(),
        ["NAME", "DONE", "STATE", "WAITING-FOR", "NEXT", "READY", "AGE"]
    );
    let row = lines.next().unwrap();
    let next = status.json["nextActionAt"].as_str().unwrap();
    assert_eq!(
        row[..6],
        ["b", "1/2", "RUNNING", "WaitingForSoak", next, "False"],
        "a time to come prints as such"
    );
    let all = world.kubectl(&["get", "upgrades", "-o", "name"]).await?;
    assert_eq!(all.trim(), "clusterupgradebatch.windlass.dev/b");
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_when_nothing_happens() -> anyhow::Result<()> {
    let mut world = World::new("idle", quick(2)).await?;
    // A reservation is cleared away four permits' lives after it was made; that is the last write.
    (world.timing["ttl"], world.timing["connectTimeout"]) = (json!(2500), json!(1000));
    world.timing["probe"] = json!(500);
    world.connect("vc").await?;
    let _operator = world.operator().await?;
    let clusters = json!([{"cluster": "domain-c1"}]);
    world
        .batch("done", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    let clusters = json!([{"cluster": "domain-c9"}, {"cluster": "domain-c2"}]);
    world
        .batch(
            "waits",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "suspend": true}),
        )
        .await?;
    world.state("done", "SUCCESS").await?;
    world
        .until("waits", "all is known", |s| s.row("domain-c2")["currentVersion"].is_string())
        .await?;
    let versions = async |w: &World| {
        let batches = w.batches();
        let connection = w.connections().get("vc").await?;
        let settled = connection
            .status
            .as_ref()
            .is_some_and(|s| s.reservations.is_empty() && s.in_flight == Some(0));
        let version = |v: Option<String>| v.unwrap_or_default();
        let all = [
            version(connection.resource_version()),
            version(batches.get("done").await?.resource_version()),
            version(batches.get("waits").await?.resource_version()),
        ];
        anyhow::Ok(settled.then_some(all))
    };
    let before = world.wait(async |w: &World| versions(w).await).await?;
    world.looks(10).await?;
    assert_eq!(versions(&world).await?, Some(before));
    Ok(())
}

#[tokio::test]
async fn live_equals_applied_after_run() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("gitops", quick(1)).await?;
    let clusters = json!([{"cluster": "domain-c1", "canary": true}]);
    let strategy = json!({"maxConcurrent": 1, "soak": "0s"});
    let mut manifest = world.manifest(
        "b",
        &json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
    );
    manifest["metadata"]["labels"] = json!({"team": "platform"});
    manifest["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "app:windlass.dev/ClusterUpgradeBatch:x/b"});
    let connection = world.connection("vc");
    world.apply(&manifest).await?;
    world.state("b", "SUCCESS").await?;
    for applied in [&manifest, &connection] {
        let diff = world
            .plane
            .kubectl_stdin(&["diff", "--server-side", "-f", "-"], &applied.to_string())
            .await?;
        assert!(diff.status.success() && diff.stdout.is_empty(), "{}{}", diff.stdout, diff.stderr);
        let name = applied["metadata"]["name"].as_str().unwrap();
        let kind = applied["kind"].as_str().unwrap();
        let live: Value = serde_json::from_str(&world.kubectl(&["get", kind, name, "-o", "json", "--show-managed-fields"]).await?)?;
        assert_eq!(live["spec"], applied["spec"], "{kind}: no default, no rewrite");
        for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
            assert_eq!(live["metadata"][field], applied["metadata"][field], "{kind} {field}");
        }
        let others: Vec<&Value> = live["metadata"]["managedFields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|m| m["subresource"] != "status" && m["manager"] != "kubectl")
            .collect();
        assert!(others.is_empty(), "{others:?}");
    }
    let receipt = world.receipts().await?.remove(0);
    let asked = receipt.spec.claim.requested_by;
    assert_eq!(asked.tracking_id.as_deref(), Some("app:windlass.dev/ClusterUpgradeBatch:x/b"));
    assert_eq!(asked.field_manager.as_deref(), Some("kubectl"));
    Ok(())
}
