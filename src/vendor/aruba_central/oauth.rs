//! How tokens are asked for: OAuth's code grant in three steps, and the refresh (`vendors.md` 1.3; pycentral `base.py`).
//!
//! Everything secret is in the query string, so no URL of these calls goes anywhere. Each request is sent once: what became of it is told by
//! [`Outcome`], and whoever asked has claimed the refresh token before ([`entry`](super::entry)). Steps are a second apart.

use std::time::Duration;

use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use super::entry::Pair;
use super::failures::KEYS;
use super::failures::said;
use super::wire::Refusal;
use crate::vendor::credentials::ClientCredentials;
use crate::vendor::credentials::Credentials;
use crate::vendor::decode::json;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Dated;
use crate::vendor::http::Http;
use crate::vendor::http::Proof;
use crate::vendor::http::Reply;
use crate::vendor::http::Unanswered;
use crate::vendor::http::Verb;
use crate::vendor::hush::Hush;

/// Longest token that is taken for one. Today's have 32 characters; those of other services are JSON web tokens.
const LONGEST_TOKEN: usize = 4096;

/// How long an access token is good that does not say so (`vendors.md` 1.3).
const LIVES: Duration = Duration::from_secs(7200);

/// What came of a request for a pair of tokens.
pub(super) enum Outcome {
    /// This.
    Pair(Pair),
    /// What it was asked with is not good: the refresh token, or the code.
    Dead(VendorError),
    /// Nothing was given, and nothing was used up.
    NotTaken(VendorError),
    /// It may have been given, and the answer did not come, or was not the token service's.
    Lost(VendorError),
}

/// Another pair for a refresh token.
pub(super) async fn refresh(http: &Http, client: &ClientCredentials, token: &SecretString) -> Outcome {
    let query = [
        ("client_id", client.client_id.as_str()),
        ("client_secret", client.client_secret.expose_secret()),
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose_secret()),
    ];
    let hush = Hush::of([client.client_secret.clone(), token.clone()]);
    pair(http, "refresh_token", &query, &hush).await
}

/// A pair for a user: log in, get a code, get the pair for it. The first two give nothing that could be lost.
pub(super) async fn log_in(http: &Http, client: &ClientCredentials, user: &Credentials, customer: &str) -> Outcome {
    let mut secrets = vec![client.client_secret.clone(), user.password.clone()];
    let code = match code(http, client, user, customer, &mut secrets).await {
        Ok(code) => code,
        Err(error) => return Outcome::NotTaken(error),
    };
    let query = [
        ("client_id", client.client_id.as_str()),
        ("client_secret", client.client_secret.expose_secret()),
        ("grant_type", "authorization_code"),
        ("code", code.expose_secret()),
    ];
    secrets.push(code.clone());
    match pair(http, "redeem_code", &query, &Hush::of(secrets)).await {
        // A code is not what people can mend.
        Outcome::Dead(error) => Outcome::NotTaken(error),
        outcome => outcome,
    }
}

async fn code(
    http: &Http,
    client: &ClientCredentials,
    user: &Credentials,
    customer: &str,
    secrets: &mut Vec<SecretString>,
) -> Result<SecretString, VendorError> {
    const LOGIN: &str = "login";
    const AUTHORIZE: &str = "authorize";
    let document = json!({"username": user.username, "password": user.password.expose_secret()});
    let document = SecretString::from(document.to_string());
    let call = Call {
        operation: LOGIN,
        verb: Verb::Post,
        path: &["oauth2", "authorize", "central", "api", "login"],
        query: &[("client_id", &client.client_id)],
        proof: Proof::Document(&document),
        timeout: None,
    };
    let reply = http.read(&call).await?.reply;
    let cookies = (reply.cookies.get("csrftoken"), reply.cookies.get("session"));
    let (200..=299, (Some(csrf), Some(session))) = (reply.status, cookies) else {
        return Err(unauthorized(http, LOGIN, &reply, &Hush::of(secrets.clone())));
    };
    secrets.extend([csrf.clone(), session.clone()]);
    let document = SecretString::from(json!({"customer_id": customer}).to_string());
    // Only the session's cookie is sent, and the other one's value in a header (pycentral).
    let cookie = SecretString::from(format!("session={}", session.expose_secret()));
    let call = Call {
        operation: AUTHORIZE,
        verb: Verb::Post,
        path: &["oauth2", "authorize", "central", "api"],
        query: &[("client_id", &client.client_id), ("response_type", "code"), ("scope", "all")],
        proof: Proof::Signed(&document, &[("cookie", &cookie), ("x-csrf-token", csrf)]),
        timeout: None,
    };
    let reply = http.read(&call).await?.reply;
    let code = reply.whole_body().and_then(auth_code);
    match (reply.status, code) {
        (200..=299, Some(code)) => Ok(code),
        _ => Err(unauthorized(http, AUTHORIZE, &reply, &Hush::of(secrets.clone()))),
    }
}

