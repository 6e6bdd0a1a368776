//! The console's JSON, read leniently: what is unconfirmed about it is in this file and nowhere else.
//!
//! Shapes are those of the HMC Web Services API book (SC27-2642) as far as its pages are public, and of IBM's own clients (zhmcclient,
//! zhmccli). For what `vendors.md` 3 marks as unconfirmed, an unknown word is no word that we know, and never an error: the names of a remote
//! firmware update's last states, the properties of a Console's element (taken from its CPC twin), and what a job says when it failed.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::tokens::AuthorizationToken;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Planned;
use crate::vendor::decode::Entries;
use crate::vendor::decode::as_word;
use crate::vendor::decode::join;
use crate::vendor::decode::json;
use crate::vendor::decode::sizeable;
use crate::vendor::decode::word;
use crate::vendor::hush::Hush;
use crate::vendor::text::sanitize;

/// Longest id that is taken for one, in characters; the book's are UUIDs of 36.
const LONGEST_ID: usize = 100;

/// Most remote firmware updates of one console. There is one at a time, or a few.
const MOST_UPDATES: usize = 256;

/// Most tokens whose ends are compared later. A receipt keeps all of them; beyond that nothing is kept: half a list would show old ones as new.
const MOST_TOKENS: usize = 64;

/// Longest text of a time that is kept as the console writes it.
const LONGEST_TIME: usize = 40;

/// Longest token that is taken for one; the book's have 6 to 8 characters.
const LONGEST_TOKEN: usize = 64;

/// Path before a job's id.
const JOBS: &str = "/api/jobs/";

/// Path before a remote firmware update's id.
const UPDATES: &str = "/api/console/remote-firmware-updates/";

/// The id of a job, out of its URI.
pub fn job_id(uri: &str) -> Option<&str> {
    uri.strip_prefix(JOBS).filter(|id| is_id(id))
}

/// The id of a remote firmware update, out of its URI.
pub fn update_id(uri: &str) -> Option<&str> {
    uri.strip_prefix(UPDATES).filter(|id| is_id(id))
}

/// It is compared, stored, and sent as one segment of a path. What would not survive that is no id.
fn is_id(id: &str) -> bool {
    let fits = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    fits && !id.bytes().all(|b| b == b'.')
}

/// `GET /api/version`, which needs no session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersion {
    /// `api-major-version` and `api-minor-version`, as in 4 and 10.
    pub api: (u64, u64),
    /// `hmc-version`, as in "2.16.0".
    pub version: Option<String>,
    /// `hmc-name`.
    pub name: Option<String>,
}

impl ApiVersion {
    /// `None` for what no console says.
    pub fn read(body: &[u8]) -> Option<ApiVersion> {
        let value = json(body)?;
        let number = |field: &str| value.get(field).and_then(Value::as_u64);
        Some(ApiVersion {
            api: (number("api-major-version")?, number("api-minor-version")?),
            version: word(&value, "hmc-version"),
            name: word(&value, "hmc-name"),
        })
    }
}

/// `GET /api/console`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// `name`, as in "HMC1".
    pub name: Option<String>,
    /// `version`, as in "2.16.0".
    pub version: Option<String>,
    /// `bundle-level` in `ec-mcl-description`, as in "H30". Absent: this HMC supports no firmware upgrade through its API (zhmccli).
    pub bundle: Option<String>,
}

impl Console {
    /// `None` where nothing in it is a console's.
    pub fn read(body: &[u8]) -> Option<Console> {
        let value = json(body)?;
        let own = ["name", "version", "ec-mcl-description"];
        own.iter().any(|field| value.get(field).is_some()).then(|| Console {
            name: word(&value, "name"),
            version: word(&value, "version"),
            bundle: value.get("ec-mcl-description").and_then(|levels| word(levels, "bundle-level")),
        })
    }
}

/// `GET /api/console/remote-firmware-updates`.
#[derive(Clone, Debug, Default)]
pub struct Updates {
    /// Its readable rows.
    pub rows: Vec<Update>,
    /// A row cannot be read, or is there twice: this is not all.
    pub broken: bool,
    /// Until when each token is good, as the console writes it; `None` where one does not tell, or where there are too many.
    pub permissions: Option<BTreeSet<String>>,
    /// The readable tokens.
    pub tokens: Vec<AuthorizationToken>,
    /// The times that `permissions` are, as far as they can be read as such.
    pub expirations: Vec<Timestamp>,
}

impl Updates {
    /// `None` for what is no such list. Both lists may be empty, but are documented to be there.
    pub fn read(body: &[u8]) -> Option<Updates> {
        let value = json(body)?;
        let list = |field: &str| value.get(field).and_then(Value::as_array);
        let (rows, tokens) = (list("remote-firmware-updates")?, list("remote-firmware-update-tokens")?);
        let mut updates = Updates::default();
        for row in rows.iter().take(MOST_UPDATES) {
            updates.take(row);
        }
        updates.broken |= rows.len() > MOST_UPDATES;
        let times = || tokens.iter().filter_map(|token| token.get("expiration-date"));
        let told: Vec<String> = times().filter_map(time_as_told).take(MOST_TOKENS + 1).collect();
        let all = told.len() == tokens.len() && told.len() <= MOST_TOKENS;
        updates.permissions = all.then(|| told.into_iter().collect());
        updates.expirations = times().filter_map(time).take(MOST_TOKENS).collect();
        updates.tokens = tokens.iter().filter_map(token).take(MOST_TOKENS).collect();
        Some(updates)
    }

