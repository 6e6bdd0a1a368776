//! The paths of the simulated API and what each demands of a request.
//!
//! Strict where the product might be sloppy: an unknown query key, an unknown field, a wrong type, a body where there is none to be, or
//! one that is not announced as JSON is 400 with the reason number that the documents give it [C: the numbers; U: which is found first].

use axum::http::header;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::faults::globs;
use super::super::vendor::{Reply, Request};
use super::session::{Mfa, User};
use super::settings::{PropertiesQuery, SlowBoot};
use super::state::Inner;
use super::wire::{self, Refusal, stamp};
use super::{Hmc, SESSION_HEADER, firmware, install};

/// A request that gets no further.
type Handled = Result<Reply, Refusal>;

/// The path of a single step install [C].
pub const INSTALL: &str = "/api/console/operations/single-step-install";

/// The path of an authorization [C].
pub const AUTHORIZE: &str = "/api/console/operations/authorize-remote-firmware-updates";

/// [U] The longest body that is read.
const BODY_LIMIT: usize = 64 << 10;

/// What may be in a logon [C].
const LOGON_FIELDS: [&str; 2] = ["userid", "password"];

/// Is this a POST that starts something, whatever else may be wrong with it?
pub(super) fn is_start(request: &Request) -> bool {
    request.method == "POST" && [INSTALL, AUTHORIZE].contains(&request.path.as_str())
}

pub(super) fn handle(hmc: &Hmc, request: &Request) -> Reply {
    hmc.change(|inner, now| {
        if inner.life.is_down(now) {
            // Held on its way here until after the console went down.
            return Reply::cut("console is down");
        }
        let mut user = None;
        let answered = if inner.life.is_booting(now) {
            booting(inner, request, now)
        } else {
            route(hmc, inner, request, now, &mut user)
        };
        answered.unwrap_or_else(|refusal| wire::refuse(&refusal, request, user.as_deref(), &inner.settings))
    })
}

/// After a restart: not all there yet, as the toggle says.
fn booting(inner: &Inner, request: &Request, now: Timestamp) -> Handled {
    match inner.settings.slow_boot {
        SlowBoot::Page => Ok(wire::not_up()),
        SlowBoot::OnlyVersion if request.path == "/api/version" => version(inner, request, now),
        SlowBoot::OnlyVersion => Err(Refusal::new(503, 1, "The console is starting.")),
    }
}

/// `user` is filled in as soon as it is known, for the error body.
fn route(hmc: &Hmc, inner: &mut Inner, request: &Request, now: Timestamp, user: &mut Option<String>) -> Handled {
    accepts_json(request)?;
    if request.body.len() > BODY_LIMIT {
        return Err(Refusal::new(413, 1, "The body is too large."));
    }
    match (request.path.as_str(), request.method.as_str()) {
        ("/api/version", "GET") => return version(inner, request, now),
        ("/api/sessions", "POST") => return logon(inner, request, now),
        ("/api/version" | "/api/sessions", _) => return Err(Refusal::no_method()),
        _ => {}
    }
    let known = authenticated(inner, request, now)?;
    *user = Some(known.name.clone());
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["api", "console", rest @ ..] if known.sees_console => console(hmc, inner, request, rest, &known, now),
        ["api", "sessions", "this-session"] => {
            only(request, &["DELETE"])?;
            inner.sessions.remove(request.header(SESSION_HEADER).unwrap_or_default());
            Ok(Reply::empty(204))
        }
        ["api", "jobs", id, rest @ ..] => job(inner, request, id, rest, &known),
        _ => Err(Refusal::no_object()),
    }
}

