//! One story: a namespace, a vendor, an operator behind a proxy, and a wait until nothing moves any more.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kube::Api;
use kube::Resource;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;

use super::life::Life;
use super::proxy::Proxy;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::SecondCall;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::Operator;
use crate::world::World;

/// Longest wait for a story to come to rest. Far above what it takes, since many run at once.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often a story looks whether it has come to rest.
const POLL: Duration = Duration::from_millis(150);

/// What is over stays so for so long: several passes and looks at the vendor.
const CALM: Duration = Duration::from_millis(1600);

/// A story's world, that of a vCenter unless it says otherwise, and the proxy its operators go through.
pub struct Story<W = World> {
    /// Namespace and vendor.
    pub world: W,
    /// Between its operators and the API server.
    pub proxy: Proxy,
    /// Each operator has a lease of its own: the next one leads at once, whether or not the last has gone.
    leases: AtomicU32,
    /// Its number in this process.
    number: u32,
}

/// How an upgrade came to rest.
#[derive(Clone, Debug)]
pub struct Rest {
    /// Its resource's name.
    pub name: String,
    /// What the simulator calls its targets.
    pub targets: Vec<String>,
    /// Its state, or STUCK.
    pub state: String,
    /// Reason of Ready.
    pub reason: String,
    /// What it says.
    pub message: String,
}

/// Durations of the operator under test: shorter than the other stories', since every doubt costs a horizon and a grace period. The
/// lease alone is long: a process that was stopped must be held back by its permit, not by having lost a lease.
fn timing() -> Value {
    json!({
        "ttl": 3000, "connectTimeout": 700, "startTimeoutVcenter": 1500, "startTimeoutAppliance": 1500, "startTimeoutHmc": 1500, "startTimeoutCentral": 1500, "appliancePause": 50, "offers": 500, "horizonSlack": 300, "grace": 5500,
        "wake": 1500, "pollMoving": 250, "pollHmc": 250, "pollCalmAfter": 60_000, "pollCalm": 500, "pollWaiting": 500,
        "lead": 3500, "pollCentral": 250, "pollCentralWaiting": 500, "probeCentral": 1500, "centralSecond": 20,
        "retryFirst": 200, "retryMax": 2000, "sweep": 1000, "probe": 1500,
        "leaseDuration": 60_000, "leaseRenewDeadline": 50_000, "leaseRetry": 1000, "clockSkew": 30_000, "ledgerTimeout": 1200, "watchSilence": 8000,
    })
}

impl Story {
    /// A namespace, a vCenter with clusters that take two seconds to upgrade, and a proxy. Nothing runs yet.
    pub async fn new(name: &str, clusters: usize) -> anyhow::Result<Story> {
        Story::with(name, Config::with_clusters(clusters), 2).await
    }

    /// The same with this vCenter, whose upgrades take so many seconds.
    ///
    /// Its clusters get names of their own: a target is a vendor's address and a name, and addresses come again on a busy machine.
    pub async fn with(name: &str, mut config: Config, upgrade_secs: u64) -> anyhow::Result<Story> {
        // The least forgiving vendor: a second start is taken, and begins again.
        config.settings.second_call = SecondCall::StartedRestarts;
        let story = number();
        for (cluster, n) in config.clusters.iter_mut().zip(1..) {
            cluster.id = named(story, n);
            cluster.upgrade_secs = upgrade_secs;
        }
        Story::around(World::new(name, config).await?, story).await
    }

    /// Makes the Secret, the Connection `vc` and a batch `b` of all clusters.
    pub async fn apply(&self, clusters: u32) -> anyhow::Result<()> {
        self.secret().await?;
        self.connection().await?;
        self.batch("b", json!({"clusters": self.entries(1..=clusters)})).await
    }

    /// Entries of a batch for these of its clusters, from 1.
    pub fn entries(&self, clusters: std::ops::RangeInclusive<u32>) -> Value {
        clusters.map(|n| json!({"cluster": named(self.number, n)})).collect()
    }

    /// Id of one of its clusters, from 1.
    pub fn cluster(&self, n: u32) -> String {
        named(self.number, n)
    }

    /// Makes the Secret of `vc`.
    pub async fn secret(&self) -> anyhow::Result<()> {
        let secret = json!({
            "metadata": {"name": "vc", "namespace": self.world.namespace},
            "stringData": {"username": vcenter::USER, "password": vcenter::PASSWORD},
        });
        let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.world.client.clone(), &self.world.namespace);
        secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
        Ok(())
    }

    /// Makes the Connection `vc`.
    pub async fn connection(&self) -> anyhow::Result<()> {
        let connection: Connection = serde_json::from_value(self.world.connection("vc"))?;
        self.world.connections().create(&PostParams::default(), &connection).await?;
        Ok(())
    }

    /// Makes a batch.
    pub async fn batch(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let mut all = json!({"connectionRef": {"name": "vc"}, "desiredVersion": VERSION_NEW});
        if let (Value::Object(all), Value::Object(spec)) = (&mut all, spec) {
            all.extend(spec);
        }
        let batch = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch",
            "metadata": {"name": name, "namespace": self.world.namespace}, "spec": all,
        });
        let batch: ClusterUpgradeBatch = serde_json::from_value(batch)?;
        self.world.batches().create(&PostParams::default(), &batch).await?;
        Ok(())
    }
}

