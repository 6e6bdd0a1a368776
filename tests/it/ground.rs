//! The ground of one story, whatever the vendor: a namespace, and the real operator binary under exactly the chart's RBAC.
//!
//! A world of one vendor stands on it ([`world`](crate::world)) and lends it out by `Deref`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::ResourceExt as _;
use kube::api::ApiResource;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::ValidationDirective;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use windlass::api::Connection;
use windlass::api::UpgradeReceipt;

use crate::deploy::deployed;
use crate::plane::Child;
use crate::plane::Plane;
use crate::sim::Log;

/// Longest wait for something that must happen. Far above what it takes, since two cores run a dozen stories at once.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How often a waiting story looks at the API server.
const POLL: Duration = Duration::from_millis(100);

/// Durations of the operator under test, in milliseconds: as short as the order between them, and a busy machine, allow. What is offered
/// is good for longer than several looks at the pace of one appliance take; else nobody would ever act on it.
pub fn timing() -> Value {
    json!({
        "ttl": 6000, "connectTimeout": 1500, "startTimeoutVcenter": 2500, "startTimeoutAppliance": 2500, "startTimeoutHmc": 2500, "startTimeoutCentral": 2500, "appliancePause": 100, "offers": 5000,
        "horizonSlack": 500, "grace": 11_000, "wake": 5000, "pollMoving": 250, "pollHmc": 250, "pollCalmAfter": 60_000, "pollCalm": 1000,
        "pollWaiting": 1000, "retryFirst": 300, "retryMax": 3_600_000, "sweep": 1500, "probe": 2000,
        "leaseDuration": 12_000, "leaseRenewDeadline": 10_000, "leaseRetry": 500, "clockSkew": 30_000,
    })
}

/// One story's namespace, and how its operators run.
pub struct Ground {
    /// The control plane that all stories share.
    pub plane: &'static Plane,
    /// Admin of the cluster.
    pub client: Client,
    /// This story's namespace.
    pub namespace: String,
    /// Durations of its operators.
    pub timing: Value,
    /// More arguments of its operators.
    pub args: Vec<String>,
    /// Who its operators are.
    pub account: Account,
}

/// The ServiceAccount of an operator, as an install makes it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its namespace, which has the lease too.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The ClusterRole that a namespace grants to it for its Secrets.
    pub secrets: String,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            namespace: "windlass-system".to_owned(),
            name: "windlass".to_owned(),
            secrets: "windlass-secret-access".to_owned(),
        }
    }
}

/// An operator that runs.
pub struct Operator {
    child: Child,
    /// Where its endpoints listen.
    pub listen: String,
}

impl Ground {
    /// A namespace whose Secrets the operator may read; no operator runs yet.
    pub async fn new(story: &str) -> anyhow::Result<Ground> {
        Ground::on(deployed().await, story).await
    }

    /// The same on a plane of a story's own, where all of Windlass is deployed.
    pub async fn on(plane: &'static Plane, story: &str) -> anyhow::Result<Ground> {
        let client = plane.client().await?;
        let namespace = plane.namespace(story).await?.name;
        let ground = Ground {
            plane,
            client,
            namespace,
            timing: timing(),
            args: vec!["--allow-cidr".to_owned(), "127.0.0.0/8".to_owned()],
            account: Account::default(),
        };
        ground.grant_secrets().await?;
        Ok(ground)
    }

    /// Starts an operator.
    pub async fn operator(&self) -> anyhow::Result<Operator> {
        self.operator_as(&format!("windlass-{}", self.namespace), None).await
    }

