//! The actions of Argo CD, run by its own interpreter: each changes an annotation, and nothing that is in Git or that Windlass wrote.

use serde_json::Value;
use serde_json::json;

use super::argocd;
use crate::chart::without_cluster;
use crate::crds::patched;

/// What the role `gitops` of the plane answers.
async fn run(verb: &str, script: &str, object: &Value) -> Value {
    let request = json!({"script": script, "objects": [object]});
    let said = without_cluster("gitops", &[verb], &request.to_string()).await.ok().unwrap();
    serde_json::from_str(&said).unwrap()
}

/// The actions of a kind, as argocd-cm has them.
fn actions(kind: &str) -> Value {
    serde_saphyr::from_str(&argocd::setting("gate", "actions", kind)).unwrap()
}

/// An object after an action.
pub async fn after(action: &str, object: &Value) -> Value {
    let all = actions(object["kind"].as_str().unwrap());
    let found = all["definitions"].as_array().unwrap().iter().find(|d| d["name"] == action).unwrap();
    run("argo-action", found["action.lua"].as_str().unwrap(), object).await
}

/// The actions that a person is offered on an object.
pub async fn offered(object: &Value) -> Value {
    let all = actions(object["kind"].as_str().unwrap());
    run("argo-actions", all["discovery.lua"].as_str().unwrap(), object).await
}

/// An object with what Lua could confuse: an empty object and an empty list, whole numbers, and nothing in its metadata.
fn batch() -> Value {
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch",
        "metadata": {"name": "b", "namespace": "team-a", "generation": 3},
        "spec": {
            "connectionRef": {"name": "vc"}, "schedule": {}, "clusters": [{"cluster": "domain-c1"}],
            "strategy": {"maxConcurrent": 2},
        },
        "status": {"observedGeneration": 3, "conditions": [], "counts": {"total": 1}},
    })
}

#[tokio::test]
async fn a_hold_and_its_release_change_an_annotation_and_nothing_else() {
    let plain = batch();
    assert_eq!(offered(&plain).await, json!(["hold", "reconcile"]));
    let held = after("hold", &plain).await;
    let hold = json!({"metadata": {"annotations": {"windlass.dev/hold": "held in Argo CD"}}});
    assert_eq!(held, patched(&plain, &hold));
    assert_eq!(offered(&held).await, json!(["reconcile", "release"]));
    let others = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "upgrades:windlass.dev/x"}}});
    let (plain, held) = (patched(&plain, &others), patched(&held, &others));
    assert_eq!(after("release", &held).await, plain);
    assert_eq!(after("release", &batch()).await, batch(), "a release of what nobody holds");
    let only = after("hold", &batch()).await;
    assert_eq!(
        after("release", &only).await,
        batch(),
        "also where the hold was all that was annotated"
    );
}

#[tokio::test]
async fn a_look_is_asked_for_by_an_annotation_with_the_time() {
    for kind in ["ClusterUpgradeBatch", "Inventory", "Connection"] {
        let mut object = batch();
        object["kind"] = json!(kind);
        assert!(offered(&object).await.as_array().unwrap().contains(&json!("reconcile")), "{kind}");
        let asked = after("reconcile", &object).await;
        let at = asked["metadata"]["annotations"]["windlass.dev/reconcile-at"].as_str().unwrap();
        let at: jiff::Timestamp = at.parse().unwrap();
        assert!(at.duration_until(jiff::Timestamp::now()).as_secs() < 60, "{at}");
        let annotation = json!({"metadata": {"annotations": {"windlass.dev/reconcile-at": at.to_string()}}});
        assert_eq!(asked, patched(&object, &annotation));
    }
}

/// What these scripts may not use is not there, whatever the check of their words overlooks.
#[tokio::test]
async fn a_script_never_has_more_than_argo_cd_gives_it() {
    for beyond in [
        "return {s = string.upper('a')}",
        "return {s = math.max(1, 2)}",
        "return {s = os.time()}",
        "return {s = require('os').getenv('HOME')}",
        "return {s = io.read()}",
        "return {s = require('string')}",
        "while true do end",
        "return 'Healthy'",
    ] {
        let request = json!({"script": beyond, "objects": [batch()]});
        let said = without_cluster("gitops", &["argo-health"], &request.to_string()).await;
        assert!(!said.status.success(), "{beyond}: {}", said.stdout);
    }
}