    fn take(&mut self, row: &Value) {
        let Some(update) = Update::read(row) else {
            self.broken = true;
            return;
        };
        let known = self.rows.iter().any(|other| other.uri == update.uri);
        // One that is still to come, and says neither to which bundle nor when, is not understood.
        let open = update.state != JobState::Unknown;
        self.broken |= known || update.word.is_empty() || open && (update.bundle.is_none() || update.at.is_none());
        if !known {
            self.rows.push(update);
        }
    }
}

/// One token. Its value is a credential.
fn token(row: &Value) -> Option<AuthorizationToken> {
    let value = word(row, "authorization-token").filter(|value| value.len() <= LONGEST_TOKEN)?;
    Some(AuthorizationToken {
        value: SecretString::from(value),
        expires: time(row.get("expiration-date")?)?,
    })
}

/// One remote firmware update: a row of the list, or, with [`Detail`], its element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// `element-uri`.
    pub uri: String,
    /// Where it stands: only `scheduled`, `scheduled-on-peer` and `running` are documented.
    pub state: JobState,
    /// The console's own word for that.
    pub word: String,
    /// `target-bundle`.
    pub bundle: Option<String>,
    /// `scheduled-execution-time`.
    pub at: Option<Timestamp>,
    /// What only the element tells.
    pub detail: Option<Detail>,
}

/// What only the element of a remote firmware update tells. Its properties are those of the CPC's twin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// `creation-time`.
    pub created: Option<Timestamp>,
    /// `execution-window`, which is in minutes: how long it waits when it is blocked at its time.
    pub window: Duration,
    /// `execution-percentage`, with feature rcl-progress.
    pub progress: Option<i32>,
    /// `id` of the step in `execution-steps` whose state is running, with feature rcl-progress.
    pub step: Option<String>,
    /// `pending-conditions`.
    pub pending: Vec<String>,
}

impl Update {
    /// Reads a row of the list; `None` for one without a usable URI.
    pub fn read(row: &Value) -> Option<Update> {
        let word_of = word(row, "state").unwrap_or_default();
        Some(Update {
            uri: word(row, "element-uri").filter(|uri| update_id(uri).is_some())?,
            state: state_of_update(&word_of),
            word: word_of,
            bundle: word(row, "target-bundle"),
            at: row.get("scheduled-execution-time").and_then(time),
            detail: None,
        })
    }

    /// Reads the element of this URI; `None` where it is another's.
    pub fn element(body: &[u8], uri: &str) -> Option<Update> {
        let value = json(body)?;
        let update = Update::read(&value).filter(|update| update.uri == uri)?;
        let minutes = value.get("execution-window").and_then(Value::as_u64).unwrap_or_default();
        let steps = value.get("execution-steps").and_then(Value::as_array);
        let running = |step: &&Value| step.get("state").and_then(Value::as_str) == Some("running");
        let pending = value.get("pending-conditions").and_then(Value::as_array);
        Some(Update {
            detail: Some(Detail {
                created: value.get("creation-time").and_then(time),
                window: Duration::from_secs(minutes.saturating_mul(60)),
                progress: percent(&value, "execution-percentage"),
                step: steps.and_then(|steps| steps.iter().find(running)).and_then(|step| word(step, "id")),
                pending: pending.into_iter().flatten().filter_map(as_word).collect(),
            }),
            ..update
        })
    }

    /// As the core has it. Without the element its window is not known, and taken for none.
    pub fn job(&self) -> Job {
        let detail = self.detail.as_ref();
        Job {
            id: self.uri.clone(),
            state: self.state.clone(),
            word: self.word.clone(),
            does: self.bundle.clone().map_or(Does::Untold, Does::Installs),
            progress: detail.and_then(|detail| detail.progress),
            says: self.says(),
            planned: self.at.map(|at| Planned {
                at,
                window: detail.map(|detail| detail.window).unwrap_or_default(),
                created: detail.and_then(|detail| detail.created),
            }),
        }
    }

    fn says(&self) -> Option<String> {
        let bundle = self.bundle.as_deref().unwrap_or("a bundle that it does not tell");
        let state = match self.state {
            JobState::Unknown => format!(", state {:?}", self.word),
            _ => String::new(),
        };
        let mut parts = vec![format!("IBM's remote firmware update to {bundle}{state}")];
        if let Some(detail) = &self.detail {
            parts.extend(detail.step.clone());
            let waits = (!detail.pending.is_empty()).then(|| format!("waits for {}", detail.pending.join(", ")));
            parts.extend(waits);
        }
        join(parts)
    }
}

/// The names of the last states are documented nowhere, so any other word is none that we know.
pub fn state_of_update(word: &str) -> JobState {
    match word {
        "scheduled" | "scheduled-on-peer" => JobState::Queued,
        "running" => JobState::Running,
        _ => JobState::Unknown,
    }
}

