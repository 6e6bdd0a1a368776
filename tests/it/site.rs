//! The world of one story about recovery appliances: a [`Ground`], and a simulated appliance with a Connection of its own on it.
//!
//! An appliance is one target, so its name, its Connection's and its row's are the same. What a story may trust is the simulator's own log
//! of committed starts, never a status.

use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::ApplianceUpdate;
use windlass::api::Connection;
use windlass::api::Inventory;

use crate::ground::Ground;
use crate::ground::NeverCame;
use crate::ground::Operator;
use crate::ground::PATIENCE;
use crate::ground::Status;
use crate::ground::patiently;
use crate::sim::Action;
use crate::sim::Clock;
use crate::sim::Entry;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::appliance;
use crate::sim::appliance::Appliance;
use crate::sim::appliance::Config;
use crate::sim::appliance::TARGET;

/// Grace period of [`Site::hasty`].
pub const SHORT_GRACE: Duration = Duration::from_secs(6);

/// An appliance whose update goes on only when the story moves its clock: ten seconds queued, 300 running, 120 away, 60 until its tasks can
/// be read again.
pub fn still() -> Config {
    // Nothing moves this clock while updates are looked for.
    Config::default().clock(Clock::frozen()).settings(|s| s.retrieve_secs = 0)
}

/// An appliance that is done with an update, its restart included, in about three seconds.
pub fn quick() -> Config {
    let config = Config::default().settings(|s| s.retrieve_secs = 0);
    config.machine(|m| (m.queued_secs, m.run_secs, m.down_secs, m.slow_secs) = (0, 1, 1, 1))
}

/// One appliance of a story's world.
pub struct Site {
    /// Its namespace, and how its operators run.
    pub ground: Ground,
    /// The appliance.
    pub appliance: Arc<Running<Appliance>>,
    /// Name of its Connection.
    pub name: String,
}

impl Deref for Site {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for Site {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl Site {
    /// A namespace and an appliance `srm-a`; no operator runs yet.
    pub async fn new(story: &str, config: Config) -> anyhow::Result<Site> {
        Ok(Site {
            ground: Ground::new(story).await?,
            appliance: Arc::new(Appliance::start(config).await?),
            name: "srm-a".to_owned(),
        })
    }

    /// The same, with its Connection and an operator.
    pub async fn ready(story: &str, config: Config) -> anyhow::Result<(Site, Operator)> {
        let site = Site::new(story, config).await?;
        site.connect().await?;
        let operator = site.operator().await?;
        Ok((site, operator))
    }

    /// The same, where a doubt need not be old before silence counts: for stories that wait for that.
    pub async fn hasty(story: &str, config: Config) -> anyhow::Result<(Site, Operator)> {
        let mut site = Site::new(story, config).await?;
        site.hurry()?;
        site.connect().await?;
        let operator = site.operator().await?;
        Ok((site, operator))
    }

    /// Short durations, in the order that the protocol needs.
    pub fn hurry(&mut self) -> anyhow::Result<()> {
        let grace = u64::try_from(SHORT_GRACE.as_millis())?;
        for (name, millis) in [
            ("ttl", 3000),
            ("connectTimeout", 1000),
            ("startTimeoutVcenter", 2000),
            ("startTimeoutAppliance", 2000),
            ("startTimeoutHmc", 2000),
            ("startTimeoutCentral", 2000),
            ("grace", grace),
        ] {
            self.timing[name] = json!(millis);
        }
        Ok(())
    }

    /// Another appliance in the same namespace, with a Connection of this name.
    pub async fn beside(&self, name: &str, config: Config) -> anyhow::Result<Site> {
        let site = Site {
            ground: Ground {
                plane: self.plane,
                client: self.client.clone(),
                namespace: self.namespace.clone(),
                timing: self.timing.clone(),
                args: self.args.clone(),
                account: self.account.clone(),
            },
            appliance: Arc::new(Appliance::start(config).await?),
            name: name.to_owned(),
        };
        site.connect().await?;
        Ok(site)
    }

    /// Applies a Secret and a Connection to the appliance.
    pub async fn connect(&self) -> anyhow::Result<()> {
        self.secret(&self.name, appliance::USER, appliance::PASSWORD).await?;
        self.apply(&self.connection()).await
    }

