//! A simulated VMware recovery appliance (vSphere Replication, Site Recovery Manager): sessions, tasks, and installs of updates over the
//! appliance configuration API, version 2.
//!
//! Written from the table of vendor facts and the vendor's published specifications; nothing in it was compared with a real appliance.
//! What those leave open is a toggle in [`Settings`]; how an install goes is in [`Machine`]. Its one target is [`TARGET`].
//!
//! ```ignore
//! let vr = Appliance::start(Config::default().clock(Clock::frozen())).await?;
//! vr.faults().add(Rule::new(Action::Drop { when: When::After }).on(appliance::installs()).times(1));
//! // ... let the operator install VERSION_NEW at vr.url() + BASE with vr.ca_pem() ...
//! vr.clock().advance(Duration::from_secs(310)); // queued and running: now it restarts
//! vr.caught_up().await; // its port is closed
//! assert_eq!(vr.log().starts(TARGET).len(), 1);
//! ```

mod api;
mod edit;
mod install;
mod life;
mod limiter;
mod machine;
mod session;
mod settings;
mod state;
mod task;
mod tasks;
mod wire;

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

pub use machine::{Ends, Machine, Service, Update};
pub use session::User;
pub use settings::{
    Ban, Denial, ErrorBody, InstallAnswer, ListMeta, Retention, SecondInstall, SessionLimit, Settings, SlowBoot, TaskNulls, TaskOrder,
    UnknownVersion, UpdatesForm, VersionForm, Wording,
};
pub use task::{Ending, Status, Task, Trouble, What};
pub use wire::Repository;

use super::Clock;
use super::faults::Match;
use super::log::Log;
use super::running::{Options, Running};
use super::vendor::{Power, Reply, Request, Vendor};

/// The header that carries the session's id [C].
pub const SESSION_HEADER: &str = "x-dr-session";

/// The path before all others [I].
pub const BASE: &str = "/api/rest/configure/v2";

/// The target's name in the log and in the control API.
pub const TARGET: &str = "appliance";

/// The version that the machine of [`Config::default`] has.
pub const VERSION_OLD: &str = "9.0.0-10010";
/// The next version, which it is offered.
pub const VERSION_NEW: &str = "9.0.2-10455";
/// The version after that, which it is offered too.
pub const VERSION_NEWER: &str = "9.0.3-10781";

/// The user of [`Config::default`], who may do everything.
pub const USER: &str = "admin";
/// Its password.
pub const PASSWORD: &str = "weigh-the-anchor";

/// What a simulated appliance begins with.
#[derive(Clone, Debug)]
pub struct Config {
    pub machine: Machine,
    pub users: Vec<User>,
    pub settings: Settings,
    /// The path before all others.
    pub base: String,
    /// How many tasks of others have long ended.
    pub old_tasks: u32,
    pub clock: Clock,
    /// Names for the certificate, besides 127.0.0.1 and localhost.
    pub names: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            machine: Machine::new(VERSION_OLD, &[VERSION_NEW, VERSION_NEWER]),
            users: vec![User::manager(USER, PASSWORD)],
            settings: Settings::default(),
            base: BASE.to_owned(),
            old_tasks: 0,
            clock: Clock::default(),
            names: Vec::new(),
        }
    }
}

impl Config {
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

    #[must_use]
    pub fn machine(mut self, change: impl FnOnce(&mut Machine)) -> Self {
        change(&mut self.machine);
        self
    }

    /// So many tasks of others have long ended: more than a page of them, for a client that reads one only.
    #[must_use]
    pub fn with_old_tasks(mut self, n: u32) -> Self {
        self.old_tasks = n;
        self
    }

    /// Gives the old tasks out, oldest first, each of a minute and a minute apart.
    fn each_old_task(&self, mut give: impl FnMut(Task)) {
        let now = self.clock.now();
        for n in (1..=self.old_tasks).rev() {
            let begun = now - jiff::SignedDuration::from_mins(i64::from(n) * 2);
            let what = What::Other {
                kind: Some("support-bundle".to_owned()),
                description: Some(format!("Generate support bundle {n}")),
            };
            give(Task::new(what, begun, 0, 60, Ending::Success));
        }
    }
}

/// The requests that install an update, for a fault rule.
pub fn installs() -> Match {
    installs_of("*")
}

/// The requests that install this update.
pub fn installs_of(version: &str) -> Match {
    Match::new("POST", &format!("*/appliance/update-manager/updates/{version}/actions/install"))
}

/// The requests that look for updates.
pub fn retrievals() -> Match {
    Match::new("POST", "*/appliance/update-manager/actions/retrieve-updates")
}

/// The reads of what the appliance is.
pub fn reads() -> Match {
    Match::new("GET", "*/appliance")
}

/// The reads of the list of tasks.
pub fn task_lists() -> Match {
    Match::new("GET", "*/tasks")
}

/// The reads of single tasks.
pub fn task_reads() -> Match {
    Match::new("GET", "*/tasks/*")
}

/// Logins.
pub fn logins() -> Match {
    Match::new("POST", "*/session")
}

/// The vendor's state; see `state.rs` for what a test may do with it.
pub struct Appliance {
    inner: Mutex<state::Inner>,
    clock: Clock,
    log: Log,
    base: String,
    /// Counts changes: the door has to look again.
    changed: watch::Sender<u64>,
}

impl Appliance {
    /// Starts on free ports of 127.0.0.1, on the caller's runtime.
    pub async fn start(config: Config) -> anyhow::Result<Running<Self>> {
        Self::start_on(config, 0, 0).await
    }

    /// Starts on these ports; 0 takes a free one.
    pub async fn start_on(config: Config, port: u16, control_port: u16) -> anyhow::Result<Running<Self>> {
        let (clock, log) = (config.clock.clone(), Log::new(config.clock.clone()));
        let appliance = Self {
            inner: Mutex::new(state::Inner::new(&config)),
            clock: clock.clone(),
            log: log.clone(),
            base: config.base,
            changed: watch::Sender::new(0),
        };
        let options = Options {
            port,
            control_port,
            names: config.names,
        };
        Running::start(appliance, clock, log, &options).await
    }
}

impl Vendor for Appliance {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move { api::handle(self, request) })
    }

    fn is_start(&self, request: &Request) -> bool {
        api::is_start(self, request)
    }

    fn has_session(&self, request: &Request) -> bool {
        let (inner, now) = self.at_now();
        request
            .header(SESSION_HEADER)
            .is_some_and(|id| inner.sessions.knows(id, now, &inner.settings))
    }

    fn expire_sessions(&self) -> usize {
        self.expire_all_sessions()
    }

    fn power(&self) -> Power {
        self.power_now()
    }

    fn power_changes(&self, seen: Power) -> BoxFuture<'_, ()> {
        Box::pin(self.power_other_than(seen))
    }

    fn error_body(&self, status: u16) -> Value {
        let form = self.at_now().0.settings.error_body;
        wire::error_body(status, "INJECTED", "Injected by a fault rule.", form)
    }

    fn state(&self) -> Value {
        let (mut inner, now) = self.at_now();
        inner.show(now)
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
