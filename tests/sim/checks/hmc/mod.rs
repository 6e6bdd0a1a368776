//! Checks of the simulated console, over real TLS with a plain client.

mod console;
mod errors;
mod forms;
mod installs;
mod jobs;
mod others;
mod outside;
mod restarts;
mod sessions;
mod tokens;
mod updates;

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::super::hmc::{AUTHORIZE, BUNDLE_NEW, Config, Hmc, INSTALL, PASSWORD, SESSION_HEADER, UPDATES, USER};
use super::super::{Clock, Running};
use super::{Answer, answer, client};

const HOUR: Duration = Duration::from_secs(3600);

/// A simulator whose clock stands still, and a client that is logged on.
struct Bench {
    hmc: Running<Hmc>,
    client: Client,
    session: String,
}

impl Bench {
    async fn new(config: Config) -> Self {
        let hmc = Hmc::start(config.clock(Clock::frozen())).await.unwrap();
        let client = client(&hmc);
        let mut bench = Self {
            hmc,
            client,
            session: String::new(),
        };
        bench.log_on().await;
        bench
    }

    async fn log_on(&mut self) {
        self.log_on_as(USER, PASSWORD).await;
    }

    async fn log_on_as(&mut self, user: &str, password: &str) {
        let (status, body) = self.logon(user, password).await;
        assert_eq!(status, 200, "{body}");
        forms::session(&body);
        body["api-session"].as_str().unwrap().clone_into(&mut self.session);
    }

    async fn logon(&self, user: &str, password: &str) -> Answer {
        let logon = self.client.post(format!("{}/api/sessions", self.hmc.url()));
        answer(logon.json(&json!({"userid": user, "password": password}))).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.hmc.url()))
            .header(SESSION_HEADER, &self.session)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str) -> Answer {
        answer(self.request(Method::POST, path)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    /// The answer must be an error with these numbers.
    async fn refused(&self, request: RequestBuilder, status: u16, reason: u32) -> Value {
        let (got, body) = answer(request).await;
        assert_eq!(got, status, "{body}");
        forms::error(&body, status, reason);
        body
    }

    fn install_request(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, INSTALL).json(body)
    }

    /// Begins an install that must be taken; its job's URI.
    async fn installed(&self, bundle: &str) -> String {
        let (status, body) = answer(self.install_request(&order(bundle))).await;
        assert_eq!(status, 202, "{body}");
        body["job-uri"].as_str().unwrap().to_owned()
    }

    async fn job(&self, uri: &str) -> Value {
        let (status, job) = self.get(uri).await;
        assert_eq!(status, 200, "{job}");
        forms::job(&job);
        job
    }

    /// Makes a token; its value.
    async fn authorized(&self) -> String {
        let (status, token) = self.post(AUTHORIZE).await;
        assert_eq!(status, 200, "{token}");
        forms::token(&token);
        token["authorization-token"].as_str().unwrap().to_owned()
    }

    /// A token, and an update that IBM scheduled with it for an hour from now, with a window of 30 minutes; its id.
    async fn scheduled(&self) -> String {
        let token = self.authorized().await;
        self.hmc.ibm().schedule(&token, BUNDLE_NEW, HOUR, 30).unwrap()
    }

    /// The updates and the tokens that are listed.
    async fn listed(&self) -> (Vec<Value>, Vec<Value>) {
        let (status, list) = self.get(UPDATES).await;
        assert_eq!(status, 200, "{list}");
        forms::updates(&list);
        let all = |name: &str| list[name].as_array().unwrap().clone();
        (all("remote-firmware-updates"), all("remote-firmware-update-tokens"))
    }

    async fn update(&self, id: &str) -> Value {
        let (status, update) = self.get(&format!("{UPDATES}/{id}")).await;
        assert_eq!(status, 200, "{update}");
        forms::update(&update);
        update
    }

    /// What the console says is its bundle.
    async fn bundle(&self) -> String {
        let (status, console) = self.get("/api/console").await;
        assert_eq!(status, 200, "{console}");
        forms::console(&console);
        console["ec-mcl-description"]["bundle-level"].as_str().unwrap().to_owned()
    }

    /// Moves the clock; the door follows before this returns.
    async fn advance(&self, secs: u64) {
        self.hmc.clock().advance(Duration::from_secs(secs));
        self.hmc.caught_up().await;
    }

    /// Moves the clock over the restart of an upgrade that has just begun, by whomever, and to its end.
    async fn finish(&mut self) {
        self.advance(60 + 300 + 1).await;
        self.advance(240 + 30).await;
        self.log_on().await;
    }

    fn starts(&self) -> usize {
        self.hmc.committed().len()
    }
}

/// What asks for a single step install of this bundle.
fn order(bundle: &str) -> Value {
    json!({"bundle-level": bundle, "backup-location-type": "usb", "accept-firmware": true})
}

/// The same, retrieved from an FTP server.
fn order_by_ftp(bundle: &str, password: &str) -> Value {
    json!({
        "bundle-level": bundle,
        "backup-location-type": "ftp",
        "accept-firmware": true,
        "ftp-retrieve": true,
        "ftp-server-host": "ftp.example.com",
        "ftp-server-user": "anchor",
        "ftp-server-password": password,
        "ftp-server-directory": "/bundles",
        "ftp-server-protocol": "sftp",
    })
}

/// An answer without a body.
fn bare(status: u16) -> Answer {
    (status, json!(null))
}