fn console(hmc: &Hmc, inner: &mut Inner, request: &Request, rest: &[&str], user: &User, now: Timestamp) -> Handled {
    let has = |has: bool, task: &str| if has { Ok(()) } else { Err(Refusal::lacks(task)) };
    let manages = || has(user.manages_updates, "Manage Remote Firmware Updates");
    match rest {
        [] => {
            only(request, &["GET"])?;
            properties(inner, request)
        }
        ["operations", "list-features"] => {
            only(request, &["GET"])?;
            features(inner, request)
        }
        ["remote-firmware-updates"] => {
            only(request, &["GET"])?;
            let query = query(request, &["state"])?;
            manages()?;
            firmware::list(inner, &query, now)
        }
        ["remote-firmware-updates", id] => {
            only(request, &["GET", "DELETE"])?;
            query(request, &[])?;
            without_body(request)?;
            if request.method == "DELETE" {
                has(user.cancels_updates, "Cancel Scheduled Update")?;
                return firmware::delete(inner, id);
            }
            manages()?;
            firmware::look(inner, id, now)
        }
        ["operations", "authorize-remote-firmware-updates"] => {
            only(request, &["POST"])?;
            query(request, &[])?;
            without_body(request)?;
            manages()?;
            firmware::authorize(inner, &hmc.log, request, now)
        }
        ["operations", "single-step-install"] => {
            only(request, &["POST"])?;
            query(request, &[])?;
            let body = object(request)?;
            has(user.installs, "Single Step Console Internal Code")?;
            install::install(inner, &hmc.log, request, &body, &user.name, now)
        }
        _ => Err(Refusal::no_object()),
    }
}

/// 200 [C]; needs no logon.
fn version(inner: &Inner, request: &Request, now: Timestamp) -> Handled {
    query(request, &[])?;
    without_body(request)?;
    let console = &inner.console;
    let (major, minor) = console.api_version;
    Ok(Reply::json(
        200,
        json!({
            "api-major-version": major,
            "api-minor-version": minor,
            "hmc-version": console.version,
            "hmc-name": console.name,
            "hmc-time": stamp(now, &inner.settings),
            "classification-text": null,
            "vendor": "ibm",
            "welcome-text": null,
        }),
    ))
}

fn logon(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    query(request, &[])?;
    let body = object(request)?;
    if let Some(name) = body.keys().find(|name| !LOGON_FIELDS.contains(&name.as_str())) {
        return Err(Refusal::invalid(6, format!("{name} is not a field of this request.")));
    }
    let field = |name: &str| {
        let value = body.get(name).ok_or_else(|| Refusal::invalid(5, format!("{name} is missing.")))?;
        value
            .as_str()
            .ok_or_else(|| Refusal::invalid(7, format!("{name} is not a string.")))
    };
    let [name, password] = LOGON_FIELDS.map(field);
    let (name, password) = (name?, password?);
    let mut users = inner.users.iter();
    let Some(user) = users.find(|user| user.name == name && user.password.expose() == password).cloned() else {
        let text = "The user or the password is not correct.";
        return Err(Refusal::new(403, inner.settings.bad_credentials_reason, text));
    };
    match user.mfa {
        Some(Mfa::SecretMade) => return Ok(Reply::json(201, json!({"shared-secret-key": "SIMULATEDSECRET2"}))),
        Some(Mfa::CodeMissing) => return Err(Refusal::new(409, 50, "A multi-factor authentication code is needed.")),
        Some(Mfa::CodeWrong) => return Err(Refusal::new(409, 51, "The multi-factor authentication code is not correct.")),
        None => {}
    }
    let session = inner.sessions.create(&user, now, &inner.settings)?;
    let number = inner.sessions.made();
    let (major, minor) = inner.console.api_version;
    Ok(Reply::json(
        200,
        json!({
            "api-session": session,
            "session-credential": uuid::Uuid::new_v4().simple().to_string(),
            "notification-topic": format!("{name}.{number}"),
            "job-notification-topic": format!("{name}.{number}.job"),
            "api-major-version": major,
            "api-minor-version": minor,
            "password-expires": user.password_expires,
        }),
    ))
}

/// The user of a live session.
fn authenticated(inner: &mut Inner, request: &Request, now: Timestamp) -> Result<User, Refusal> {
    let id = request.header(SESSION_HEADER);
    let id = id.ok_or_else(|| Refusal::new(403, 4, "The request has no session."))?;
    let ended = || Refusal::new(403, 5, "There is no such session, or it has expired.");
    let name = inner.sessions.touch(id, now, &inner.settings).ok_or_else(ended)?;
    inner.users.iter().find(|user| user.name == name).cloned().ok_or_else(ended)
}

