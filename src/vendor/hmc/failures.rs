//! What an answer to a read means when it is not the one that was asked for.

use super::PRODUCT;
use super::wire::Refusal;
use crate::vendor::error::USER_KEYS;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::hush::Hush;
use crate::vendor::text::describe_body;
use crate::vendor::text::is_html;
use crate::vendor::text::sanitize;

/// The task without which the console shows nothing of remote firmware updates (its pages "List Remote Firmware Updates of the Console" and
/// "Get Console Remote Firmware Update Properties").
pub(super) const UPDATES_TASK: &str = "Manage Remote Firmware Updates";

/// The error in an answer, where there is one that can be read.
pub(super) fn refusal(reply: &Reply, hush: &Hush) -> Option<Refusal> {
    Refusal::read(reply.status, reply.whole_body()?, hush)
}

/// What a status that is not what we asked for means.
///
/// 403 with reason 4 or 5 is about the session, and comes here only after a new one was not known either: a console that starts. 409 with
/// reason 1 or 2 is a console that is busy, and a read may be repeated (zhmcclient does).
pub(super) fn failure(http: &Http, operation: &'static str, reply: &Reply, hush: &Hush) -> VendorError {
    let (authority, status) = (http.authority().to_string(), reply.status);
    let refusal = refusal(reply, hush);
    let said = said(reply, hush);
    match (status, &refusal) {
        (403, Some(known)) if known.of_session(status) => unavailable(authority, operation, status, said),
        (401, _) => VendorError::AuthFailed {
            keys: USER_KEYS,
            authority,
            operation,
            said,
        },
        // No other 403: a list that may not be read counts as empty, see `sights`.
        (403, Some(known)) if known.reason == 1 => VendorError::MissingPermission {
            authority,
            operation,
            said,
            fix: match operation {
                "list_updates" | "get_update" => "give it the task Manage Remote Firmware Updates on the HMC",
                "login" => "allow it the Web Services API on the HMC",
                _ => "give it the task Single Step Console Internal Code, and access to the console, on the HMC",
            },
        },
        (409, Some(known)) if known.of_busy(status) => unavailable(authority, operation, status, said),
        (408 | 500.., _) => unavailable(authority, operation, status, said),
        (300..=399 | 404, None) => not_this_product(http, operation, reply, hush),
        _ if reply.whole_body().is_some_and(is_html) => not_this_product(http, operation, reply, hush),
        (200..=299, _) => VendorError::Unreadable {
            authority,
            operation,
            what: said,
        },
        _ => VendorError::Refused {
            authority,
            operation,
            status,
            said,
        },
    }
}

fn unavailable(authority: String, operation: &'static str, status: u16, said: String) -> VendorError {
    VendorError::Unavailable {
        authority,
        operation,
        status,
        said,
    }
}

/// Something else than a console answered.
pub(super) fn not_this_product(http: &Http, operation: &'static str, reply: &Reply, hush: &Hush) -> VendorError {
    let authority = http.authority().to_string();
    // A body that broke off says nothing about who sent it.
    if (200..300).contains(&reply.status) && reply.whole_body().is_none() {
        let what = reply.body.clone().err().unwrap_or_default();
        return VendorError::Unreadable {
            authority,
            operation,
            what,
        };
    }
    VendorError::NotThisProduct {
        authority,
        product: PRODUCT,
        operation,
        what: format!("{} ({})", reply.status, said(reply, hush)),
    }
}

/// The words of an error, or what the body looks like.
pub(super) fn said(reply: &Reply, hush: &Hush) -> String {
    said_in(reply.status, reply.whole_body(), hush)
}

/// The words of an error body of an answer with this status, or what the body looks like.
pub(super) fn said_in(status: u16, body: Option<&[u8]>, hush: &Hush) -> String {
    let Some(body) = body else {
        return "a body that broke off".to_owned();
    };
    Refusal::read(status, body, hush).map_or_else(|| describe_body(body), |refusal| sanitize(&refusal.words(status)))
}

/// Why something cannot be seen, in few words: a status line repeats them at every look, and the Connection has the rest.
pub(super) fn short(error: &VendorError) -> String {
    match error {
        VendorError::Unreachable { why, .. } => why.clone(),
        VendorError::AuthFailed { operation, said, .. } | VendorError::PasswordExpired { operation, said, .. } => {
            format!("{operation} refused ({said})")
        }
        VendorError::MissingPermission { operation, said, .. } => format!("the account may not do {operation} ({said})"),
        VendorError::Unavailable {
            operation, status, said, ..
        }
        | VendorError::Refused {
            operation, status, said, ..
        } => format!("{operation} answered {status} ({said})"),
        VendorError::Unreadable { operation, what, .. } => format!("{operation} brought {what}"),
        other => other.message(),
    }
}
