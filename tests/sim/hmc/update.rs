//! One remote firmware update: what IBM scheduled, and what the console shows of it at a given time.
//!
//! Made and moved by `ibm` and, as its time comes, by `state`. The API can show one and delete one that has not begun; it makes none.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::clock::after;
use super::console::{Console, RCL_PROGRESS};
use super::settings::Settings;
use super::wire::stamp;

/// The path of all updates.
pub const UPDATES: &str = "/api/console/remote-firmware-updates";

/// The steps of an update of a console, in their order [C], and by what part of its time (in percent) each has ended.
const STEPS: [(&str, i64); 6] = [
    ("verify-environment", 2),
    ("back-up-critical-data", 10),
    ("accept-installed-changes", 15),
    ("retrieve-internal-code-changes", 30),
    ("apply-internal-code-changes", 95),
    ("transmit-system-availability-data", 100),
];

/// Where an update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Scheduled,
    /// The peer of a pair of consoles has it. It does not run here until IBM moves it back.
    OnPeer,
    Running {
        from: Timestamp,
        /// What its percentage is reckoned by.
        expected: Timestamp,
    },
    Ended {
        well: bool,
        /// In percent.
        reached: i64,
    },
}

/// An update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    pub id: String,
    pub bundle: String,
    /// When it was scheduled.
    pub created: Timestamp,
    /// When it begins.
    pub due: Timestamp,
    /// How long it waits when the console is busy at its time.
    pub window_mins: u64,
    pub stage: Stage,
    /// A word that is shown as its state, whatever it is.
    pub shown_as: Option<String>,
}

impl Update {
    pub fn new(bundle: &str, created: Timestamp, due: Timestamp, window_mins: u64) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            bundle: bundle.to_owned(),
            created,
            due,
            window_mins,
            stage: Stage::Scheduled,
            shown_as: None,
        }
    }

    /// Its `element-uri`.
    pub fn uri(&self) -> String {
        format!("{UPDATES}/{}", self.id)
    }

    /// When it has waited long enough.
    pub fn closes(&self) -> Timestamp {
        after(self.due, self.window_mins.saturating_mul(60))
    }

    /// Has it not begun?
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Scheduled | Stage::OnPeer)
    }

    /// Its `state`.
    pub fn word(&self, settings: &Settings) -> String {
        if let Some(word) = &self.shown_as {
            return word.clone();
        }
        match self.stage {
            Stage::Scheduled => "scheduled".to_owned(),
            Stage::OnPeer => "scheduled-on-peer".to_owned(),
            Stage::Running { .. } => "running".to_owned(),
            Stage::Ended { well: true, .. } => settings.state_succeeded.clone(),
            Stage::Ended { well: false, .. } => settings.state_failed.clone(),
        }
    }

    /// In percent; all of it only once it has ended well.
    pub fn percent(&self, now: Timestamp) -> i64 {
        match &self.stage {
            Stage::Scheduled | Stage::OnPeer => 0,
            Stage::Running { from, expected } => {
                let passed = now.duration_since(*from).as_millis().max(0);
                let whole = expected.duration_since(*from).as_millis().max(1);
                i64::try_from(passed * 100 / whole).unwrap_or(99).min(99)
            }
            Stage::Ended { reached, .. } => *reached,
        }
    }

    fn steps(&self, now: Timestamp) -> Value {
        let (reached, mut before) = (self.percent(now), 0);
        let step = |(id, until): (&str, i64)| {
            let state = match &self.stage {
                Stage::Scheduled | Stage::OnPeer => "not-started",
                _ if reached >= until => "succeeded",
                _ if reached < before => "not-started",
                Stage::Running { .. } => "running",
                Stage::Ended { .. } => "failed",
            };
            before = until;
            json!({"id": id, "state": state})
        };
        STEPS.map(step).into()
    }

    /// One of a list [C].
    pub fn info(&self, settings: &Settings) -> Value {
        json!({
            "element-uri": self.uri(),
            "scheduled-execution-time": stamp(self.due, settings),
            "target-bundle": self.bundle,
            "state": self.word(settings),
        })
    }

    /// All its properties [I: those of a CPC's].
    pub fn properties(&self, now: Timestamp, console: &Console, settings: &Settings) -> Value {
        let mut all = json!({
            "element-id": self.id,
            "element-uri": self.uri(),
            "parent": "/api/console",
            "class": "remote-firmware-update",
            "creation-time": stamp(self.created, settings),
            "scheduled-execution-time": stamp(self.due, settings),
            "execution-window": self.window_mins,
            "target-bundle": self.bundle,
            "state": self.word(settings),
        });
        if let Some(conditions) = &settings.pending_conditions {
            all["pending-conditions"] = json!(conditions);
        }
        if console.has_feature(RCL_PROGRESS) {
            all["execution-percentage"] = json!(self.percent(now));
            all["execution-steps"] = self.steps(now);
        }
        all
    }
}