/// `GET /api/jobs/{id}`: the job of this URI.
pub fn job(body: &[u8], uri: &str, hush: &Hush) -> Option<Job> {
    let value = json(body)?;
    let status = word(&value, "status")?;
    let number = |field: &str| value.get(field).and_then(Value::as_u64);
    let (code, reason) = (number("job-status-code"), number("job-reason-code"));
    let results = value.get("job-results").unwrap_or(&Value::Null);
    // The book has `message` for a sibling; IBM's own client has met `error`, too.
    let words = ["message", "error"].iter().find_map(|field| results.get(field)?.as_str());
    let state = match (status.as_str(), code) {
        ("running" | "cancel-pending", _) => JobState::Running,
        ("canceled", _) => JobState::Cancelled,
        ("complete", Some(200..=299)) => JobState::Succeeded,
        ("complete", Some(_)) => JobState::Failed,
        _ => JobState::Unknown,
    };
    let codes = match (code, reason) {
        (Some(code), Some(reason)) => Some(format!("{code}.{reason}")),
        (Some(code), None) => Some(code.to_string()),
        _ => None,
    };
    let words = words.and_then(|text| hush.words(text));
    let said = match (codes, words) {
        (Some(codes), Some(words)) => Some(sanitize(&format!("{codes}: {words}"))),
        (codes, words) => codes.or(words),
    };
    let says = match state {
        JobState::Failed | JobState::Cancelled | JobState::Unknown => said,
        JobState::Queued | JobState::Running | JobState::Succeeded => None,
    };
    Some(Job {
        id: uri.to_owned(),
        state,
        word: status,
        // A job's own document names no bundle.
        does: Does::Untold,
        progress: None,
        says,
        planned: None,
    })
}

/// `GET /api/console/operations/list-features`: a list of names (zhmcclient).
pub fn features(body: &[u8]) -> Option<Vec<String>> {
    let value = json(body)?;
    let names = value.as_array()?.iter().filter_map(Value::as_str);
    Some(names.map(str::to_owned).collect())
}

/// The API's Timestamp: milliseconds since 1970 in UTC, or -1 for none (zhmcclient). A text in RFC 3339 says the same.
pub fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let ms = number.as_i64().filter(|ms| *ms >= 0)?;
            Timestamp::from_millisecond(ms).ok()
        }
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A time as the console writes it: compared, never computed with.
fn time_as_told(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_i64().map(|ms| ms.to_string()),
        value => as_word(value).filter(|text| text.len() <= LONGEST_TIME),
    }
}

/// Percent; one out of its range is none.
fn percent(value: &Value, field: &str) -> Option<i32> {
    let percent = value.get(field)?.as_i64()?;
    i32::try_from(percent).ok().filter(|percent| (0..=100).contains(percent))
}

/// The `job-uri` in the body that answers a start. One that is there twice says nothing.
pub fn job_started(body: &[u8]) -> Option<String> {
    if !sizeable(body) {
        return None;
    }
    let started: Entries<Value> = serde_json::from_slice(body).ok()?;
    let uri = started.only("job-uri")?.as_str()?;
    job_id(uri).map(|_| uri.to_owned())
}

/// The token in the body that answers an authorization.
pub fn issued(body: &[u8]) -> Option<AuthorizationToken> {
    token(&json(body)?)
}

/// An error of the API. Of its body only these are read: the rest echoes what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// `reason`, which tells errors of one status apart.
    pub reason: u64,
    /// `message`, where it may be repeated.
    pub message: Option<String>,
}

impl Refusal {
    /// Reads the body of an answer with this status; `None` when it is not the API's error shape, or another status's.
    pub fn read(status: u16, body: &[u8], hush: &Hush) -> Option<Refusal> {
        if !sizeable(body) {
            return None;
        }
        let error: Entries<Value> = serde_json::from_slice(body).ok()?;
        let same = error
            .only("http-status")
            .is_none_or(|told| told.as_u64() == Some(u64::from(status)));
        let reason = error.only("reason").filter(|_| same)?.as_u64()?;
        let message = error.only("message").and_then(Value::as_str);
        Some(Refusal {
            reason,
            message: message.and_then(|text| hush.words(text)),
        })
    }

    /// The session is missing (4), or not known any more (5).
    pub fn of_session(&self, status: u16) -> bool {
        status == 403 && matches!(self.reason, 4 | 5)
    }

    /// The console is not in the right state (1), or busy with something else (2).
    pub fn of_busy(&self, status: u16) -> bool {
        status == 409 && matches!(self.reason, 1 | 2)
    }

    /// Its words are about a password that has expired. Which reason that has is documented nowhere, so only clear words count.
    pub fn of_expired_password(&self) -> bool {
        let text = self.message.as_deref().unwrap_or_default().to_lowercase();
        text.contains("passw") && text.contains("expir")
    }

    /// Status, reason and words.
    pub fn words(&self, status: u16) -> String {
        let message = self.message.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        format!("{status}.{}{message}", self.reason)
    }
}
