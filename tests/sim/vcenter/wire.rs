//! The forms of vCenter's JSON, written by hand from its published schemas.
//!
//! Called by the rest of this simulator. Bodies are built as values, field by field, so that each can be compared with the schema
//! by eye; the one request type refuses what the schema does not name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::vendor::Reply;
use super::settings::{ErrorType, Exception, Settings};

/// How bad a message or pre-check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// A message as a person writes it; on the wire it becomes a LocalizableMessage beside its severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub severity: Severity,
    pub text: String,
}

impl Note {
    pub fn new(severity: Severity, text: &str) -> Self {
        Self {
            severity,
            text: text.to_owned(),
        }
    }
}

/// `UpgradeSpec` [C].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeSpec {
    pub desired_version: String,
    #[serde(default)]
    pub ignore_precheck_warnings: Option<bool>,
}

/// The body of `upgradeMultiple` is the bare map [C].
pub type UpgradeSpecs = BTreeMap<String, UpgradeSpec>;

/// Why something is refused, before it is known in which form that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error_type: &'static str,
    pub text: String,
}

impl Refusal {
    pub fn new(error_type: &'static str, text: impl Into<String>) -> Self {
        Self {
            error_type,
            text: text.into(),
        }
    }
}

/// LocalizableMessage: an object, never a text; id, default_message and args are required [C].
pub fn localizable(text: &str) -> Value {
    json!({"id": "vcenter.wcp.simulated", "default_message": text, "args": []})
}

/// Message: severity and details [C].
pub fn message(note: &Note) -> Value {
    json!({"severity": note.severity, "details": localizable(&note.text)})
}

/// A list of Message.
pub fn messages(notes: &[Note]) -> Value {
    notes.iter().map(message).collect()
}

/// Condition: the status is a text, "TRUE" or "FALSE" [C].
pub fn condition(kind: &str, note: &Note, holds: bool, since: Timestamp) -> Value {
    json!({
        "type": kind,
        "description": localizable(&note.text),
        "status": if holds { "TRUE" } else { "FALSE" },
        "last_transition_time": time(since),
        "reason": kind,
        "severity": note.severity,
        "messages": [message(note)],
    })
}

/// A date-time with milliseconds, in UTC.
pub fn time(at: Timestamp) -> Value {
    json!(format!("{at:.3}"))
}

/// An error body: messages and error_type, the latter as the toggle says.
pub fn error_body(error_type: &str, text: &str, form: ErrorType) -> Value {
    let mut body = json!({"messages": [localizable(text)]});
    match form {
        ErrorType::Present => body["error_type"] = json!(error_type),
        ErrorType::Null => body["error_type"] = Value::Null,
        ErrorType::Missing => {}
    }
    body
}

/// The vendor's map from error to status: most are 400 [C].
pub fn status_of(error_type: &str) -> u16 {
    match error_type {
        "UNAUTHENTICATED" => 401,
        "UNAUTHORIZED" => 403,
        "NOT_FOUND" | "OPERATION_NOT_FOUND" => 404,
        "CONCURRENT_CHANGE" => 409,
        "INTERNAL_SERVER_ERROR" => 500,
        "SERVICE_UNAVAILABLE" => 503,
        "TIMED_OUT" => 504,
        _ => 400,
    }
}

/// An error of that status, for a status that a fault rule injects.
pub fn error_type_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "UNAUTHORIZED",
        404 => "NOT_FOUND",
        409 => "CONCURRENT_CHANGE",
        500 => "INTERNAL_SERVER_ERROR",
        503 => "SERVICE_UNAVAILABLE",
        504 => "TIMED_OUT",
        400..500 => "INVALID_REQUEST",
        _ => "ERROR",
    }
}

/// A whole call refused, with the status that goes with the error unless one is named.
pub fn refuse(refusal: &Refusal, status: Option<u16>, settings: &Settings) -> Reply {
    let status = status.unwrap_or_else(|| status_of(refusal.error_type));
    Reply::json(status, error_body(refusal.error_type, &refusal.text, settings.error_type))
}

/// One cluster's result in a 200.
pub fn result(refusal: Option<&Refusal>, settings: &Settings) -> Value {
    let Some(refusal) = refusal else { return json!({"res": "STARTED"}) };
    let exception = match settings.exception {
        Exception::Error => error_body(refusal.error_type, &refusal.text, ErrorType::Present),
        Exception::Typed => json!({
            "type": format!("com.vmware.vapi.std.errors.{}", refusal.error_type.to_lowercase()),
            "value": {"messages": [localizable(&refusal.text)]},
        }),
        Exception::Empty => json!({}),
        Exception::Text => json!(refusal.text),
        Exception::Absent => return json!({"res": "REJECTED"}),
    };
    json!({"res": "REJECTED", "exception": exception})
}
