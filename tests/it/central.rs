//! The world of one story about Aruba Central: a [`Ground`], and a simulated Central with a Connection of its own on it.
//!
//! Central's clock stands still until the story moves it, and with it the wall clock of its operators: a start names a time, and is judged by
//! whether that has come. What a story may trust is the simulator's own log of committed starts, never a status.

use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use serde_json::json;
use windlass::api::Connection;
use windlass::api::FirmwareUpgrade;
use windlass::api::Inventory;

use crate::ground::Ground;
use crate::ground::NeverCame;
use crate::ground::Operator;
use crate::ground::PATIENCE;
use crate::ground::Status;
use crate::sim::Action;
use crate::sim::Entry;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Central;
use crate::sim::aruba::Config;
use crate::sim::aruba::Kind;
use crate::sim::aruba::MSP;

/// Name of the Connection, and of its Secret.
pub const NAME: &str = "central-msp";

/// Name of the row: the target's object.
pub const ROW: &str = "4d1c0000/CX";

/// A Central with so many calls a day that no look waits for them: stories about the quota set fewer.
pub fn still() -> Config {
    Config::still().settings(|s| s.per_day = 900_000)
}

/// One Central in a story's namespace.
pub struct World {
    ground: Ground,
    /// Central.
    pub central: Running<Central>,
    /// How far its clock was moved, in milliseconds.
    moved: AtomicI64,
}

impl Deref for World {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl World {
    /// A namespace and a Central; no operator runs yet.
    pub async fn new(story: &str, config: Config) -> anyhow::Result<World> {
        let mut ground = Ground::new(story).await?;
        for (name, millis) in [
            ("pollCentral", 250),
            ("pollCentralWaiting", 1000),
            ("probeCentral", 2000),
            ("centralSecond", 20),
            ("tokenPause", 1_800_000),
        ] {
            ground.timing[name] = json!(millis);
        }
        Ok(World {
            ground,
            central: Central::start(config).await?,
            moved: AtomicI64::new(0),
        })
    }

    /// The same, with its Connection, by a user and a password, and an operator.
    pub async fn ready(story: &str, config: Config) -> anyhow::Result<(World, Operator)> {
        let world = World::new(story, config).await?;
        world.by_user(aruba::PASSWORD).await?;
        world.connect(900_000).await?;
        let operator = world.operator().await?;
        Ok((world, operator))
    }

    /// Applies a Secret with a user.
    pub async fn by_user(&self, password: &str) -> anyhow::Result<()> {
        self.secret_of(json!({"username": aruba::USER, "password": password})).await
    }

    /// Applies a Secret with a refresh token.
    pub async fn by_token(&self, token: &str) -> anyhow::Result<()> {
        self.secret_of(json!({"refreshToken": token})).await
    }

