//! A simulated Aruba Central (classic), as a provider with many customers uses it: tokens that rotate, quotas, upgrades of all devices of one
//! type of one customer, and the devices that alone tell what became of them.
//!
//! Written from the table of vendor facts, the vendor's pages and the requests that its collection shows; nothing in it was compared with
//! Central itself. What those leave open is a toggle in [`Settings`]; how an upgrade goes is in [`Pace`]. What there is follows from a few
//! numbers in [`Estate`]. A target in the log is [`target`]: one customer and one type.
//!
//! ```ignore
//! let central = Central::start(Config::still().estate(|e| e.customers = 300)).await?;
//! let tokens = central.issue(CLIENT_ID)?; // or let the operator log in as USER with PASSWORD
//! central.faults().add(Rule::new(Action::Drop { when: When::After }).on(aruba::starts()).times(1));
//! // ... let the operator upgrade the CX switches of CUSTOMER at central.url() with central.ca_pem() ...
//! central.clock().advance(Duration::from_secs(600)); // downloaded and rebooted
//! assert_eq!(central.starts(CUSTOMER, Kind::Cx).len(), 1);
//! assert_eq!(central.at_version(CUSTOMER, Kind::Cx, VERSION_NEW)?, 4);
//! ```

mod account;
mod api;
mod cancel;
mod edit;
mod estate;
mod kind;
mod oauth;
mod quota;
mod reads;
mod rows;
mod settings;
mod state;
mod token;
mod unit;
mod upgrade;
mod wire;
mod words;

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::Value;

pub use account::Account;
pub use api::{cancel_path, start_path};
pub use cancel::Cancel;
pub use estate::{Estate, MSP, Place, Sizes, customer, group};
pub use kind::{Kind, Model};
pub use oauth::{AUTHORIZE, LOGIN, TOKEN};
pub use settings::{
    Downgrade, ErrorBody, Ignored, NothingToDo, OverLimit, PastSchedule, RetryAfter, ScheduledAt, SecondStart, Settings, StartAnswer,
    SwarmCount, TenantForm, UnknownCustomer, Unscheduled, VersionsForm,
};
pub use state::Compliance;
pub use token::Pair;
pub use unit::{Diligence, Ends, Order, Pace, Stage, Unit};
pub use upgrade::{RECOMMENDED, Wanted, target};
pub use words::{Word, Words};

use super::Clock;
use super::faults::Match;
use super::log::Log;
use super::running::{Options, Running};
use super::secret;
pub use super::secret::{REDACTED, Secret};
use super::vendor::{Reply, Request, Vendor};

/// The header that says for which customer a call with the provider's token is [C: TenantID], as HTTP compares it.
pub const TENANT_HEADER: &str = "tenantid";

/// Central's own name as a target of the control API.
pub const TARGET: &str = "central";

/// The first customer.
pub const CUSTOMER: &str = "4d1c0000";
/// The second one.
pub const CUSTOMER_2: &str = "4d1c0001";

/// What CX switches are at in the beginning.
pub const VERSION_OLD: &str = "10.11.1021";
/// What the first model of them is recommended.
pub const VERSION_NEW: &str = "10.13.1010";
/// The latest for them.
pub const VERSION_NEWER: &str = "10.13.1040";

/// The client of [`Config::default`], for the provider, who may do everything.
pub const CLIENT_ID: &str = "windlass-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "belay-that-line";
/// Its user.
pub const USER: &str = "windlass@example.com";
/// That user's password.
pub const PASSWORD: &str = "weigh-the-anchor";

/// What a simulated Central begins with.
#[derive(Clone, Debug)]
pub struct Config {
    pub estate: Estate,
    pub pace: Pace,
    pub accounts: Vec<Account>,
    pub settings: Settings,
    pub clock: Clock,
    /// Names for the certificate, besides 127.0.0.1 and localhost.
    pub names: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            estate: Estate::default(),
            pace: Pace::default(),
            accounts: vec![Account::msp(CLIENT_ID, CLIENT_SECRET, USER, PASSWORD)],
            settings: Settings::default(),
            clock: Clock::default(),
            names: Vec::new(),
        }
    }
}

