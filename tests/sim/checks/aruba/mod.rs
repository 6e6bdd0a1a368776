//! Checks of the simulated Central, over real TLS with a plain client.

mod access;
mod bodies;
mod cancels;
mod devices;
mod errors;
mod forms;
mod grant;
mod lists;
mod others;
mod quotas;
mod reads;
mod scale;
mod starts;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::super::Running;
use super::super::aruba::{
    Account, CLIENT_ID, CUSTOMER, Central, Config, Kind, Pair, Place, Stage, TENANT_HEADER, VERSION_NEW, cancel_path, customer, start_path,
};
use super::{Answer, answer, client};

/// Of another account.
const OTHER: &str = "other-client";

/// A simulator whose clock stands still, and a client with a token.
struct Bench {
    central: Running<Central>,
    client: Client,
    token: String,
}

/// The headers of an answer that begin so, without their beginning.
type Headers = BTreeMap<String, String>;

impl Bench {
    async fn new(config: Config) -> Self {
        let central = Central::start(config).await.unwrap();
        let client = client(&central);
        let mut bench = Self {
            central,
            client,
            token: String::new(),
        };
        bench.take_token(CLIENT_ID);
        bench
    }

    /// The same, with tokens that outlive every upgrade.
    async fn patient(config: Config) -> Self {
        Self::new(config.settings(|s| s.access_secs = 365 * 86_400)).await
    }

    /// The same, with another account beside the provider's.
    async fn with(account: Account) -> Self {
        Self::new(Config::still().account(account)).await
    }

    fn take_token(&mut self, client_id: &str) -> Pair {
        let pair = self.central.issue(client_id).unwrap();
        pair.access.expose().clone_into(&mut self.token);
        pair
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.central.url()))
            .bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// A read for a customer, with the provider's token.
    fn read(&self, customer: &str, path: &str) -> RequestBuilder {
        self.request(Method::GET, &format!("/firmware/v1/{path}"))
            .header(TENANT_HEADER, customer)
    }

    /// The same for the first customer, which has to be good.
    async fn told(&self, path: &str) -> Value {
        let (status, body) = answer(self.read(CUSTOMER, path)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The rows of a type of the first customer.
    async fn rows(&self, kind: Kind) -> Vec<Value> {
        let (path, name) = if kind == Kind::Iap {
            ("swarms?limit=1000".to_owned(), "swarms")
        } else {
            (format!("devices?device_type={}&limit=1000", kind.word()), "devices")
        };
        let rows = self.told(&path).await[name].as_array().unwrap().clone();
        rows.iter().for_each(if kind == Kind::Iap { forms::swarm } else { forms::device });
        rows
    }

    fn start_request(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, &start_path(CUSTOMER)).json(body)
    }

    /// Begins an upgrade that must be taken.
    async fn started(&self, body: Value) {
        let (status, told) = answer(self.start_request(&body)).await;
        assert_eq!(status, 200, "{told}");
        assert!(told.is_string(), "{told}");
    }

    async fn cancel(&self, kind: Kind) -> Answer {
        let body = json!({"device_type": kind.word()});
        answer(self.request(Method::POST, &cancel_path(CUSTOMER)).json(&body)).await
    }

    /// The answer must be an error with this status and code.
    async fn refused(&self, request: RequestBuilder, status: u16, code: &str) {
        let (got, body) = answer(request).await;
        assert_eq!(got, status, "{body}");
        forms::error(&body, code);
    }

    fn advance(&self, secs: u64) {
        self.central.clock().advance(Duration::from_secs(secs));
    }

    /// Now, in seconds since 1970.
    fn now(&self) -> i64 {
        self.central.clock().now().as_second()
    }

    /// How many of the first customer's are at that version.
    fn at(&self, kind: Kind, version: &str) -> usize {
        self.central.at_version(CUSTOMER, kind, version).unwrap()
    }

    fn stages(&self, kind: Kind, stage: Stage) -> usize {
        self.central.in_stage(CUSTOMER, kind, stage).unwrap()
    }

    fn starts(&self) -> usize {
        self.central.log().committed().len()
    }
}

/// What asks for an upgrade of the CX switches, with a reboot.
fn order() -> Value {
    json!({"device_type": "CX", "firmware_version": VERSION_NEW, "reboot": true})
}

/// The same with these fields changed; null takes one away.
fn order_with(change: &Value) -> Value {
    let mut body = order();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

/// The serial number of a CX switch of the first customer.
fn cx(index: u32) -> String {
    Place::new(0, Kind::Cx, index).id()
}

/// The id of a swarm of the first customer.
fn swarm(index: u32) -> String {
    Place::new(0, Kind::Iap, index).id()
}

/// An account beside the provider's.
fn other() -> Account {
    Account::msp(OTHER, "other-secret", "other@example.com", "other-password")
}

/// The quota headers of an answer, and its status.
async fn headers(request: RequestBuilder) -> (u16, Headers) {
    let response = request.send().await.unwrap();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let all = response.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    let about = |name: &str| name.starts_with("x-ratelimit-") || name == "retry-after";
    (response.status().as_u16(), all.filter(|(name, _)| about(name)).collect())
}
