//! What an answer to a read means when it is not the one that was asked for.

use super::PRODUCT;
use super::wire;
use crate::vendor::error::USER_KEYS;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::text::is_html;

/// What a status that is not what we asked for means. `served`: the same session, or the same credentials, were good a moment ago.
///
/// This family of APIs bans who asks too often for a while, and which status a ban has is documented nowhere. A 403 to somebody who was let
/// in a moment ago may be one, so it is tried again, at the pace of all looks.
pub(super) fn failure(http: &Http, operation: &'static str, reply: &Reply, served: bool) -> VendorError {
    let (authority, status) = (http.authority().to_string(), reply.status);
    let said = wire::said(reply.whole_body(), wire::Answers::Read);
    match status {
        401 => VendorError::AuthFailed {
            keys: USER_KEYS,
            authority,
            operation,
            said: format!("{status}, {said}"),
        },
        403 if !served => VendorError::MissingPermission {
            authority,
            operation,
            said,
            fix: "use an administrator of the appliance",
        },
        403 | 408 | 500.. => VendorError::Unavailable {
            authority,
            operation,
            status,
            said,
        },
        300..=399 => not_this_product(http, operation, reply),
        _ if reply.whole_body().is_some_and(is_html) => not_this_product(http, operation, reply),
        200..=299 => VendorError::Unreadable {
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

/// Something else than an appliance answered.
pub(super) fn not_this_product(http: &Http, operation: &'static str, reply: &Reply) -> VendorError {
    // A body that broke off says nothing about who sent it.
    if (200..300).contains(&reply.status) && reply.whole_body().is_none() {
        let what = reply.body.clone().err().unwrap_or_default();
        return VendorError::Unreadable {
            authority: http.authority().to_string(),
            operation,
            what,
        };
    }
    let what = format!("{} ({})", reply.status, wire::said(reply.whole_body(), wire::Answers::Read));
    VendorError::NotThisProduct {
        authority: http.authority().to_string(),
        product: PRODUCT,
        operation,
        what,
    }
}

/// Why a target cannot be seen, in few words: its status line repeats them at every look, and the Connection has the rest.
pub(super) fn short(error: &VendorError) -> String {
    match error {
        VendorError::Unreachable { why, .. } => why.clone(),
        VendorError::AuthFailed { operation, said, .. } | VendorError::PasswordExpired { operation, said, .. } => {
            format!("{operation} refused ({said})")
        }
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
