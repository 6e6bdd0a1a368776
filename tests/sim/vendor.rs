//! What a simulator of one vendor has to provide; the rest (TLS, faults, log, control) is shared.
//!
//! A request is read whole before it is handed over and a reply is a value: so the shared parts can process one request twice,
//! process it and never answer, or answer something else. Implemented by each vendor's module, called by [`super::pipeline`] and
//! [`super::control`]. An implementation may not delay an answer in real time or look at the fault rules.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, header};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its number in the log.
    pub number: u64,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// A header's text, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The client's name for itself; empty if it gave none.
    pub fn user_agent(&self) -> &str {
        self.header(header::USER_AGENT.as_str()).unwrap_or_default()
    }

    /// The user and password of HTTP Basic.
    pub fn basic(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let plain = data_encoding::BASE64.decode(encoded.trim().as_bytes()).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        plain.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    /// The query's pairs, percent-decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// The body of a [`Reply`].
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyBody {
    Empty,
    Json(Value),
    /// Anything else, with its content type.
    Other(&'static str, Vec<u8>),
    /// No answer at all: the connection is cut, for this reason.
    Cut(&'static str),
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: ReplyBody::Json(body),
        }
    }

    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: ReplyBody::Empty,
        }
    }

    /// The connection is cut instead.
    pub fn cut(why: &'static str) -> Self {
        Self {
            status: 0,
            headers: Vec::new(),
            body: ReplyBody::Cut(why),
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// How a machine that is down meets connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// Its port is closed.
    #[default]
    Refuse,
    /// TCP connects, then closes before the first byte of TLS.
    Close,
    /// TCP connects, then nothing.
    Silence,
}

/// Whether a machine is up, and how often it went down so far. A connection does not outlive the count that it was made under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    pub down: Option<Down>,
    pub restarts: u64,
}

/// A simulated vendor.
pub trait Vendor: Send + Sync + 'static {
    /// Processes one request, commits what it commits, and says what would be answered.
    ///
    /// What it commits is committed even if the client has gone. It may wait only on the simulated clock.
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Reply>;

    /// Is this a request to start something irreversible?
    fn is_start(&self, request: &Request) -> bool;

    /// Does it carry a session (or token) that is valid now? Looking must not prolong the session.
    fn has_session(&self, request: &Request) -> bool;

    /// Ends all sessions; how many there were.
    fn expire_sessions(&self) -> usize;

    /// Whether its machine is up now. One that restarts of its own accord says so here; the door follows.
    fn power(&self) -> Power {
        Power::default()
    }

    /// Returns once [`Vendor::power`] is something else than what was seen.
    fn power_changes(&self, _seen: Power) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// The request's body as the log keeps it, where it is JSON. One that may carry a password says here what is shown of it.
    fn logged_body(&self, request: &Request) -> Option<Value> {
        serde_json::from_slice(&request.body).ok()
    }

    /// The request's query as the log keeps it. One that may carry a secret says here what is shown of it.
    fn logged_query(&self, request: &Request) -> String {
        request.query.clone()
    }

    /// On whose behalf it is, where that is told by neither path nor query: two requests that differ in it are not the same.
    fn scope(&self, _request: &Request) -> Option<String> {
        None
    }

    /// The body in which this vendor reports an error of that status; Null where it has none.
    fn error_body(&self, status: u16) -> Value;

    /// The same with a reason number, for a vendor whose errors have one.
    fn refusal_body(&self, _request: &Request, status: u16, _reason: u32) -> Value {
        self.error_body(status)
    }

    /// All state, for people.
    fn state(&self) -> Value;

    /// Changes one target (a cluster, an appliance, a console) by a merge of the given fields; its new state.
    fn edit(&self, target: &str, edit: Value) -> anyhow::Result<Value>;

    /// The toggles for what the vendor's documents leave open.
    fn settings(&self) -> Value;

    /// Changes toggles by a merge of the given fields; the new toggles.
    fn change_settings(&self, change: Value) -> anyhow::Result<Value>;
}
