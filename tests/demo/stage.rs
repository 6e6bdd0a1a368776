//! Everything that runs: the control plane, the simulators of all vendors, the operator, and the watches on the API.
//!
//! Made by `main`, used by [`story`](super::story). All children hang on the plane's supervisor, which ends them and removes the
//! folder when this process ends, however it ends. Everything listens on loopback.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;

use crate::appliance;
use crate::central;
use crate::console;
use crate::operator;
use crate::plane::Child;
use crate::plane::KUBERNETES_VERSION;
use crate::plane::Options;
use crate::plane::Plane;
use crate::screen::Screen;
use crate::seen::Seen;
use crate::seen::Watches;
use crate::sim::Clock;
use crate::sim::Config;
use crate::sim::Log;
use crate::sim::Running;
use crate::sim::VCenter;
use crate::sim::appliance::Appliance;
use crate::sim::aruba::Central;
use crate::sim::faults::Faults;
use crate::sim::hmc::Hmc;
use crate::sim::vcenter::Cluster;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Severity;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Simulated seconds that the longest upgrade takes.
const LONGEST: f64 = 1800.0;

/// The stage.
pub struct Stage {
    /// Where it is told.
    pub screen: Arc<Screen>,
    /// The control plane.
    pub plane: Plane,
    /// The vCenter.
    pub vcenter: Running<VCenter>,
    /// The recovery appliance.
    pub appliance: Running<Appliance>,
    /// The HMC.
    pub console: Running<Hmc>,
    /// The Aruba Central.
    pub central: Running<Central>,
    /// Where the operator's endpoints listen.
    pub listen: String,
    watches: Watches,
    operator: Option<Child>,
    binary: PathBuf,
    kubeconfig: PathBuf,
    logs: PathBuf,
    starts: u32,
    patience: Duration,
}

impl Stage {
    /// Starts all but the operator.
    pub async fn set(screen: Arc<Screen>, speed: f64, logs: Option<PathBuf>) -> anyhow::Result<Stage> {
        screen.say("building the operator (a debug build: only that lets its waits be shortened)");
        let binary = operator::build().await?;
        screen.say("starting etcd, kube-apiserver and kube-controller-manager on 127.0.0.1");
        let plane = Plane::start(Options::default()).await.context("the control plane did not start")?;
        let version = if plane.is_pinned() {
            KUBERNETES_VERSION
        } else {
            "as in KUBEBUILDER_ASSETS"
        };
        screen.say(&format!("Kubernetes {version} is ready at {}", plane.server_url()));
        let vcenter = VCenter::start(vcenter(speed)).await?;
        let appliance = Appliance::start(appliance::config(speed)).await?;
        let console = Hmc::start(console::config(speed)).await?;
        let central = Central::start(central::config()).await?;
        screen.say(&format!(
            "a simulated vCenter listens at {}, a recovery appliance at {}, an HMC at {}; their clocks run {speed} times as fast as ours; and an Aruba \
             Central at {}, whose clock is ours, since a start there names a time: its downloads take seconds instead",
            vcenter.url(),
            appliance.url(),
            console.url(),
            central.url()
        ));
        let logs = logs.unwrap_or_else(|| plane.scratch().to_owned());
        std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        let logs = logs.canonicalize().with_context(|| logs.display().to_string())?;
        let client = plane.client().await?;
        let mut stage = Stage {
            watches: Watches::start(&client, Arc::clone(&screen)),
            kubeconfig: plane.scratch().join("operator.kubeconfig"),
            listen: format!("127.0.0.1:{}", free_port()?),
            patience: Duration::from_mins(2) + Duration::from_secs_f64(LONGEST / speed),
            operator: None,
            starts: 0,
            screen,
            plane,
            vcenter,
            appliance,
            console,
            central,
            binary,
            logs,
        };
        stage.install().await?;
        Ok(stage)
    }

