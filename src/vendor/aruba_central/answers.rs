//! What an answer to a start proves: the row for Aruba of `vendors.md` 5.1 and 5.2, as one pure function.
//!
//! The status line decides. Any 2xx was taken, whatever its body: what is in it is unconfirmed, and there is no job. Of a refusal each status and
//! each `error_code` that is documented has words of its own, which say what to do.

use std::time::Duration;

use super::failures::said_in;
use super::wire::Refusal;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::hush::Hush;
use crate::vendor::text::sanitize;

/// Judges the answer to a start. `body` is `None` when not all of it came; `pause` is what the vendor asked for, capped by the caller; `hush` has
/// what the words of the body may not repeat.
pub(super) fn judge(status: u16, pause: Option<Duration>, body: Option<&[u8]>, hush: &Hush) -> Answer {
    let refusal = body.and_then(|body| Refusal::read(body, hush));
    let said = said_in(body, hush);
    match status {
        200..=299 => Answer::Accepted { job: None },
        // RFC 9110, 15.5.2: the request "has not been applied because it lacks valid authentication credentials".
        401 => Answer::NotTaken {
            reason: NotTaken::Unauthorized,
            message: sanitize(&format!("Aruba Central did not take the start: 401 ({said})")),
        },
        429 => Answer::NotTaken {
            reason: NotTaken::Throttled { retry_after: pause },
            message: sanitize(&format!("Aruba Central did not take the start: 429 ({said}), too many calls")),
        },
        // 408 is the word of somebody who did not see the request's end.
        400..=499 if status != 408 => Answer::Rejected {
            message: sanitize(&format!(
                "Aruba Central refused the start with {status} ({said}){}",
                advice(status, refusal.and_then(|refusal| refusal.code).as_deref())
            )),
        },
        // A 5xx proves nothing, whoever says it and however it is put.
        _ => Answer::Lost {
            message: sanitize(&format!("Aruba Central answered {status} ({said})")),
        },
    }
}

/// What to do about a refusal. The codes are those of the vendor's page on the call; which status has which is unconfirmed.
fn advice(status: u16, code: Option<&str>) -> &'static str {
    match (status, code) {
        (403, _) => "; the account may not upgrade this customer: check that the customer is the provider's, and the user's role",
        // `vendors.md` 1.1: some tenants lack paths that others have.
        (404 | 405, _) => "; there is no such customer, or this Central does not have upgrades by customer: check customerId",
        (413, _) => "; the request is too large: exclude fewer groups",
        (417, _) => "; it could not meet what the request expects: something between here and Central may have changed it",
        (_, Some("0001")) => "; a general error of Central's own: look at the customer's firmware page there",
        (_, Some("0003")) => "; options that do not go together: check reboot and excludeGroups for this device type",
        (_, Some("0004")) => "; a value that it does not know: check version, deviceType and excludeGroups",
        (_, Some("0005")) => "; something is missing in the request",
        _ => "",
    }
}
