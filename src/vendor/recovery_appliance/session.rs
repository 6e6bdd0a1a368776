//! The appliance's session: `POST /session` with Basic, `{"session_id": ...}`, then the header `x-dr-session`, and `DELETE` at the end.
//!
//! Documented: 200, and 400 and 500 with a `ResponseError`; which status wrong credentials have is not, so 400, 401 and 403 are taken for
//! that, unless their words are about something else: an expired password, or too many sessions. How long a session lives is not documented either. The vendor's own sample client renews it when it is older than 300 s, and takes
//! a 401 at the logout for normal; so does this one.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::failures::failure;
use super::failures::not_this_product;
use super::wire;
use super::wire::Bar;
use crate::vendor::decode::json;
use crate::vendor::error::USER_KEYS;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::session;
use crate::vendor::session::Door;
use crate::vendor::session::Knock;
use crate::vendor::text::is_html;

/// The header that carries the session id.
pub(super) const HEADER: &str = "x-dr-session";

/// Age at which a session is replaced. Below the 300 s of the vendor's sample by a permit's life and as much again: a start uses the session
/// of the look before it.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(240);

/// How sessions are opened, under this base path.
pub(super) fn door(base: &[String]) -> Door {
    let path: Vec<String> = base.iter().cloned().chain(["session".to_owned()]).collect();
    Door {
        header: HEADER,
        exit: path.clone(),
        path,
        knock: Knock::Basic,
        renew_after: Some(RENEW_AFTER),
        judge: |http, reply, visit| judge(http, reply, visit.welcome).map(Into::into),
    }
}

fn judge(http: &Http, reply: &Reply, welcome: bool) -> Result<SecretString, VendorError> {
    const OPERATION: &str = "login";
    let (status, body) = (reply.status, reply.whole_body());
    match status {
        // Documented: 200. A 201 says the same.
        200 | 201 => body.and_then(token_of).ok_or_else(|| not_this_product(http, OPERATION, reply)),
        404 | 405 => Err(not_this_product(http, OPERATION, reply)),
        // Let in before with the same credentials: a ban, see `failure`.
        403 if welcome => Err(failure(http, OPERATION, reply, welcome)),
        400 if body.is_some_and(is_html) => Err(not_this_product(http, OPERATION, reply)),
        400 | 401 | 403 => Err(refused(http, OPERATION, status, body)),
        _ => Err(failure(http, OPERATION, reply, welcome)),
    }
}

/// Why a login was refused. Only credentials that are wrong are a matter of the Secret alone.
fn refused(http: &Http, operation: &'static str, status: u16, body: Option<&[u8]>) -> VendorError {
    let (authority, said) = (http.authority().to_string(), wire::said(body, wire::Answers::Read));
    let words = format!("{status}, {said}");
    match body.and_then(wire::ResponseError::read).and_then(|error| error.bars()) {
        Some(Bar::PasswordExpired) => VendorError::PasswordExpired {
            authority,
            operation,
            said: words,
        },
        // Somebody else logs out, or a session ends by itself.
        Some(Bar::TooManySessions) => VendorError::Unavailable {
            authority,
            operation,
            status,
            said,
        },
        None => VendorError::AuthFailed {
            keys: USER_KEYS,
            authority,
            operation,
            said: words,
        },
    }
}

/// The body of a login: an object with a session id that fits into a header.
pub(super) fn token_of(body: &[u8]) -> Option<SecretString> {
    session::token(json(body)?.get("session_id").and_then(Value::as_str)?)
}
