//! Asynchronous jobs: what a single step install tells of itself while it goes on and after.
//!
//! Made by `install`, moved by `state` as the life of the console goes on, and kept here. A job knows nothing of the console: that a
//! restart forgets it is told by a toggle. There is no list of jobs [C: none found]: who has lost the URI finds it nowhere.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::clock::after;
use super::console::Failure;
use super::settings::{Results, Settings};
use super::wire::Refusal;

/// The path of all jobs.
pub const JOBS: &str = "/api/jobs/";

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobStatus {
    Running,
    /// A cancel was asked for, and takes effect at the next point at which the job can be interrupted.
    CancelPending,
    Canceled,
    /// It has ended: well, or so.
    Complete(Option<Failure>),
}

impl JobStatus {
    /// Has it ended?
    pub fn ended(&self) -> bool {
        matches!(self, Self::Canceled | Self::Complete(_))
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    pub id: String,
    /// Whose it is: to others there is no such job [C].
    pub user: String,
    pub created: Timestamp,
    pub status: JobStatus,
    pub ended_at: Option<Timestamp>,
}

impl Job {
    pub fn new(user: &str, now: Timestamp) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            user: user.to_owned(),
            created: now,
            status: JobStatus::Running,
            ended_at: None,
        }
    }

    /// Its `job-uri`.
    pub fn uri(&self) -> String {
        format!("{JOBS}{}", self.id)
    }

    fn end(&mut self, at: Timestamp, status: JobStatus) {
        if !self.status.ended() {
            (self.status, self.ended_at) = (status, Some(at));
        }
    }

    /// `Query Job Status` [C].
    pub fn json(&self, settings: &Settings) -> Value {
        let mut told = Map::new();
        let word = match &self.status {
            JobStatus::Running => "running",
            JobStatus::CancelPending => "cancel-pending",
            JobStatus::Canceled => {
                if let Some((status, reason)) = settings.canceled_codes {
                    told.insert("job-status-code".to_owned(), json!(status));
                    told.insert("job-reason-code".to_owned(), json!(reason));
                }
                "canceled"
            }
            JobStatus::Complete(None) => {
                told.insert("job-status-code".to_owned(), json!(settings.job_success_code));
                results(&mut told, settings.success_results, "The bundle was installed.");
                "complete"
            }
            JobStatus::Complete(Some(failure)) => {
                told.insert("job-status-code".to_owned(), json!(failure.status));
                told.insert("job-reason-code".to_owned(), json!(failure.reason));
                results(&mut told, settings.failure_results, &failure.message);
                "complete"
            }
        };
        told.insert("status".to_owned(), json!(word));
        Value::Object(told)
    }
}

fn results(into: &mut Map<String, Value>, form: Results, text: &str) {
    let results = match form {
        Results::Null => Value::Null,
        Results::Absent => return,
        Results::Empty => json!({}),
        Results::Message => json!({"message": text}),
        Results::Error => json!({"error": text}),
    };
    into.insert("job-results".to_owned(), results);
}

/// The jobs that the console remembers.
#[derive(Debug, Default)]
pub struct Jobs(Vec<Job>);

impl Jobs {
    pub fn add(&mut self, job: Job) {
        self.0.push(job);
    }

    pub fn all(&self) -> &[Job] {
        &self.0
    }

    /// By its id or its URI.
    pub fn get(&self, id: &str) -> Option<&Job> {
        let id = id.strip_prefix(JOBS).unwrap_or(id);
        self.0.iter().find(|job| job.id == id)
    }

    fn own(&mut self, id: &str, user: &str) -> Result<&mut Job, Refusal> {
        let mut jobs = self.0.iter_mut();
        jobs.find(|job| job.id == id && job.user == user).ok_or_else(Refusal::no_object)
    }

    /// One of this user's.
    pub fn query(&mut self, id: &str, user: &str, settings: &Settings) -> Result<Value, Refusal> {
        Ok(self.own(id, user)?.json(settings))
    }

    /// Asks for a cancel [C].
    pub fn cancel(&mut self, id: &str, user: &str, settings: &Settings) -> Result<(), Refusal> {
        let job = self.own(id, user)?;
        match job.status {
            _ if !settings.cancelable => Err(Refusal::new(404, 4, "The job cannot be canceled.")),
            JobStatus::Running => {
                job.status = JobStatus::CancelPending;
                Ok(())
            }
            JobStatus::CancelPending => Err(Refusal::new(409, 42, "A cancel is already pending.")),
            JobStatus::Canceled | JobStatus::Complete(_) => Err(Refusal::new(409, 41, "The job has already ended.")),
        }
    }

    /// Forgets one that has ended [C].
    pub fn delete(&mut self, id: &str, user: &str) -> Result<(), Refusal> {
        if !self.own(id, user)?.status.ended() {
            return Err(Refusal::new(409, 40, "The job has not ended."));
        }
        self.0.retain(|job| job.id != id);
        Ok(())
    }

    /// Takes a cancel that was asked for into effect; whether one was.
    pub fn interrupt(&mut self, id: &str, at: Timestamp) -> bool {
        let Some(job) = self.0.iter_mut().find(|job| job.id == id) else {
            return false;
        };
        let pending = job.status == JobStatus::CancelPending;
        if pending {
            job.end(at, JobStatus::Canceled);
        }
        pending
    }

    /// It has come to its end, if it is still known.
    pub fn complete(&mut self, id: &str, at: Timestamp, failure: Option<Failure>) {
        if let Some(job) = self.0.iter_mut().find(|job| job.id == id) {
            job.end(at, JobStatus::Complete(failure));
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what is too old.
    pub fn forget(&mut self, now: Timestamp, settings: &Settings) {
        if let Some(secs) = settings.job_retention_secs {
            self.0.retain(|job| job.ended_at.is_none_or(|at| now < after(at, secs)));
        }
    }
}