/// 200 with all properties, or those that were asked for [C].
fn properties(inner: &Inner, request: &Request) -> Handled {
    let how = inner.settings.properties_query;
    let known: &[&str] = if how == PropertiesQuery::Unknown { &[] } else { &["properties"] };
    let query = query(request, known)?;
    without_body(request)?;
    let mut all = inner.console.properties();
    let Some((_, wanted)) = query.first().filter(|_| how == PropertiesQuery::Honoured) else {
        return Ok(Reply::json(200, all));
    };
    let mut some = Map::new();
    for name in wanted.split(',') {
        let value = all.get_mut(name).map(Value::take);
        let unknown = || Refusal::invalid(14, format!("{name} is not a property of the console."));
        some.insert(name.to_owned(), value.ok_or_else(unknown)?);
    }
    Ok(Reply::json(200, Value::Object(some)))
}

/// 200 with the names of the features [C]; an older console knows of no such operation. A name to look for is a regular expression [C],
/// of which this one understands plain text and `.*`.
fn features(inner: &Inner, request: &Request) -> Handled {
    let features = inner.console.features.as_ref().ok_or_else(Refusal::no_object)?;
    let query = query(request, &["name"])?;
    without_body(request)?;
    let wanted = query.first().map_or("*".to_owned(), |(_, name)| name.replace(".*", "*"));
    let named: Value = features.iter().filter(|name| globs(&wanted, name)).cloned().collect();
    Ok(Reply::json(200, named))
}

fn job(inner: &mut Inner, request: &Request, id: &str, rest: &[&str], user: &User) -> Handled {
    match rest {
        [] => {
            only(request, &["GET", "DELETE"])?;
            query(request, &[])?;
            without_body(request)?;
            if request.method == "DELETE" {
                inner.jobs.delete(id, &user.name)?;
                return Ok(Reply::empty(204));
            }
            Ok(Reply::json(200, inner.jobs.query(id, &user.name, &inner.settings)?))
        }
        ["operations", "cancel"] => {
            only(request, &["POST"])?;
            query(request, &[])?;
            without_body(request)?;
            inner.jobs.cancel(id, &user.name, &inner.settings)?;
            Ok(Reply::empty(202))
        }
        _ => Err(Refusal::no_object()),
    }
}

fn only(request: &Request, methods: &[&str]) -> Result<(), Refusal> {
    let allowed = methods.contains(&request.method.as_str());
    if allowed { Ok(()) } else { Err(Refusal::no_method()) }
}

/// 406 [C], unless the client takes JSON or does not say.
fn accepts_json(request: &Request) -> Result<(), Refusal> {
    let accept = request.header(header::ACCEPT.as_str()).unwrap_or("*/*");
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if kinds
        .into_iter()
        .any(|kind| ["*/*", "application/*", "application/json"].contains(&kind))
    {
        return Ok(());
    }
    Err(Refusal::new(406, 1, "The client takes nothing that is to be had."))
}

/// The query's pairs: none but these, and none twice (400.1).
fn query(request: &Request, known: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = request.query_pairs();
    for (at, (name, _)) in pairs.iter().enumerate() {
        if !known.contains(&name.as_str()) || pairs[..at].iter().any(|(before, _)| before == name) {
            return Err(Refusal::invalid(1, format!("Unexpected query parameter {name}.")));
        }
    }
    Ok(pairs)
}

fn without_body(request: &Request) -> Result<(), Refusal> {
    if request.body.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(4, "Unexpected body."))
    }
}

/// The body, which has to be a JSON object that is announced as JSON.
fn object(request: &Request) -> Result<Map<String, Value>, Refusal> {
    if request.body.is_empty() {
        return Err(Refusal::invalid(3, "The body is missing."));
    }
    let kind = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Refusal::invalid(2, format!("Unexpected content type {kind:?}.")));
    }
    let parsed: Value = serde_json::from_slice(&request.body).map_err(|error| Refusal::invalid(9, format!("The body: {error}.")))?;
    match parsed {
        Value::Object(fields) => Ok(fields),
        _ => Err(Refusal::invalid(7, "The body is not an object.")),
    }
}