    /// Starts an operator with a lease of this name, which looks for the API server at `server` if that is given.
    pub async fn operator_as(&self, lease: &str, server: Option<&str>) -> anyhow::Result<Operator> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        self.grant_lease(lease).await?;
        let kubeconfig = self.kubeconfig(&run.to_string(), server).await?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut args = vec!["run", "--watch-namespace", &self.namespace, "--lease", lease, "--listen", &listen];
        args.extend(self.args.iter().map(String::as_str));
        let (pod, timing, kubeconfig) = (format!("story-{run}"), self.timing.to_string(), kubeconfig.display().to_string());
        let clock = self.clock_file().display().to_string();
        let env = [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("POD_NAME", &pod),
            ("POD_NAMESPACE", &self.account.namespace),
            ("WINDLASS_LOG", "debug"),
            ("WINDLASS_TEST_TIMING", &timing),
            ("WINDLASS_TEST_CLOCK", &clock),
        ];
        let log = self.plane.scratch().join(format!("{}-{run}.log", self.namespace));
        let child = self.plane.spawn(env!("CARGO_BIN_EXE_windlass").as_ref(), &args, &env, &log).await?;
        Ok(Operator { child, listen })
    }

    /// Writes the kubeconfig of an operator, which looks for the API server at `server` if that is given.
    pub async fn kubeconfig(&self, run: &str, server: Option<&str>) -> anyhow::Result<PathBuf> {
        let token = service_account_token(self.plane, &self.account).await?;
        let kubeconfig = self.plane.scratch().join(format!("{}-{run}.kubeconfig", self.namespace));
        self.plane.kubeconfig_for_token(&token, &kubeconfig)?;
        if let Some(server) = server {
            let direct = std::fs::read_to_string(&kubeconfig)?;
            std::fs::write(&kubeconfig, direct.replace(self.plane.server_url(), server))?;
        }
        Ok(kubeconfig)
    }

    /// Lets the operator read the Secrets of this namespace.
    pub async fn grant_secrets(&self) -> anyhow::Result<()> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "windlass-secrets", "namespace": self.namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.account.secrets},
            "subjects": [{"kind": "ServiceAccount", "name": self.account.name, "namespace": self.account.namespace}],
        });
        self.apply(&binding).await
    }

    /// Lets the operator have a lease of this name, as the chart lets it have the one that its Deployment names, and no other.
    pub async fn grant_lease(&self, lease: &str) -> anyhow::Result<()> {
        let Account { namespace, name, .. } = &self.account;
        if lease == name {
            return Ok(());
        }
        let metadata = json!({"name": lease, "namespace": namespace});
        let own = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [lease], "verbs": ["get", "update"]}],
        });
        let bound = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": lease},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        });
        self.apply(&own).await?;
        self.apply(&bound).await
    }

    /// Applies a Secret with credentials.
    pub async fn secret(&self, name: &str, username: &str, password: &str) -> anyhow::Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": self.namespace},
            "stringData": {"username": username, "password": password},
        });
        self.apply(&secret).await
    }

    /// Server-side apply: the very request that `kubectl apply --server-side --force-conflicts` sends. Where it is about kubectl itself, a
    /// story runs the real one; hundreds of processes of it would be half of what a whole run costs.
    pub async fn apply(&self, object: &Value) -> anyhow::Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let types = object.types.clone().context("an object to apply has apiVersion and kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let params = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply("kubectl").force()
        };
        let name = object.name_any();
        api.patch(&name, &params, &Patch::Apply(&object))
            .await
            .with_context(|| format!("{} {name}", types.kind))?;
        Ok(())
    }

    /// Milliseconds that the wall clock of this story's operators is off by are in here; without it, none.
    pub fn clock_file(&self) -> PathBuf {
        self.plane.scratch().join(format!("{}.clock", self.namespace))
    }

    /// Sets the wall clock of this story's operators off by so many milliseconds, also while they run. Not that of the API server.
    pub fn set_clock(&self, off_by: i64) -> anyhow::Result<()> {
        // A file that is half written would be another offset for a moment.
        let whole = self.clock_file().with_extension("clock.new");
        std::fs::write(&whole, off_by.to_string())?;
        std::fs::rename(whole, self.clock_file())?;
        Ok(())
    }

    /// Sets or, with `Null`, removes a field of a Connection's spec.
    pub async fn edit_connection(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.connections().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Patches an object's spec.
    pub async fn edit_spec<K>(&self, name: &str, spec: Value) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api::<K>().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Connections of this namespace.
    pub fn connections(&self) -> Api<Connection> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Receipts of this namespace's runs, oldest first.
    pub async fn receipts(&self) -> anyhow::Result<Vec<UpgradeReceipt>> {
        let api: Api<UpgradeReceipt> = Api::all(self.client.clone());
        let params = kube::api::ListParams::default().fields(&format!("spec.claim.run.namespace={}", self.namespace));
        let mut receipts = api.list(&params).await?.items;
        receipts.sort_by_key(|r| (r.spec.claim.target.clone(), r.spec.claim.sequence));
        Ok(receipts)
    }

    /// An object's status as it stands; `None` where there is no such object.
    pub async fn status_of<K>(&self, name: &str) -> anyhow::Result<Option<Status>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
    {
        let Some(object) = self.api::<K>().get_opt(name).await? else {
            return Ok(None);
        };
        Ok(Some(Status {
            generation: object.meta().generation.unwrap_or(0),
            json: serde_json::to_value(&object)?["status"].take(),
        }))
    }

    /// Waits until the status of an object, of its newest generation, is so.
    pub async fn until_of<K>(&self, name: &str, so: impl Fn(&Status) -> bool) -> Result<Status, NeverCame>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
    {
        let mut last = Value::Null;
        let waited = patiently(async || {
            let status = self.status_of::<K>(name).await?;
            last = status.as_ref().map(|s| s.json.clone()).unwrap_or_default();
            Ok(status.filter(|s| s.seen() && so(s)))
        });
        waited.await.map_err(|error| NeverCame { error, last })
    }

    /// What to look at when a story fails: the last requests at its vendor, and the end of its operators' logs.
    pub fn told(&self, what: &str, log: &Log) -> String {
        let requests: Vec<String> = log.requests().iter().rev().take(12).rev().map(|e| format!("{e:?}")).collect();
        let logs: Vec<PathBuf> = std::fs::read_dir(self.plane.scratch())
            .map(|d| d.filter_map(|e| e.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        let ours = logs
            .iter()
            .filter(|p| p.extension().is_some_and(|e| e == "log") && p.to_string_lossy().contains(&self.namespace));
        let tails: Vec<String> = ours
            .filter_map(|p| std::fs::read_to_string(p).ok())
            .map(|text| {
                text.lines()
                    .rev()
                    .filter(|l| !l.contains("windlass::lease") && !l.contains("list_clusters"))
                    .take(40)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect::<Vec<_>>()
                    .join("\n")
            })
            .collect();
        format!(
            "{what}\nlast requests:\n{}\noperator:\n{}",
            requests.join("\n"),
            tails.join("\n---\n")
        )
    }

    /// Creates an object here.
    pub async fn create<K>(&self, name: &str, mut object: Value) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        object["metadata"] = json!({"name": name, "namespace": self.namespace});
        let object = serde_json::from_value(object)?;
        self.api::<K>().create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Everything that people and programs can read of this story, as one text: objects, Events, receipts, metrics, logs.
    pub async fn readable(&self, operators: &[&Operator]) -> anyhow::Result<String> {
        let kinds = "connections.windlass.dev,clusterupgradebatches.windlass.dev,applianceupdates.windlass.dev,firmwareupgrades.windlass.dev,inventories.windlass.dev,events.events.k8s.io";
        let mut all = self
            .plane
            .kubectl(&["get", kinds, "-n", &self.namespace, "-o", "json"])
            .await?
            .ok()?;
        all.push_str(&serde_json::to_string(&self.receipts().await?)?);
        for operator in operators {
            all.push_str(&operator.log()?);
            if !operator.child.has_ended() {
                all.push_str(&operator.get("/metrics").await?.1);
            }
        }
        Ok(all)
    }
}

/// What was waited for did not come.
#[derive(Debug)]
pub struct NeverCame {
    /// Why the wait ended.
    pub error: anyhow::Error,
    /// The status as it stood.
    pub last: Value,
}

/// Waits until `probe` gives something.
pub async fn patiently<T>(mut probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "waited {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}

impl Operator {
    /// SIGKILL; returns when it is gone.
    pub async fn kill9(self) -> anyhow::Result<()> {
        self.child.kill9().await?;
        Ok(())
    }

    /// SIGTERM; returns its exit code when it is gone.
    pub async fn terminate(self) -> anyhow::Result<Option<i32>> {
        self.child.terminate()?;
        Ok(self.child.wait().await?.code)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether it has not ended.
    pub fn runs(&self) -> bool {
        !self.child.has_ended()
    }

    /// SIGTERM; returns at once.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        self.child.terminate()
    }

    /// Its exit code once it is gone.
    pub async fn gone(self) -> anyhow::Result<Option<i32>> {
        Ok(self.child.wait().await?.code)
    }

    /// What its endpoint at this path answers: status and body.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut stream = tokio::net::TcpStream::connect(&self.listen).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.listen);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).context("a status line")?.parse()?;
        let (_, body) = answer.split_once("\r\n\r\n").context("a body")?;
        Ok((status, body.to_owned()))
    }

    /// Everything it logged so far.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.child.log_path())?)
    }
}

/// A status, as JSON: what a program reads, not what our types make of it.
#[derive(Clone, Debug)]
pub struct Status {
    generation: i64,
    /// The status.
    pub json: Value,
}

impl Status {
    /// It belongs to the newest generation.
    fn seen(&self) -> bool {
        self.json["observedGeneration"] == self.generation
    }

    /// `state`.
    pub fn state(&self) -> &str {
        self.json["state"].as_str().unwrap_or_default()
    }

    /// `message`.
    pub fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }

    /// `waitingFor`.
    pub fn waiting_for(&self) -> &str {
        self.json["waitingFor"].as_str().unwrap_or_default()
    }

    /// A field of a condition.
    pub fn condition(&self, type_: &str, field: &str) -> String {
        let conditions = self.json["conditions"].as_array().into_iter().flatten();
        let found = conditions.filter(|c| c["type"] == type_).find_map(|c| c[field].as_str());
        found.unwrap_or_default().to_owned()
    }

    /// Reason of Ready.
    pub fn reason(&self) -> String {
        self.condition("Ready", "reason")
    }

    /// A row.
    pub fn row(&self, cluster: &str) -> &Value {
        self.json["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|r| r["name"] == cluster)
            .unwrap_or(&Value::Null)
    }

    /// A row's state.
    pub fn row_state(&self, cluster: &str) -> &str {
        self.row(cluster)["state"].as_str().unwrap_or_default()
    }

    /// A row's message.
    pub fn row_message(&self, cluster: &str) -> &str {
        self.row(cluster)["message"].as_str().unwrap_or_default()
    }

    /// Reasons of the blockers.
    pub fn blockers(&self) -> Vec<&str> {
        self.json["blockers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|b| b["reason"].as_str())
            .collect()
    }
}

async fn service_account_token(plane: &Plane, account: &Account) -> anyhow::Result<String> {
    static TOKENS: Mutex<BTreeMap<String, String>> = Mutex::const_new(BTreeMap::new());
    let (mut tokens, key) = (TOKENS.lock().await, format!("{} {account:?}", plane.server_url()));
    if let Some(token) = tokens.get(&key) {
        return Ok(token.clone());
    }
    let args = ["create", "token", &account.name, "-n", &account.namespace, "--duration=24h"];
    let token = plane.kubectl(&args).await?.ok()?.trim().to_owned();
    tokens.insert(key, token.clone());
    Ok(token)
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// How often the operator with these metrics has decided, about whatever has this label.
pub fn decisions(metrics: &str, label: &str) -> u64 {
    let counts = metrics
        .lines()
        .filter(|l| l.starts_with("windlass_reconcile_duration_seconds_count") && l.contains(label));
    counts.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
