//! The paths of the simulated API and what each demands of a request: a good token, a place in the quota, and the right form.
//!
//! What is simulated is what the product may call and what people do beside it. The paths that change a compliance version, and the
//! device-level start and cancel, are not: they give 404, which a path may give in any case [C].

use axum::http::header;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::faults::globs;
use super::super::vendor::{Reply, Request};
use super::account::Account;
use super::cancel::Form;
use super::quota::Standing;
use super::state::{Inner, Whose};
use super::wire::Refusal;
use super::{Central, TENANT_HEADER, cancel, oauth, reads, upgrade};

/// A request that gets no further.
type Handled = Result<Reply, Refusal>;

/// The path of a start of this customer [C].
pub fn start_path(customer: &str) -> String {
    format!("/firmware/v1/msp/upgrade/customers/{customer}")
}

/// The path of a cancel of this customer that is not deprecated [C].
pub fn cancel_path(customer: &str) -> String {
    format!("/firmware/v2/msp/upgrade/customers/{customer}/cancel")
}

/// Is this a POST that starts something, whatever else may be wrong with it?
pub(super) fn is_start(request: &Request) -> bool {
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let customer = matches!(segments.as_slice(), ["firmware", "v1", "msp", "upgrade", "customers", _]);
    request.method == "POST" && customer
}

/// The access token that a request carries.
pub(super) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn handle(central: &Central, request: &Request) -> Reply {
    let (mut inner, now) = central.at_now();
    let inner = &mut *inner;
    if request.path.starts_with("/oauth2/") {
        let answered = oauth::handle(inner, request, now);
        return answered.unwrap_or_else(|refusal| refusal.reply(&inner.settings));
    }
    let mut standing = Standing::fresh(&inner.settings);
    let answered = metered(central, inner, request, now, &mut standing);
    let reply = answered.unwrap_or_else(|refusal| refusal.reply(&inner.settings));
    standing.tell(reply, now, &inner.settings)
}

/// A call is charged once its token is known, whatever becomes of it.
fn metered(central: &Central, inner: &mut Inner, request: &Request, now: Timestamp, standing: &mut Standing) -> Handled {
    let account = authenticated(inner, request, now)?;
    let quota = inner.quotas.entry(account.customer.clone()).or_default();
    *standing = quota.charge(now, &inner.settings);
    if standing.refused_until.is_some() {
        return Err(Refusal::over_limit());
    }
    if request.body.len() > inner.settings.body_limit {
        return Err(Refusal::gateway(inner.settings.too_large_status, "Request size limit exceeded"));
    }
    if inner.settings.missing_paths.iter().any(|glob| globs(glob, &request.path)) {
        return Err(Refusal::gateway(
            inner.settings.missing_path_status,
            "no Route matched with those values",
        ));
    }
    route(central, inner, request, &account, now)
}

/// The account of a good token.
fn authenticated(inner: &Inner, request: &Request, now: Timestamp) -> Result<Account, Refusal> {
    let missing = || Refusal::token(401, "invalid_request", "The access token is missing");
    let token = bearer(request).ok_or_else(missing)?;
    let client = inner.tokens.client(token, now).ok_or_else(Refusal::bad_token)?;
    let mut accounts = inner.accounts.iter();
    accounts
        .find(|account| account.client_id == client)
        .cloned()
        .ok_or_else(Refusal::bad_token)
}

