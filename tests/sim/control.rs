//! The control API: plain HTTP and JSON on a loopback port of its own, for people with curl and for tests in another process.
//!
//! | call | what |
//! |---|---|
//! | `GET /state` | clock, door, rules, settings and the vendor's state |
//! | `GET /log`, `GET /starts` | all requests; `{committed, duplicates, elsewhere, granted}` |
//! | `GET /rules`, `POST /rules` | the fault rules; a new one, answered with `{id}` |
//! | `DELETE /rules/{id}`, `POST /rules/{id}/release` | `{"release": "continue" or "drop"}`, default continue |
//! | `GET /rules/{id}/wait?hits=n` | answers once the rule's effect has been reached n times (default 1) |
//! | `POST /clock` | `{set: timestamp, speed: x, advance: seconds}`, each optional |
//! | `POST /clusters/{id}` (or `/targets/{id}`) | merges edits into a target |
//! | `POST /sessions/expire` | ends all sessions |
//! | `GET /settings`, `POST /settings` | the toggles for what the vendor's documents leave open |
//! | `POST /door` | `{"greeting": "tls", "close" or "silence"}` for new connections |
//!
//! Called by [`super::running`]. It may offer nothing that the in-process handles do not: the two are one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::door::Greeting;
use super::faults::{Release, Rule};
use super::pipeline::Core;

type Shared = State<Arc<Core>>;
type Answer = Result<Response, Problem>;

/// What was wrong with a control request: always the caller's fault, so always 400.
struct Problem(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{:#}\n", self.0)).into_response()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the return type of every handler here")]
fn answer(value: &Value) -> Answer {
    Ok(([(header::CONTENT_TYPE, "application/json")], format!("{value:#}\n")).into_response())
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> anyhow::Result<T> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).context("the body")
}

pub(super) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/log", get(log))
        .route("/starts", get(starts))
        .route("/rules", get(rules).post(add_rule))
        .route("/rules/{id}", delete(remove_rule))
        .route("/rules/{id}/release", post(release_rule))
        .route("/rules/{id}/wait", get(wait_for_rule))
        .route("/clock", post(clock))
        .route("/clusters/{id}", post(edit))
        .route("/targets/{id}", post(edit))
        .route("/sessions/expire", post(expire))
        .route("/settings", get(settings).post(change_settings))
        .route("/door", post(door))
        .with_state(core)
}

async fn state(State(core): Shared) -> Answer {
    answer(&json!({
        "clock": {"now": core.clock.now(), "speed": core.clock.speed()},
        "door": {"greeting": core.door.greeting(), "accepted": core.door.accepted()},
        "rules": core.faults.list(),
        "settings": core.vendor.settings(),
        "vendor": core.vendor.state(),
    }))
}

async fn log(State(core): Shared) -> Answer {
    answer(&json!(core.log.requests()))
}

async fn starts(State(core): Shared) -> Answer {
    answer(&json!({
        "committed": core.log.committed(),
        "duplicates": core.log.duplicates(),
        "elsewhere": core.log.elsewhere(),
        "granted": core.log.granted(),
    }))
}

async fn rules(State(core): Shared) -> Answer {
    answer(&json!(core.faults.list()))
}

async fn add_rule(State(core): Shared, body: Bytes) -> Answer {
    let rule: Rule = parse(&body)?;
    answer(&json!({"id": core.faults.add(rule)}))
}

async fn remove_rule(State(core): Shared, Path(id): Path<u64>) -> Answer {
    core.faults.remove(id)?;
    answer(&json!({"removed": id}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    #[serde(default = "go_on")]
    release: Release,
}

fn go_on() -> Release {
    Release::Continue
}

async fn release_rule(State(core): Shared, Path(id): Path<u64>, body: Bytes) -> Answer {
    let ReleaseBody { release } = parse(&body)?;
    core.faults.release(id, release)?;
    answer(&json!({"released": id}))
}

async fn wait_for_rule(State(core): Shared, Path(id): Path<u64>, RawQuery(query): RawQuery) -> Answer {
    let query = query.unwrap_or_default();
    let hits = match query.strip_prefix("hits=") {
        Some(hits) => hits.parse().context("hits")?,
        None => 1,
    };
    core.faults.wait_until_hits(id, hits).await?;
    answer(&json!({"hits": core.faults.hits(id)?}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    set: Option<Timestamp>,
    speed: Option<f64>,
    advance: Option<f64>,
}

async fn clock(State(core): Shared, body: Bytes) -> Answer {
    let ClockBody { set, speed, advance } = parse(&body)?;
    let by = advance.map(Duration::try_from_secs_f64).transpose().context("advance")?;
    if let Some(to) = set {
        core.clock.set(to);
    }
    if let Some(speed) = speed {
        core.clock.set_speed(speed);
    }
    if let Some(by) = by {
        core.clock.advance(by);
    }
    answer(&json!({"now": core.clock.now(), "speed": core.clock.speed()}))
}

async fn edit(State(core): Shared, Path(id): Path<String>, body: Bytes) -> Answer {
    answer(&core.vendor.edit(&id, parse(&body)?)?)
}

async fn expire(State(core): Shared) -> Answer {
    answer(&json!({"expired": core.vendor.expire_sessions()}))
}

async fn settings(State(core): Shared) -> Answer {
    answer(&core.vendor.settings())
}

async fn change_settings(State(core): Shared, body: Bytes) -> Answer {
    answer(&core.vendor.change_settings(parse(&body)?)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoorBody {
    greeting: Greeting,
}

async fn door(State(core): Shared, body: Bytes) -> Answer {
    let DoorBody { greeting } = parse(&body)?;
    core.door.greet(greeting);
    answer(&json!({"greeting": core.door.greeting()}))
}
