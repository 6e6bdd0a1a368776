//! The paths of the simulated API and what each demands of a request.
//!
//! Strict where the product might be sloppy: an unknown query key, a missing action, an unknown field, a wrong type or a body that
//! is not announced as JSON is 400 INVALID_REQUEST, so that no test passes with a request that a real vCenter might refuse.

use axum::http::header;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::clock::after;
use super::super::lock;
use super::super::vendor::{Reply, Request};
use super::session::User;
use super::settings::Prechecks;
use super::start;
use super::wire::{self, Refusal, UpgradeSpec, UpgradeSpecs};
use super::{SESSION_HEADER, VCenter};

const SOFTWARE: &str = "/api/vcenter/namespace-management/software/";

/// A request that gets no further.
type Handled = Result<Reply, Refusal>;

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new("INVALID_REQUEST", text)
}

/// Is this a POST to the clusters, whatever else may be wrong with it?
pub(super) fn is_start(request: &Request) -> bool {
    request.method == "POST" && request.path.starts_with(SOFTWARE) && request.path[SOFTWARE.len()..].starts_with("clusters")
}

pub(super) async fn handle(vcenter: &VCenter, request: &Request) -> Reply {
    match route(vcenter, request).await {
        Ok(reply) => reply,
        Err(refusal) => wire::refuse(&refusal, None, &lock(&vcenter.inner).settings),
    }
}

async fn route(vcenter: &VCenter, request: &Request) -> Handled {
    let method = request.method.as_str();
    if request.path == "/api/session" {
        return session(vcenter, request);
    }
    let Some(rest) = request.path.strip_prefix(SOFTWARE) else {
        return Err(no_operation(request));
    };
    let segments: Vec<&str> = rest.split('/').collect();
    match (method, segments.as_slice()) {
        ("GET", ["clusters"]) => list(vcenter, request),
        ("GET", ["clusters", id]) => get(vcenter, request, id),
        ("GET", ["cluster-available-versions"]) => versions(vcenter, request),
        ("POST", ["clusters"]) => upgrade_multiple(vcenter, request).await,
        ("POST", ["clusters", id]) => upgrade(vcenter, request, id).await,
        _ => Err(no_operation(request)),
    }
}

fn no_operation(request: &Request) -> Refusal {
    Refusal::new("OPERATION_NOT_FOUND", format!("No operation {} {}.", request.method, request.path))
}

fn session(vcenter: &VCenter, request: &Request) -> Handled {
    if !matches!(request.method.as_str(), "GET" | "POST" | "DELETE") {
        return Err(no_operation(request));
    }
    let now = vcenter.clock.now();
    let inner = &mut *lock(&vcenter.inner);
    if inner.settings.session_service_down {
        return Err(Refusal::new("SERVICE_UNAVAILABLE", "The session service is not available."));
    }
    if request.method == "POST" {
        let (name, password) = request.basic().ok_or_else(unauthenticated)?;
        let user = inner
            .users
            .iter()
            .find(|user| user.name == name && user.password == password)
            .ok_or_else(unauthenticated)?;
        let token = inner.sessions.create(user, now, &inner.settings)?;
        vcenter.count_login();
        // 201, and the token is the whole body as a JSON string [C].
        return Ok(Reply::json(201, json!(token)));
    }
    let token = request.header(SESSION_HEADER).unwrap_or_default();
    let (_, info) = inner.sessions.touch(token, now, &inner.settings).ok_or_else(unauthenticated)?;
    if request.method == "GET" {
        return Ok(Reply::json(200, info));
    }
    inner.sessions.remove(token);
    Ok(Reply::empty(204))
}

fn unauthenticated() -> Refusal {
    Refusal::new("UNAUTHENTICATED", "Authentication required.")
}

/// The user of a live session who may do this, on all these clusters.
fn authorize<'a>(vcenter: &VCenter, request: &Request, start_of: Option<impl Iterator<Item = &'a str>>) -> Result<User, Refusal> {
    let token = request.header(SESSION_HEADER).unwrap_or_default();
    let inner = &mut *lock(&vcenter.inner);
    let (name, _) = inner
        .sessions
        .touch(token, vcenter.clock.now(), &inner.settings)
        .ok_or_else(unauthenticated)?;
    let user = inner.users.iter().find(|user| user.name == name).ok_or_else(unauthenticated)?;
    let allowed = match start_of {
        None => user.reads,
        Some(mut clusters) => user.manages && clusters.all(|id| !user.except.iter().any(|except| except == id)),
    };
    if allowed {
        Ok(user.clone())
    } else {
        Err(Refusal::new("UNAUTHORIZED", "Permission to perform this operation was denied."))
    }
}

