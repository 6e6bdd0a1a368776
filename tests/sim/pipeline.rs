//! The path of one request: read whole, logged, met by at most one fault rule, processed by the vendor, answered or not.
//!
//! Called by the HTTP server that [`super::running`] starts. Processing runs in a task of its own, which a client that goes away
//! does not end: a vendor, too, finishes what it has taken. Nothing here may know which vendor it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Conn, Door};
use super::faults::{Action, BodyKind, Copied, Faults, Part, Release, Taken, When};
use super::log::{Entry, Log, Outcome};
use super::vendor::{Reply, ReplyBody, Request, Vendor};
use super::{Clock, lock};

/// No vendor's request comes near this.
const BODY_LIMIT: usize = 1 << 20;

/// Inside `HTTP/1.1 200`: enough to see that an answer began, too little to know which.
const HEAD_BYTES: usize = 10;

/// What all requests of one simulator share; it outlives the listener.
pub struct Core {
    pub vendor: Arc<dyn Vendor>,
    pub clock: Clock,
    pub faults: Faults,
    pub log: Log,
    pub door: Door,
    /// The last answers to GETs, for [`Action::Stale`].
    answered: Mutex<HashMap<String, Reply>>,
}

impl Core {
    pub(super) fn new(vendor: Arc<dyn Vendor>, clock: Clock, log: Log) -> Self {
        Self {
            vendor,
            clock,
            faults: Faults::default(),
            log,
            door: Door::default(),
            answered: Mutex::default(),
        }
    }

    /// Lets the vendor process the request and remembers its answer.
    async fn vendor(&self, request: &Request) -> Reply {
        let reply = self.vendor.handle(request).await;
        if request.method == axum::http::Method::GET {
            lock(&self.answered).insert(self.cache_key(request), reply.clone());
        }
        reply
    }

    fn cache_key(&self, request: &Request) -> String {
        let scope = self.vendor.scope(request).unwrap_or_default();
        format!("{scope} {}?{}", request.path, request.query)
    }

    /// A named status answered in the vendor's stead.
    fn injected(&self, status: u16, body: BodyKind, headers: Vec<(String, String)>) -> Reply {
        let body = match body {
            BodyKind::Json => match self.vendor.error_body(status) {
                Value::Null => ReplyBody::Empty,
                error => ReplyBody::Json(error),
            },
            BodyKind::Html => ReplyBody::Other(
                "text/html",
                format!("<html><body><h1>{status}</h1>proxy</body></html>").into_bytes(),
            ),
            BodyKind::Garbage => ReplyBody::Other("application/json", vec![0x00, 0xff, 0xfe, b'{', 0x80]),
            BodyKind::Empty => ReplyBody::Empty,
        };
        Reply { status, headers, body }
    }
}

/// What to do on the connection in the end.
enum Verdict {
    Answer(Reply),
    Truncate(Reply, Part),
    Cut(&'static str),
}

/// One running listener's share of [`Core`]: `stop` ends what is still being processed, as a crash of the vendor would.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) core: Arc<Core>,
    pub(super) stop: CancellationToken,
    pub(super) processing: TaskTracker,
}

/// The HTTP server's only handler.
pub(super) async fn serve(
    State(served): State<Served>,
    ConnectInfo(Conn(cut)): ConnectInfo<Conn>,
    request: axum::extract::Request,
) -> Response {
    let core = &served.core;
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        // The client stopped in the middle, or sends what no client of a vendor would: nothing to process.
        cut.cut();
        return Response::new(Body::empty());
    };
    let mut request = Request {
        number: 0,
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    let (session, start) = (core.vendor.has_session(&request), core.vendor.is_start(&request));
    request.number = core.log.begin(|number, at| Entry {
        number,
        connection: cut.connection(),
        at,
        wall: Timestamp::now(),
        method: request.method.to_string(),
        path: request.path.clone(),
        query: core.vendor.logged_query(&request),
        scope: core.vendor.scope(&request),
        body: core.vendor.logged_body(&request),
        user_agent: request.user_agent().to_owned(),
        session,
        start,
        rule: None,
        outcome: Outcome::Open,
    });
    let mut end = End {
        core: Arc::clone(core),
        number: request.number,
        outcome: Some(Outcome::Cut("client left".to_owned())),
    };

    if !cut.reaches(core.vendor.power()) {
        end.now(Outcome::Cut("machine went down".to_owned()));
        cut.cut();
        return Response::new(Body::empty());
    }
    let processing = served.stop.clone().run_until_cancelled_owned(process(Arc::clone(core), request));
    match served.processing.spawn(processing).await {
        Ok(Some(
            Verdict::Cut(word)
            | Verdict::Answer(Reply {
                body: ReplyBody::Cut(word),
                ..
            }),
        )) => {
            end.now(Outcome::Cut(word.to_owned()));
            cut.cut();
            Response::new(Body::empty())
        }
        Ok(Some(Verdict::Answer(reply))) => {
            end.outcome = Some(Outcome::Answered(reply.status));
            render(&reply)
        }
        Ok(Some(Verdict::Truncate(reply, part))) => {
            let (response, word) = truncated(&reply, part, || cut.cut_after(HEAD_BYTES));
            end.outcome = Some(Outcome::Cut(word.to_owned()));
            response
        }
        Ok(None) | Err(_) => {
            end.now(Outcome::Cut("simulator stopped".to_owned()));
            cut.cut();
            Response::new(Body::empty())
        }
    }
}

/// Writes how a request ended, also when the server drops the handler because the client went away.
struct End {
    core: Arc<Core>,
    number: u64,
    outcome: Option<Outcome>,
}

