//! The kustomize base is the chart, and its overlay the chart with `watch.namespaces`.

use serde_json::Value;
use serde_json::json;

use crate::chart::CHART;
use crate::chart::Manifests;
use crate::chart::ROOT;
use crate::chart::helm;
use crate::chart::rendered;
use crate::chart::site::installed;
use crate::chart::site::silent;
use crate::plane::Plane;

/// What kubectl makes of a folder of `deploy/`.
async fn built(folder: &str) -> Manifests {
    kustomized(&format!("{ROOT}/deploy/{folder}")).await
}

/// What kubectl makes of a folder.
async fn kustomized(folder: &str) -> Manifests {
    let plane = Plane::shared().unwrap();
    Manifests::read(&plane.kubectl(&["kustomize", folder]).await.unwrap().ok().unwrap())
}

/// Without the namespace, which `helm install --create-namespace` makes and a chart does not.
fn without_namespace(all: Manifests) -> Vec<Value> {
    let before = all.0.len();
    let rest = all.without(|m| m["kind"] == "Namespace");
    assert_eq!(rest.0.len(), before - 1);
    rest.sorted()
}

#[tokio::test]
async fn the_base_is_the_chart_without_any_value() {
    assert_eq!(without_namespace(built("base").await), rendered(&json!({})).await.sorted());
}

#[tokio::test]
async fn the_overlay_is_the_chart_for_one_namespace() {
    let wanted = rendered(&json!({"watch": {"namespaces": ["team-a"]}})).await.sorted();
    assert_eq!(without_namespace(built("overlays/namespaced").await), wanted);
}

/// The kustomization of the guide that puts the base into another namespace. To kustomize some of what names it are mere words: without these
/// patches nobody could write a receipt there, and no list of hosts would be found.
#[tokio::test]
async fn the_base_in_another_namespace_is_the_chart_in_that_namespace() {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/install.md")).unwrap();
    let (_, rest) = guide.split_once("```yaml\nresources:\n- windlass/deploy/base\n").unwrap();
    let (patches, _) = rest.split_once("```").unwrap();
    let folder = format!("{}/moved-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::create_dir_all(&folder).unwrap();
    // kustomize takes no absolute path.
    let up = "../".repeat(folder.matches('/').count());
    let text = format!("resources:\n- {up}{}/deploy/base\n{patches}", ROOT.trim_start_matches('/'));
    std::fs::write(format!("{folder}/kustomization.yaml"), text).unwrap();
    let moved = kustomized(&folder).await;
    std::fs::remove_dir_all(&folder).unwrap();
    // It puts policies into a namespace too, which they have none of; the API server takes that off again.
    let is_policy = |m: &Value| m["kind"].as_str().is_some_and(|kind| kind.starts_with("ValidatingAdmissionPolicy"));
    let policies = moved.clone().without(|m| !is_policy(m));
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    ];
    silent(installed().await.kubectl_stdin(&args, &policies.list()).await.unwrap());
    let mut moved = moved;
    for policy in moved.0.iter_mut().filter(|m| is_policy(m)) {
        policy["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    let args = ["template", "windlass", CHART, "--namespace", "upgrades"];
    assert_eq!(without_namespace(moved), Manifests::read(&helm(&args).await.ok().unwrap()).sorted());
}

#[tokio::test]
async fn the_namespace_takes_restricted_pods_only() {
    let all = built("base").await;
    let labels = &all.only("Namespace")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}
