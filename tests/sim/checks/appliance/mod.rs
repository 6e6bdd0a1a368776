//! Checks of the simulated appliance, over real TLS with a plain client.

mod forms;
mod installs;
mod others;
mod restarts;
mod sessions;
mod tasks;
mod updates;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::super::appliance::{Appliance, BASE, Config, PASSWORD, SESSION_HEADER, USER};
use super::super::{Clock, Running};
use super::{Answer, answer, client};

/// A simulator whose clock stands still, and a client that is logged in.
struct Bench {
    vr: Running<Appliance>,
    client: Client,
    session: String,
}

impl Bench {
    async fn new(config: Config) -> Self {
        let vr = Appliance::start(config.clock(Clock::frozen())).await.unwrap();
        let client = client(&vr);
        let mut bench = Self {
            vr,
            client,
            session: String::new(),
        };
        bench.log_in().await;
        bench
    }

    async fn log_in(&mut self) {
        let (status, body) = self.login(USER, PASSWORD).await;
        assert_eq!(status, 200, "{body}");
        forms::session_id(&body);
        body["session_id"].as_str().unwrap().clone_into(&mut self.session);
    }

    async fn login(&self, user: &str, password: &str) -> Answer {
        let login = self.client.post(format!("{}{BASE}/session", self.vr.url()));
        answer(login.basic_auth(user, Some(password))).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{BASE}{path}", self.vr.url()))
            .header(SESSION_HEADER, &self.session)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str) -> Answer {
        answer(self.request(Method::POST, path)).await
    }

    /// The status of a read whose body may be anybody's page.
    async fn only_status(&self, path: &str) -> u16 {
        self.request(Method::GET, path).send().await.unwrap().status().as_u16()
    }

    fn install_request(&self, version: &str) -> RequestBuilder {
        self.request(
            Method::POST,
            &format!("/appliance/update-manager/updates/{version}/actions/install"),
        )
    }

    async fn install(&self, version: &str) -> Answer {
        answer(self.install_request(version)).await
    }

    /// Begins an install that must be taken; the id of its task.
    async fn installed(&self, version: &str) -> String {
        let (status, task) = self.install(version).await;
        assert_eq!(status, 202, "{task}");
        forms::task(&task);
        task["id"].as_str().unwrap().to_owned()
    }

    async fn task(&self, id: &str) -> Value {
        let (status, task) = self.get(&format!("/tasks/{id}")).await;
        assert_eq!(status, 200, "{task}");
        forms::task_entity(&task);
        task
    }

    async fn status(&self, id: &str) -> Value {
        self.task(id).await["status"].clone()
    }

    /// The first page of tasks.
    async fn tasks(&self) -> Vec<Value> {
        let (status, page) = self.get("/tasks").await;
        assert_eq!(status, 200, "{page}");
        forms::tasks(&page);
        page["list"].as_array().unwrap().clone()
    }

    /// What `GET /appliance` says is the version.
    async fn version(&self) -> String {
        let (status, info) = self.get("/appliance").await;
        assert_eq!(status, 200, "{info}");
        forms::appliance(&info);
        info["appliance_version"].as_str().unwrap().to_owned()
    }

    /// Moves the clock; the door follows before this returns.
    async fn advance(&self, secs: u64) {
        self.vr.clock().advance(std::time::Duration::from_secs(secs));
        self.vr.caught_up().await;
    }

    fn starts(&self) -> usize {
        self.vr.log().committed().len()
    }
}

/// An answer without a body.
fn bare(status: u16) -> Answer {
    (status, json!(null))
}