impl End {
    /// Writes it now: a cut is in the log before the client can see it.
    fn now(&mut self, outcome: Outcome) {
        self.outcome = None;
        self.core.log.amend(self.number, |entry| entry.outcome = outcome);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.now(outcome);
        }
    }
}

/// Applies the first rule that takes the request, and has the vendor process it as often as that leads to.
async fn process(core: Arc<Core>, request: Request) -> Verdict {
    let Some(taken) = core.faults.take(&request) else {
        return Verdict::Answer(core.vendor(&request).await);
    };
    core.log.amend(request.number, |entry| entry.rule = Some(taken.id));
    match taken.action.clone() {
        Action::Latency { ms, when } => delayed(&core, &request, &taken, Duration::from_millis(ms), when).await,
        Action::Hang { when } => held(&core, &request, &taken, when).await,
        Action::Status {
            status,
            body,
            when,
            headers,
        } => {
            if when == When::After {
                core.vendor(&request).await;
            }
            taken.hit();
            Verdict::Answer(core.injected(status, body, headers))
        }
        Action::Refuse { status, reason, when } => {
            if when == When::After {
                core.vendor(&request).await;
            }
            taken.hit();
            Verdict::Answer(match core.vendor.refusal_body(&request, status, reason) {
                Value::Null => Reply::empty(status),
                body => Reply::json(status, body),
            })
        }
        Action::Drop { when } => {
            if when == When::After {
                core.vendor(&request).await;
            }
            taken.hit();
            Verdict::Cut(if when == When::After {
                "dropped after processing"
            } else {
                "dropped before processing"
            })
        }
        Action::Truncate { part } => {
            let reply = core.vendor(&request).await;
            taken.hit();
            Verdict::Truncate(reply, part)
        }
        Action::WrongType { with } => {
            let mut reply = core.vendor(&request).await;
            taken.hit();
            reply.body = ReplyBody::Json(with.unwrap_or_else(|| misshapen(&reply.body)));
            Verdict::Answer(reply)
        }
        Action::Duplicate { answer } => {
            let first = core.vendor(&request).await;
            let second = core.vendor(&request).await;
            taken.hit();
            Verdict::Answer(if answer == Copied::First { first } else { second })
        }
        Action::ExpireSessions => {
            core.vendor.expire_sessions();
            taken.hit();
            Verdict::Answer(core.vendor(&request).await)
        }
        Action::Redirect { to, status } => {
            taken.hit();
            Verdict::Answer(Reply::empty(status).with_header(header::LOCATION.as_str(), to))
        }
        Action::Stale => {
            let known = lock(&core.answered).get(&core.cache_key(&request)).cloned();
            let reply = match known {
                Some(reply) if request.method == axum::http::Method::GET => reply,
                _ => core.vendor(&request).await,
            };
            taken.hit();
            Verdict::Answer(reply)
        }
    }
}

async fn delayed(core: &Core, request: &Request, taken: &Taken, delay: Duration, when: When) -> Verdict {
    let early = match when {
        When::Before => None,
        When::After => Some(core.vendor(request).await),
    };
    taken.hit();
    tokio::time::sleep(delay).await;
    Verdict::Answer(match early {
        Some(reply) => reply,
        None => core.vendor(request).await,
    })
}

async fn held(core: &Core, request: &Request, taken: &Taken, when: When) -> Verdict {
    let early = match when {
        When::Before => None,
        When::After => Some(core.vendor(request).await),
    };
    taken.hit();
    match (taken.held().await, early) {
        (Release::Drop, Some(_)) => Verdict::Cut("held after processing, then dropped"),
        (Release::Drop, None) => Verdict::Cut("held before processing, then dropped"),
        (Release::Continue, Some(reply)) => Verdict::Answer(reply),
        (Release::Continue, None) => Verdict::Answer(core.vendor(request).await),
    }
}

/// JSON whose root is of another type than the answer's.
fn misshapen(body: &ReplyBody) -> Value {
    match body {
        ReplyBody::Json(Value::Object(_)) => json!(["an", "array"]),
        ReplyBody::Json(Value::Array(_)) => json!({"value": "an object"}),
        ReplyBody::Json(Value::String(_)) => json!(42),
        _ => json!("a string"),
    }
}

fn bytes(body: &ReplyBody) -> (Option<&'static str>, Bytes) {
    match body {
        ReplyBody::Empty | ReplyBody::Cut(_) => (None, Bytes::new()),
        ReplyBody::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
        ReplyBody::Other(kind, bytes) => (Some(kind), Bytes::from(bytes.clone())),
    }
}

fn headed(reply: &Reply, kind: Option<&'static str>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in &reply.headers {
        // A header that HTTP cannot carry is left out: the rule asked for the impossible.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn render(reply: &Reply) -> Response {
    let (kind, bytes) = bytes(&reply.body);
    headed(reply, kind, Body::from(bytes))
}

/// The answer up to its middle, or, where there is no body to cut, up to the middle of its status line.
fn truncated(reply: &Reply, part: Part, cut_in_head: impl FnOnce()) -> (Response, &'static str) {
    let (kind, bytes) = bytes(&reply.body);
    if part == Part::Head || bytes.len() < 2 {
        cut_in_head();
        return (headed(reply, kind, Body::from(bytes)), "truncated in the head");
    }
    let (length, half) = (bytes.len(), bytes.slice(..bytes.len() / 2));
    let body = Body::from_stream(stream::unfold(Some(Some(half)), |state| async move {
        match state {
            Some(Some(half)) => Some((Ok(half), Some(None))),
            Some(None) => {
                // Lets the server send what it has before it learns that there is no more.
                tokio::task::yield_now().await;
                Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
            }
            None => None,
        }
    }));
    let mut response = headed(reply, kind, body);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    (response, "truncated in the body")
}