fn route(central: &Central, inner: &mut Inner, request: &Request, account: &Account, now: Timestamp) -> Handled {
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let (method, rest) = match segments.as_slice() {
        ["firmware", rest @ ..] => (request.method.as_str(), rest),
        _ => return Err(Refusal::gateway(404, "no Route matched with those values")),
    };
    match rest {
        ["v1", "msp", "upgrade", "customers", id] => {
            only(method, "POST")?;
            let body = change(inner, request, account)?;
            upgrade::start(inner, &central.log, request, id, &body, now)
        }
        [v @ ("v1" | "v2"), "msp", "upgrade", "customers", id, "cancel"] => {
            only(method, "POST")?;
            let body = change(inner, request, account)?;
            let version = if *v == "v1" { 1 } else { 2 };
            cancel::cancel(inner, request, Form::Customer { id, version }, &body, now)
        }
        [v @ ("v1" | "v2"), "msp", "upgrade", "cancel"] => {
            only(method, "POST")?;
            let body = change(inner, request, account)?;
            let version = if *v == "v1" { 1 } else { 2 };
            cancel::cancel(inner, request, Form::All { version }, &body, now)
        }
        ["v1", "msp", rest @ ..] => {
            only(method, "GET")?;
            at_provider(account)?;
            provider(inner, request, rest, now)
        }
        ["v1", rest @ ..] => {
            only(method, "GET")?;
            let whose = whose(inner, request, account)?;
            device_level(inner, request, rest, whose, now)
        }
        _ => Err(Refusal::not_found()),
    }
}

/// The provider's reads.
fn provider(inner: &mut Inner, request: &Request, rest: &[&str], now: Timestamp) -> Handled {
    match rest {
        ["tenants", id] => reads::tenant(inner, request, id, now),
        ["upgrade", "compliance_version"] => reads::compliance(inner, request, Whose::Provider, false),
        ["upgrade", "customers", id, "compliance_version"] => {
            let number = inner.number(id)?;
            reads::compliance(inner, request, Whose::Customer(number), true)
        }
        _ => Err(Refusal::not_found()),
    }
}

/// The reads of one customer's devices.
fn device_level(inner: &mut Inner, request: &Request, rest: &[&str], whose: Whose, now: Timestamp) -> Handled {
    match rest {
        ["swarms"] => reads::swarms(inner, request, whose, now),
        ["swarms", id] => reads::one(inner, request, whose, id, true, now),
        ["devices"] => reads::devices(inner, request, whose, now),
        ["devices", serial] => reads::one(inner, request, whose, serial, false, now),
        ["status"] => reads::status(inner, request, whose, now),
        ["versions"] => reads::versions(inner, request, whose, now),
        ["versions", version] => reads::version(inner, request, version),
        ["models"] => reads::models(inner, request, whose, now),
        ["upgrade", "compliance_version"] => reads::compliance(inner, request, whose, true),
        _ => Err(Refusal::not_found()),
    }
}

/// 405 [U].
fn only(method: &str, wanted: &str) -> Result<(), Refusal> {
    let allowed = method == wanted;
    if allowed {
        Ok(())
    } else {
        Err(Refusal::gateway(405, "Method not allowed"))
    }
}

fn at_provider(account: &Account) -> Result<(), Refusal> {
    if account.is_msp() { Ok(()) } else { Err(Refusal::forbidden()) }
}

/// Whose devices a call is about: the token's own, or for the provider's those of the header [C]. The provider has none of its own.
fn whose(inner: &Inner, request: &Request, account: &Account) -> Result<Whose, Refusal> {
    match request.header(TENANT_HEADER) {
        Some(id) if account.is_msp() || id == account.customer => Ok(Whose::Customer(inner.number(id)?)),
        Some(_) => Err(Refusal::forbidden()),
        None if account.is_msp() => Ok(Whose::Provider),
        None => Ok(Whose::Customer(inner.number(&account.customer)?)),
    }
}

/// The body of a call that changes something at the provider's level: an object that is announced as JSON.
fn change(inner: &Inner, request: &Request, account: &Account) -> Result<Map<String, Value>, Refusal> {
    at_provider(account)?;
    if !account.writes {
        return Err(Refusal::forbidden());
    }
    if !request.query.is_empty() {
        return Err(Refusal::combination("Unsupported query combination", &inner.settings));
    }
    let kind = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Refusal::general("The body is not announced as JSON", &inner.settings));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Refusal::general("The body is not a JSON object", &inner.settings)),
    }
}