/// For calls that name no cluster in their privilege check.
const READ: Option<std::iter::Empty<&'static str>> = None;

/// No query at all.
fn plain(request: &Request) -> Result<(), Refusal> {
    if request.query.is_empty() {
        Ok(())
    } else {
        Err(invalid(format!("Unexpected query {}.", request.query)))
    }
}

fn list(vcenter: &VCenter, request: &Request) -> Handled {
    plain(request)?;
    authorize(vcenter, request, READ)?;
    let now = vcenter.clock.now();
    let inner = &mut *lock(&vcenter.inner);
    inner.settle(now);
    let supervisors = inner.clusters.iter().filter(|cluster| cluster.supervisor);
    Ok(Reply::json(
        200,
        supervisors.map(|cluster| cluster.summary(now, &inner.settings)).collect(),
    ))
}

fn get(vcenter: &VCenter, request: &Request, id: &str) -> Handled {
    plain(request)?;
    authorize(vcenter, request, READ)?;
    let now = vcenter.clock.now();
    let inner = &mut *lock(&vcenter.inner);
    inner.settle(now);
    let settings = inner.settings.clone();
    let cluster = inner
        .cluster(id)
        .ok_or_else(|| Refusal::new("NOT_FOUND", format!("Cluster {id} does not exist.")))?;
    if !cluster.supervisor {
        return Err(Refusal::new("UNSUPPORTED", format!("Cluster {id} is not enabled for Supervisor.")));
    }
    Ok(Reply::json(200, cluster.info(now, &settings)))
}

/// Every version that some cluster has or could have. The forms of the texts and of the date are [U].
fn versions(vcenter: &VCenter, request: &Request) -> Handled {
    plain(request)?;
    authorize(vcenter, request, READ)?;
    let mut inner = lock(&vcenter.inner);
    inner.settle(vcenter.clock.now());
    let mut known: Vec<&String> = Vec::new();
    for version in inner
        .clusters
        .iter()
        .flat_map(|cluster| std::iter::once(&cluster.current_version).chain(&cluster.available_versions))
    {
        if !known.contains(&version) {
            known.push(version);
        }
    }
    let described = |version: &&String| {
        json!({
            "version": version,
            "name": format!("Supervisor {version}"),
            "description": "A simulated release.",
            "release_date": "2025-01-15T00:00:00.000Z",
            "release_notes": "https://example.com/release-notes",
        })
    };
    Ok(Reply::json(200, known.iter().map(described).collect::<Value>()))
}

async fn upgrade_multiple(vcenter: &VCenter, request: &Request) -> Handled {
    // The session first: without one nothing is said about the request.
    authorize(vcenter, request, READ)?;
    action(request, "upgradeMultiple")?;
    let specs: UpgradeSpecs = body(request)?;
    authorize(vcenter, request, Some(specs.keys().map(String::as_str)))?;
    precheck_time(vcenter).await;
    Ok(start::many(
        &mut lock(&vcenter.inner),
        &vcenter.log,
        request,
        &specs,
        vcenter.clock.now(),
    ))
}

async fn upgrade(vcenter: &VCenter, request: &Request, id: &str) -> Handled {
    authorize(vcenter, request, READ)?;
    action(request, "upgrade")?;
    let spec: UpgradeSpec = body(request)?;
    authorize(vcenter, request, Some(std::iter::once(id)))?;
    if lock(&vcenter.inner).cluster(id).is_none() {
        // Documented for the single call, unlike for the map [C].
        return Err(Refusal::new("NOT_FOUND", format!("Cluster {id} does not exist.")));
    }
    precheck_time(vcenter).await;
    Ok(start::one(
        &mut lock(&vcenter.inner),
        &vcenter.log,
        request,
        id,
        &spec,
        vcenter.clock.now(),
    ))
}

fn action(request: &Request, wanted: &str) -> Result<(), Refusal> {
    match request.query_pairs().as_slice() {
        [(key, value)] if key == "action" && value == wanted => Ok(()),
        _ => Err(invalid(format!("Expected ?action={wanted}, found ?{}.", request.query))),
    }
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    let kind = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(invalid(format!("Unexpected content type {kind:?}.")));
    }
    serde_json::from_slice(&request.body).map_err(|error| invalid(format!("The body: {error}.")))
}

/// Pre-checks inside the call hold the answer, and the commit, for as long as they take.
async fn precheck_time(vcenter: &VCenter) {
    let secs = {
        let settings = &lock(&vcenter.inner).settings;
        if settings.prechecks == Prechecks::InCall {
            settings.precheck_secs
        } else {
            0
        }
    };
    if secs > 0 {
        vcenter.clock.reach(after(vcenter.clock.now(), secs)).await;
    }
}
