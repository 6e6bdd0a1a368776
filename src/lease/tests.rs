//! The election against a small Lease server that knows resourceVersions.

use std::sync::Arc;
use std::sync::Mutex;

use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;

use super::*;

/// One Lease, stored as an API server would: a write must name the version it replaces, and gets a new one.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    object: Option<Value>,
    version: u64,
    down: bool,
    /// Writes without a resourceVersion, and anything that is neither read, create nor replace.
    unguarded: Vec<String>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                // Candidates interleave where a network would let them.
                tokio::task::yield_now().await;
                Ok::<_, std::convert::Infallible>(server.answer(&head.method, &body))
            }
        });
        Client::new(service, "ns")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> Response<Body> {
        let mut state = self.0.lock().unwrap();
        if state.down {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        match (method, state.object.clone()) {
            (&Method::GET, None) => failure(StatusCode::NOT_FOUND, "NotFound"),
            (&Method::GET, Some(object)) => success(&object),
            (&Method::POST, Some(_)) => failure(StatusCode::CONFLICT, "AlreadyExists"),
            (&Method::POST, None) => success(&state.store(serde_json::from_slice(body).unwrap())),
            (&Method::PUT, stored) => {
                let object: Value = serde_json::from_slice(body).unwrap();
                let version = &object["metadata"]["resourceVersion"];
                if version.is_null() {
                    state.unguarded.push("PUT".to_string());
                }
                if stored.is_none_or(|stored| stored["metadata"]["resourceVersion"] != *version) {
                    return failure(StatusCode::CONFLICT, "Conflict");
                }
                success(&state.store(object))
            }
            (other, _) => {
                state.unguarded.push(other.to_string());
                failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")
            }
        }
    }

    fn put(&self, holder: &str, seconds: u64) {
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "windlass", "namespace": "ns", "labels": {"kept": "yes"}},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 4},
        });
        self.0.lock().unwrap().store(object);
    }

    fn down(&self) {
        self.0.lock().unwrap().down = true;
    }

    fn stored(&self) -> Value {
        self.0.lock().unwrap().object.clone().unwrap()
    }

    fn holder(&self) -> String {
        self.stored()["spec"]["holderIdentity"].as_str().unwrap_or_default().to_string()
    }

    fn candidate(&self, identity: &str, timing: LeaseTiming) -> Lease {
        Lease::new(self.client(), "ns", "windlass", identity.to_string(), Clock::system(), timing)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        assert!(self.unguarded.is_empty(), "writes that guard nothing: {:?}", self.unguarded);
    }
}

impl State {
    fn store(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.object = Some(object.clone());
        object
    }
}

fn success(object: &Value) -> Response<Body> {
    Response::new(Body::from(object.to_string().into_bytes()))
}

fn failure(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": code.as_u16()});
    Response::builder()
        .status(code)
        .body(Body::from(status.to_string().into_bytes()))
        .unwrap()
}

/// Quick to retry, slow to lose: for tests that do not wait for a loss.
fn patient() -> LeaseTiming {
    LeaseTiming::new(Duration::from_mins(1), Duration::from_secs(40), Duration::from_millis(20)).unwrap()
}

