//! What an answer to a read means when it is not the one that was asked for.

use super::PRODUCT;
use super::wire;
use crate::vendor::error::USER_KEYS;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::text::is_html;

/// What a status that is not what we asked for means.
pub(super) fn failure(http: &Http, operation: &'static str, reply: &Reply) -> VendorError {
    let (authority, status) = (http.authority().to_string(), reply.status);
    let said = wire::said(reply.whole_body());
    match status {
        401 => VendorError::AuthFailed {
            keys: USER_KEYS,
            authority,
            operation,
            said,
        },
        403 => VendorError::MissingPermission {
            authority,
            operation,
            said,
            fix: "give it the vSphere privilege Namespaces.Manage (in 9.x also Namespaces.Upgrade) on every cluster to be upgraded",
        },
        408 | 500.. => VendorError::Unavailable {
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

/// Something else than vCenter answered.
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
    let what = format!("{} ({})", reply.status, wire::said(reply.whole_body()));
    VendorError::NotThisProduct {
        authority: http.authority().to_string(),
        product: PRODUCT,
        operation,
        what,
    }
}
