//! What every figure stands on: a control plane of its own with the chart installed, and the operator as a process under exactly its rights.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::Client;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use windlass::api::Connection;

use crate::audit::Audit;
use crate::plane::Child;
use crate::plane::Options;
use crate::plane::Plane;

/// The folder of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A plane with Windlass installed.
pub struct Stage {
    /// The control plane.
    pub plane: Plane,
    /// Its administrator.
    pub client: Client,
    /// What the operator asks of it.
    pub audit: Audit,
    /// The operator's binary.
    pub binary: PathBuf,
    /// The operator's kubeconfig.
    pub kubeconfig: PathBuf,
    runs: std::cell::Cell<u32>,
}

/// An operator that runs.
pub struct Operator {
    /// The process.
    pub child: Child,
    listen: String,
}

impl Stage {
    /// Starts the plane and installs the chart.
    pub async fn set(binary: &Path) -> anyhow::Result<Stage> {
        // The log of every request is read again: it must not be cut off and begun anew in between.
        let options = Options {
            apiserver_flags: vec!["--audit-log-maxsize=4096".to_owned()],
        };
        let plane = Plane::start(options).await.context("the control plane did not start")?;
        let kubeconfig = plane.scratch().join("operator.kubeconfig");
        if plane.is_pinned() {
            let chart = format!("{ROOT}/charts/windlass");
            let args = ["install", "windlass", &chart, "-n", "windlass-system", "--create-namespace"];
            plane.helm(&args).await?.ok().context("helm install")?;
        } else {
            // Who brings the control plane need not bring helm. It is the same.
            plane.kubectl(&["apply", "-k", &format!("{ROOT}/deploy/base")]).await?.ok()?;
        }
        let crds = format!("{ROOT}/crds");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &crds];
        plane.kubectl(&wait).await?.ok()?;
        let token = ["create", "token", "windlass", "-n", "windlass-system", "--duration=24h"];
        let token = plane.kubectl(&token).await?.ok()?;
        plane.kubeconfig_for_token(token.trim(), &kubeconfig)?;
        Ok(Stage {
            client: plane.client().await?,
            audit: Audit::new(plane.audit_log_path()),
            binary: binary.to_owned(),
            kubeconfig,
            plane,
            runs: std::cell::Cell::new(0),
        })
    }

    /// A namespace whose Secrets the operator may read.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let namespace = self.plane.namespace(prefix).await?.name;
        let role = "--clusterrole=windlass-secret-access";
        let account = "--serviceaccount=windlass-system:windlass";
        let args = ["create", "rolebinding", "windlass-secrets", "-n", &namespace, role, account];
        self.plane.kubectl(&args).await?.ok()?;
        Ok(namespace)
    }

    /// Starts the operator as a Deployment would, but for the leave to connect to loopback: all namespaces, the durations of production, log at info.
    pub async fn operator(&self) -> anyhow::Result<Operator> {
        self.operator_with(&[]).await
    }

    /// The same with more arguments.
    pub async fn operator_with(&self, more: &[&str]) -> anyhow::Result<Operator> {
        let run = self.runs.get() + 1;
        self.runs.set(run);
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = format!("127.0.0.1:{port}");
        let mut args = vec!["run", "--allow-cidr", "127.0.0.0/8", "--listen", &listen];
        args.extend(more);
        let (kubeconfig, pod) = (self.kubeconfig.display().to_string(), format!("windlass-bench-{run}"));
        let env = [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("POD_NAME", &pod),
            ("POD_NAMESPACE", "windlass-system"),
        ];
        let log = self.plane.scratch().join(format!("operator-{run}.log"));
        let child = self.plane.spawn(&self.binary, &args, &env, &log).await?;
        Ok(Operator { child, listen })
    }

    /// Waits until a Connection can be used.
    pub async fn reachable(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let api: Api<Connection> = Api::namespaced(self.client.clone(), namespace);
        let ready = |connection: Option<&Connection>| {
            let conditions = connection.and_then(|c| c.status.as_ref()).map(|s| &s.conditions);
            conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
        };
        await_condition(api, name, ready).await?;
        Ok(())
    }

    /// Waits until nothing is in flight through a Connection any more, as far as its status says, and no slot of it is taken.
    pub async fn at_rest(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let api: Api<Connection> = Api::namespaced(self.client.clone(), namespace);
        let rests = |connection: Option<&Connection>| {
            let status = connection.and_then(|c| c.status.as_ref());
            status.is_some_and(|s| s.in_flight == Some(0))
        };
        await_condition(api, name, rests).await?;
        Ok(())
    }
}

/// Creates a Secret.
pub async fn secret(client: &Client, namespace: &str, name: &str, data: Value) -> anyhow::Result<()> {
    let secret = json!({"metadata": {"name": name, "namespace": namespace}, "stringData": data});
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    api.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
    Ok(())
}

/// Creates a Connection.
pub async fn connection(client: &Client, namespace: &str, name: &str, spec: Value) -> anyhow::Result<()> {
    let api: Api<Connection> = Api::namespaced(client.clone(), namespace);
    let connection = Connection::new(name, serde_json::from_value(spec)?);
    api.create(&PostParams::default(), &connection).await?;
    Ok(())
}

impl Operator {
    /// SIGTERM; returns when it is gone, with its lease given back.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.child.terminate()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Does something that only goes on as long as the operator runs: one that ended would be waited for in vain.
    pub async fn during<T>(&self, what: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            done = what => done,
            end = self.child.wait() => {
                let log = self.child.log();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                anyhow::bail!("the operator ended by itself: {:?}\n{}", end?, last.join("\n"))
            }
        }
    }

    /// What its endpoint at this path answers; `None` while nobody listens.
    pub async fn get(&self, path: &str) -> anyhow::Result<Option<String>> {
        let Ok(mut stream) = tokio::net::TcpStream::connect(&self.listen).await else {
            return Ok(None);
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.listen);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()))
    }

    /// How often it has decided about upgrades.
    pub async fn decisions(&self) -> anyhow::Result<u64> {
        let metrics = self.get("/metrics").await?.unwrap_or_default();
        let counts = metrics
            .lines()
            .filter(|l| l.starts_with("windlass_reconcile_duration_seconds_count") && !l.contains("\"Connection\""));
        Ok(counts.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Resident memory, in MB (10^6 bytes).
    pub fn resident(&self) -> anyhow::Result<f64> {
        self.memory("VmRSS:")
    }

    /// The most that it ever had.
    pub fn peak(&self) -> anyhow::Result<f64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.pid()))?;
        let line = status.lines().find_map(|l| l.strip_prefix(field)).context("no such field")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    /// Time of a core that it has used so far, in seconds.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        // Linux counts in hundredths of a second on every machine that this runs on (USER_HZ).
        const TICKS: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.pid()))?;
        // The name, in parentheses, may have anything in it.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }
}
