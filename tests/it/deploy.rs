//! The manifests of `deploy/` on the plane of the stories: what the operator runs under there, and the samples.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

use tokio::sync::OnceCell;

use crate::chart::Manifests;
use crate::chart::reviews::can;
use crate::chart::site::OPERATOR;
use crate::chart::site::silent;
use crate::crds::installed;
use crate::crds::kubectl;
use crate::plane::Plane;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// What `kubectl apply -k deploy/base` makes, but for the admission policies: here an administrator plays the vendor's part and the operator's,
/// and writes receipts. What the policies do is told where they are in force, in [`chart`](crate::chart).
pub async fn manifests(plane: &Plane) -> Manifests {
    let base = kubectl(plane, &["kustomize", &format!("{DEPLOY}/base")]).await;
    let is_policy = |kind: &str| kind.starts_with("ValidatingAdmissionPolicy");
    Manifests::read(&base).without(|m| m["kind"].as_str().is_some_and(is_policy))
}

/// The plane with all of that.
pub async fn deployed() -> &'static Plane {
    static DEPLOYED: OnceCell<()> = OnceCell::const_new();
    let plane = installed().await;
    let deploy = || async {
        let all = manifests(plane).await.list();
        silent(plane.kubectl_stdin(&["apply", "-f", "-"], &all).await.unwrap());
    };
    DEPLOYED.get_or_init(deploy).await;
    plane
}

#[tokio::test]
async fn manifests_apply_in_one_go_and_a_second_time_change_nothing() {
    let plane = deployed().await;
    let all = manifests(plane).await.list();
    let again = silent(plane.kubectl_stdin(&["apply", "-f", "-"], &all).await.unwrap());
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
}

#[tokio::test]
async fn samples_are_accepted() {
    let plane = deployed().await;
    let samples = format!("{DEPLOY}/samples");
    kubectl(plane, &["apply", "--validate=strict", "-f", &samples]).await;
    for (kind, namespace, name) in [
        ("cub", "vsphere", "vc1-1-30"),
        ("cub", "vsphere", "vc1-branches"),
        ("appup", "dr", "srm-a-9-0-2"),
        ("fwup", "mainframe", "hmc1-h41"),
    ] {
        let seen = "jsonpath={.status.observedGeneration}";
        let seen = kubectl(plane, &["get", kind, name, "-n", namespace, "-o", seen]).await;
        assert!(!seen.is_empty(), "{name}");
    }
    for namespace in ["vsphere", "dr", "mainframe"] {
        let granted = can(plane, OPERATOR, "get", "secrets", namespace).await;
        assert!(granted, "the sample opts its namespace in");
    }
}
