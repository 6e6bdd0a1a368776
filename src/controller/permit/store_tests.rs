//! What is written over what: a kube client whose API server is this file.

use std::pin::pin;

use http::Method;
use http::Request;
use http::Response;
use kube::Client;
use kube::client::Body;

use super::*;

/// A receipt without facts, and its status.
fn receipt(status: &Value) -> Value {
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
        "metadata": {"name": "vcenter-a-00001", "resourceVersion": "7"},
        "spec": {"claim": {
            "target": "vcenter|vc1.example:443|domain-c8", "targetHash": "a", "sequence": 1,
            "run": {"namespace": "vsphere", "version": "v2", "runKey": ""},
            "connection": "vc1", "before": r#"{"version":"v1"}"#, "holder": "boot-1.1",
            "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "nightly", "uid": "u", "generation": 1},
        }},
        "status": status,
    })
}

fn core(object: &Value) -> Receipt {
    receipts::read(&serde_json::from_value(object.clone()).unwrap())
}

/// What becomes of a write, and whether anything was patched, when the API server holds `live`.
async fn written(live: Value, write: impl AsyncFnOnce(Api<UpgradeReceipt>) -> Stored) -> (Stored, bool) {
    let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut handle = pin!(handle);
        let mut patched = false;
        while let Some((request, answer)) = handle.next_request().await {
            patched |= request.method() == Method::PATCH;
            answer.send_response(Response::new(Body::from(serde_json::to_vec(&live).unwrap())));
        }
        patched
    });
    let stored = write(Api::all(Client::new(service, "default"))).await;
    (stored, server.await.unwrap())
}

/// Found by the model: a process whose cache still showed receipt 1 as open saw receipt 2's run move to the same version, and wrote
/// `adopted` into receipt 1, which its holder had withdrawn. The run was then told as FAILED while it went on.
#[tokio::test]
async fn a_conclusion_from_a_cache_that_is_behind_is_not_written() {
    let basis = core(&receipt(&json!({})));
    let adopted = json!({"adopted": {"how": "seen moving"}});
    for newer in [
        json!({"end": {"kind": "Withdrawn", "how": "nothing was sent"}}),
        json!({"answer": {"kind": "Accepted"}}),
        json!({"answer": {"kind": "Lost", "message": "timed out"}}),
    ] {
        let conclude = async |api| store_concluded(&api, &basis, Slot::Adopted, &adopted).await;
        let (stored, patched) = written(receipt(&newer), conclude).await;
        assert!(matches!(stored, Stored::Before(_)) && !patched, "{newer}");
    }
    let conclude = async |api| store_concluded(&api, &basis, Slot::Adopted, &adopted).await;
    let (stored, patched) = written(receipt(&json!({})), conclude).await;
    assert!(matches!(stored, Stored::Now(_)) && patched);
}

/// Found by the model: the holder stood still past the horizon, somebody else began the same upgrade, a look adopted it, and the holder
/// then withdrew its permit: the receipt said both.
#[tokio::test]
async fn a_withdrawal_never_ends_what_was_adopted() {
    let withdrawn = json!({"end": {"kind": "Withdrawn", "how": "nothing was sent"}});
    let withdraw = async |api| store_once(&api, "vcenter-a-00001", Slot::Unsent, &withdrawn).await;
    let (stored, patched) = written(receipt(&json!({"adopted": {"how": "seen moving"}})), withdraw).await;
    assert!(matches!(stored, Stored::Before(_)) && !patched);
    let withdraw = async |api| store_once(&api, "vcenter-a-00001", Slot::Unsent, &withdrawn).await;
    assert!(written(receipt(&json!({})), withdraw).await.1);
}
