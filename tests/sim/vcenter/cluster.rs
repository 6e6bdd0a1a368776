//! One Supervisor cluster and its upgrade over time.
//!
//! What a cluster shows is a function of what it was told and of the simulated clock; [`Cluster::settle`] turns an upgrade whose
//! end has passed into its result, dated by that end and not by who looked. Called by `state` and `api`; knows nothing of HTTP.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::clock::after;
use super::settings::Settings;
use super::wire::{Note, Severity, condition, localizable, message, messages, time};

/// `State` [C]. There is no UPGRADING.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    Pending,
    Ready,
    Error,
}

/// A cluster. Fields may be changed at any time through `VCenter::edit_cluster`.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    pub id: String,
    pub name: String,
    pub current_version: String,
    /// Oldest first. Reaching one removes it and those before it.
    pub available_versions: Vec<String>,
    /// Control-plane nodes, which `progress` counts [C].
    pub nodes: u32,
    /// How long an upgrade takes, in simulated seconds of PENDING.
    pub upgrade_secs: u64,
    /// Upgrades that begin from now on end in ERROR once that many nodes are done.
    pub fail_after_nodes: Option<u32>,
    /// Not Supervisor-enabled: reads are 400 UNSUPPORTED [C].
    pub supervisor: bool,
    /// What the pre-checks of the next start find.
    pub prechecks: Vec<Note>,
    /// Messages of the cluster itself.
    pub messages: Vec<Note>,
    pub last_upgraded: Option<Timestamp>,
    /// The cluster is in ERROR; perhaps from an upgrade long ago.
    pub failure: Option<Failure>,
    /// An upgrade that was accepted.
    pub run: Option<Run>,
}

/// What is left of an upgrade that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub desired_version: Option<String>,
    pub messages: Vec<Note>,
}

/// An upgrade between its acceptance and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub desired_version: String,
    /// Until then it is accepted, and the cluster looks untouched.
    pub pending_from: Timestamp,
    /// How long all nodes take.
    pub secs: u64,
    pub total: u32,
    pub ends_at: Timestamp,
    pub ends: Ends,
}

/// How an accepted upgrade ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    Done,
    Failed,
    /// By a pre-check after acceptance, with the messages that stay to be read.
    Vetoed(Vec<Note>),
}

