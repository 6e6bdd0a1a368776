//! Refusals and their bodies, and how times are written: what every operation of this API has in common.
//!
//! Called by the rest of this simulator. Bodies are built as values, field by field, so that each can be compared with the documents by
//! eye.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::super::vendor::{Reply, ReplyBody, Request};
use super::settings::{ErrorBody, Settings};
use super::{SESSION_HEADER, secret};

/// Why a request gets no further: the status, and the reason number that belongs to it [C].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub reason: u32,
    pub text: String,
}

impl Refusal {
    pub fn new(status: u16, reason: u32, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, reason, text }
    }

    /// 400, with one of the reasons that all operations share.
    pub fn invalid(reason: u32, text: impl Into<String>) -> Self {
        Self::new(400, reason, text)
    }

    /// 403.1: the user has not this task.
    pub fn lacks(task: &str) -> Self {
        Self::new(403, 1, format!("The user has no permission to the task {task}."))
    }

    /// 404.1
    pub fn no_object() -> Self {
        Self::new(404, 1, "There is no such object, or the user may not see it.")
    }

    /// 405. [U] its reason number.
    pub fn no_method() -> Self {
        Self::new(405, 1, "The method is not valid for this URI.")
    }
}

/// The answer to a request that gets no further.
pub fn refuse(refusal: &Refusal, request: &Request, user: Option<&str>, settings: &Settings) -> Reply {
    Reply::json(refusal.status, error_body(refusal, Some(request), user, settings))
}

/// The error body of all operations [C]. `request` and `user` are as far as they are known.
pub fn error_body(refusal: &Refusal, request: Option<&Request>, user: Option<&str>, settings: &Settings) -> Value {
    if settings.error_body == ErrorBody::Empty {
        return json!({});
    }
    let mut body = json!({
        "http-status": refusal.status,
        "reason": refusal.reason,
        "message": refusal.text,
        "request-method": request.map(|request| request.method.as_str()),
        "request-uri": request.map(|request| request.path.as_str()),
    });
    if settings.error_body == ErrorBody::Full {
        let query = request.map(Request::query_pairs).unwrap_or_default();
        body["request-query-parms"] = query.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        body["request-headers"] = headers(request, settings);
        body["request-authenticated-as"] = json!(user);
        echo(&mut body, request, settings);
        if refusal.status >= 500 {
            body["stack"] = json!("com.example.console.Internal: at Operation.java:1");
        }
        body["error-details"] = Value::Null;
    }
    body
}

fn headers(request: Option<&Request>, settings: &Settings) -> Value {
    let shown = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let hidden = name == SESSION_HEADER && !settings.echo_session;
        let value = if hidden {
            secret::REDACTED
        } else {
            value.to_str().unwrap_or_default()
        };
        (name.to_string(), json!(value))
    };
    let headers = request.into_iter().flat_map(|request| request.headers.iter());
    Value::Object(headers.map(shown).collect::<Map<_, _>>())
}

/// The request's body: as JSON where it is that, else as text [C].
fn echo(into: &mut Value, request: Option<&Request>, settings: &Settings) {
    let body = request.map(|request| &request.body).filter(|body| !body.is_empty());
    let parsed = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let Some((body, parsed)) = body.map(|body| (body, parsed)) else {
        into["request-body"] = Value::Null;
        return;
    };
    match parsed {
        Some(json) if settings.echo_body => into["request-body"] = json,
        Some(json) => into["request-body"] = secret::redacted(json),
        None => {
            into["request-body-as-string"] = json!(String::from_utf8_lossy(body));
            into["request-body-as-string-partial"] = json!(false);
        }
    }
}

/// What a console says that is not all there yet [C: some 5xx are pages].
pub fn not_up() -> Reply {
    let page = b"<html><head><title>Console Internal Error</title></head><body><h2>Details:</h2>The console is starting.</body></html>";
    Reply {
        status: 503,
        headers: Vec::new(),
        body: ReplyBody::Other("text/html", page.to_vec()),
    }
}

/// A time as this API writes it: milliseconds since 1970 [C], by a clock that may be off.
pub fn stamp(at: Timestamp, settings: &Settings) -> i64 {
    let skew = SignedDuration::from_millis(settings.clock_skew_ms);
    at.checked_add(skew).unwrap_or(at).as_millisecond()
}
