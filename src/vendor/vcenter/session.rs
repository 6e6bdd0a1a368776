//! The vCenter session: `POST /api/session` with Basic, a token as a JSON string, `DELETE` at the end.
//!
//! Facts (vSphere Automation API specification 9.1 and SDK): 201 with the token, 401, 503; a session ends on inactivity or at an absolute
//! limit, which shows as 401 UNAUTHENTICATED; what was started goes on. The number of sessions is limited, so there is one per Connection,
//! it is reused, and it is ended at shutdown.

use secrecy::SecretString;

use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::session;
use crate::vendor::session::Door;
use crate::vendor::session::Knock;
use crate::vendor::text::is_html;

/// The header that carries the token.
pub(super) const HEADER: &str = "vmware-api-session-id";

/// How sessions are opened.
pub(super) fn door() -> Door {
    let path = ["api", "session"].map(str::to_owned).to_vec();
    Door {
        header: HEADER,
        exit: path.clone(),
        path,
        knock: Knock::Basic,
        // No age is documented at which a session ends; a 401 tells.
        renew_after: None,
        judge: |http, reply, _| judge(http, reply).map(Into::into),
    }
}

fn judge(http: &Http, reply: &Reply) -> Result<SecretString, VendorError> {
    const OPERATION: &str = "login";
    let body = reply.whole_body();
    match reply.status {
        // Documented: 201. A 200 says the same.
        200 | 201 => body
            .and_then(token_of)
            .ok_or_else(|| super::not_this_product(http, OPERATION, reply)),
        404 | 405 => Err(super::not_this_product(http, OPERATION, reply)),
        _ if body.is_some_and(is_html) && !matches!(reply.status, 401 | 403 | 408 | 500..) => {
            Err(super::not_this_product(http, OPERATION, reply))
        }
        _ => Err(super::failure(http, OPERATION, reply)),
    }
}

/// The body of a login: a JSON string that fits into a header.
pub(super) fn token_of(body: &[u8]) -> Option<SecretString> {
    let id: String = serde_json::from_slice(body).ok()?;
    session::token(&id)
}
