//! The world of one story about an HMC: a [`Ground`], and a simulated console with a Connection of its own on it.
//!
//! What a story may trust is the simulator's own log of committed starts, never a status.

use std::ops::Deref;
use std::ops::DerefMut;
use std::time::Duration;

use anyhow::Context as _;
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
use crate::sim::Clock;
use crate::sim::Entry;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::hmc;
use crate::sim::hmc::Config;
use crate::sim::hmc::Hmc;
use crate::sim::hmc::TARGET;

/// Name of the Connection.
pub const NAME: &str = "hmc1";

/// User and password of the server that the console gets its bundles from.
pub const FTP: (&str, &str) = ("bundles", "heave-to-and-hold-fast");

/// A console whose upgrade goes on only when the story moves its clock: 360 seconds until its restart, 240 away, 30 until all of it answers,
/// and 30 more until the job is done.
pub fn still() -> Config {
    Config::default().clock(Clock::frozen())
}

/// One console in a story's namespace.
pub struct Console {
    ground: Ground,
    /// The console.
    pub hmc: Running<Hmc>,
}

impl Deref for Console {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for Console {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl Console {
    /// A namespace and a console; no operator runs yet.
    pub async fn new(story: &str, config: Config) -> anyhow::Result<Console> {
        Ok(Console {
            ground: Ground::new(story).await?,
            hmc: Hmc::start(config).await?,
        })
    }

    /// The same, with its Connection, the Secret of the bundles' server, and an operator.
    pub async fn ready(story: &str, config: Config) -> anyhow::Result<(Console, Operator)> {
        let console = Console::new(story, config).await?;
        console.connect().await?;
        let operator = console.operator().await?;
        Ok((console, operator))
    }

