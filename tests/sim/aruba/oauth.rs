//! The OAuth code grant, in three steps, and the refresh: everything is in the query string [C].
//!
//! Called by `api`. Strict where the product might be sloppy: what is missing, unknown or given twice is refused, for a client that is right
//! by chance would not be on another day.

use std::collections::BTreeMap;

use axum::http::header;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::clock::after;
use super::super::vendor::{Reply, Request};
use super::account::Account;
use super::state::Inner;
use super::token::Pair;
use super::wire::Refusal;

/// Step 1 [C].
pub const LOGIN: &str = "/oauth2/authorize/central/api/login";
/// Step 2 [C].
pub const AUTHORIZE: &str = "/oauth2/authorize/central/api";
/// Step 3, and the refresh [C].
pub const TOKEN: &str = "/oauth2/token";

/// What of a query nobody may print.
pub(super) const SECRET: [&str; 3] = ["client_secret", "refresh_token", "code"];

type Handled = Result<Reply, Refusal>;

/// A user who has logged in, by the cookies.
struct Login {
    csrf: String,
    client_id: String,
    ends: Timestamp,
}

/// A code that was not used yet.
struct Grant {
    client_id: String,
    ends: Timestamp,
}

/// What is under way between the steps.
#[derive(Default)]
pub(super) struct Desk {
    logins: BTreeMap<String, Login>,
    codes: BTreeMap<String, Grant>,
    /// The second of the last steps, and how many they were.
    pace: (i64, u32),
    made: u64,
}

impl Desk {
    /// How often somebody logged in with a password.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Cookies and codes end.
    pub(super) fn clear(&mut self) {
        self.logins.clear();
        self.codes.clear();
    }

    fn may_step(&mut self, now: Timestamp, limit: Option<u32>) -> Result<(), Refusal> {
        let Some(limit) = limit else { return Ok(()) };
        if self.pace.0 != now.as_second() {
            self.pace = (now.as_second(), 0);
        }
        if self.pace.1 >= limit {
            return Err(Refusal::over_limit());
        }
        self.pace.1 += 1;
        Ok(())
    }
}

pub(super) fn handle(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let step: fn(&mut Inner, &Request, Timestamp) -> Handled = match request.path.as_str() {
        LOGIN => login,
        AUTHORIZE => authorize,
        TOKEN => token,
        _ => return Err(Refusal::gateway(404, "no Route matched with those values")),
    };
    if request.method != "POST" {
        return Err(Refusal::gateway(405, "Method not allowed"));
    }
    if request.path != TOKEN {
        inner.desk.may_step(now, inner.settings.logins_per_second)?;
    }
    step(inner, request, now)
}

/// 200 with two cookies [C].
fn login(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let query = query(request, &["client_id"])?;
    let body = object(request, &["username", "password"])?;
    let account = account(inner, &query["client_id"])?;
    if account.user != body["username"] || account.password.expose() != body["password"] {
        return Err(Refusal::gateway(inner.settings.bad_credentials, "Auth failure"));
    }
    let (session, csrf) = (made(), made());
    let ends = after(now, inner.settings.login_secs);
    let client_id = account.client_id.clone();
    let cookies = [
        format!("csrftoken={csrf}; Path=/; Secure"),
        format!("session={session}; Path=/; Secure; HttpOnly"),
    ];
    inner.desk.made += 1;
    inner.desk.logins.insert(session, Login { csrf, client_id, ends });
    let reply = Reply::json(200, json!({"status": true}));
    Ok(cookies
        .into_iter()
        .fold(reply, |reply, cookie| reply.with_header("set-cookie", cookie)))
}

