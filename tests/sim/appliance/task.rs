//! One task: a script that is told when it is made, and what it shows of it at a given time.
//!
//! Made by `install`, by `api` and by tests; kept by `tasks`. A task knows nothing of the machine: that a restart forgets it, or that
//! a version changes with it, is told elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::clock::after;
use super::machine::Update;
use super::settings::{Settings, TaskNulls, Wording};
use super::wire;

/// The status of a task [C].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Queued,
    Running,
    Success,
    Error,
    Cancelled,
}

impl Status {
    /// Has it ended?
    pub fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// `TaskError` [C].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub message: String,
    pub details: String,
}

impl Trouble {
    pub fn new(message: &str, details: &str) -> Self {
        Self {
            message: message.to_owned(),
            details: details.to_owned(),
        }
    }
}

/// What a task is for, apart from how it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An install of this version.
    Install(String),
    RetrieveUpdates,
    /// Anything else; its words are shown whatever the toggle says.
    Other {
        kind: Option<String>,
        description: Option<String>,
    },
}

/// How a task ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Success,
    /// With the updates that were found.
    Found(Vec<Update>),
    Error(Trouble),
    Cancelled,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    pub id: String,
    pub what: What,
    pub created: Timestamp,
    /// QUEUED until then.
    pub runs_from: Timestamp,
    /// What its progress is reckoned by.
    pub expected: Timestamp,
    /// RUNNING until then; without it, for ever.
    pub ends_at: Option<Timestamp>,
    pub ending: Ending,
}

impl Task {
    /// QUEUED and RUNNING for so long, then that ending.
    pub fn new(what: What, now: Timestamp, queued_secs: u64, run_secs: u64, ending: Ending) -> Self {
        let runs_from = after(now, queued_secs);
        let ends_at = after(runs_from, run_secs);
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            what,
            created: now,
            runs_from,
            expected: ends_at,
            ends_at: Some(ends_at),
            ending,
        }
    }

    /// RUNNING until it is told otherwise.
    #[must_use]
    pub fn for_ever(mut self) -> Self {
        self.ends_at = None;
        self
    }

    /// Ends it now, if it has not ended.
    pub fn end(&mut self, now: Timestamp, ending: Ending) {
        if !self.status(now).ended() {
            self.runs_from = self.runs_from.min(now);
            (self.ends_at, self.ending) = (Some(now), ending);
        }
    }

    pub fn status(&self, now: Timestamp) -> Status {
        match self.ends_at {
            Some(at) if now >= at => match self.ending {
                Ending::Success | Ending::Found(_) => Status::Success,
                Ending::Error(_) => Status::Error,
                Ending::Cancelled => Status::Cancelled,
            },
            _ if now < self.runs_from => Status::Queued,
            _ => Status::Running,
        }
    }

    /// In percent; all of it only with success.
    fn percent(&self, now: Timestamp) -> i64 {
        if self.status(now) == Status::Success {
            return 100;
        }
        let until = self.ends_at.map_or(now, |at| now.min(at));
        let passed = until.duration_since(self.runs_from).as_millis().max(0);
        let whole = self.expected.duration_since(self.runs_from).as_millis().max(1);
        i64::try_from(passed * 100 / whole).unwrap_or(99).min(99)
    }

    fn words(&self, wording: Wording) -> (Option<String>, Option<String>) {
        let both = |kind: &str, description: &str| (Some(kind.to_owned()), Some(description.to_owned()));
        match (&self.what, wording) {
            (What::Other { kind, description }, _) => (kind.clone(), description.clone()),
            (_, Wording::Absent) => (None, None),
            (_, Wording::Meaningless) => both("operation", "Task"),
            (What::Install(version), Wording::Descriptive) => both("install-update", &format!("Install update {version}")),
            (What::Install(_), Wording::TypeOnly) => both("install-update", "Install update"),
            (What::RetrieveUpdates, _) => both("retrieve-updates", "Retrieve updates"),
        }
    }

    /// `Task` [C].
    pub fn json(&self, now: Timestamp, settings: &Settings) -> Value {
        let status = self.status(now);
        let mut task = Map::from_iter([("id".to_owned(), json!(self.id)), ("status".to_owned(), json!(status))]);
        let (kind, description) = self.words(settings.wording);
        for (name, word) in [("type", kind), ("description", description)] {
            if let Some(word) = word {
                task.insert(name.to_owned(), json!(word));
            }
        }
        if settings.progress {
            task.insert("progress".to_owned(), json!(self.percent(now)));
        }
        let (mut error, mut result) = (None, None);
        match &self.ending {
            Ending::Error(trouble) if status == Status::Error => error = Some(json!(trouble)),
            Ending::Found(updates) if status == Status::Success => result = wire::updates(updates, settings),
            _ => {}
        }
        let time = |at: Timestamp| settings.task_times.then(|| json!(at.as_millisecond() + settings.clock_skew_ms));
        let started = (now >= self.runs_from).then_some(self.runs_from).and_then(time);
        let completed = self.ends_at.filter(|at| now >= *at).and_then(time);
        if settings.task_nulls == TaskNulls::NullError {
            error = error.map(|_| json!({"message": null, "details": null}));
        }
        for (name, value) in [
            ("error", error),
            ("start_time", started),
            ("complete_time", completed),
            ("result", result),
        ] {
            let value = value.filter(|_| settings.task_nulls != TaskNulls::AllNull || name == "result");
            match value {
                Some(value) => task.insert(name.to_owned(), value),
                // Times that are switched off are null, not left out.
                None if settings.task_nulls == TaskNulls::LeftOut && (settings.task_times || !name.ends_with("time")) => None,
                None => task.insert(name.to_owned(), Value::Null),
            };
        }
        Value::Object(task)
    }
}
