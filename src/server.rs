//! The HTTP endpoints: `/healthz`, `/readyz`, `/metrics`.
//!
//! Liveness says that the runtime answers and that the loops which must turn do; never that a vendor or the API server is well,
//! because no restart would mend those. Readiness says what is missing, in words.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
pub use crate::health::Pulse;
pub use crate::health::Readiness;
use crate::metrics;
use crate::metrics::Metrics;

/// Longest wait for open connections at shutdown: a scrape takes milliseconds, and nothing else is worth delaying an exit for.
const DRAIN: Duration = Duration::from_secs(3);

/// What the endpoints show.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// `/metrics`.
    pub metrics: Metrics,
    /// `/readyz`.
    pub readiness: Readiness,
    /// `/healthz`: the loops that must turn.
    pub pulses: Vec<Pulse>,
}

/// A server that is bound, so that its address is known (and free) before anything else starts.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    endpoints: Endpoints,
    clock: Clock,
}

impl Server {
    /// Binds `addr`; port 0 takes a free one.
    pub async fn bind(addr: SocketAddr, endpoints: Endpoints, clock: Clock) -> std::io::Result<Server> {
        Ok(Server {
            listener: TcpListener::bind(addr).await?,
            endpoints,
            clock,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then for a moment more while open requests end.
    pub async fn run(self, stop: CancellationToken) -> std::io::Result<()> {
        let serve = axum::serve(self.listener, router(self.endpoints)).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::select! {
            served = serve.into_future() => served,
            () = async { stop.cancelled().await; self.clock.sleep(DRAIN).await } => Ok(()),
        }
    }
}

/// The routes, without a socket.
pub fn router(endpoints: Endpoints) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(encoded_metrics))
        .with_state(endpoints)
}

async fn healthz(State(endpoints): State<Endpoints>) -> Response {
    let silent: Vec<_> = endpoints.pulses.iter().filter(|pulse| !pulse.alive()).map(Pulse::name).collect();
    answer(silent.is_empty(), &json!({"alive": silent.is_empty(), "silent": silent}))
}

async fn readyz(State(endpoints): State<Endpoints>) -> Response {
    let missing = endpoints.readiness.missing();
    let listed: Vec<_> = missing.iter().map(|(name, why)| json!({"name": name, "why": why})).collect();
    answer(missing.is_empty(), &json!({"ready": missing.is_empty(), "missing": listed}))
}

async fn encoded_metrics(State(endpoints): State<Endpoints>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], endpoints.metrics.encode()).into_response()
}

fn answer(fine: bool, body: &serde_json::Value) -> Response {
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::body::to_bytes;
    use axum::http::Request;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tower::ServiceExt;

    use super::*;

    fn endpoints(pulses: Vec<Pulse>) -> Endpoints {
        Endpoints {
            metrics: Metrics::new(),
            readiness: Readiness::requiring(["stores", "crds"]),
            pulses,
        }
    }

    async fn fetch(endpoints: &Endpoints, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(endpoints.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_lists_what_is_missing_until_nothing_is() {
        let endpoints = endpoints(vec![]);
        endpoints.readiness.meet("stores");
        endpoints.readiness.miss("crds", "crds-outdated");
        let (status, body) = fetch(&endpoints, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"ready": false, "missing": [{"name": "crds", "why": "crds-outdated"}]}));
        endpoints.readiness.meet("crds");
        assert_eq!(
            fetch(&endpoints, "/readyz").await,
            (StatusCode::OK, r#"{"missing":[],"ready":true}"#.to_string())
        );
    }

    #[tokio::test]
    async fn healthz_fails_only_for_a_loop_that_stopped() {
        let alive = endpoints(vec![Pulse::new("lease", Clock::system(), Duration::from_hours(1))]);
        assert_eq!(fetch(&alive, "/healthz").await.0, StatusCode::OK, "though nothing is ready");
        let silent = endpoints(vec![Pulse::new("lease", Clock::system(), Duration::ZERO)]);
        std::thread::sleep(Duration::from_millis(2));
        let (status, body) = fetch(&silent, "/healthz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("lease"), "{body}");
    }

    #[tokio::test]
    async fn metrics_are_served_and_nothing_else_is() {
        let endpoints = endpoints(vec![]);
        let (status, body) = fetch(&endpoints, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.ends_with("# EOF\n"), "{body}");
        assert_eq!(fetch(&endpoints, "/").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_stop_ends_the_server_although_a_connection_stays_open() {
        let stop = CancellationToken::new();
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(addr, endpoints(vec![]), Clock::system()).await.unwrap();
        let addr = server.local_addr().unwrap();
        let running = tokio::spawn(server.run(stop.clone()));
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        // A request that never ends its head.
        stream.write_all(b"GET /heal").await.unwrap();
        stop.cancel();
        tokio::time::timeout(DRAIN * 5, running).await.unwrap().unwrap().unwrap();
    }
}