    async fn secret_of(&self, more: Value) -> anyhow::Result<()> {
        let mut data = json!({"clientID": aruba::CLIENT_ID, "clientSecret": aruba::CLIENT_SECRET});
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        let metadata = json!({"name": NAME, "namespace": self.namespace});
        self.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}))
            .await
    }

    /// Applies the Connection.
    pub async fn connect(&self, per_day: u32) -> anyhow::Result<()> {
        self.connect_at(&self.central.url(), self.central.ca_pem(), per_day).await
    }

    /// Applies the Connection, to what stands in front of this Central.
    pub async fn connect_at(&self, url: &str, ca_pem: &str, per_day: u32) -> anyhow::Result<()> {
        self.apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "type": "ArubaCentral", "url": url, "caBundlePEM": ca_pem, "credentialsSecretRef": {"name": NAME},
                "arubaCentral": {"customerId": MSP}, "limits": {"requestsPerDay": per_day},
            },
        }))
        .await
    }

    /// Applies a FirmwareUpgrade `u` of all CX switches of the first customer to this version.
    pub async fn upgrade(&self, version: &str) -> anyhow::Result<()> {
        self.upgrade_with(json!({"version": version}), json!({})).await
    }

    /// The same; `spec` is merged over `{connectionRef}`, and `customer` over what is said of it.
    pub async fn upgrade_with(&self, spec: Value, customer: Value) -> anyhow::Result<()> {
        self.upgrade_as("u", spec, customer).await
    }

    /// Applies a FirmwareUpgrade.
    pub async fn upgrade_as(&self, name: &str, spec: Value, customer: Value) -> anyhow::Result<()> {
        let mut whose = json!({"customerId": CUSTOMER, "deviceType": "CX", "reboot": true});
        merge(&mut whose, customer);
        let mut all = json!({"connectionRef": {"name": NAME}, "arubaCustomer": whose});
        merge(&mut all, spec);
        self.apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "FirmwareUpgrade",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": all,
        }))
        .await
    }

    /// Applies an Inventory of these customers and types.
    pub async fn inventory(&self, customers: &[&str], types: &[&str]) -> anyhow::Result<()> {
        self.apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "connectionRef": {"name": NAME}, "interval": "5m", "arubaCentral": {"customerIds": customers, "deviceTypes": types},
            },
        }))
        .await
    }

    /// Waits until the status of an upgrade is so, and returns it.
    pub async fn until_as(&self, name: &str, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let came = self.until_of::<FirmwareUpgrade>(name, so).await;
        came.map_err(|never| self.never(&format!("upgrade {name}"), what, never))
    }

    /// Waits until the upgrade is so.
    pub async fn until(&self, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        self.until_as("u", what, so).await
    }

    /// Waits until the state of the upgrade and the reason of its Ready condition are so.
    pub async fn reason(&self, state: &str, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == state && s.reason() == reason;
        self.until(&format!("{state}/{reason}"), so).await
    }

    /// Waits until the upgrade waits for this, and nothing was sent for it.
    pub async fn waiting(&self, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == "PENDING" && s.waiting_for() == reason;
        self.until(&format!("waiting for {reason}"), so).await
    }

    /// Waits until it was taken.
    pub async fn taken(&self) -> anyhow::Result<Status> {
        self.until("it was taken", |s| ["STARTED", "RUNNING"].contains(&s.state())).await
    }

    /// Waits until the Connection's Ready condition has this reason, and returns its message.
    pub async fn connected(&self, reason: &str) -> anyhow::Result<String> {
        let came = self.until_of::<Connection>(NAME, |s| s.reason() == reason).await;
        let came = came.map_err(|never| self.never("Connection", reason, never));
        Ok(came?.condition("Ready", "message"))
    }

    /// Waits until the Inventory's status is so.
    pub async fn shown(&self, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let came = self.until_of::<Inventory>(NAME, so).await;
        came.map_err(|never| self.never("Inventory", what, never))
    }

    fn never(&self, who: &str, what: &str, never: NeverCame) -> anyhow::Error {
        let story = format!("{who} never came to: {what}; last: {:#}", never.last);
        never.error.context(self.told(&story, self.central.log()))
    }

    /// Moves Central's clock and that of the operators by as much.
    pub fn advance(&self, secs: u64) -> anyhow::Result<()> {
        self.central.clock().advance(Duration::from_secs(secs));
        let millis = i64::try_from(secs)? * 1000;
        let now = self.moved.fetch_add(millis, Ordering::Relaxed) + millis;
        self.set_clock(now)
    }

    /// Lets everything that is under way at Central come to its end.
    pub fn finish(&self) -> anyhow::Result<()> {
        self.advance(1800)
    }

    /// Lets the operator do whatever it would do: waits until it has listed devices `times` more times.
    pub async fn looks(&self, times: usize) -> anyhow::Result<()> {
        let log = self.central.log();
        let lists = |log: &crate::sim::Log| {
            let listed = |e: &&Entry| e.path == "/firmware/v1/devices" || e.path == "/firmware/v1/swarms";
            log.requests().iter().filter(listed).count()
        };
        let want = lists(log) + times;
        let waited = tokio::time::timeout(PATIENCE, log.wait_until(|log| lists(log) >= want)).await;
        waited.with_context(|| self.told(&format!("the operator did not look {times} more times"), log))
    }

    /// The next start meets this.
    pub fn next_start(&self, action: Action) -> u64 {
        self.central.faults().add(Rule::new(action).on(aruba::starts()).times(1))
    }

    /// The requests for a start, whatever became of them.
    pub fn posts(&self) -> Vec<Entry> {
        self.central.log().requests().into_iter().filter(|e| e.start).collect()
    }

    /// Exactly so many committed starts of the first customer's CX switches, and so many requests for one.
    pub fn assert_started(&self, starts: usize, posts: usize) {
        let log = self.central.log();
        let counts = (self.central.starts(CUSTOMER, Kind::Cx).len(), self.posts().len());
        assert_eq!(counts, (starts, posts), "{}", self.told("committed starts, requests", log));
        assert!(log.duplicates().is_empty(), "{:?}", log.duplicates());
    }

    /// What Central's receipts say; see [`Ground::told_by_receipts_at`].
    pub async fn told_by_receipts(&self) -> anyhow::Result<Vec<String>> {
        self.told_by_receipts_at(self.central.address()).await
    }

    /// A person's word on the newest receipt.
    pub async fn resolve(&self, verdict: &str) -> anyhow::Result<()> {
        self.resolve_at(self.central.address(), verdict).await
    }

    /// What Windlass keeps of tokens: the entry, and its key.
    pub async fn kept(&self) -> anyhow::Result<Option<(String, Value)>> {
        let secrets: kube::Api<Secret> = kube::Api::namespaced(self.client.clone(), &self.namespace);
        let Some(secret) = secrets.get_opt("windlass-tokens").await? else {
            return Ok(None);
        };
        let mut entries = secret.data.unwrap_or_default().into_iter();
        let found = entries.find(|(key, _)| key.starts_with("arubacentral-"));
        Ok(found.map(|(key, bytes)| (key, serde_json::from_slice(&bytes.0).unwrap_or_default())))
    }

    /// Somebody puts this into what Windlass keeps.
    pub async fn keep(&self, key: &str, entry: &Value) -> anyhow::Result<()> {
        let secrets: kube::Api<Secret> = kube::Api::namespaced(self.client.clone(), &self.namespace);
        let patch = kube::api::Patch::Merge(json!({"stringData": {key: entry.to_string()}}));
        secrets.patch("windlass-tokens", &kube::api::PatchParams::default(), &patch).await?;
        Ok(())
    }
}

/// Merges; a null takes a field away.
fn merge(base: &mut Value, more: Value) {
    if let (Value::Object(base), Value::Object(more)) = (base, more) {
        base.extend(more);
        base.retain(|_, value| !value.is_null());
    }
}
