//! The paths of the simulated API and what each demands of a request.
//!
//! Strict where the product might be sloppy: an unknown query key, an unknown field, a wrong type, a body where there is none to be, or
//! one that is not announced as JSON is 400, so that no test passes with a request that a real appliance might refuse.

use axum::http::header;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::vendor::{Reply, Request};
use super::session::User;
use super::settings::{Ban, SlowBoot};
use super::state::Inner;
use super::task::{Ending, Task, Trouble, What};
use super::wire::{self, Page, Refusal, Repository};
use super::{Appliance, SESSION_HEADER, install};

/// A request that gets no further.
type Handled = Result<Reply, Refusal>;

/// Under the base path: `updates/{version}/actions/install` follows.
const UPDATES: &str = "/appliance/update-manager/updates/";

/// Is this a POST to an update, whatever else may be wrong with it?
pub(super) fn is_start(appliance: &Appliance, request: &Request) -> bool {
    let rest = request.path.strip_prefix(&appliance.base);
    request.method == "POST" && rest.is_some_and(|rest| rest.starts_with(UPDATES))
}

pub(super) fn handle(appliance: &Appliance, request: &Request) -> Reply {
    appliance.change(|inner, now| {
        if inner.life.is_down(now) {
            // Held on its way here until after the machine went down.
            return Reply::cut("machine is down");
        }
        if !inner.limiter.admits(now, &inner.settings) {
            return banned(inner);
        }
        if inner.life.is_booting(now) && inner.settings.slow_boot == SlowBoot::All503 {
            return wire::not_up();
        }
        route(appliance, inner, request, now).unwrap_or_else(|refusal| wire::refuse(&refusal, &inner.settings))
    })
}

fn banned(inner: &Inner) -> Reply {
    match inner.settings.rate_answer {
        Ban::TooManyRequests => Reply::empty(429),
        Ban::Forbidden => wire::refuse(&Refusal::new(403, "TOO_MANY_REQUESTS", "Too many requests."), &inner.settings),
        Ban::Cut => Reply::cut("banned"),
    }
}

fn route(appliance: &Appliance, inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let Some(rest) = request.path.strip_prefix(&appliance.base).and_then(|rest| rest.strip_prefix('/')) else {
        return Err(Refusal::not_found());
    };
    let segments = rest.split('/').map(decoded).collect::<Result<Vec<_>, _>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if segments == ["session"] {
        return session(inner, request, now);
    }
    let user = authenticated(inner, request, now)?;
    let manages = request.method != "GET";
    if !user.reads || (manages && !user.manages) {
        return Err(Refusal::new(403, "FORBIDDEN", "The user may not do this."));
    }
    if segments != ["tasks"] {
        without_query(request)?;
    }
    if (request.method.as_str(), segments.as_slice()) == ("PUT", &["appliance", "update-manager", "repository"]) {
        return put_repository(inner, request);
    }
    without_body(request)?;
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["appliance"]) => Ok(Reply::json(
            200,
            wire::entity(wire::appliance_info(&inner.machine), &inner.settings),
        )),
        ("POST", ["appliance", "actions", "restart"]) => {
            inner.life.restart_soon(&inner.machine, now);
            Ok(Reply::empty(204))
        }
        ("GET", ["appliance", "configuration-manager", "reconfigure-required"]) => {
            let value = json!({"value": inner.machine.reconfigure_required});
            Ok(Reply::json(200, wire::entity(value, &inner.settings)))
        }
        ("GET", ["appliance", "update-manager", "repository"]) => {
            Ok(Reply::json(200, wire::entity(inner.machine.repository.shown(), &inner.settings)))
        }
        ("POST", ["appliance", "update-manager", "actions", "retrieve-updates"]) => retrieve(inner, now),
        ("POST", ["appliance", "update-manager", "updates", version, "actions", "install"]) => {
            install::install(inner, &appliance.log, request, version, now)
        }
        ("GET", ["tasks"]) => {
            let still_booting = booting(inner, now)?;
            still_booting.map_or_else(|| Ok(Reply::json(200, inner.tasks.page(request, now, &inner.settings)?)), Ok)
        }
        ("GET", ["tasks", id]) => {
            if let Some(reply) = booting(inner, now)? {
                return Ok(reply);
            }
            let task = inner.tasks.shown_one(id, now, &inner.settings).ok_or_else(Refusal::not_found)?;
            Ok(Reply::json(200, wire::entity(task.json(now, &inner.settings), &inner.settings)))
        }
        (method, ["services", rest @ ..]) => services(inner, method, rest, &request.path, now),
        _ => Err(Refusal::not_found()),
    }
}

/// `/tasks` after a restart: not up yet, as the toggle says.
fn booting(inner: &Inner, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    match inner.settings.slow_boot {
        _ if !inner.life.is_booting(now) => Ok(None),
        SlowBoot::Tasks500 => Err(Refusal::new(500, "INTERNAL_ERROR", "The service is starting.")),
        SlowBoot::Tasks503 | SlowBoot::All503 => Ok(Some(wire::not_up())),
    }
}

