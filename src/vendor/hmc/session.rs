//! The console's session: `POST /api/sessions` with user and password in a JSON body, `{"api-session": ...}`, then the header
//! `X-API-Session`, and `DELETE /api/sessions/this-session` at the end.
//!
//! Facts (HMC Web Services API book, zhmcclient): 200; 201, or 409 with reason 50 or 51, to an account with multi-factor authentication;
//! 400 with reason 13 to one that has as many sessions as it may. A session lives ten hours at most, less when it is idle, and none lives
//! through a restart of the console, which shows as 403 with reason 5. Unconfirmed is which reason wrong credentials have: every 403 but that
//! of a missing permission (1) is taken for that, since to try again could lock the account.

use std::time::Duration;

use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use super::failures::failure;
use super::failures::not_this_product;
use super::failures::refusal;
use super::failures::said;
use super::wire::Refusal;
use crate::vendor::credentials::Credentials;
use crate::vendor::decode;
use crate::vendor::error::USER_KEYS;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::hush::Hush;
use crate::vendor::session;
use crate::vendor::session::Door;
use crate::vendor::session::Knock;
use crate::vendor::session::Opened;
use crate::vendor::session::Visit;

/// The header that carries the session id.
pub(super) const HEADER: &str = "X-API-Session";

/// Age at which a session is replaced. Below its ten hours by far more than a permit lives: a start uses the session of the look before it,
/// and is not sent again when that has ended.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(9 * 3600);

/// How sessions are opened.
pub(super) fn door() -> Door {
    Door {
        header: HEADER,
        path: ["api", "sessions"].map(str::to_owned).to_vec(),
        exit: ["api", "sessions", "this-session"].map(str::to_owned).to_vec(),
        knock: Knock::Document(document),
        renew_after: Some(RENEW_AFTER),
        judge,
    }
}

/// The body of a login.
fn document(credentials: &Credentials) -> SecretString {
    let text = json!({"userid": credentials.username, "password": credentials.password.expose_secret()});
    SecretString::from(text.to_string())
}

fn judge(http: &Http, reply: &Reply, visit: &Visit<'_>) -> Result<Opened, VendorError> {
    const OPERATION: &str = "login";
    let hush = Hush::of([visit.credentials.password.clone()]);
    let refusal = refusal(reply, &hush);
    let reason = refusal.as_ref().map(|refusal| refusal.reason);
    let expired = refusal.as_ref().is_some_and(Refusal::of_expired_password);
    let (authority, said) = (http.authority().to_string(), said(reply, &hush));
    Err(match (reply.status, reason) {
        (200, _) => {
            let opened = reply.whole_body().and_then(opened);
            return opened.ok_or_else(|| not_this_product(http, OPERATION, reply, &hush));
        }
        (404 | 405, _) => not_this_product(http, OPERATION, reply, &hush),
        (400, Some(13)) => VendorError::TooManySessions { authority, said },
        (400 | 403 | 409, _) if expired => VendorError::PasswordExpired {
            authority,
            operation: OPERATION,
            said,
        },
        // What a 201 carries is half a session, and none of its business.
        (201, _) => VendorError::SecondFactor {
            authority,
            said: "201".to_owned(),
        },
        (409, Some(50 | 51)) => VendorError::SecondFactor { authority, said },
        (403, Some(1)) => failure(http, OPERATION, reply, &hush),
        (401 | 403, _) => VendorError::AuthFailed {
            keys: USER_KEYS,
            authority,
            operation: OPERATION,
            said,
        },
        _ => failure(http, OPERATION, reply, &hush),
    })
}

/// The body of a login: an object with a session id that fits into a header. `password-expires` is in days, and -1 for never.
pub(super) fn opened(body: &[u8]) -> Option<Opened> {
    let value = decode::json(body)?;
    Some(Opened {
        secret: session::token(value.get("api-session").and_then(Value::as_str)?)?,
        password_days: value.get("password-expires").and_then(Value::as_u64),
    })
}