    /// Applies both Secrets and a Connection to the console.
    pub async fn connect(&self) -> anyhow::Result<()> {
        self.secret(NAME, hmc::USER, hmc::PASSWORD).await?;
        self.secret("hmc-ftp", FTP.0, FTP.1).await?;
        self.apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "type": "HMC", "url": self.hmc.url(), "caBundlePEM": self.hmc.ca_pem(), "credentialsSecretRef": {"name": NAME},
            },
        }))
        .await
    }

    /// Applies a FirmwareUpgrade `u` to this bundle, from the server.
    pub async fn upgrade(&self, bundle: &str) -> anyhow::Result<()> {
        self.upgrade_as("u", json!({"version": bundle})).await
    }

    /// Applies a FirmwareUpgrade. `spec` is merged over what gets a bundle from the server.
    pub async fn upgrade_as(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let server = json!({
            "host": "ftp.bank.example", "protocol": "SFTP", "directory": "/bundles", "credentialsSecretRef": {"name": "hmc-ftp"},
        });
        let mut upgrade = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "FirmwareUpgrade", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "connectionRef": {"name": NAME},
                "hmcConsole": {"singleStepInstall": {"backupLocation": "FTP", "ftp": server}},
            },
        });
        if let (Value::Object(base), Value::Object(more)) = (&mut upgrade["spec"], spec) {
            base.extend(more);
        }
        self.apply(&upgrade).await
    }

    /// Applies a FirmwareUpgrade `u` to this bundle, which IBM is to schedule.
    pub async fn remote(&self, bundle: &str, authorize: &str) -> anyhow::Result<()> {
        let how = json!({"remoteSchedule": {"authorize": authorize}});
        self.upgrade_as("u", json!({"version": bundle, "hmcConsole": how})).await
    }

    /// The next authorization meets this.
    pub fn next_authorization(&self, action: Action) -> u64 {
        self.hmc.faults().add(Rule::new(action).on(hmc::authorizations()).times(1))
    }

    /// The requests for a token, whatever became of them.
    pub fn authorizations_asked(&self) -> usize {
        let asks = hmc::AUTHORIZE;
        self.hmc.log().requests().iter().filter(|e| e.path == asks).count()
    }

    /// So many tokens were issued for us, with so many requests, and nothing was installed.
    pub fn assert_authorized(&self, tokens: usize, requests: usize) {
        let installs = self.posts().iter().filter(|e| e.path == hmc::INSTALL).count();
        let counts = (self.hmc.authorizations().len(), self.authorizations_asked(), installs);
        assert_eq!(
            counts,
            (tokens, requests, 0),
            "{}",
            self.told("tokens, requests, installs", self.hmc.log())
        );
    }

    /// What the Secret that Windlass owns here holds for the console.
    pub async fn kept_token(&self) -> anyhow::Result<Option<String>> {
        let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(self.client.clone(), &self.namespace);
        let Some(secret) = secrets.get_opt("windlass-tokens").await? else {
            return Ok(None);
        };
        let kept = secret.data.and_then(|data| data.get("hmc1.remote-firmware-update-token").cloned());
        Ok(kept.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()))
    }

    /// Applies an Inventory of the console that shows only updates of this state.
    pub async fn inventory(&self, state: Option<&str>) -> anyhow::Result<()> {
        let mut inventory = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"connectionRef": {"name": NAME}, "interval": "5m"},
        });
        if let Some(state) = state {
            inventory["spec"]["hmc"] = json!({"state": state});
        }
        self.apply(&inventory).await
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
        self.reason_as("u", state, reason).await
    }

    /// Waits until the state of an upgrade and the reason of its Ready condition are so.
    pub async fn reason_as(&self, name: &str, state: &str, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == state && s.reason() == reason;
        self.until_as(name, &format!("{state}/{reason}"), so).await
    }

    /// Waits until the upgrade waits for this, and nothing was sent for it.
    pub async fn waiting(&self, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == "PENDING" && s.waiting_for() == reason;
        self.until(&format!("waiting for {reason}"), so).await
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
        never.error.context(self.told(&story, self.hmc.log()))
    }

    /// Moves the console's clock, and waits until its port is as its state wants it.
    pub async fn advance(&self, secs: u64) {
        self.hmc.clock().advance(Duration::from_secs(secs));
        self.hmc.caught_up().await;
    }

    /// Lets everything that is under way at the console come to its end.
    pub async fn finish(&self) {
        self.advance(3600).await;
    }

    /// Lets the operator do whatever it would do: waits until it has read the console `times` more times.
    pub async fn looks(&self, times: usize) -> anyhow::Result<()> {
        let log = self.hmc.log();
        let reads = |log: &crate::sim::Log| log.requests().iter().filter(|e| e.path == "/api/console").count();
        let want = reads(log) + times;
        let waited = tokio::time::timeout(PATIENCE, log.wait_until(|log| reads(log) >= want)).await;
        waited.with_context(|| self.told(&format!("the operator did not look {times} more times"), log))
    }

    /// The next install meets this.
    pub fn next_install(&self, action: Action) -> u64 {
        self.hmc.faults().add(Rule::new(action).on(hmc::installs()).times(1))
    }

    /// The requests for an install, whatever became of them.
    pub fn posts(&self) -> Vec<Entry> {
        self.hmc.log().requests().into_iter().filter(|e| e.start).collect()
    }

    /// Exactly so many committed starts, and so many requests for one.
    pub fn assert_started(&self, starts: usize, posts: usize) {
        let log = self.hmc.log();
        assert_eq!(
            (log.starts(TARGET).len(), self.posts().len()),
            (starts, posts),
            "{}",
            self.told("committed starts, requests", log)
        );
        assert!(log.duplicates().is_empty(), "{:?}", log.duplicates());
    }

    /// What the console's receipts say; see [`Ground::told_by_receipts_at`].
    pub async fn told_by_receipts(&self) -> anyhow::Result<Vec<String>> {
        self.told_by_receipts_at(self.hmc.address()).await
    }

    /// A person's word on the newest receipt.
    pub async fn resolve(&self, verdict: &str) -> anyhow::Result<()> {
        self.resolve_at(self.hmc.address(), verdict).await
    }
}