    /// A Connection to the appliance.
    pub fn connection(&self) -> Value {
        json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "type": "RecoveryAppliance", "url": self.appliance.url(), "caBundlePEM": self.appliance.ca_pem(),
                "credentialsSecretRef": {"name": self.name},
            },
        })
    }

    /// Applies an ApplianceUpdate `u` to this version; with several appliances `u-<connection>`.
    pub async fn update(&self, version: &str) -> anyhow::Result<()> {
        self.update_as(&self.u(), json!({"version": version})).await
    }

    /// Applies an ApplianceUpdate. `spec` is merged over `{connectionRef}`.
    pub async fn update_as(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let mut update = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "ApplianceUpdate",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": {"connectionRef": {"name": self.name}},
        });
        if let (Value::Object(base), Value::Object(more)) = (&mut update["spec"], spec) {
            base.extend(more);
        }
        self.apply(&update).await
    }

    /// Applies an Inventory of the appliance, by the name of its Connection.
    pub async fn inventory(&self) -> anyhow::Result<()> {
        self.apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"connectionRef": {"name": self.name}, "interval": "5m"},
        }))
        .await
    }

    /// Name of the appliance's update.
    pub fn u(&self) -> String {
        if self.name == "srm-a" {
            "u".to_owned()
        } else {
            format!("u-{}", self.name)
        }
    }

    /// Waits until an update's status is so, and returns it.
    pub async fn until_as(&self, name: &str, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let came = self.until_of::<ApplianceUpdate>(name, so).await;
        came.map_err(|never| self.never(&format!("update {name}"), what, never))
    }

    /// Waits until the appliance's update is so.
    pub async fn until(&self, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        self.until_as(&self.u(), what, so).await
    }

    /// Waits until the state of the appliance's update and the reason of its Ready condition are so.
    pub async fn reason(&self, state: &str, reason: &str) -> anyhow::Result<Status> {
        self.reason_as(&self.u(), state, reason).await
    }

    /// Waits until the state of an update and the reason of its Ready condition are so.
    pub async fn reason_as(&self, name: &str, state: &str, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == state && s.reason() == reason;
        self.until_as(name, &format!("{state}/{reason}"), so).await
    }

    /// Waits until the appliance's update waits for this, and nothing was sent for it.
    pub async fn waiting(&self, reason: &str) -> anyhow::Result<Status> {
        let so = |s: &Status| s.state() == "PENDING" && s.waiting_for() == reason;
        self.until(&format!("waiting for {reason}"), so).await
    }

    /// Waits until the Connection's Ready condition has this reason, and returns its message.
    pub async fn connected(&self, reason: &str) -> anyhow::Result<String> {
        let came = self.until_of::<Connection>(&self.name, |s| s.reason() == reason).await;
        let came = came.map_err(|never| self.never(&format!("Connection {}", self.name), reason, never));
        Ok(came?.condition("Ready", "message"))
    }

    /// Waits until the Inventory's status is so.
    pub async fn shown(&self, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let came = self.until_of::<Inventory>(&self.name, so).await;
        came.map_err(|never| self.never(&format!("Inventory {}", self.name), what, never))
    }

    fn never(&self, who: &str, what: &str, never: NeverCame) -> anyhow::Error {
        let story = format!("{who} never came to: {what}; last: {:#}", never.last);
        never.error.context(self.told(&story, self.appliance.log()))
    }

    /// Moves the appliance's clock, and waits until its port is as its state wants it.
    pub async fn advance(&self, secs: u64) {
        self.appliance.clock().advance(Duration::from_secs(secs));
        self.appliance.caught_up().await;
    }

    /// Lets everything that is under way at the appliance come to its end.
    pub async fn finish(&self) {
        self.advance(3600).await;
    }

    /// Lets the operator do whatever it would do: waits until it has looked at the appliance `times` more times.
    pub async fn looks(&self, times: usize) -> anyhow::Result<()> {
        let log = self.appliance.log();
        let reads = |log: &crate::sim::Log| log.requests().iter().filter(|e| e.path.ends_with("/appliance")).count();
        let want = reads(log) + times;
        let waited = tokio::time::timeout(PATIENCE, log.wait_until(|log| reads(log) >= want)).await;
        waited.with_context(|| self.told(&format!("the operator did not look {times} more times"), log))
    }

    /// The next install meets this.
    pub fn next_install(&self, action: Action) -> u64 {
        self.appliance.faults().add(Rule::new(action).on(appliance::installs()).times(1))
    }

    /// The requests that asked for an install, whatever became of them.
    pub fn posts(&self) -> Vec<Entry> {
        self.appliance.log().posts()
    }

    /// How often the operator looked for updates.
    pub fn retrievals(&self) -> usize {
        let requests = self.appliance.log().requests();
        requests.iter().filter(|e| e.path.ends_with("/actions/retrieve-updates")).count()
    }

    /// So many installs were committed, and so many requests asked for one.
    pub fn assert_started(&self, starts: usize, posts: usize) {
        let log = self.appliance.log();
        assert_eq!(
            (log.starts(TARGET).len(), log.posts().len()),
            (starts, posts),
            "{}",
            self.told("committed starts, requests", log)
        );
        assert!(log.duplicates().is_empty(), "{:?}", log.duplicates());
    }

    /// What this appliance's receipts say; see [`Ground::told_by_receipts_at`].
    pub async fn told_by_receipts(&self) -> anyhow::Result<Vec<String>> {
        self.told_by_receipts_at(self.appliance.address()).await
    }

    /// A person's word on the newest receipt of this appliance.
    pub async fn resolve(&self, verdict: &str) -> anyhow::Result<()> {
        self.resolve_at(self.appliance.address(), verdict).await
    }

    /// Deletes an update and waits until it is gone.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let api = self.api::<ApplianceUpdate>();
        api.delete(name, &DeleteParams::default()).await?;
        patiently(async || Ok(api.get_opt(name).await?.is_none().then_some(()))).await
    }
}