impl Config {
    /// With a clock that stands still until it is moved by hand, and so without a limit of calls a second: that second would never end.
    pub fn still() -> Self {
        let config = Self::default().clock(Clock::frozen());
        config.settings(|settings| settings.enforce_second = false)
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

    #[must_use]
    pub fn pace(mut self, change: impl FnOnce(&mut Pace)) -> Self {
        change(&mut self.pace);
        self
    }

    #[must_use]
    pub fn estate(mut self, change: impl FnOnce(&mut Estate)) -> Self {
        change(&mut self.estate);
        self
    }

    /// One account more.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }
}

/// The requests for an upgrade of any customer, for a fault rule.
pub fn starts() -> Match {
    Match::new("POST", &start_path("*")).except("*/cancel")
}

/// The requests for an upgrade of this customer.
pub fn starts_of(customer: &str) -> Match {
    Match::new("POST", &start_path(customer))
}

/// The requests for a cancel, by whatever path.
pub fn cancels() -> Match {
    Match::new("POST", "/firmware/*/cancel")
}

/// The lists of swarms.
pub fn swarm_lists() -> Match {
    Match::new("GET", "/firmware/v1/swarms")
}

/// The lists of devices.
pub fn device_lists() -> Match {
    Match::new("GET", "/firmware/v1/devices")
}

/// The reads of the status of one device or swarm.
pub fn status_reads() -> Match {
    Match::new("GET", "/firmware/v1/status")
}

/// The reads of versions, of all and of one.
pub fn version_reads() -> Match {
    Match::new("GET", "/firmware/v1/versions*")
}

/// All reads of the firmware service.
pub fn reads() -> Match {
    Match::new("GET", "/firmware/*")
}

/// The first steps of a login.
pub fn logins() -> Match {
    Match::new("POST", LOGIN)
}

/// The refreshes of a token.
pub fn refreshes() -> Match {
    Match::new("POST", TOKEN).query("grant_type=refresh_token")
}

/// The vendor's state; see `state.rs` for what a test may do with it.
pub struct Central {
    inner: Mutex<state::Inner>,
    clock: Clock,
    log: Log,
}

impl Central {
    /// Starts on free ports of 127.0.0.1, on the caller's runtime.
    pub async fn start(config: Config) -> anyhow::Result<Running<Self>> {
        Self::start_on(config, 0, 0).await
    }

    /// Starts on these ports; 0 takes a free one.
    pub async fn start_on(config: Config, port: u16, control_port: u16) -> anyhow::Result<Running<Self>> {
        let (clock, log) = (config.clock.clone(), Log::new(config.clock.clone()));
        let central = Self {
            inner: Mutex::new(state::Inner::new(&config)),
            clock: clock.clone(),
            log: log.clone(),
        };
        let options = Options {
            port,
            control_port,
            names: config.names,
        };
        Running::start(central, clock, log, &options).await
    }
}

impl Vendor for Central {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move { api::handle(self, request) })
    }

    fn is_start(&self, request: &Request) -> bool {
        api::is_start(request)
    }

    fn has_session(&self, request: &Request) -> bool {
        let (inner, now) = self.at_now();
        api::bearer(request).is_some_and(|token| inner.tokens.client(token, now).is_some())
    }

    fn expire_sessions(&self) -> usize {
        self.expire_access_tokens()
    }

    fn logged_body(&self, request: &Request) -> Option<Value> {
        Some(secret::redacted(serde_json::from_slice(&request.body).ok()?))
    }

    fn logged_query(&self, request: &Request) -> String {
        secret::redacted_query(&request.query, &oauth::SECRET)
    }

    fn scope(&self, request: &Request) -> Option<String> {
        request.header(TENANT_HEADER).map(str::to_owned)
    }

    fn error_body(&self, status: u16) -> Value {
        wire::Refusal::injected(status).body(&self.at_now().0.settings)
    }

    fn refusal_body(&self, _request: &Request, status: u16, reason: u32) -> Value {
        let code = wire::Code::numbered(reason);
        wire::Refusal::new(status, code, "Injected by a fault rule.").body(&self.at_now().0.settings)
    }

    fn state(&self) -> Value {
        self.state_json()
    }

    fn edit(&self, target: &str, edit: Value) -> anyhow::Result<Value> {
        edit::apply(self, target, edit)
    }

    fn settings(&self) -> Value {
        self.settings_json()
    }

    fn change_settings(&self, change: Value) -> anyhow::Result<Value> {
        self.change_settings_json(change)
    }
}