impl<W: Life> Story<W> {
    /// Around a world, whose operators get the durations of a proof. `number`: of the story in this process.
    pub async fn around(mut world: W, number: u32) -> anyhow::Result<Story<W>> {
        world.timing = timing();
        let proxy = Proxy::start(world.plane).await?;
        Ok(Story {
            world,
            proxy,
            number,
            leases: AtomicU32::new(0),
        })
    }

    /// One more operator behind the story's proxy.
    pub async fn operator(&self) -> anyhow::Result<Operator> {
        self.operator_behind(&self.proxy).await
    }

    /// One more operator behind another proxy.
    pub async fn operator_behind(&self, proxy: &Proxy) -> anyhow::Result<Operator> {
        let number = self.leases.fetch_add(1, Ordering::Relaxed);
        self.operator_on(&format!("windlass-{}-{number}", self.world.namespace), proxy)
            .await
    }

    /// One more operator behind a proxy, with this lease.
    pub async fn operator_on(&self, lease: &str, proxy: &Proxy) -> anyhow::Result<Operator> {
        self.world.operator_as(lease, Some(&proxy.url())).await
    }

    /// Waits until the upgrade of this name is over, or waits for a person, and has been so for a while: what is sent after an end would be seen.
    pub async fn rest(&self, name: &str) -> anyhow::Result<Rest> {
        let deadline = Instant::now() + PATIENCE;
        let mut since: Option<(String, Instant)> = None;
        loop {
            let (rest, over) = self.look(name).await?;
            match &since {
                Some((state, at)) if over && *state == rest.state => {
                    if at.elapsed() >= CALM {
                        return Ok(rest);
                    }
                }
                _ => since = over.then(|| (rest.state.clone(), Instant::now())),
            }
            if Instant::now() >= deadline {
                return Ok(Rest {
                    state: "STUCK".to_owned(),
                    reason: format!("{} {}", rest.state, rest.reason),
                    ..rest
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn look(&self, name: &str) -> anyhow::Result<(Rest, bool)> {
        let Some(upgrade) = self.world.api::<W::Upgrade>().get_opt(name).await? else {
            anyhow::bail!("{name} is gone");
        };
        let status = serde_json::to_value(&upgrade)?["status"].take();
        let condition = |kind: &str, field: &str| -> String {
            let mut all = status["conditions"].as_array().into_iter().flatten();
            let found = all.find(|c| c["type"] == kind).and_then(|c| c[field].as_str());
            found.unwrap_or_default().to_owned()
        };
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        let over = match state.as_str() {
            "SUCCESS" | "FAILED" | "REJECTED" | "CANCELLED" => true,
            "UNKNOWN" => condition("Stalled", "status") == "True",
            _ => false,
        };
        let seen = status["observedGeneration"] == json!(upgrade.meta().generation);
        let rest = Rest {
            name: name.to_owned(),
            targets: W::targets(&upgrade),
            state,
            reason: condition("Ready", "reason"),
            message: status["message"].as_str().unwrap_or_default().to_owned(),
        };
        Ok((rest, over && seen))
    }

    /// Waits until every upgrade given has come to rest, and fails unless all are SUCCESS with one start each and no breach.
    pub async fn succeeds(&self, names: &[&str]) -> anyhow::Result<()> {
        let mut rests = Vec::new();
        for name in names {
            rests.push(self.rest(name).await?);
        }
        let breaches = super::oracle::breaches(self, &rests).await?;
        anyhow::ensure!(breaches.is_empty(), "{}", self.told(&breaches.join("; ")));
        for rest in &rests {
            anyhow::ensure!(rest.state == "SUCCESS", "{}", self.told(&format!("{rest:?}")));
        }
        Ok(())
    }

    /// What to look at when a story went wrong.
    pub fn told(&self, what: &str) -> String {
        let effects: Vec<String> = self
            .proxy
            .effects()
            .iter()
            .map(|e| format!("{} {} #{}", e.at, e.label, e.nth))
            .collect();
        let posts: Vec<String> = self.world.log().posts().iter().map(|e| format!("{e:?}")).collect();
        let what = format!("{what}\neffects:\n{}\nposts:\n{}", effects.join("\n"), posts.join("\n"));
        self.world.told(&what, self.world.log())
    }
}

/// A number that no other story of this process has.
pub fn number() -> u32 {
    static STORIES: AtomicU32 = AtomicU32::new(1);
    STORIES.fetch_add(1, Ordering::Relaxed)
}

fn named(story: u32, cluster: u32) -> String {
    format!("domain-c{story}{cluster:02}")
}

/// Sends a signal to an operator, such as STOP.
pub async fn signal(operator: &Operator, signal: &str) -> anyhow::Result<()> {
    let pid = operator.pid().to_string();
    let sent = tokio::process::Command::new("kill")
        .args([&format!("-{signal}"), &pid])
        .status()
        .await?;
    anyhow::ensure!(sent.success(), "kill -{signal} {pid}");
    if signal == "STOP" {
        stopped(&pid).await?;
    }
    Ok(())
}

/// Waits until each of its threads stands still: one that runs on for a moment might still read what is released to it.
async fn stopped(pid: &str) -> anyhow::Result<()> {
    let stands = |thread: std::io::Result<std::fs::DirEntry>| -> anyhow::Result<bool> {
        let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
        // `pid (name) state …`; the name may hold anything.
        Ok(stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T')))
    };
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_dir(format!("/proc/{pid}/task"))?
        .map(stands)
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .all(|stands| stands)
    {
        anyhow::ensure!(Instant::now() < deadline, "{pid} does not stop");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
