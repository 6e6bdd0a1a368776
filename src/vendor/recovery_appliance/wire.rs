//! The appliance's JSON, read leniently: what is unconfirmed about it is in this file and nowhere else.
//!
//! Shapes are those of the configuration API's specification 2.0.0 (`vrms-appliance-config-api-v2.json`, and the same in its siblings).
//! Hardly any field is required there, and many may be null, so nothing is counted on: what is missing makes a look incomplete.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::Value;

use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::vendor::FoundUpdate;
use crate::vendor::decode::Entries;
use crate::vendor::decode::as_word;
use crate::vendor::decode::join;
use crate::vendor::decode::json;
use crate::vendor::decode::sizeable;
use crate::vendor::decode::word;
use crate::vendor::text::describe_body;
use crate::vendor::text::sanitize;

/// Longest task id that is taken for one, in characters; the specification's are UUIDs of 36. Receipts hold hundreds of them.
pub const LONGEST_ID: usize = 100;

/// Most updates that are offered; a repository holds a handful. Sights are kept, four of each target.
const MOST_UPDATES: usize = 256;

/// `GET /appliance`, schema `ApplianceInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appliance {
    /// `appliance_version`, as in "9.0.0-10010".
    pub version: Option<String>,
    /// `product_name`, as in "vSphere Replication".
    pub product: Option<String>,
    /// `hostname`.
    pub hostname: Option<String>,
}

impl Appliance {
    /// `None` where nothing in it is an appliance's.
    pub fn read(body: &[u8]) -> Option<Appliance> {
        let value = json(body)?;
        let own = ["appliance_version", "appliance_build_number", "product_name"];
        own.iter().any(|field| value.get(field).is_some()).then(|| Appliance {
            version: word(&value, "appliance_version"),
            product: word(&value, "product_name"),
            hostname: word(&value, "hostname"),
        })
    }
}

/// A task's id: it is compared, stored, and sent as part of a path. What would not survive that is no id.
pub fn id(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    fits.then(|| text.to_owned())
}

/// One task, schema `Task`. Only `status` is required there, and in no operation but by its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id, where it has a usable one.
    pub id: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// The vendor's own word for that; empty where there is none.
    pub word: String,
    /// What its type and description say that it does.
    pub does: Does,
    /// Percent.
    pub progress: Option<i32>,
    /// Its description, or its type.
    pub about: Option<String>,
    /// Its error's words, where it ended badly.
    pub error: Option<String>,
    /// The updates in its result, where it is one of updates.
    pub updates: Option<Vec<FoundUpdate>>,
}

impl Task {
    /// Reads a task; `None` for what is not even an object.
    pub fn read(value: &Value) -> Option<Task> {
        value.as_object()?;
        let status = word(value, "status").unwrap_or_default();
        let texts: Vec<&str> = ["type", "description"]
            .iter()
            .filter_map(|field| value.get(field)?.as_str())
            .collect();
        let error = value.get("error").filter(|error| error.is_object());
        let words = |field: &str| error?.get(field)?.as_str().map(str::to_owned);
        Some(Task {
            id: value.get("id").and_then(id),
            state: state(&status),
            word: status,
            does: does(&texts),
            progress: progress(value),
            about: texts.iter().rev().map(|text| sanitize(text)).find(|text| !text.is_empty()),
            error: join(["message", "details"].iter().filter_map(|field| words(field)).collect()),
            updates: value.get("result").and_then(updates),
        })
    }

    /// Begun or about to begin, and without an end.
    pub fn active(&self) -> bool {
        matches!(self.state, JobState::Queued | JobState::Running)
    }

    /// What people are told of it.
    pub fn says(&self) -> Option<String> {
        match self.state {
            JobState::Failed | JobState::Cancelled | JobState::Unknown => self.error.clone().or_else(|| self.about.clone()),
            JobState::Queued | JobState::Running => self.about.clone(),
            JobState::Succeeded => None,
        }
    }

    /// As the core has it; `None` where it has no usable id.
    pub fn job(&self) -> Option<Job> {
        Some(Job {
            planned: None,
            id: self.id.clone()?,
            state: self.state.clone(),
            word: self.word.clone(),
            does: self.does.clone(),
            progress: self.progress,
            says: self.says(),
        })
    }
}