/// Quick to lose.
fn hasty() -> LeaseTiming {
    LeaseTiming::new(Duration::from_secs(2), Duration::from_millis(1500), Duration::from_millis(20)).unwrap()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_candidate_creates_the_lease_and_renews_it() {
    let server = Server::default();
    let held = soon(server.candidate("a", patient()).acquire(&CancellationToken::new()))
        .await
        .unwrap();
    assert!(held.leadership().held());
    assert_eq!(server.holder(), "a");
    assert_eq!(server.stored()["spec"]["leaseDurationSeconds"], 60);
    assert_eq!(server.stored()["spec"]["leaseTransitions"], 0);
    let acquired = server.stored()["spec"]["acquireTime"].clone();
    until(|| server.0.lock().unwrap().version > 2).await;
    assert_eq!(server.stored()["spec"]["acquireTime"], acquired);
}

#[tokio::test]
async fn after_a_release_another_takes_over_at_once() {
    let server = Server::default();
    let stop = CancellationToken::new();
    let first = soon(server.candidate("a", patient()).acquire(&stop)).await.unwrap();
    let leadership = first.leadership();
    let second = tokio::spawn({
        let (candidate, stop) = (server.candidate("b", patient()), stop.clone());
        async move { candidate.acquire(&stop).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished());
    soon(first.release()).await;
    assert!(!leadership.held());
    assert!(leadership.lost().is_cancelled());
    // Far sooner than the 60 s after which the record would have run out.
    let second = soon(second).await.unwrap().unwrap();
    assert!(second.leadership().held());
    assert_eq!(server.holder(), "b");
}

#[tokio::test]
async fn of_two_that_see_the_same_dead_leader_one_takes_over() {
    let server = Server::default();
    server.put("dead_0", 1);
    let stop = CancellationToken::new();
    let stand = |name: &str| {
        let (candidate, stop) = (server.candidate(name, hasty()), stop.clone());
        tokio::spawn(async move { candidate.acquire(&stop).await })
    };
    let (a, b) = (stand("a"), stand("b"));
    until(|| server.holder() != "dead_0").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.cancel();
    let (a, b) = (soon(a).await.unwrap(), soon(b).await.unwrap());
    assert!(a.is_some() ^ b.is_some());
    assert_eq!(server.stored()["spec"]["leaseTransitions"], 5);
    assert_eq!(server.stored()["metadata"]["labels"]["kept"], "yes");
}

#[tokio::test]
async fn a_leader_cut_off_from_the_server_is_none_by_the_deadline() {
    let server = Server::default();
    let clock = Clock::system();
    let held = soon(server.candidate("a", hasty()).acquire(&CancellationToken::new()))
        .await
        .unwrap();
    let leadership = held.leadership();
    server.down();
    let cut_off = clock.mono();
    soon(held.lost().cancelled()).await;
    assert!(!leadership.held());
    // Generous above, for a busy machine; a tenure counts from the asking, so it is never longer than the deadline.
    assert!(clock.mono().since(cut_off) < Duration::from_secs(10));
    assert_eq!(server.holder(), "a");
}

#[tokio::test(flavor = "current_thread")]
async fn a_process_that_slept_knows_before_any_task_ran() {
    let server = Server::default();
    let held = soon(server.candidate("a", hasty()).acquire(&CancellationToken::new()))
        .await
        .unwrap();
    assert!(held.leadership().held());
    // Blocks the only thread: the task that renews cannot run.
    std::thread::sleep(Duration::from_millis(1600));
    assert!(!held.leadership().held());
    assert!(!held.lost().is_cancelled(), "no task has run");
    soon(held.lost().cancelled()).await;
}

#[tokio::test]
async fn a_leader_that_reads_another_name_stops() {
    let server = Server::default();
    let held = soon(server.candidate("a", patient()).acquire(&CancellationToken::new()))
        .await
        .unwrap();
    server.put("b", 60);
    soon(held.lost().cancelled()).await;
    assert!(!held.leadership().held());
    soon(held.release()).await;
    assert_eq!(server.holder(), "b", "a release takes nothing from another");
}

#[tokio::test]
async fn dropping_what_is_held_stops_the_renewals() {
    let server = Server::default();
    let held = soon(server.candidate("a", patient()).acquire(&CancellationToken::new()))
        .await
        .unwrap();
    let leadership = held.leadership();
    drop(held);
    until(|| !leadership.held()).await;
}

#[tokio::test]
async fn a_candidate_stands_until_it_is_stopped_whatever_the_server_says() {
    let server = Server::default();
    server.down();
    let stop = CancellationToken::new();
    let candidate = server.candidate("a", patient());
    let pulse = candidate.pulse();
    let standing = tokio::spawn({
        let stop = stop.clone();
        async move { candidate.acquire(&stop).await.is_some() }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(pulse.alive() && !standing.is_finished());
    stop.cancel();
    assert!(!soon(standing).await.unwrap());
}
