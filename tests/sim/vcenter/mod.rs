//! A simulated vCenter: sessions, and upgrades of Supervisor clusters over `namespace-management/software/clusters`.
//!
//! Written from the table of vendor facts and the transcribed OpenAPI subset; nothing in it was compared with a real vCenter. What
//! those leave open is a toggle in [`Settings`]. Started by stories, by the demo and by the example `sim`.

mod api;
mod cluster;
mod session;
mod settings;
mod start;
mod state;
mod wire;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use serde_json::Value;

pub use cluster::{Cluster, Ends, Failure, Run, State};
pub use session::User;
pub use settings::{Already, ErrorType, Exception, Prechecks, Refuse, SecondCall, Settings};
pub use wire::{Note, Severity};

use super::faults::Match;
use super::log::Log;
use super::running::{Options, Running};
use super::vendor::{Reply, Request, Vendor};
use super::{Clock, lock};

/// The header that carries the session's token [C].
pub const SESSION_HEADER: &str = "vmware-api-session-id";

/// The path of the clusters.
pub const CLUSTERS: &str = "/api/vcenter/namespace-management/software/clusters";

/// The version that the clusters of [`Config::with_clusters`] have.
pub const VERSION_OLD: &str = "v1.28.3+vmware.2-fips.1-vsc0.1.9-23708114";
/// The next version, which they offer.
pub const VERSION_NEW: &str = "v1.29.7+vmware.1-fips-vsc0.1.10-24026550";
/// The version after that, which they offer too.
pub const VERSION_NEWER: &str = "v1.30.5+vmware.1-fips-vsc0.1.11-24413045";

/// The user of [`Config::default`], with Namespaces.Manage.
pub const USER: &str = "windlass@vsphere.local";
/// Its password.
pub const PASSWORD: &str = "raise-the-anchor";

/// What a simulated vCenter begins with.
#[derive(Clone, Debug)]
pub struct Config {
    pub clusters: Vec<Cluster>,
    pub users: Vec<User>,
    pub settings: Settings,
    pub clock: Clock,
    /// Names for the certificate, besides 127.0.0.1 and localhost.
    pub names: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            users: vec![User::manager(USER, PASSWORD)],
            settings: Settings::default(),
            clock: Clock::default(),
            names: Vec::new(),
        }
    }
}

impl Config {
    /// `domain-c1` to `domain-c<n>` at [`VERSION_OLD`], offering the two newer ones.
    pub fn with_clusters(n: usize) -> Self {
        let cluster = |n: usize| Cluster::new(&format!("domain-c{n}"), VERSION_OLD, &[VERSION_NEW, VERSION_NEWER]);
        Self {
            clusters: (1..=n).map(cluster).collect(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Changes all clusters.
    #[must_use]
    pub fn each_cluster(mut self, change: impl Fn(&mut Cluster)) -> Self {
        self.clusters.iter_mut().for_each(change);
        self
    }
}

/// The requests that start upgrades, for a fault rule.
pub fn starts() -> Match {
    Match::new("POST", CLUSTERS).query("action=upgradeMultiple")
}

/// The requests that start an upgrade of this cluster.
pub fn starts_of(cluster: &str) -> Match {
    starts().body(&format!("\"{cluster}\""))
}

/// The reads of one cluster.
pub fn reads_of(cluster: &str) -> Match {
    Match::new("GET", &format!("{CLUSTERS}/{cluster}"))
}

/// Logins.
pub fn logins() -> Match {
    Match::new("POST", "/api/session")
}

/// The vendor's state; see `state.rs` for what a test may do with it.
pub struct VCenter {
    inner: Mutex<state::Inner>,
    clock: Clock,
    log: Log,
    logins: AtomicU64,
}

impl VCenter {
    /// Starts on free ports of 127.0.0.1, on the caller's runtime.
    pub async fn start(config: Config) -> anyhow::Result<Running<Self>> {
        Self::start_on(config, 0, 0).await
    }

    /// Starts on these ports; 0 takes a free one.
    pub async fn start_on(config: Config, port: u16, control_port: u16) -> anyhow::Result<Running<Self>> {
        let (clock, log) = (config.clock.clone(), Log::new(config.clock.clone()));
        let inner = Mutex::new(state::Inner::new(&config));
        let vcenter = Self {
            inner,
            clock: clock.clone(),
            log: log.clone(),
            logins: AtomicU64::new(0),
        };
        Running::start(
            vcenter,
            clock,
            log,
            &Options {
                port,
                control_port,
                names: config.names,
            },
        )
        .await
    }

    fn count_login(&self) {
        self.logins.fetch_add(1, Ordering::SeqCst);
    }
}

impl Vendor for VCenter {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Reply> {
        Box::pin(api::handle(self, request))
    }

    fn is_start(&self, request: &Request) -> bool {
        api::is_start(request)
    }

    fn has_session(&self, request: &Request) -> bool {
        let inner = lock(&self.inner);
        request
            .header(SESSION_HEADER)
            .is_some_and(|token| inner.sessions.knows(token, self.clock.now(), &inner.settings))
    }

    fn expire_sessions(&self) -> usize {
        self.expire_all_sessions()
    }

    fn error_body(&self, status: u16) -> Value {
        wire::error_body(
            wire::error_type_of(status),
            "Injected by a fault rule.",
            lock(&self.inner).settings.error_type,
        )
    }

    fn state(&self) -> Value {
        self.show()
    }

    fn edit(&self, target: &str, edit: Value) -> anyhow::Result<Value> {
        self.edit_json(target, edit)
    }

    fn settings(&self) -> Value {
        self.settings_json()
    }

    fn change_settings(&self, change: Value) -> anyhow::Result<Value> {
        self.change_settings_json(change)
    }
}