/// `status`; the specification knows these five.
fn state(word: &str) -> JobState {
    match word {
        "QUEUED" => JobState::Queued,
        "RUNNING" => JobState::Running,
        "SUCCESS" => JobState::Succeeded,
        "ERROR" => JobState::Failed,
        "CANCELLED" => JobState::Cancelled,
        _ => JobState::Unknown,
    }
}

/// `progress`, percent; one out of its range is none.
fn progress(value: &Value) -> Option<i32> {
    let percent = value.get("progress")?.as_i64()?;
    i32::try_from(percent).ok().filter(|percent| (0..=100).contains(percent))
}

/// The result of a `retrieve-updates` task: rows of `UpdateInfo`, of which no field is required. In which container they come is documented
/// nowhere: a bare array, `{"list": [...]}` and `{"updates": [...]}` are read. `None` for anything else.
pub fn updates(result: &Value) -> Option<Vec<FoundUpdate>> {
    let rows = match result {
        Value::Array(rows) => rows,
        _ => ["list", "updates"].iter().find_map(|field| result.get(field)?.as_array())?,
    };
    let mut updates: Vec<FoundUpdate> = Vec::new();
    for row in rows {
        // An update whose version cannot be read cannot be asked for: the others can.
        if let Some(update) = update(row).filter(|update| updates.iter().all(|known| known.version != update.version)) {
            updates.push(update);
        }
        if updates.len() > MOST_UPDATES {
            return None;
        }
    }
    (rows.is_empty() || !updates.is_empty()).then_some(updates)
}

/// One row, schema `UpdateInfo`; its `eula` is not read.
fn update(row: &Value) -> Option<FoundUpdate> {
    let released = row.get("release_date").and_then(Value::as_i64);
    let summary = row.get("summary").and_then(Value::as_str).map(sanitize);
    Some(FoundUpdate {
        version: word(row, "version")?,
        type_: word(row, "update_type"),
        severity: word(row, "severity"),
        released: released.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        reboot: row.get("reboot_required").and_then(Value::as_bool),
        summary: summary.filter(|text| !text.is_empty()),
    })
}

/// What a task's words say that it does. The values of `type` and `description` are documented nowhere, so only clear words count.
pub fn does(texts: &[&str]) -> Does {
    let words: Vec<String> = texts.iter().flat_map(|text| words_of(text)).collect();
    let any = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|stem| w.starts_with(stem)));
    let exactly = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    let installs = any(&["install", "upgrad"]);
    let asks = any(&["retriev", "fetch", "scan"]) || exactly(&["check", "checks", "checking", "list", "listing", "get", "getting"]);
    if asks && !installs {
        return Does::Else;
    }
    if installs || any(&["updat"]) {
        return version_in(texts).map_or(Does::Untold, Does::Installs);
    }
    let other = ["reconfigur", "certificate", "password", "snapshot", "syslog", "restart"];
    if any(&other) { Does::Else } else { Does::Untold }
}

/// Lowercase words, also those that are only told apart by their capitals.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars().take(4 * crate::vendor::text::LONGEST) {
        let starts = c.is_uppercase() && before.is_lowercase();
        if (starts || !c.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

/// The one version that texts name; none where they name several, or what may as well be an address.
fn version_in(texts: &[&str]) -> Option<String> {
    let parts = texts
        .iter()
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || ".+-_".contains(c))));
    let mut found: Vec<&str> = parts
        .map(|part| part.trim_matches(['.', '-', '+', '_']))
        .filter(|part| looks_like_version(part))
        .collect();
    found.sort_unstable();
    found.dedup();
    let [one] = found.as_slice() else { return None };
    as_word(&Value::from(*one))
}

fn looks_like_version(part: &str) -> bool {
    let number = part.strip_prefix(['v', 'V']).unwrap_or(part);
    let dotted = number
        .split('.')
        .take(2)
        .filter(|piece| piece.starts_with(|c: char| c.is_ascii_digit()))
        .count()
        == 2;
    dotted && number.parse::<Ipv4Addr>().is_err()
}

