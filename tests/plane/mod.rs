//! The test plane: a real etcd, kube-apiserver and kube-controller-manager on loopback, for stories and for the demo.
//!
//! Included by `#[path]` in `tests/it` and `tests/demo`. Tests call [`Plane::shared`] and take a [`Plane::namespace`] each; the
//! demo calls [`Plane::start`]. Whatever is started hangs on a pipe from this process (see [`supervisor`]), so nothing of it outlives
//! this process, however that ends. It may not touch the user's kubeconfig, home or cluster, and knows nothing about Windlass.
#![allow(dead_code, unused_imports, reason = "each of the programs that include this uses a part of it")]

mod access;
mod build;
mod control_plane;
mod programs;
pub mod supervisor;
mod terminal;
mod tools;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::anyhow;
use k8s_openapi::api::core::v1::Namespace as CoreNamespace;
use kube::api::{Api, ObjectMeta, PostParams};

pub use build::KUBERNETES_VERSION;
pub use programs::Programs;
pub use supervisor::{Child, Exit};
pub use tools::Output;

use control_plane::{ControlPlane, Setup};
use supervisor::{Order, Supervisor};

/// How to start a plane; the default is what tests share.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// More flags for the API server, such as `--etcd-compaction-interval=1s` for faults.
    pub apiserver_flags: Vec<String>,
}

/// A running control plane. Dropping it ends it and removes its folder; so does the end of this process.
pub struct Plane {
    // Fields drop in this order: children are told to die before the supervisor waits for them.
    control: ControlPlane,
    supervisor: Supervisor,
    scratch: PathBuf,
    kubeconfig: PathBuf,
    token: String,
    programs: Programs,
}

/// Where a plane that several tests share is kept, or why there is none.
pub type Kept = OnceLock<Result<Plane, String>>;

/// A namespace of one test's own. The plane is thrown away, so nobody has to delete it.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its name.
    pub name: String,
}

impl Plane {
    /// Starts a plane and returns when its API server is ready. The first start ever builds it, which takes minutes.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let programs = tokio::task::spawn_blocking(Programs::find).await??;
        let scratch = make_scratch()?;
        // From here on the supervisor owns the folder, also if the rest of this start fails.
        let supervisor = Supervisor::start(programs.dialect(), &scratch).inspect_err(|_| drop(std::fs::remove_dir_all(&scratch)))?;
        let token = uuid::Uuid::new_v4().to_string();
        let setup = Setup {
            programs: &programs,
            supervisor: &supervisor,
            scratch: &scratch,
            env: environment(&scratch),
            token: &token,
            apiserver_flags: &options.apiserver_flags,
        };
        let control = control_plane::start(&setup).await?;
        let kubeconfig = scratch.join("admin.kubeconfig");
        let plane = Self {
            control,
            supervisor,
            scratch,
            kubeconfig,
            token,
            programs,
        };
        plane.kubeconfig_for_token(&plane.token, &plane.kubeconfig)?;
        Ok(plane)
    }

    /// The plane that all tests of this process share, started by whoever comes first. Blocks until it is ready.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: Kept = Kept::new();
        Self::kept(&SHARED)
    }

    /// The plane that a group of tests shares, started by whoever comes first. Blocks until it is ready.
    ///
    /// It starts on a thread with a runtime of its own, because the runtime of the test that comes first ends with that test.
    pub fn kept(place: &'static Kept) -> anyhow::Result<&'static Self> {
        let start = || -> anyhow::Result<Plane> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(Plane::start(Options::default()))
        };
        let kept = place.get_or_init(|| {
            let thread = std::thread::spawn(start);
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the start panicked")))
                .map_err(|error| format!("{error:#}"))
        });
        kept.as_ref().map_err(|error| anyhow!("no test plane: {error}"))
    }

    /// `https://127.0.0.1:PORT`.
    pub fn server_url(&self) -> &str {
        &self.control.server
    }

    /// The authority behind the server's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.control.keys.ca_pem
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// One JSON line per answered request, at level Metadata: counts who wrote what.
    pub fn audit_log_path(&self) -> PathBuf {
        control_plane::audit_log(&self.scratch)
    }

    /// The folder that ends with the plane; a good place for logs and kubeconfigs.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Whether this is the pinned version, and not whatever `KUBEBUILDER_ASSETS` holds.
    pub fn is_pinned(&self) -> bool {
        matches!(self.programs, Programs::Pinned(_))
    }

    /// Whether deleted namespaces end: only with a controller-manager.
    pub fn has_controller_manager(&self) -> bool {
        self.programs.has_controller_manager()
    }

    /// The processes of the plane itself, its supervisor first.
    pub fn pids(&self) -> Vec<u32> {
        std::iter::once(self.supervisor.pid())
            .chain(self.control.roles.iter().map(Child::pid))
            .collect()
    }

    /// An administrator's client. Make one per test: its worker ends with the runtime that made it.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        self.client_with_token(&self.token).await
    }

    /// A client that is whoever the token says, such as a ServiceAccount.
    pub async fn client_with_token(&self, token: &str) -> anyhow::Result<kube::Client> {
        access::client(self.server_url(), self.ca_pem(), token).await
    }

    /// Writes a kubeconfig for a token.
    pub fn kubeconfig_for_token(&self, token: &str, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(
            path,
            access::kubeconfig(self.server_url(), self.ca_pem(), token).to_string(),
        )?)
    }

    /// Makes a namespace that no other test has.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<Namespace> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{prefix}-{}", &id[..8]);
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        };
        let namespaces: Api<CoreNamespace> = Api::all(self.client().await?);
        namespaces
            .create(
                &PostParams::default(),
                &CoreNamespace {
                    metadata,
                    ..CoreNamespace::default()
                },
            )
            .await?;
        Ok(Namespace { name })
    }

    /// Starts a program, such as the operator, that ends with this process at the latest. It sees HOME and TMPDIR in the scratch
    /// folder, PATH, how loud to be (`RUST_LOG`, `RUST_BACKTRACE`) and `env`; stdout and stderr are appended to `log`.
    pub async fn spawn(&self, program: &Path, args: &[&str], env: &[(&str, &str)], log: &Path) -> anyhow::Result<Child> {
        let mut all = self.environment();
        all.extend(env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.supervisor
            .spawn(Order {
                program,
                args,
                env: all,
                log,
            })
            .await
    }

    fn environment(&self) -> Vec<(String, String)> {
        environment(&self.scratch)
    }
}

/// A fresh folder under the system's temporary one. Tokens lie in it, so nobody else may look inside.
pub fn make_scratch() -> anyhow::Result<PathBuf> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let scratch = std::env::temp_dir().join(format!("windlass-plane-{}", &id[..12]));
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(&scratch)?;
    builder.create(scratch.join("tmp"))?;
    Ok(scratch)
}

/// The whole environment of a child: nothing of the user's own Kubernetes, Helm or etcd settings.
fn environment(scratch: &Path) -> Vec<(String, String)> {
    let folder = |path: &Path| path.display().to_string();
    let mut env = vec![
        ("HOME".to_owned(), folder(scratch)),
        ("TMPDIR".to_owned(), folder(&scratch.join("tmp"))),
    ];
    for key in ["PATH", "RUST_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
        env.extend(std::env::var(key).ok().map(|value| (key.to_owned(), value)));
    }
    env
}