/// A login, or a code, that was not given.
fn unauthorized(http: &Http, operation: &'static str, reply: &Reply, hush: &Hush) -> VendorError {
    let told = reply.whole_body().is_some_and(|body| Refusal::read(body, hush).is_some());
    match reply.status {
        // Which of them wrong credentials give is unconfirmed. A page of somebody in between is not Central's word.
        400 | 401 | 403 if told || reply.status == 401 => VendorError::AuthFailed {
            keys: KEYS,
            authority: http.authority().to_string(),
            operation,
            said: said(reply, hush),
        },
        _ => super::failures::failure(http, operation, reply, hush),
    }
}

async fn pair(http: &Http, operation: &'static str, query: &[(&str, &str)], hush: &Hush) -> Outcome {
    let call = Call {
        operation,
        verb: Verb::Post,
        path: &["oauth2", "token"],
        query,
        proof: Proof::Nobody,
        timeout: None,
    };
    match http.ask_once(&call).await {
        Ok(Dated { reply, .. }) => judge(http, operation, &reply, hush),
        Err(unanswered) => {
            let Unanswered { perhaps_taken, error } = *unanswered;
            if perhaps_taken {
                Outcome::Lost(error)
            } else {
                Outcome::NotTaken(error)
            }
        }
    }
}

fn judge(http: &Http, operation: &'static str, reply: &Reply, hush: &Hush) -> Outcome {
    let verdict = verdict(reply.status, reply.whole_body(), hush);
    let refused = |keys| VendorError::AuthFailed {
        keys,
        authority: http.authority().to_string(),
        operation,
        said: said(reply, hush),
    };
    match verdict {
        Verdict::Pair(pair) => Outcome::Pair(pair),
        Verdict::Dead => Outcome::Dead(refused(KEYS)),
        Verdict::Client => Outcome::NotTaken(refused("clientID and clientSecret")),
        Verdict::TooMany => Outcome::NotTaken(VendorError::Throttled {
            authority: http.authority().to_string(),
            after: reply.retry_after,
        }),
        Verdict::Unknown => Outcome::Lost(super::failures::failure(http, operation, reply, hush)),
    }
}

/// What an answer of the token service proves.
pub(super) enum Verdict {
    /// These were given.
    Pair(Pair),
    /// The token, or the code, is not good.
    Dead,
    /// The application is not known, or its secret is wrong: nobody looked at the token.
    Client,
    /// The gateway before the service let no more requests through: nobody looked at the token.
    TooMany,
    /// Nothing.
    Unknown,
}

/// Judges the answer to a request for a pair. A refusal counts only in the service's own words, with a status that it was met with (400, 401,
/// 403: `vendors.md` 1.3); everything else, a 200 that cannot be read too, may have used the token up.
pub(super) fn verdict(status: u16, body: Option<&[u8]>, hush: &Hush) -> Verdict {
    let refusal = body.and_then(|body| Refusal::read(body, hush));
    match (status, refusal) {
        (200..=299, _) => body.and_then(tokens).map_or(Verdict::Unknown, Verdict::Pair),
        (400 | 401 | 403, Some(refusal)) if matches!(refusal.error.as_deref(), Some("invalid_client" | "unauthorized_client")) => {
            Verdict::Client
        }
        (400 | 401 | 403, Some(refusal)) if refusal.too_many() => Verdict::TooMany,
        (400 | 401 | 403, Some(_)) => Verdict::Dead,
        _ => Verdict::Unknown,
    }
}

/// `{access_token, refresh_token, expires_in, token_type}`
fn tokens(body: &[u8]) -> Option<Pair> {
    let value = json(body)?;
    let lives = value.get("expires_in").and_then(Value::as_u64).filter(|secs| *secs > 0);
    Some(Pair {
        access: secret(value.get("access_token")?)?,
        refresh: value.get("refresh_token").and_then(secret),
        lives: lives.map_or(LIVES, Duration::from_secs),
    })
}

fn auth_code(body: &[u8]) -> Option<SecretString> {
    json(body)?.get("auth_code").and_then(secret)
}

/// A text that fits into a header and into a query.
fn secret(value: &Value) -> Option<SecretString> {
    let text = value.as_str()?;
    let fits = (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| SecretString::from(text))
}
