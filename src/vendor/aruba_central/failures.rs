//! What an answer to a call means when it is not the one that was asked for.

use super::PRODUCT;
use super::wire::Refusal;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::http::Reply;
use crate::vendor::hush::Hush;
use crate::vendor::text::describe_body;
use crate::vendor::text::is_html;
use crate::vendor::text::sanitize;

/// What may be wrong in the Secret, where Central does not tell which of them.
pub(super) const KEYS: &str = "clientID, clientSecret and the user or refreshToken";

/// The error in an answer, where there is one that can be read.
pub(super) fn refusal(reply: &Reply, hush: &Hush) -> Option<Refusal> {
    Refusal::read(reply.whole_body()?, hush)
}

/// Central does not take the token any more: a 401 that says so (`vendors.md` 1.1), or one that says nothing in words that are known. In other words
/// a 401 may be about the customer, and every customer of the account would suffer for it.
pub(super) fn token_is_dead(reply: &Reply) -> bool {
    let body = reply.whole_body().unwrap_or_default();
    let says_so = body.windows(DEAD_TOKEN.len()).any(|part| part == DEAD_TOKEN);
    reply.status == 401 && (says_so || Refusal::read(body, &Hush::Everything).is_none())
}

/// See [`token_is_dead`].
const DEAD_TOKEN: &[u8] = b"invalid_token";

/// What a status that is not what we asked for means. A 401 comes here only after another token was not good either.
pub(super) fn failure(http: &Http, operation: &'static str, reply: &Reply, hush: &Hush) -> VendorError {
    let (authority, status) = (http.authority().to_string(), reply.status);
    let refusal = refusal(reply, hush);
    let said = said(reply, hush);
    match (status, &refusal) {
        (401, _) => VendorError::AuthFailed {
            keys: KEYS,
            authority,
            operation,
            said,
        },
        (403, Some(_)) => VendorError::MissingPermission {
            authority,
            operation,
            said,
            fix: "check that the account belongs to the provider, that the customer is one of its own, and that the user's role in Central allows firmware for it",
        },
        (408 | 500.., _) => VendorError::Unavailable {
            authority,
            operation,
            status,
            said,
        },
        (300..=399 | 404 | 405, None) => not_this_product(authority, operation, status, &said),
        _ if reply.whole_body().is_some_and(is_html) => not_this_product(authority, operation, status, &said),
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

fn not_this_product(authority: String, operation: &'static str, status: u16, said: &str) -> VendorError {
    VendorError::NotThisProduct {
        authority,
        product: PRODUCT,
        operation,
        what: format!("{status} ({said})"),
    }
}

/// The words of an error, or what the body looks like.
pub(super) fn said(reply: &Reply, hush: &Hush) -> String {
    said_in(reply.whole_body(), hush)
}

/// The words of an error body, or what the body looks like.
pub(super) fn said_in(body: Option<&[u8]>, hush: &Hush) -> String {
    let Some(body) = body else {
        return "a body that broke off".to_owned();
    };
    Refusal::read(body, hush).map_or_else(|| describe_body(body), |refusal| sanitize(&refusal.words()))
}

/// Why something cannot be seen, in few words: a status line repeats them at every look, and the Connection has the rest.
pub(super) fn short(error: &VendorError) -> String {
    match error {
        VendorError::Unreachable { why, .. } => why.clone(),
        VendorError::AuthFailed { operation, said, .. } => format!("{operation} refused ({said})"),
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
