//! Checks of the simulators themselves, over real TLS with a plain client: an oracle that is wrong proves nothing.

mod appliance;
mod aruba;
mod clusters;
mod control;
mod faults;
mod forms;
mod hmc;
mod sessions;
mod starts;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::vcenter::{CLUSTERS, PASSWORD, SESSION_HEADER, USER};
use super::vendor::Vendor;
use super::{Clock, Config, Running, VCenter};

const C1: &str = "domain-c1";
const C2: &str = "domain-c2";

/// A simulator whose clock stands still, and a client that is logged in.
struct Bench {
    vc: Running<VCenter>,
    client: Client,
    token: String,
}

/// A status and a body; Null where there is none.
type Answer = (u16, Value);

impl Bench {
    async fn new(config: Config) -> Self {
        let vc = VCenter::start(config.clock(Clock::frozen())).await.unwrap();
        let client = client(&vc);
        let mut bench = Self {
            vc,
            client,
            token: String::new(),
        };
        bench.log_in().await;
        bench
    }

    async fn log_in(&mut self) {
        let (status, token) = self.login(USER, PASSWORD).await;
        assert_eq!(status, 201, "{token}");
        token.as_str().unwrap().clone_into(&mut self.token);
    }

    async fn login(&self, user: &str, password: &str) -> Answer {
        answer(
            self.client
                .post(format!("{}/api/session", self.vc.url()))
                .basic_auth(user, Some(password)),
        )
        .await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.vc.url()))
            .header(SESSION_HEADER, &self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn info(&self, cluster: &str) -> Value {
        let (status, info) = self.get(&format!("{CLUSTERS}/{cluster}")).await;
        assert_eq!(status, 200, "{info}");
        forms::info(&info);
        info
    }

    fn start_request(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, &format!("{CLUSTERS}?action=upgradeMultiple")).json(body)
    }

    async fn start(&self, cluster: &str, version: &str) -> Answer {
        answer(self.start_request(&one(cluster, version))).await
    }

    /// The word for one cluster in a 200.
    async fn word(&self, cluster: &str, version: &str) -> String {
        let (status, results) = self.start(cluster, version).await;
        assert_eq!(status, 200, "{results}");
        forms::result(&results[cluster]);
        results[cluster]["res"].as_str().unwrap().to_owned()
    }

    fn advance(&self, secs: u64) {
        self.vc.clock().advance(std::time::Duration::from_secs(secs));
    }
}

fn one(cluster: &str, version: &str) -> Value {
    json!({cluster: {"desired_version": version}})
}

/// Trusts only the simulator's authority, keeps no connection and repeats nothing of its own accord.
fn client<V: Vendor>(vendor: &Running<V>) -> Client {
    Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(vendor.ca_pem().as_bytes()).unwrap()])
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("checks/1")
        .build()
        .unwrap()
}

async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (
        status,
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        },
    )
}

/// A request that must end without an answer, or without all of it.
async fn lost(request: RequestBuilder) -> reqwest::Error {
    match request.send().await {
        Ok(response) => response.bytes().await.unwrap_err(),
        Err(error) => error,
    }
}