/// One page of `GET /tasks`, schema `TaskDrResponseList`.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its rows; `None` for one that is not even an object.
    pub rows: Vec<Option<Task>>,
    /// How many tasks there are over all pages. `_meta` is optional.
    pub total: Option<u64>,
    /// From where on this page is, where the appliance repeats that.
    pub offset: Option<u64>,
    /// The appliance says that something of the data is missing (`_meta.errors`).
    pub errors: bool,
}

impl Page {
    /// Reads a page; `None` for what is none.
    pub fn read(body: &[u8]) -> Option<Page> {
        let value = json(body)?;
        let meta = value.get("_meta").unwrap_or(&Value::Null);
        let total = meta.get("total").and_then(Value::as_u64);
        let rows = match value.get("list") {
            Some(Value::Array(rows)) => rows.iter().map(Task::read).collect(),
            // The list itself is not required either.
            None | Some(Value::Null) if total == Some(0) => Vec::new(),
            _ => return None,
        };
        Some(Page {
            rows,
            total,
            offset: meta.get("offset").and_then(Value::as_u64),
            errors: !matches!(meta.get("errors"), None | Some(Value::Null)) && meta.get("errors") != Some(&Value::Array(Vec::new())),
        })
    }
}

/// The task in the body of a 202, or in that of `GET /tasks/{id}`.
pub fn task(body: &[u8]) -> Option<Task> {
    Task::read(&json(body)?)
}

/// The id in the body that answers a start. One that is there twice says nothing.
pub fn id_of_started(body: &[u8]) -> Option<String> {
    if !sizeable(body) {
        return None;
    }
    let task: Entries<Value> = serde_json::from_slice(body).ok()?;
    task.only("id").and_then(id)
}

/// An error, schema `ResponseError`: every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseError {
    code: Option<String>,
    message: Option<String>,
    operation: Option<String>,
}

impl ResponseError {
    /// Reads an error body; `None` when it is not the API's error shape.
    pub fn read(body: &[u8]) -> Option<ResponseError> {
        let value = json(body)?;
        let own = ["error_code", "message", "op_id"];
        own.iter().any(|field| value.get(field).is_some()).then(|| ResponseError {
            code: word(&value, "error_code"),
            message: value
                .get("message")
                .and_then(Value::as_str)
                .map(sanitize)
                .filter(|text| !text.is_empty()),
            operation: word(&value, "op_id"),
        })
    }

    /// What stands in the way of a login, where it is not the credentials.
    pub fn bars(&self) -> Option<Bar> {
        let text = [&self.code, &self.message].into_iter().flatten().map(|t| t.to_lowercase());
        let text = text.collect::<Vec<_>>().join(" ");
        let names = |stems: &[&str]| stems.iter().any(|stem| text.contains(stem));
        if names(&["passw"]) && names(&["expir"]) {
            Some(Bar::PasswordExpired)
        } else if names(&["session"]) && names(&["limit", "maxim", "too many", "too_many", "exceed"]) {
            Some(Bar::TooManySessions)
        } else {
            None
        }
    }

    fn words(&self, answers: Answers) -> String {
        // The id comes before the message: it is what the vendor's own log is searched by, and a long message is cut.
        let operation = self.operation.as_ref().filter(|_| answers == Answers::Start);
        let operation = operation.map(|id| format!("operation {id}"));
        let parts: Vec<&str> = [&self.code, &operation, &self.message]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if parts.is_empty() {
            "an error without words".to_owned()
        } else {
            parts.join(": ")
        }
    }
}

/// What an error body answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// A start: there is one, and its id in the vendor's log is worth having.
    Start,
    /// A read, of which there are many: an id that is another each time would make each look a different one.
    Read,
}

/// Why a login is refused, other than for credentials that are wrong. Codes and words are documented nowhere, so only clear ones count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// They are right, and have to be changed.
    PasswordExpired,
    /// There are as many sessions as there may be.
    TooManySessions,
}

/// The words of an error body, or what the body looks like.
pub fn said(body: Option<&[u8]>, answers: Answers) -> String {
    let Some(body) = body else {
        return "a body that broke off".to_owned();
    };
    sanitize(&ResponseError::read(body).map_or_else(|| describe_body(body), |error| error.words(answers)))
}
