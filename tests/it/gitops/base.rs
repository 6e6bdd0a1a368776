//! The kustomize base is the chart, and its overlay the chart with `watch.namespaces`.

use serde_json::Value;
use serde_json::json;

use crate::chart::Manifests;
use crate::chart::ROOT;
use crate::chart::rendered;
use crate::plane::Plane;

/// What kubectl makes of a folder of `deploy/`.
async fn built(folder: &str) -> Manifests {
    let plane = Plane::shared().unwrap();
    let folder = format!("{ROOT}/deploy/{folder}");
    Manifests::read(&plane.kubectl(&["kustomize", &folder]).await.unwrap().ok().unwrap())
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

#[tokio::test]
async fn the_namespace_takes_restricted_pods_only() {
    let all = built("base").await;
    let labels = &all.only("Namespace")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}