fn session(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    without_query(request)?;
    without_body(request)?;
    match request.method.as_str() {
        "POST" => login(inner, request, now),
        "GET" => {
            let user = authenticated(inner, request, now)?;
            Ok(Reply::json(200, json!({"username": user.name})))
        }
        "DELETE" => {
            authenticated(inner, request, now)?;
            inner.sessions.remove(request.header(SESSION_HEADER).unwrap_or_default());
            Ok(Reply::empty(204))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn login(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let wrong = || {
        Refusal::login(
            settings.bad_credentials,
            "INVALID_CREDENTIALS",
            "The user name or password is not correct.",
        )
    };
    let (name, password) = request.basic().ok_or_else(wrong)?;
    let mut users = inner.users.iter();
    let user = users
        .find(|user| user.name == name && user.password == password)
        .ok_or_else(wrong)?;
    if user.expired {
        let text = "The password has expired.";
        return Err(Refusal::login(settings.password_expired, "PASSWORD_EXPIRED", text));
    }
    let id = inner.sessions.create(user, now, &settings)?;
    Ok(Reply::json(200, json!({"session_id": id})))
}

/// The user of a live session.
fn authenticated(inner: &mut Inner, request: &Request, now: Timestamp) -> Result<User, Refusal> {
    let id = request.header(SESSION_HEADER).unwrap_or_default();
    let name = inner.sessions.touch(id, now, &inner.settings).ok_or_else(Refusal::no_session)?;
    inner
        .users
        .iter()
        .find(|user| user.name == name)
        .cloned()
        .ok_or_else(Refusal::no_session)
}

fn without_query(request: &Request) -> Result<(), Refusal> {
    if request.query.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("Unexpected query {}.", request.query)))
    }
}

fn without_body(request: &Request) -> Result<(), Refusal> {
    if request.body.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid("Unexpected body."))
    }
}

fn put_repository(inner: &mut Inner, request: &Request) -> Handled {
    let kind = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Refusal::invalid(format!("Unexpected content type {kind:?}.")));
    }
    let unreadable = |error| Refusal::invalid(format!("The body: {error}."));
    // By way of a map: a list would do for a structure, too.
    let body: Map<String, Value> = serde_json::from_slice(&request.body).map_err(unreadable)?;
    let repository: Repository = serde_json::from_value(Value::Object(body)).map_err(unreadable)?;
    repository.check()?;
    inner.machine.repository = repository;
    Ok(Reply::empty(204))
}

/// A task that finds what is offered when it begins.
fn retrieve(inner: &mut Inner, now: Timestamp) -> Handled {
    let settings = &inner.settings;
    if settings.retrieve_fails {
        return Err(Refusal::new(500, "INTERNAL_ERROR", "The updates cannot be retrieved."));
    }
    let repository = &inner.machine.repository;
    let ending = if settings.repository_unreachable || (repository.url.is_none() && !repository.mounted_iso) {
        Ending::Error(Trouble::new("The repository cannot be reached.", "Connection timed out."))
    } else {
        Ending::Found(inner.machine.updates.clone())
    };
    let task = Task::new(What::RetrieveUpdates, now, 0, settings.retrieve_secs, ending);
    let reply = Reply::json(202, task.json(now, settings));
    inner.tasks.add(task);
    Ok(reply)
}

fn services(inner: &mut Inner, method: &str, rest: &[&str], path: &str, now: Timestamp) -> Handled {
    let booting = inner.life.is_booting(now);
    let found = rest
        .first()
        .and_then(|id| inner.machine.services.iter_mut().find(|service| service.id == *id));
    match (method, rest, found) {
        ("GET", [], _) => {
            let services = inner.machine.services.iter();
            let page = Page {
                list: services.map(|service| wire::service_info(service, booting)).collect(),
                total: inner.machine.services.len(),
                offset: 0,
                limit: inner.settings.page_size,
                path: path.to_owned(),
            };
            Ok(Reply::json(200, page.json(&inner.settings)))
        }
        ("GET", [_], Some(service)) => Ok(Reply::json(
            200,
            wire::entity(wire::service_info(service, booting), &inner.settings),
        )),
        ("POST", [_, "actions", action @ ("start" | "stop" | "restart")], Some(service)) => {
            service.running = *action != "stop";
            Ok(Reply::empty(204))
        }
        _ => Err(Refusal::not_found()),
    }
}

/// A segment of the path, percent-decoded.
fn decoded(segment: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::invalid(format!("The path: {segment}."));
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let pair = [high.to_ascii_uppercase(), low.to_ascii_uppercase()];
                let decoded = data_encoding::HEXUPPER.decode(&pair).map_err(|_| invalid())?;
                (*decoded.first().ok_or_else(invalid)?, tail)
            }
            (b'%', _) => return Err(invalid()),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}
