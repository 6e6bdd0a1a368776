use std::collections::BTreeMap;

use http::Request;
use http::Response;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;

use super::*;

fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        _ => "ServiceUnavailable",
    }
}

/// An API server that serves these CRDs by name, or answers with a status.
fn serving(answers: BTreeMap<String, Result<Value, u16>>) -> Api<CustomResourceDefinition> {
    let service = tower::service_fn(move |request: Request<Body>| {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let (code, body) = match answers.get(&name).cloned().unwrap_or(Err(404)) {
            Ok(crd) => (200, crd),
            Err(code) => (
                code,
                json!({"kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": reason(code)}),
            ),
        };
        let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
        async move { Ok::<_, std::convert::Infallible>(response.unwrap()) }
    });
    Api::all(kube::Client::new(service, "default"))
}

fn all() -> BTreeMap<String, Result<Value, u16>> {
    let each = all_crds().into_iter();
    each.map(|crd| (crd.name_any(), Ok(serde_json::to_value(&crd).unwrap()))).collect()
}

async fn found(answers: BTreeMap<String, Result<Value, u16>>) -> Result<State, kube::Error> {
    look(&serving(answers), &all_crds()).await
}

const RECEIPTS: &str = "upgradereceipts.windlass.dev";

#[tokio::test]
async fn nothing_is_current_that_is_older_gone_or_not_seen() {
    assert_eq!(found(all()).await.unwrap(), State::Current);
    let mut older = all();
    let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
    let crd = older.get_mut(RECEIPTS).unwrap().as_mut().unwrap();
    let fields = crd.pointer_mut(status).unwrap().as_object_mut().unwrap();
    assert!(fields.len() > 3, "{fields:?}");
    fields.clear();
    let State::Outdated(what) = found(older).await.unwrap() else {
        panic!("it is older")
    };
    assert!(
        what.contains(RECEIPTS) && what.contains("status.adopted, status.answer") && what.contains(" more; upgrade the CRDs to "),
        "{what}"
    );
    let mut gone = all();
    gone.remove(RECEIPTS);
    assert!(matches!(found(gone).await.unwrap(), State::Outdated(what) if what.contains("is not installed")));
    let mut silent = all();
    silent.insert(RECEIPTS.to_owned(), Err(503));
    assert!(found(silent).await.is_err(), "no answer is not an answer");
}

#[tokio::test]
async fn who_may_not_look_is_not_kept_from_starting_unless_what_they_see_is_older() {
    let hidden: BTreeMap<_, _> = all().into_keys().map(|name| (name, Err(403))).collect();
    assert_eq!(found(hidden.clone()).await.unwrap(), State::Hidden);
    let mut one_is_gone = hidden;
    one_is_gone.insert(RECEIPTS.to_owned(), Err(404));
    assert!(matches!(found(one_is_gone).await.unwrap(), State::Outdated(_)));
}

#[test]
fn nothing_may_start_before_it_is_known_and_readiness_says_why() {
    let (served, readiness, metrics) = (Served::default(), Readiness::requiring([READINESS]), Metrics::new());
    assert!(served.objection().is_some_and(|why| why.contains("not known yet")));
    let gauge = |value: u8| metrics.encode().contains(&format!("windlass_crds_outdated {value}\n"));
    tell(&served, &State::Outdated("the CRD x lacks y".to_owned()), &readiness, &metrics);
    assert_eq!(served.objection().as_deref(), Some("the CRD x lacks y"));
    assert_eq!(readiness.missing(), [("crds", "crds-outdated")]);
    assert!(gauge(1));
    tell(&served, &State::Current, &readiness, &metrics);
    assert_eq!((served.objection(), readiness.missing()), (None, vec![]));
    assert!(gauge(0));
}
