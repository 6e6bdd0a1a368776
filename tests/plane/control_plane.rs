//! Starts etcd, kube-apiserver and kube-controller-manager with the flags of a throw-away cluster, and waits until it is ready.
//!
//! Called by [`super::Plane::start`]. It may bind loopback only and write to the scratch folder only.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::access::{self, Keys};
use super::programs::Programs;
use super::supervisor::{Child, Order, Supervisor};

const POLL: Duration = Duration::from_millis(50);
/// A start takes seconds; a minute means that it will not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the roles are started with.
pub struct Setup<'a> {
    /// Where the programs are.
    pub programs: &'a Programs,
    /// What they hang on.
    pub supervisor: &'a Supervisor,
    /// Where they write.
    pub scratch: &'a Path,
    /// Their environment.
    pub env: Vec<(String, String)>,
    /// The administrator's token.
    pub token: &'a str,
    /// More flags for the API server.
    pub apiserver_flags: &'a [String],
}

/// A control plane that answered `/readyz`.
pub struct ControlPlane {
    /// `https://127.0.0.1:PORT`.
    pub server: String,
    /// Keys of this plane.
    pub keys: Keys,
    /// The roles; dropping them kills them.
    pub roles: Vec<Child>,
}

/// Another process may take a port between our looking for a free one and the child's use of it: then others are tried.
pub async fn start(setup: &Setup<'_>) -> anyhow::Result<ControlPlane> {
    let mut tries = 1;
    loop {
        match attempt(setup, tries).await {
            Err(error) if tries < 5 && error.to_string().contains("address already in use") => tries += 1,
            result => return result,
        }
    }
}

async fn attempt(setup: &Setup<'_>, number: u32) -> anyhow::Result<ControlPlane> {
    let folder = setup.scratch.join(format!("control-plane-{number}"));
    std::fs::create_dir_all(&folder)?;
    let keys = Keys::make(&folder)?;
    // Both ports are held until both are chosen, or they could be the same.
    let (etcd_port, api_port) = {
        let (one, two) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        (one.local_addr()?.port(), two.local_addr()?.port())
    };
    let etcd_url = format!("http://127.0.0.1:{etcd_port}");
    let server = format!("https://127.0.0.1:{api_port}");
    let begin = Instant::now();

    let etcd = role(setup, "etcd", etcd_args(setup.programs, &folder.join("etcd"), &etcd_url)).await?;
    let flags = apiserver_flags(setup, &keys, &folder, &etcd_url, api_port)?;
    let apiserver = role(setup, "kube-apiserver", flags).await?;
    let client = access::client(&server, &keys.ca_pem, setup.token).await?;
    loop {
        // A child that died explains itself better than a poll that fails.
        for (name, child) in [("etcd", &etcd), ("kube-apiserver", &apiserver)] {
            if child.has_ended() {
                bail!("{name} ended: {:?}\n{}", child.wait().await, tail(child));
            }
        }
        if is_ready(&client).await {
            break;
        }
        if begin.elapsed() > PATIENCE {
            bail!(
                "the API server was not ready after {PATIENCE:?}\n{}\n{}",
                tail(&etcd),
                tail(&apiserver)
            );
        }
        tokio::time::sleep(POLL).await;
    }
    let mut roles = vec![etcd, apiserver];
    if setup.programs.has_controller_manager() {
        // Started only now: it looks for the API server once a second.
        let kubeconfig = folder.join("kube-controller-manager.kubeconfig");
        std::fs::write(&kubeconfig, access::kubeconfig(&server, &keys.ca_pem, setup.token).to_string())?;
        roles.push(role(setup, "kube-controller-manager", controller_manager_flags(&kubeconfig, &keys)?).await?);
    }
    Ok(ControlPlane { server, keys, roles })
}

async fn is_ready(client: &kube::Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    client.request_text(request).await.is_ok_and(|answer| answer == "ok")
}

async fn role(setup: &Setup<'_>, role: &str, own: Vec<String>) -> anyhow::Result<Child> {
    let (program, mut args) = setup.programs.command(role)?;
    args.extend(own);
    let log = setup.scratch.join(format!("{role}.log"));
    // The log of an attempt that lost its port must not explain the next one.
    std::fs::write(&log, "")?;
    setup
        .supervisor
        .spawn(Order {
            program: &program,
            args,
            env: thrifty(setup.env.clone()),
            log: &log,
        })
        .await
}

/// A third of what the plane costs on two cores is Go's garbage collection of a heap that stays small anyway: it may grow to some more.
fn thrifty(mut env: Vec<(String, String)>) -> Vec<(String, String)> {
    env.push(("GOGC".to_owned(), "400".to_owned()));
    env
}

/// The role takes its two facts in order; the real program has flags, and without fsync is as throw-away.
fn etcd_args(programs: &Programs, data: &Path, url: &str) -> Vec<String> {
    let data = data.display();
    match programs {
        Programs::Pinned(_) => vec![data.to_string(), url.to_owned()],
        Programs::Assets(_) => vec![
            format!("--data-dir={data}"),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
            "--unsafe-no-fsync".to_owned(),
        ],
    }
}

fn apiserver_flags(setup: &Setup<'_>, keys: &Keys, folder: &Path, etcd: &str, port: u16) -> anyhow::Result<Vec<String>> {
    let tokens = folder.join("tokens.csv");
    std::fs::write(&tokens, format!("{},admin,admin,system:masters\n", setup.token))?;
    let audit_policy = folder.join("audit-policy.json");
    let policy = r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}"#;
    std::fs::write(&audit_policy, policy)?;
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let mut flags = vec![
        format!("--etcd-servers={etcd}"),
        // Should another plane's etcd ever answer in place of ours, then we at least do not write into its data.
        format!("--etcd-prefix=/windlass-{}", uuid::Uuid::new_v4().simple()),
        format!("--secure-port={port}"),
        file("cert-dir", &folder.join("certs")),
        file("tls-cert-file", &keys.cert),
        file("tls-private-key-file", &keys.key),
        file("client-ca-file", &keys.ca),
        file("token-auth-file", &tokens),
        file("service-account-key-file", &keys.service_account_pub),
        file("service-account-signing-key-file", &keys.service_account_key),
        file("audit-policy-file", &audit_policy),
        file("audit-log-path", &audit_log(setup.scratch)),
    ];
    let fixed = [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
    ];
    flags.extend(fixed.map(String::from));
    flags.extend_from_slice(setup.apiserver_flags);
    Ok(flags)
}

fn controller_manager_flags(kubeconfig: &Path, keys: &Keys) -> anyhow::Result<Vec<String>> {
    let key = keys.service_account_key.to_str().context("a path must be UTF-8")?;
    Ok(vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--service-account-private-key-file={key}"),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,deployment-controller,\
         replicaset-controller,clusterrole-aggregation-controller"
            .to_owned(),
    ])
}

/// Where the API server writes one JSON line per request.
pub fn audit_log(scratch: &Path) -> PathBuf {
    scratch.join("audit.log")
}

fn tail(child: &Child) -> String {
    let log = child.log();
    let lines: Vec<&str> = log.lines().collect();
    format!(
        "{}:\n{}",
        child.log_path().display(),
        lines[lines.len().saturating_sub(20)..].join("\n")
    )
}