    /// The chart as it stands, and a token of exactly its ServiceAccount. Its Deployment's pod waits for a node for ever: the operator of the
    /// demo runs as a process beside it.
    async fn install(&mut self) -> anyhow::Result<()> {
        if self.plane.is_pinned() {
            self.screen
                .say("installing Windlass: helm install windlass charts/windlass -n windlass-system --create-namespace");
            let chart = format!("{ROOT}/charts/windlass");
            let args = ["install", "windlass", &chart, "-n", "windlass-system", "--create-namespace"];
            self.plane.helm(&args).await?.ok().context("helm install")?;
        } else {
            // Who brings the control plane need not bring helm. It is the same.
            self.screen.say("installing Windlass: kubectl apply -k deploy/base");
            self.kubectl(&["apply", "-k", &format!("{ROOT}/deploy/base")]).await?;
        }
        let crds = format!("{ROOT}/crds");
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &crds])
            .await?;
        let args = ["create", "token", "windlass", "-n", "windlass-system", "--duration=24h"];
        let token = self.kubectl(&args).await?;
        self.plane.kubeconfig_for_token(token.trim(), &self.kubeconfig)
    }

    /// Runs kubectl as administrator; what it said.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        let run = tokio::time::timeout(self.patience, self.plane.kubectl(args)).await;
        let said = run.with_context(|| format!("kubectl {} did not end", args.join(" ")))??;
        said.ok().with_context(|| format!("kubectl {}", args.join(" ")))
    }

    /// Runs the operator, and returns its process id.
    pub async fn start_operator(&mut self) -> anyhow::Result<u32> {
        self.starts += 1;
        let (kubeconfig, timing) = (self.kubeconfig.display().to_string(), operator::timing().to_string());
        let pod = format!("windlass-demo-{}", self.starts);
        let args = [
            "run",
            "--allow-cidr",
            "127.0.0.0/8",
            "--log-format",
            "text",
            "--listen",
            &self.listen,
        ];
        let env = [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("POD_NAME", &pod),
            ("POD_NAMESPACE", "windlass-system"),
            ("WINDLASS_LOG", "debug"),
            ("WINDLASS_TEST_TIMING", &timing),
        ];
        let log = self.logs.join(format!("operator-{}.log", self.starts));
        // In a folder that was kept there may be one of last time.
        std::fs::write(&log, "")?;
        let child = self.plane.spawn(&self.binary, &args, &env, &log).await?;
        let pid = child.pid();
        self.operator = Some(child);
        Ok(pid)
    }

    /// SIGKILL; returns the process id that is no more.
    pub async fn kill_operator(&mut self) -> anyhow::Result<u32> {
        let operator = self.operator.as_ref().context("no operator runs")?;
        operator.kill9().await?;
        Ok(operator.pid())
    }

    /// Waits for something on the API; `what` says what.
    pub async fn until(&self, what: &str, so: impl FnMut(&Seen) -> bool) -> anyhow::Result<()> {
        self.wait(what, self.watches.until(so)).await
    }

    /// Waits until a fault rule of a vendor holds a request.
    pub async fn held(&self, faults: &Faults, rule: u64) -> anyhow::Result<()> {
        self.wait("no start reached the vendor", faults.wait_until_hit(rule)).await
    }

    /// Waits until the operator has looked at vCenter so many more times: by then it has done whatever it would do.
    pub async fn looks(&self, times: usize) -> anyhow::Result<()> {
        let log = self.vcenter.log();
        let reads = |log: &Log| log.requests().iter().filter(|e| e.method == "GET").count();
        let want = reads(log) + times;
        let looked = async {
            log.wait_until(|log| reads(log) >= want).await;
            Ok(())
        };
        self.wait("the operator does not look at vCenter any more", looked).await
    }

    async fn wait(&self, what: &str, event: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let operator = self.operator.as_ref().context("no operator runs")?;
        tokio::select! {
            biased;
            done = event => done.context(what.to_owned()),
            end = operator.wait() => bail!("the operator ended by itself: {:?}", end?),
            () = tokio::time::sleep(self.patience) => bail!("{what}, though {:?} passed", self.patience),
        }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.watches.now()
    }

    /// What to look at when something went wrong.
    pub fn report(&self) -> String {
        let seen = self.seen();
        let status = serde_json::to_string_pretty(&seen.batch.and_then(|b| b.status)).unwrap_or_default();
        let connection = serde_json::to_string_pretty(&seen.connection.and_then(|c| c.status)).unwrap_or_default();
        let updates: Vec<_> = seen.updates.values().map(|u| &u.status).collect();
        let updates = serde_json::to_string_pretty(&updates).unwrap_or_default();
        let firmware: Vec<_> = seen.firmware.values().map(|u| &u.status).collect();
        let firmware = serde_json::to_string_pretty(&firmware).unwrap_or_default();
        let log = self.operator.as_ref().map_or_else(|| "it does not run".to_owned(), tail);
        format!(
            "the batch's status, last seen:\n{status}\nthe Connection's:\n{connection}\nof the appliance's updates:\n{updates}\nof the \
             FirmwareUpgrades:\n{firmware}\nlast requests to vCenter:\n{}\nto the appliance:\n{}\nto the console:\n{}\nto Central:\n{}\noperator's \
             log:\n{log}",
            last_requests(self.vcenter.log()),
            last_requests(self.appliance.log()),
            last_requests(self.console.log()),
            last_requests(self.central.log())
        )
    }
}

fn last_requests(log: &Log) -> String {
    let requests = log.requests();
    let last = requests[requests.len().saturating_sub(8)..].iter();
    let lines: Vec<String> = last.map(|e| format!("{} {} {}: {:?}", e.at, e.method, e.path, e.outcome)).collect();
    lines.join("\n")
}

fn tail(child: &Child) -> String {
    let log = child.log();
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("windlass::lease")).collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Three clusters as in `deploy/samples`; the pre-checks of one of them warn.
fn vcenter(speed: f64) -> Config {
    let cluster = |id: &str, name: &str, available: &[&str], secs: f64| {
        let mut cluster = Cluster::new(id, "v1.29.7+vmware.1", available);
        name.clone_into(&mut cluster.name);
        cluster.upgrade_secs = Duration::from_secs_f64(secs).as_secs();
        cluster
    };
    let mut config = Config {
        clusters: vec![
            cluster("domain-c8", "lab-a", &["v1.30.5+vmware.2", "v1.31.4+vmware.1"], 600.0),
            cluster("domain-c21", "prod-a", &["v1.30.5+vmware.2", "v1.31.4+vmware.1"], LONGEST),
            cluster("domain-c34", "prod-b", &["v1.29.9+vmware.1", "v1.30.5+vmware.2"], 600.0),
        ],
        ..Config::default()
    };
    let warning = Note::new(Severity::Warning, "Host esx-7 of prod-a has less than 20 % free space on /var/log.");
    config.clusters[1].prechecks = vec![warning];
    // As a real one, it takes a moment from the acceptance of an upgrade to its first sign.
    config
        .settings(|s| s.accept_delay_secs = 60)
        .clock(Clock::new(jiff::Timestamp::now(), speed))
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
