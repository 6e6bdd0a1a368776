//! A simulated Hardware Management Console of IBM Z: sessions, remote firmware updates with the IBM side that schedules them, single step
//! installs with their jobs, and restarts, over the console's Web Services API.
//!
//! Written from the table of vendor facts and the public pages, clients and mocks that it names; nothing in it was compared with a real
//! console. What those leave open is a toggle in [`Settings`]; how an upgrade goes is in [`Console`]. Its one target is [`TARGET`].
//!
//! ```ignore
//! let hmc = Hmc::start(Config::default().clock(Clock::frozen())).await?;
//! hmc.faults().add(Rule::new(Action::Drop { when: When::After }).on(hmc::installs()).times(1));
//! // ... let the operator install BUNDLE_NEW at hmc.url() with hmc.ca_pem() ...
//! hmc.clock().advance(Duration::from_secs(370)); // backed up and installed: now it restarts
//! hmc.caught_up().await; // its port is closed
//! assert_eq!(hmc.committed().len(), 1);
//! // ... or let it authorize, and be IBM:
//! let id = hmc.ibm().schedule_with_newest(BUNDLE_NEW, Duration::from_secs(3600), 30)?;
//! ```

mod api;
mod console;
mod edit;
mod firmware;
mod ibm;
mod install;
mod job;
mod life;
mod session;
mod settings;
mod state;
mod token;
mod update;
mod wire;

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

pub use api::{AUTHORIZE, INSTALL};
pub use console::{Console, Ends, Failure, RCL_PROGRESS};
pub use ibm::Ibm;
pub use install::{Asked, EVERYTHING};
pub use job::{JOBS, Job, JobStatus};
pub use session::{Mfa, User};
pub use settings::{ErrorBody, InstallAnswer, NotOnOffer, PropertiesQuery, Results, SecondInstall, Settings, SlowBoot};
pub use token::Token;
pub use update::{Stage, UPDATES, Update};

use super::Clock;
use super::faults::Match;
use super::log::Log;
use super::running::{Options, Running};
use super::secret;
pub use super::secret::{REDACTED, Secret};
use super::vendor::{Power, Reply, Request, Vendor};

/// The header that carries the session's id [C: X-API-Session], as HTTP compares it.
pub const SESSION_HEADER: &str = "x-api-session";

/// The target's name in the log and in the control API.
pub const TARGET: &str = "console";

/// The bundle that the console of [`Config::default`] is at.
pub const BUNDLE_OLD: &str = "H25";
/// The next bundle, which is on offer.
pub const BUNDLE_NEW: &str = "H30";
/// The bundle after that, which is on offer too.
pub const BUNDLE_NEWER: &str = "H34";

/// The user of [`Config::default`], who may do everything.
pub const USER: &str = "windlass";
/// Its password.
pub const PASSWORD: &str = "weigh-the-anchor";

/// What a simulated console begins with.
#[derive(Clone, Debug)]
pub struct Config {
    pub console: Console,
    pub users: Vec<User>,
    pub settings: Settings,
    pub clock: Clock,
    /// Names for the certificate, besides 127.0.0.1 and localhost.
    pub names: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            console: Console::z16(BUNDLE_OLD, &[BUNDLE_NEW, BUNDLE_NEWER]),
            users: vec![User::manager(USER, PASSWORD)],
            settings: Settings::default(),
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
    pub fn console(mut self, change: impl FnOnce(&mut Console)) -> Self {
        change(&mut self.console);
        self
    }

    /// One user more.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }
}

/// The requests for a single step install, for a fault rule.
pub fn installs() -> Match {
    Match::new("POST", INSTALL)
}

/// The requests that authorize remote firmware updates.
pub fn authorizations() -> Match {
    Match::new("POST", AUTHORIZE)
}

/// The reads of what the console is.
pub fn reads() -> Match {
    Match::new("GET", "/api/console")
}

/// The reads of the list of remote firmware updates.
pub fn update_lists() -> Match {
    Match::new("GET", UPDATES)
}

/// The reads of single remote firmware updates.
pub fn update_reads() -> Match {
    Match::new("GET", "/api/console/remote-firmware-updates/*")
}

/// The reads of jobs.
pub fn job_reads() -> Match {
    Match::new("GET", "/api/jobs/*")
}

/// Logons.
pub fn logons() -> Match {
    Match::new("POST", "/api/sessions")
}

/// The vendor's state; see `state.rs` for what a test may do with it, and `ibm.rs` for what IBM may.
pub struct Hmc {
    inner: Mutex<state::Inner>,
    clock: Clock,
    log: Log,
    /// Counts changes: the door has to look again.
    changed: watch::Sender<u64>,
}

impl Hmc {
    /// Starts on free ports of 127.0.0.1, on the caller's runtime.
    pub async fn start(config: Config) -> anyhow::Result<Running<Self>> {
        Self::start_on(config, 0, 0).await
    }

    /// Starts on these ports; 0 takes a free one.
    pub async fn start_on(config: Config, port: u16, control_port: u16) -> anyhow::Result<Running<Self>> {
        let (clock, log) = (config.clock.clone(), Log::new(config.clock.clone()));
        let hmc = Self {
            inner: Mutex::new(state::Inner::new(&config, log.clone())),
            clock: clock.clone(),
            log: log.clone(),
            changed: watch::Sender::new(0),
        };
        let options = Options {
            port,
            control_port,
            names: config.names,
        };
        Running::start(hmc, clock, log, &options).await
    }
}

impl Vendor for Hmc {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move { api::handle(self, request) })
    }

    fn is_start(&self, request: &Request) -> bool {
        api::is_start(request)
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

    fn logged_body(&self, request: &Request) -> Option<Value> {
        Some(secret::redacted(serde_json::from_slice(&request.body).ok()?))
    }

    fn error_body(&self, status: u16) -> Value {
        let refusal = wire::Refusal::new(status, 1, "Injected by a fault rule.");
        wire::error_body(&refusal, None, None, &self.at_now().0.settings)
    }

    fn refusal_body(&self, request: &Request, status: u16, reason: u32) -> Value {
        let refusal = wire::Refusal::new(status, reason, "Injected by a fault rule.");
        wire::error_body(&refusal, Some(request), None, &self.at_now().0.settings)
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
