//! Plans: what would happen is told, and nothing happens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::person::Person;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

/// Every object of Windlass's that is there, with its resourceVersion.
async fn versions(world: &World) -> anyhow::Result<BTreeMap<String, String>> {
    let kinds = "connections.windlass.dev,clusterupgradebatches.windlass.dev,inventories.windlass.dev,events";
    let list: Value = serde_json::from_str(&world.kubectl(&["get", kinds, "-o", "json"]).await?)?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut all: BTreeMap<String, String> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|o| {
            (
                format!("{}/{}", o["kind"], o["metadata"]["name"]),
                text(&o["metadata"]["resourceVersion"]),
            )
        })
        .collect();
    for receipt in world.receipts().await? {
        all.insert(
            kube::ResourceExt::name_any(&receipt),
            receipt.metadata.resource_version.unwrap_or_default(),
        );
    }
    Ok(all)
}

/// Writes a manifest where the command finds it.
fn file(world: &World, name: &str, manifests: &[Value]) -> anyhow::Result<PathBuf> {
    let path = world.plane.scratch().join(format!("{}-{name}.yaml", world.namespace));
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    std::fs::write(&path, text.join("\n---\n"))?;
    Ok(path)
}

#[tokio::test]
async fn a_plan_tells_what_would_start_wait_or_be_refused_and_writes_nothing() -> anyhow::Result<()> {
    let (world, operator) = World::ready("cli-plan", Config::with_clusters(3)).await?;
    world.connected("vc", "Reachable").await?;
    let roles = ["windlass-edit", "windlass-auditor"];
    let editor = Person::new(world.plane, &world.namespace, "ci", &roles).await?;
    let viewer = Person::new(world.plane, &world.namespace, "viewer", &["windlass-view"]).await?;
    let clusters = json!([{"cluster": "domain-c1", "canary": true}, {"cluster": "domain-c2"}]);
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "suspend": true});
    world.batch("prod", spec.clone()).await?;
    world
        .until("prod", "what it is at is known", |s| {
            s.reason() == "Suspended" && !s.row("domain-c2")["currentVersion"].is_null()
        })
        .await?;
    // Nobody writes anything any more, so whatever changes was written by the plan.
    operator.terminate().await?;
    let before = versions(&world).await?;
    let plan = async |who: &Person, name: &str, manifests: &[Value]| -> anyhow::Result<super::person::Said> {
        let path = file(&world, name, manifests)?;
        who.types(&["plan", "-f", path.to_str().unwrap()]).await
    };

    let mut free = spec.clone();
    free.as_object_mut().unwrap().remove("suspend");
    let mut unnamespaced = world.manifest("prod", &free);
    unnamespaced["metadata"].as_object_mut().unwrap().remove("namespace");
    let starts = plan(&editor, "starts", &[unnamespaced]).await?.with(0);
    assert!(starts.contains("cub/prod  changed, through conn/vc"), "{starts}");
    assert!(starts.contains("start  ") && starts.contains("now"), "{starts}");
    assert!(
        starts.contains("WaitingForCanary: canaries go first") && starts.contains("nothing was written"),
        "{starts}"
    );

    let waits = plan(&editor, "waits", &[world.manifest("prod", &spec)]).await?.with(0);
    assert!(
        waits.contains("unchanged") && waits.contains("Suspended: spec.suspend is true"),
        "{waits}"
    );

    let mut back = free.clone();
    back["desiredVersion"] = json!("v1.20.0+vmware.1");
    let mut unknown = world.manifest("typo", &free);
    unknown["spec"]["desiredVersoin"] = json!("x");
    let refused = plan(&editor, "refused", &[world.manifest("prod", &back), unknown.clone()])
        .await?
        .with(2);
    assert!(
        refused.contains("WouldDowngrade") && refused.contains("desiredVersoin"),
        "{refused}"
    );
    let mut moved = world.manifest("prod", &free);
    moved["spec"]["connectionRef"]["name"] = json!("other");
    let moved = plan(&editor, "moved", &[moved]).await?.with(2);
    assert!(moved.contains("a different target is a different upgrade"), "{moved}");

    // A Connection of the same files counts, and somebody who may write nothing is told how much that plan is worth.
    let held = json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "vc"}, "spec": {
        "type": "VCenter", "url": world.vcenter.url(), "credentialsSecretRef": {"name": "vc"}, "suspend": true,
    }});
    let told = plan(&viewer, "told", &[held, world.manifest("fresh", &free)]).await?.with(0);
    assert!(
        told.contains("cub/fresh  new") && told.contains("spec.suspend of Connection vc is true"),
        "{told}"
    );
    assert!(
        told.contains("you may not write these upgrades") && told.contains("receipts may not be read"),
        "{told}"
    );
    let nothing = plan(&viewer, "nothing", &[json!({"apiVersion": "v1", "kind": "Secret"})])
        .await?
        .failed();
    assert!(nothing.contains("no upgrade in it"), "{nothing}");

    // A slip of the pen is no refusal: a pipeline must not take one for the other.
    assert_eq!(editor.types(&["plan"]).await?.code, 1);

    assert_eq!(versions(&world).await?, before);
    assert!(world.vcenter.log().committed().is_empty());
    Ok(())
}
