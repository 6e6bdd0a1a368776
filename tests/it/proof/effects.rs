//! What counts as an effect of the operator on the API server, and what it is called.
//!
//! A label says what a request is for, so that the same effect is found again in another run: requests of two tasks may come in any
//! order, but the first reservation is always the first reservation.

use http::Method;
use serde_json::Value;

/// The group whose requests are effects.
const GROUP: &str = "/apis/windlass.dev/v1alpha1/";

/// What a request to the API server is for; `None` for what the protocol does not rest on (Leases, Events, Secrets, watches).
pub fn label(method: &Method, path: &str, body: &[u8]) -> Option<String> {
    let resource = path.strip_prefix(GROUP)?;
    let parts: Vec<&str> = resource.split('/').collect();
    let parts = match parts.as_slice() {
        ["namespaces", _, rest @ ..] => rest,
        all => all,
    };
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let (kind, rest) = parts.split_first()?;
    let kind = match *kind {
        "upgradereceipts" => "receipt",
        "connections" => "Connection",
        "clusterupgradebatches" => "batch",
        "applianceupdates" => "update",
        "firmwareupgrades" => "firmware",
        _ => return None,
    };
    Some(match (method.as_str(), rest) {
        ("GET", []) if kind == "batch" => "LIST batches".to_owned(),
        ("GET", []) => format!("LIST {kind}s"),
        ("GET", [_]) => format!("GET {kind}"),
        ("POST", []) if body["spec"]["claim"]["note"].is_string() => "POST note".to_owned(),
        ("POST", []) => format!("POST {kind}"),
        ("PATCH", [_, "status"]) => format!("PATCH {kind} {}", fact(kind, &body["status"])),
        (method, _) => format!("{method} {kind} ?"),
    })
}

/// What a status patch writes.
fn fact<'a>(kind: &str, status: &'a Value) -> &'a str {
    let has = |field: &str| !status[field].is_null();
    match kind {
        "receipt" if has("end") => "end",
        "receipt" if has("answer") => "answer",
        "receipt" => "adopted",
        // A start writes its reservation, and how many are in flight with it, and nothing else; the controller's own report has more, or less, or takes
        // the last reservation away. One that takes away some of several and counts anew at once would pass for a start's: stories with several
        // targets tell the two apart by what is in the receipts.
        "Connection" if has("reservations") && has("inFlight") && status.as_object().is_some_and(|s| s.len() == 2) => "reserve",
        "Connection" => "report",
        _ => status["state"].as_str().unwrap_or("rows"),
    }
}

/// Is it a write?
pub fn writes(label: &str) -> bool {
    label.starts_with("POST") || label.starts_with("PATCH")
}

#[test]
fn effects_are_named_by_what_they_are_for() {
    let named = |method: Method, path: &str, body: Value| label(&method, &format!("{GROUP}{path}"), body.to_string().as_bytes());
    let status = |status: Value| serde_json::json!({"metadata": {"resourceVersion": "1"}, "status": status});
    let receipt = serde_json::json!({"spec": {"claim": {"holder": "me"}}});
    assert_eq!(named(Method::POST, "upgradereceipts", receipt).unwrap(), "POST receipt");
    let reserve = status(serde_json::json!({"reservations": [{"target": "domain-c1"}], "inFlight": 1}));
    let connection = "namespaces/x/connections/vc/status";
    assert_eq!(named(Method::PATCH, connection, reserve).unwrap(), "PATCH Connection reserve");
    let report = status(serde_json::json!({"reservations": null, "inFlight": 1}));
    assert_eq!(named(Method::PATCH, connection, report).unwrap(), "PATCH Connection report");
    let running = status(serde_json::json!({"state": "RUNNING"}));
    let batch = "namespaces/x/clusterupgradebatches/b/status";
    assert_eq!(named(Method::PATCH, batch, running).unwrap(), "PATCH batch RUNNING");
    assert_eq!(named(Method::GET, "upgradereceipts/r", Value::Null).unwrap(), "GET receipt");
    assert_eq!(label(&Method::POST, "/apis/events.k8s.io/v1/namespaces/x/events", b"{}"), None);
}
