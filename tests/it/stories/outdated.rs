//! CRDs that are older than the operator: it says so, starts nothing, and goes on by itself once they are upgraded.
//!
//! On a plane of their own: the CRDs are everybody's.

use serde_json::Value;
use serde_json::json;

use crate::chart::Manifests;
use crate::deploy::manifests;
use crate::ground::Ground;
use crate::ground::patiently;
use crate::plane::Kept;
use crate::plane::Plane;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VCenter;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::world::Operator;
use crate::world::World;

const RECEIPTS: &str = "upgradereceipts.windlass.dev";

/// Property of a receipt's status that an older version did not have.
const ADOPTED: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/adopted";

/// All that is deployed, with CRDs of before.
async fn older(plane: &Plane) -> Manifests {
    let mut all = manifests(plane).await;
    let receipts = all.0.iter_mut().find(|m| m["metadata"]["name"] == RECEIPTS).unwrap();
    forget(receipts, ADOPTED);
    // Its rules speak of the property; those of before did not.
    let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status";
    let status = receipts.pointer_mut(status).unwrap();
    let rules = status["x-kubernetes-validations"].as_array_mut().unwrap();
    rules.retain(|rule| !rule["rule"].as_str().unwrap().contains("adopted"));
    all
}

fn forget(json: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
}

/// Applies all of that, and what it needs; returns when the kinds are served.
async fn deploy(plane: &Plane, all: &Manifests) -> anyhow::Result<()> {
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    plane.kubectl_stdin(&apply, &all.list()).await?.ok()?;
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    plane.kubectl(&wait).await?.ok()?;
    Ok(())
}

/// A world on a plane of this story's own.
async fn world(plane: &'static Plane) -> anyhow::Result<World> {
    Ok(World {
        ground: Ground::on(plane, "outdated").await?,
        vcenter: std::sync::Arc::new(VCenter::start(Config::with_clusters(1)).await?),
    })
}

async fn readiness(operator: &Operator, status: u16) -> anyhow::Result<Value> {
    // Nobody listens in the first moment of a process.
    let probe = async || Ok(operator.get("/readyz").await.ok().filter(|(found, _)| *found == status));
    let (_, body) = patiently(probe).await?;
    Ok(serde_json::from_str(&body)?)
}

#[tokio::test]
async fn older_crds_newer_operator_makes_no_start() -> anyhow::Result<()> {
    static PLACE: Kept = Kept::new();
    let plane = Plane::kept(&PLACE)?;
    deploy(plane, &older(plane).await).await?;
    let world = world(plane).await?;
    let operator = world.operator().await?;
    let missing = readiness(&operator, 503).await?;
    assert_eq!(missing["missing"], json!([{"name": "crds", "why": "crds-outdated"}]));
    assert_eq!(operator.get("/healthz").await?.0, 200, "no restart would mend it");
    assert!(operator.get("/metrics").await?.1.contains("windlass_crds_outdated 1\n"));

    world.connect("vc").await?;
    let one = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}]});
    world.batch("b", one).await?;
    let waits = world.reason("b", "PENDING", "CrdsOutdated").await?;
    assert!(
        waits.message().contains(RECEIPTS) && waits.message().contains("status.adopted"),
        "{}",
        waits.message()
    );
    world.looks(3).await?;
    assert!(world.vcenter.log().posts().is_empty() && world.receipts().await?.is_empty());

    deploy(plane, &manifests(plane).await).await?;
    readiness(&operator, 200).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    // Taken back under a run: it is followed to its end, and nothing else begins.
    deploy(plane, &older(plane).await).await?;
    readiness(&operator, 503).await?;
    world.finish();
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    world.edit("b", json!({"desiredVersion": VERSION_NEWER})).await?;
    world.reason("b", "PENDING", "CrdsOutdated").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}