impl Cluster {
    /// READY at `current`, three nodes, ten minutes for an upgrade, never upgraded before.
    pub fn new(id: &str, current: &str, available: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            name: format!("supervisor-{id}"),
            current_version: current.to_owned(),
            available_versions: available.iter().map(|&version| version.to_owned()).collect(),
            nodes: 3,
            upgrade_secs: 600,
            fail_after_nodes: None,
            supervisor: true,
            prechecks: Vec::new(),
            messages: Vec::new(),
            last_upgraded: None,
            failure: None,
            run: None,
        }
    }

    /// What it shows. Only right after [`Cluster::settle`].
    pub fn state(&self, now: Timestamp) -> State {
        match (&self.run, &self.failure) {
            (Some(run), _) if now >= run.pending_from => State::Pending,
            (_, Some(_)) => State::Error,
            _ => State::Ready,
        }
    }

    /// Accepts an upgrade at `now` that looks untouched for `delay` seconds.
    pub fn begin(&mut self, version: &str, now: Timestamp, delay: u64) {
        let (pending_from, total) = (after(now, delay), self.nodes);
        let fails = self.fail_after_nodes.filter(|nodes| *nodes < total);
        let share = fails.map_or(self.upgrade_secs, |nodes| {
            self.upgrade_secs.saturating_mul(nodes.into()) / u64::from(total.max(1))
        });
        self.run = Some(Run {
            desired_version: version.to_owned(),
            pending_from,
            secs: self.upgrade_secs,
            total,
            ends_at: after(pending_from, share),
            ends: if fails.is_some() { Ends::Failed } else { Ends::Done },
        });
    }

    /// Accepts an upgrade whose pre-checks then stop it, after `delay` seconds and without a trace but these messages.
    pub fn begin_in_vain(&mut self, version: &str, now: Timestamp, delay: u64, left: Vec<Note>) {
        self.begin(version, now, delay);
        if let Some(run) = &mut self.run {
            (run.ends_at, run.ends) = (run.pending_from, Ends::Vetoed(left));
        }
    }

    /// Turns an upgrade whose end has passed into its result.
    pub fn settle(&mut self, now: Timestamp) {
        let Some(run) = self.run.take_if(|run| now >= run.ends_at) else {
            return;
        };
        match run.ends {
            Ends::Done => {
                if let Some(at) = self.available_versions.iter().position(|version| *version == run.desired_version) {
                    self.available_versions.drain(..=at);
                }
                self.current_version = run.desired_version;
                self.last_upgraded = Some(run.ends_at);
                self.failure = None;
                self.messages.clear();
            }
            Ends::Failed => {
                let text = format!(
                    "Upgrade to {} failed: a control plane node did not become ready.",
                    run.desired_version
                );
                self.fail(Some(run.desired_version), vec![Note::new(Severity::Error, &text)]);
            }
            Ends::Vetoed(left) => self.messages.extend(left),
        }
    }

    /// Puts it into ERROR and ends what was under way.
    pub fn fail(&mut self, desired_version: Option<String>, messages: Vec<Note>) {
        self.run = None;
        self.failure = Some(Failure { desired_version, messages });
    }

    /// `Summary` [C].
    pub fn summary(&self, now: Timestamp, settings: &Settings) -> Value {
        let state = self.state(now);
        let mut summary = json!({
            "cluster": self.id,
            "cluster_name": self.name,
            "current_version": self.current_version,
            "available_versions": self.available_versions,
            "state": state,
        });
        self.date(&mut summary, settings);
        // Unset means that no upgrade is in progress [C].
        if let (State::Pending, true, Some(run)) = (state, settings.summary_desired_version, &self.run) {
            summary["desired_version"] = json!(run.desired_version);
        }
        summary
    }

    /// `Info` [C].
    pub fn info(&self, now: Timestamp, settings: &Settings) -> Value {
        let failed = self.failure.iter().flat_map(|failure| &failure.messages);
        let state = self.state(now);
        let mut info = json!({
            "current_version": self.current_version,
            "available_versions": self.available_versions,
            "messages": self.messages.iter().chain(failed).map(message).collect::<Value>(),
            "state": state,
        });
        self.date(&mut info, settings);
        match (state, &self.run, &self.failure) {
            (State::Pending, Some(run), _) => info["upgrade_status"] = run.status(now, settings),
            (State::Error, _, Some(failure)) => {
                info["upgrade_status"] = json!({"messages": messages(&failure.messages)});
                if let Some(desired) = &failure.desired_version {
                    info["upgrade_status"]["desired_version"] = json!(desired);
                }
            }
            _ if settings.status_when_ready => info["upgrade_status"] = json!({"messages": []}),
            _ => {}
        }
        if settings.conditions {
            let since = self.last_upgraded.unwrap_or(now);
            let judged = |note: &Note| condition("UpgradePrecheck", note, note.severity == Severity::Info, since);
            info["upgrade_prechecks"] = self.prechecks.iter().map(judged).collect();
        }
        info
    }

    fn date(&self, of: &mut Value, settings: &Settings) {
        if let (true, Some(at)) = (settings.last_upgraded_date, self.last_upgraded) {
            of["last_upgraded_date"] = time(at);
        }
    }
}

impl Run {
    /// Nodes done: never falls, and reaches the total only at the end [C].
    pub fn completed(&self, now: Timestamp) -> u32 {
        let passed = now.duration_since(self.pending_from).as_millis().max(0);
        let whole = (i128::from(self.secs) * 1000).max(1);
        u32::try_from(passed * i128::from(self.total) / whole)
            .unwrap_or(u32::MAX)
            .min(self.total)
    }

    fn status(&self, now: Timestamp, settings: &Settings) -> Value {
        let completed = self.completed(now);
        let mut status = json!({"desired_version": self.desired_version, "messages": []});
        if settings.progress {
            let text = format!("Upgraded {completed} of {} control plane nodes.", self.total);
            status["progress"] = json!({"total": self.total, "completed": completed, "message": localizable(&text)});
        }
        if settings.conditions {
            let note = Note::new(Severity::Info, "Control plane nodes are upgraded one after another.");
            status["components"] = json!([condition("ControlPlaneUpgraded", &note, false, self.pending_from)]);
        }
        status
    }
}