/// 200 with a code [C].
fn authorize(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let query = query(request, &["client_id", "response_type", "scope"])?;
    let body = object(request, &["customer_id"])?;
    let session = cookie(request, "session").ok_or_else(|| Refusal::gateway(401, "Auth failure"))?;
    let login = inner.desk.logins.get(&session).filter(|login| now < login.ends);
    let login = login.ok_or_else(|| Refusal::gateway(401, "Auth failure"))?;
    if request.header("x-csrf-token") != Some(login.csrf.as_str()) {
        return Err(Refusal::gateway(403, "CSRF token missing or incorrect"));
    }
    let client_id = login.client_id.clone();
    let account = account(inner, &query["client_id"])?;
    if account.client_id != client_id || body["customer_id"] != account.customer.as_str() {
        return Err(Refusal::gateway(403, "Forbidden"));
    }
    if query["response_type"] != "code" || query["scope"] != "all" {
        return Err(bad("Invalid response_type or scope"));
    }
    let code = made();
    let ends = after(now, inner.settings.code_secs);
    inner.desk.codes.insert(code.clone(), Grant { client_id, ends });
    Ok(Reply::json(200, json!({"auth_code": code})))
}

/// 200 with a pair of tokens [C].
fn token(inner: &mut Inner, request: &Request, now: Timestamp) -> Handled {
    let pairs = request.query_pairs();
    let grant = pairs.iter().find(|(name, _)| name == "grant_type").map(|(_, grant)| grant.as_str());
    let carrier = match grant {
        Some("authorization_code") => "code",
        Some("refresh_token") => "refresh_token",
        Some(_) => return Err(Refusal::token(400, "unsupported_grant_type", "Invalid grant_type")),
        None => return Err(bad("Invalid grant_type")),
    };
    let query = query(request, &["client_id", "client_secret", "grant_type", carrier])?;
    let client = account(inner, &query["client_id"])?.clone();
    if client.client_secret.expose() != query["client_secret"] {
        return Err(no_client());
    }
    let pair = if carrier == "code" {
        redeem(inner, &client, &query["code"], now)?
    } else {
        inner.tokens.refresh(&client, &query["refresh_token"], now, &inner.settings)?
    };
    Ok(Reply::json(200, told(&pair)))
}

/// A code is good once, and not for long.
fn redeem(inner: &mut Inner, client: &Account, code: &str, now: Timestamp) -> Result<Pair, Refusal> {
    let refused = Refusal::token(inner.settings.failed_code, "invalid_grant", "Invalid code");
    let grant = inner.desk.codes.get(code).filter(|grant| now < grant.ends);
    if grant.is_none_or(|grant| grant.client_id != client.client_id) {
        return Err(refused);
    }
    inner.tokens.may_issue(&client.client_id, now, &inner.settings)?;
    inner.desk.codes.remove(code);
    Ok(inner.tokens.issue(client, now, &inner.settings))
}

/// As the token service writes it [C].
pub(super) fn told(pair: &Pair) -> Value {
    json!({
        "access_token": pair.access.expose(),
        "refresh_token": pair.refresh.expose(),
        "expires_in": pair.expires_in,
        "token_type": "bearer",
    })
}

fn made() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn bad(text: &'static str) -> Refusal {
    Refusal::token(400, "invalid_request", text)
}

fn no_client() -> Refusal {
    Refusal::token(401, "invalid_client", "Invalid client authentication")
}

fn account<'a>(inner: &'a Inner, client_id: &str) -> Result<&'a Account, Refusal> {
    let found = inner.accounts.iter().find(|account| account.client_id == client_id);
    found.ok_or_else(no_client)
}

/// The query's pairs: all of these, none else, and none twice.
fn query(request: &Request, wanted: &[&'static str]) -> Result<BTreeMap<String, String>, Refusal> {
    let pairs = request.query_pairs();
    let known: BTreeMap<String, String> = pairs.iter().cloned().collect();
    let all = wanted.iter().all(|name| known.get(*name).is_some_and(|value| !value.is_empty()));
    if all && pairs.len() == wanted.len() {
        return Ok(known);
    }
    Err(bad("A parameter is missing, unknown or given twice"))
}

/// The body: an object of these texts and nothing else, announced as JSON.
fn object(request: &Request, wanted: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let kind = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(bad("The body is not announced as JSON"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| bad("The body is not JSON"))?;
    match body {
        Value::Object(fields)
            if fields.len() == wanted.len() && wanted.iter().all(|name| fields.get(*name).is_some_and(Value::is_string)) =>
        {
            Ok(fields)
        }
        _ => Err(bad("The body is not what it should be")),
    }
}

fn cookie(request: &Request, wanted: &str) -> Option<String> {
    let pairs = request.header(header::COOKIE.as_str())?.split(';');
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
}
